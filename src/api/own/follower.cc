#include "api/own/follower.h"

#include <algorithm>
#include <utility>

namespace eventhorn::api {
namespace {

// Rows and bytes looked at by one call of the store: a few milliseconds of a reader's thread, then
// others have their turn. The bytes are also what a stream holds of a piece.
constexpr size_t kMaxSliceScan = 4096;
constexpr size_t kMaxSliceBytes = size_t{512} << 10;
constexpr std::chrono::milliseconds kMaxSliceTime{50};

}  // namespace

Follower::Follower(Services& services, asio::any_io_executor executor, Followed followed,
                   Position after)
    : services_(services),
      followed_(std::move(followed)),
      bell_(std::make_shared<Bell>(std::move(executor), services.clock)),
      place_(services.doorbells, followed_.domain, bell_),
      position_(after) {}

Task<Result<store::OrderSlice>> Follower::read(size_t max_events) {
  auto& readers = followed_.filter.empty() ? services_.readers : services_.searchers;
  const auto read = [&] { return read_slice(max_events); };
  CO_TRY(auto slice, co_await run_blocking(readers, read));
  position_ = slice.reached;
  co_return slice;
}

// On a reader's thread.
Result<store::OrderSlice> Follower::read_slice(size_t max_events) {
  const auto& filter = followed_.filter;
  store::OrderQuery query;
  query.domain = followed_.domain;
  query.after = position_;
  query.max_scan = kMaxSliceScan;
  query.max_events = max_events;
  query.max_bytes = kMaxSliceBytes;
  // Of all domains those that live: the log still has events of others.
  if (!filter.empty() || !followed_.domain) {
    query.may_match = [&](DomainUid domain, event::Name name, event::Severity severity) {
      return filter.may_match(name, severity) &&
             (followed_.domain || services_.directory.has(domain));
    };
  }
  if (!filter.empty())
    query.matches = [&](std::string_view bytes) { return filter.matches(bytes); };
  const auto end = services_.clock.steady_now() + kMaxSliceTime;
  query.give_up = [&] { return services_.clock.steady_now() >= end; };

  auto& order = services_.store.order;
  const auto seen = order.last_commit();
  TRY(auto slice, order.read_order(query));
  if (slice.at_end) {
    complete_until_ = seen.at;
  } else if (!slice.events.empty() && slice.events.back()->position == slice.reached) {
    complete_until_ = slice.events.back()->committed;
  } else {
    TRY(complete_until_, order.committed_at(slice.reached));
  }
  return slice;
}

Task<bool> Follower::wait(Deadline until) {
  const bool rung = co_await bell_->wait(until);
  co_return rung;
}

bool Follower::domain_is_gone() const {
  return followed_.domain && !services_.directory.has(*followed_.domain);
}

Task<Result<Position>> oldest_kept(Services& services) {
  const auto read = [&]() -> Result<Position> {
    store::OrderQuery query;
    query.max_scan = query.max_events = 1;
    TRY(const auto slice, services.store.order.read_order(query));
    return slice.gone_through;
  };
  CO_TRY(const auto out, co_await run_blocking(services.readers, read));
  co_return out;
}

}  // namespace eventhorn::api
