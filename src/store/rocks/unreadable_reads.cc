#include "store/rocks/unreadable_reads.h"

#include "base/log.h"

#include <chrono>
#include <utility>

namespace eventhorn::store {
namespace {

constexpr int64_t kBetweenTellingS = 10;

}  // namespace

UnreadableReads::UnreadableReads(std::filesystem::path data, const Clock& clock)
    : data_(std::move(data)),
      clock_(clock),
      counted_(metrics::counter("eventhorn_store_unreadable_total",
                                "Reads of the store that failed and were passed over")) {}

void UnreadableReads::note(const char* what, const std::string& error) {
  counted_.add();
  const int64_t now_s =
      std::chrono::duration_cast<std::chrono::seconds>(clock_.steady_now().time_since_epoch())
          .count();
  int64_t told = told_s_;
  if (told > now_s - kBetweenTellingS || !told_s_.compare_exchange_strong(told, now_s)) return;
  log_error("store",
            "cannot read {}; stop the server and run `eventhorn repair --data {}` error={}", what,
            data_.string(), error);
}

}  // namespace eventhorn::store
