// Ready-made ingest requests in an unlinked temporary file, mapped into memory: what bench_producer
// sends costs nothing to make while the clock runs, and does not compete for memory with the
// server. Thread-safe after construction.
#pragma once

#include "base/result.h"
#include "generator.h"
#include "net.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::bench {

class Spool {
 public:
  struct Plan {
    uint64_t events = 0;
    uint64_t batch = 0;  // events per request, above 0; the last request may have fewer
    std::string
        request_start;  // request line and headers, without Content-Length and the empty line
    std::string directory;
  };

  /// Writes the requests, events 0 to plan.events - 1 in order, and waits until they are on disk,
  /// so that writing them back does not slow down the server's fsync. kUnavailable with the
  /// system's reason.
  static Result<Spool> make(const Generator& generator, const Plan& plan);

  Spool(Spool&& other) noexcept;
  Spool& operator=(Spool&&) = delete;
  ~Spool();

  size_t requests() const { return ends_.size(); }

  /// One whole HTTP request. Valid as long as the spool.
  std::string_view request(size_t n) const;

  /// The indexes of the events in it: [first, end).
  uint64_t first_event(size_t n) const { return n * batch_; }

  uint64_t end_event(size_t n) const { return std::min(events_, (n + 1) * batch_); }

 private:
  Spool(uint64_t events, uint64_t batch) : events_(events), batch_(batch) {}

  Status map(const Fd& file);

  const uint64_t events_;
  const uint64_t batch_;
  std::vector<uint64_t> ends_;  // offset after each request
  const char* data_ = nullptr;
};

}  // namespace eventhorn::bench
