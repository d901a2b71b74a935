// What operators should hear of: the last notices, and who listens for new ones.
#pragma once

#include "base/time.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace eventhorn::store {

enum class NoticeKind : uint8_t {
  kParked,    // an endpoint fails and gets only probes now
  kGone,      // an endpoint answered 410
  kReturned,  // a parked, gone or paused endpoint takes events again
  kMissed,    // an endpoint missed an event, the first since it was well
  kExpired,   // retention dropped events before they were delivered
};

/// "endpoint.parked", "endpoint.gone", "endpoint.returned", "event.missed", "events.expired".
std::string_view to_string(NoticeKind kind);

struct Notice {
  uint64_t id = 0;  // given by the board, ascending from 1
  NoticeKind kind{};
  SystemTime at;
  std::string url;     // without password
  std::string domain;  // empty when it concerns the endpoint as a whole
  std::string event;   // id, for kMissed
  std::string reason;  // one line
  uint64_t count = 0;  // events, for kExpired
};

/// Keeps the last kKeep notices in memory. Thread-safe.
class NoticeBoard {
 public:
  static constexpr size_t kKeep = 1000;
  using Listener = std::function<void(const Notice&)>;

  /// Gives the notice its id and tells every listener, on the caller's thread.
  void post(Notice notice);
  /// Those after `id`, oldest first, at most `max`.
  std::vector<Notice> after(uint64_t id, size_t max) const;
  /// Listeners must be quick and must not call the board. Returns a number for unlisten().
  uint64_t listen(Listener listener);
  /// When it returns the listener is not running and never will again.
  void unlisten(uint64_t number);

 private:
  mutable std::mutex mutex_;
  std::deque<Notice> kept_;                           // guarded by mutex_
  uint64_t last_id_ = 0;                              // guarded by mutex_
  uint64_t last_listener_ = 0;                        // guarded by mutex_
  std::unordered_map<uint64_t, Listener> listeners_;  // guarded by mutex_
};

}  // namespace eventhorn::store
