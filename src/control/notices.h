// What operators should hear of: the last notices, and who listens for new ones. kept_notices.h
// takes them over restarts.
#pragma once

#include "base/metrics.h"
#include "base/time.h"

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::control {

enum class NoticeKind : uint8_t {
  kParked,      // an endpoint fails and gets only probes now
  kGone,        // an endpoint answered 410
  kReturned,    // a parked, gone or paused endpoint takes events again
  kMissed,      // an endpoint missed an event, the first since it was well
  kExpired,     // retention dropped events before they were delivered
  kUnreadable,  // a lane cannot go on, because the log cannot be read
  kClock,       // the wall clock is ahead of the clock that retention goes by
  kDamaged,     // an event's record in the log is damaged, found by a page
};

inline constexpr size_t kNoticeKinds = 8;

/// "endpoint.parked", "endpoint.gone", "endpoint.returned", "event.missed", "events.expired",
/// "lane.unreadable", "clock.ahead", "event.damaged".
std::string_view to_string(NoticeKind kind);

struct Notice {
  uint64_t id = 0;  // given by the board
  NoticeKind kind{};
  SystemTime at;
  std::string url;     // the board masks it (webhook::masked)
  std::string domain;  // empty when it concerns the endpoint as a whole
  std::string event;   // id, for kMissed
  std::string reason;  // one line; the board keeps kMaxReasonBytes
  uint64_t count = 0;  // events, for kExpired
};

/// One line: {"id":1,"kind":"endpoint.parked","at":"2026-03-11T09:45:12.418Z","url":..,"domain":..,
/// "event":..,"reason":..,"count":n}; what is empty or 0 is left out. The form on every way out.
std::string to_json(const Notice& notice);

/// Keeps the last kKeep notices and counts all in eventhorn_notices_total. Thread-safe.
///
/// Ids are consecutive, over restarts too where notices are kept. The very first is the start's
/// microseconds since 1970, so that what a client has seen never hides what is new, even when a
/// store was lost. They stay below 2^53, exact in every JSON reader.
class NoticeBoard {
 public:
  static constexpr size_t kKeep = 1000;
  static constexpr size_t kMaxReasonBytes = 512;
  using Listener = std::function<void(const Notice&)>;

  explicit NoticeBoard(SystemTime started = SystemClock().now());

  /// Takes up what an earlier process kept: consecutive ids, kKeep at most. Before anything is
  /// posted.
  void restore(const std::vector<Notice>& kept);

  /// From now on notices are seen by nobody before publish(); `wake` is called when one waits, on
  /// the thread that posts it, and must be quick. Of more than kKeep that wait the oldest are seen
  /// all the same.
  void hold(std::function<void()> wake);

  /// Those that wait, oldest first.
  std::vector<Notice> waiting() const;

  /// Lets those up to this id be seen, and tells every listener of each, on the caller's thread.
  void publish(uint64_t through);

  /// Gives the notice its id and, unless notices are held, tells every listener, in the order in
  /// which they came, on the caller's thread.
  void post(Notice notice);

  /// Those after `id`, oldest first, at most `max`. An id that the board has not reached (the clock
  /// was set back over a restart) counts as 0: everything kept.
  std::vector<Notice> after(uint64_t id, size_t max) const;

  /// The newest `max`, oldest first.
  std::vector<Notice> newest(size_t max) const;

  /// Of the newest notice that may be seen; of none yet, the id before the first.
  uint64_t last_id() const;

  /// The listener hears all that after() gives once this has returned. Listeners must be quick and
  /// must not call the board. Returns a number for unlisten().
  uint64_t listen(Listener listener);

  /// When it returns the listener is not running and never will again.
  void unlisten(uint64_t number);

 private:
  void show_oldest();

  std::array<metrics::Counter, kNoticeKinds> counters_;  // thread-safe
  mutable std::mutex mutex_;
  std::deque<Notice> kept_;                 // guarded by mutex_
  std::deque<Notice> waiting_;              // guarded by mutex_; until publish()
  std::function<void()> wake_;              // guarded by mutex_; empty: none are held
  uint64_t last_id_;                        // guarded by mutex_; of kept_
  uint64_t last_listener_ = 0;              // guarded by mutex_
  std::map<uint64_t, Listener> listeners_;  // guarded by mutex_
};

}  // namespace eventhorn::control
