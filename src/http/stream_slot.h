// Internal to http/.
#pragma once

#include "http/server_core.h"

namespace eventhorn::http {

/// A place among ServerOptions::max_streams.
class StreamSlot {
 public:
  explicit StreamSlot(ServerState& state) : state_(state) {}

  ~StreamSlot() { release(); }

  StreamSlot(const StreamSlot&) = delete;
  StreamSlot& operator=(const StreamSlot&) = delete;

  /// False when all are taken.
  bool take() {
    if (state_.streams.fetch_add(1) >= state_.options.max_streams) {
      --state_.streams;
      return false;
    }
    taken_ = true;
    state_.streams_gauge.add(1);
    return true;
  }

  void release() {
    if (!taken_) return;
    taken_ = false;
    state_.streams_gauge.add(-1);
    --state_.streams;
  }

 private:
  ServerState& state_;
  bool taken_ = false;
};

}  // namespace eventhorn::http
