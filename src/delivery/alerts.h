// POSTs notices to `alerts.url`, signed like deliveries:
//
//   {"signature":{"timestamp":"..","token":"..","signature":".."},"notice":{..},"suppressed":n}
//
// `notice` is control::to_json. Of one kind about one endpoint at most one is sent per interval; of
// those that come within it the last is sent at its end, and `suppressed`, left out when 0, says
// how many others it stands for. Alerts are retried, and may come twice and out of order: the
// notice's id tells. What is not sent when the process ends is sent by the next one.
//
// Lives on one core and never holds up who posts notices. The constructor's references must outlive
// it. start() begins; stop() must have ended before it is destroyed if start() was called.
#pragma once

#include "async/bell.h"
#include "async/task_group.h"
#include "async/timer.h"
#include "base/metrics.h"
#include "base/time.h"
#include "control/notices.h"
#include "crypto/random.h"
#include "delivery/sender.h"
#include "webhook/signature.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::delivery {

struct AlertOptions {
  std::string url;
  std::chrono::milliseconds min_interval{60'000};
  std::chrono::milliseconds timeout{10'000};  // of an attempt
  /// Waits before the attempts after the first; then the alert is given up.
  std::vector<std::chrono::milliseconds> retries{std::chrono::seconds(1), std::chrono::seconds(5),
                                                 std::chrono::seconds(30)};
  /// The last notice that needs no alert any more; nullopt: the board's last. Where the board
  /// begins behind it, those between are counted as dropped.
  std::optional<uint64_t> after{};
  /// Told, on the executor, of each `after` that an Alerts of the next process should begin with.
  std::function<void(uint64_t)> settled = [](uint64_t) {};
  size_t max_queue = 100;     // beyond about it no more are taken from the board
  size_t max_watched = 1000;  // (kind, endpoint); beyond it the interval that is nearest to its end
                              // ends early
};

class Alerts {
 public:
  /// Sends what is posted from now on, and what is on the board after options.after, once started.
  /// `keys` gives the keys that sign now.
  Alerts(asio::any_io_executor executor, control::NoticeBoard& board, Sender& sender,
         const Clock& clock, std::function<webhook::SigningKeys()> keys, AlertOptions options);
  Alerts(const Alerts&) = delete;
  Alerts& operator=(const Alerts&) = delete;

  /// Any thread.
  void start();

  /// Takes no more notices, sends what there is without waiting for retries, and leaves the rest to
  /// the next process at `deadline`. On the executor.
  Task<void> stop(Deadline deadline);

 private:
  struct Alert {
    control::Notice notice;
    uint64_t suppressed = 0;
  };

  // The interval of one kind about one endpoint.
  struct Interval {
    SteadyTime end;
    std::optional<control::Notice> held;  // the last that came within
    uint64_t suppressed = 0;              // those before it
  };

  using Intervals = std::map<std::pair<control::NoticeKind, std::string>, Interval>;

  Task<void> take();
  void take_new();
  void admit(const control::Notice& notice);
  size_t room() const;
  SteadyTime end_intervals(SteadyTime until);
  bool release(Interval& interval);
  void enqueue(Alert alert);
  void settle(uint64_t id);
  void tell_settled();

  Task<void> send_all();
  Task<void> send(Alert alert);
  Task<SendReply> post(const Alert& alert);

  struct Meters {
    metrics::Counter delivered, given_up, suppressed, dropped;
  };

  // Constant after construction.
  const asio::any_io_executor executor_;
  control::NoticeBoard& board_;
  Sender& sender_;
  const Clock& clock_;
  const std::function<webhook::SigningKeys()> keys_;
  const AlertOptions options_;

  // Touched on the executor only.
  crypto::RandomPool random_;
  std::shared_ptr<Sender::Target> target_;
  uint64_t seen_;            // id of the last notice taken from the board
  std::set<uint64_t> open_;  // ids of those that are held, queued or being sent
  uint64_t told_;            // what options_.settled was told last
  Intervals intervals_;
  std::deque<Alert> queue_;
  std::shared_ptr<Bell> posted_;  // on the board; also rung when the queue has room again
  std::shared_ptr<Bell> queued_;
  Timer retry_timer_;
  uint64_t listener_ = 0;
  Deadline stop_deadline_ = Deadline::max();
  bool stopping_ = false;
  TaskGroup tasks_;
  Meters meters_;
};

}  // namespace eventhorn::delivery
