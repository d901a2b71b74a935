#include "store/health.h"

#include "base/check.h"
#include "base/log.h"

#include <utility>

namespace eventhorn::store {

StoreHealth::StoreHealth(Upkeep& store, const Clock& clock, const WriterOptions& options)
    : store_(store),
      clock_(clock),
      min_free_bytes_(options.min_free_bytes),
      look_interval_(options.recover_interval),
      failures_(
          metrics::counter("eventhorn_store_failures_total", "Writes that the store refused")) {}

void StoreHealth::on_change(std::function<void()> listener) {
  CHECK(!started_);
  listeners_.push_back(std::move(listener));
}

void StoreHealth::start() {
  started_ = true;
}

Status StoreHealth::status() const {
  if (!started_) return fail(Errc::kUnavailable, "starting; try again in a moment");
  if (!good())
    return fail(Errc::kUnavailable, "the store cannot write; it is being reopened, try again");
  if (disk_low_) return fail(Errc::kUnavailable, "the disk is nearly full (store.min_free)");
  if (indexes_lag_) return store_.may_append();
  return {};
}

void StoreHealth::failed(Generation used, const Error& error) {
  uint64_t good = used * kGeneration;
  if (!state_.compare_exchange_strong(good, good | kFailed)) {
    CHECK(used <= generation());
    return;
  }
  failures_.add();
  log_error("store", "a write failed; ingest answers 503 until the store is reopened error={}",
            error.message);
  changed();
}

void StoreHealth::look() {
  if (store_.failed()) {
    failed(generation(), {Errc::kUnavailable, "a setting, a notice or retention was not written"});
  }
  const auto may_append = store_.may_append();
  if (indexes_lag_.exchange(!may_append) == may_append.has_value())
    log_error("store", "ingest {}",
              may_append ? "goes on: the indexes have caught up"
                         : "answers 503: " + may_append.error().message);
  const auto now = clock_.steady_now();
  if (space_checked_ != SteadyTime::min() && now - space_checked_ < look_interval_) return;
  space_checked_ = now;
  disk_low_ = store_.free_bytes() < min_free_bytes_;
}

Status StoreHealth::recover(const std::function<Status()>& hand_over) {
  CHECK(!good());
  TRY_STATUS(store_.recover());
  TRY_STATUS(hand_over());
  state_ = (generation() + 1) * kGeneration;
  changed();
  return {};
}

void StoreHealth::changed() const {
  for (const auto& listener : listeners_) listener();
}

}  // namespace eventhorn::store
