// An endpoint: the health of one URL, shared by all lanes that point to it. Lives on one core.
#pragma once

#include "base/time.h"
#include "delivery/sender.h"

#include <deque>
#include <memory>
#include <string>

namespace eventhorn::delivery {

class Lane;

/// Adaptive concurrency: one more after each success, halved by each sign of overload.
class Concurrency {
 public:
  explicit Concurrency(size_t most) : most_(most), limit_(most < kStart ? most : kStart) {}

  size_t limit() const { return limit_; }

  void on_success() {
    if (limit_ < most_) ++limit_;
  }

  /// Timeout, 429 or 5xx.
  void on_overload() { limit_ = limit_ > 1 ? limit_ / 2 : 1; }

 private:
  static constexpr size_t kStart = 4;
  size_t most_;
  size_t limit_;
};

struct Endpoint {
  Endpoint(std::string u, size_t most_concurrent)
      : url(std::move(u)), concurrency(most_concurrent) {}

  std::string url;
  Concurrency concurrency;
  std::shared_ptr<Sender::Target> target;
  /// Lanes that may have something to send, each once, served in turn.
  std::deque<std::shared_ptr<Lane>> ring;
  size_t workers = 0;
  /// Retry-After asked us to stay away until then.
  SteadyTime not_before{};
  /// 410: nothing is sent until the URL is configured again.
  bool gone = false;
  bool in_queue = false;
};

}  // namespace eventhorn::delivery
