// Delivery on one core: the lanes whose URL lives here, their endpoints, and the attempts in
// flight. A composition: it makes the parts, gives them to each other, starts and stops them, and
// takes in what commits hand over.
//
//   commit -> Router (which lanes?) -> Lane -> Scheduler (who is next?) -> Attempts (sign, post)
//                                       ^           ^                         |
//             LogReader (behind) -------'           '------- Outcomes <-------'
//                                                               |
//                                                             Saver -> store::ProgressSaver
//
//   Router       which lanes want an event, as of what was handed over
//   Lanes        those that have something unsettled; Endpoints: their URLs
//   Scheduler    who may send next: rings, places, health
//   Attempts     makes attempts; Outcomes: what comes of them
//   RetryBook    what waits for another attempt; Transitions: what a change of health means
//   LogReader    reads for lanes that are behind
//   Saver        what must be written, and when
//   Timers       what is to be done at a time to come
//   Operator     what operators see and ask for; Sweep: looks over the endpoints now and then
//
// An endpoint that cannot be sent to costs nothing per event: its lanes' open segments are behind,
// and the log has what they miss.
#pragma once

#include "async/pool.h"
#include "async/task_group.h"
#include "control/deliveries.h"
#include "control/notices.h"
#include "crypto/random.h"
#include "delivery/attempts.h"
#include "delivery/endpoints.h"
#include "delivery/lanes.h"
#include "delivery/log_reader.h"
#include "delivery/operator.h"
#include "delivery/outcomes.h"
#include "delivery/recent.h"
#include "delivery/retry_book.h"
#include "delivery/router.h"
#include "delivery/saver.h"
#include "delivery/scheduler.h"
#include "delivery/sender.h"
#include "delivery/sweep.h"
#include "delivery/timers.h"
#include "delivery/transitions.h"
#include "store/feed.h"
#include "store/progress_saver.h"
#include "store/store.h"
#include "webhook/outcome.h"
#include "webhook/retry_schedule.h"
#include "webhook/signature.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace eventhorn::delivery {

struct EngineOptions {
  /// This core's number among `cores`: it has the URLs of its share of the slots (store/slots.h).
  uint32_t core = 0;
  uint32_t cores = 1;
  /// Attempts in flight on this core ...
  size_t max_in_flight = 1024;
  /// ... and to one host and port.
  size_t max_per_host = 256;
  /// Events of one lane that wait for a retry; beyond it the lane sends nothing new.
  size_t max_exceptions = 10'000;
  /// The same for the core: beyond it every lane keeps to its share, or to a few.
  size_t max_waiting = 100'000;
  /// Bytes of events held in memory, by all cores; beyond it lanes fall behind and read the log
  /// little by little.
  size_t max_live_bytes = 32 << 20;
  /// Outcomes not yet saved on all cores together: the bound on what a crash repeats beyond the
  /// attempts in flight.
  size_t max_unsaved = 256;
  std::shared_ptr<std::atomic<size_t>> unsaved = std::make_shared<std::atomic<size_t>>(0);
  /// Bytes of the last successes that are kept in full, of this core.
  size_t max_recent_bytes = 16 << 20;
  std::chrono::milliseconds timeout{10'000};
  std::chrono::milliseconds save_interval{5};
  /// Before an event that cannot be read is read again.
  std::chrono::milliseconds between_reads{5000};
  webhook::SuccessRule success = webhook::SuccessRule::kAny2xx;
  webhook::RetrySchedule schedule;
  double retry_jitter = 0.1;  // of schedules that a domain or a URL has of its own
  bool retry_delivered = true;
  HealthOptions health;
};

/// What an engine works with; everything outlives it.
struct EngineServices {
  Pool& readers;
  store::Store& store;
  store::ProgressSaver& progress;
  const store::StoreHealth& health;
  control::NoticeBoard& notices;
  Sender& sender;
  const Clock& clock;
  /// The keys that sign attempts now.
  std::function<webhook::SigningKeys()> keys;
  /// Of tokens and jitter.
  crypto::RandomSource random = crypto::fill_random;
};

/// Every member runs on the core's executor, unless it says otherwise. start() before anything
/// else; stop() drains and saves.
class Engine : private Saver::Listener,
               private RetryBook::Listener,
               private LogReader::Listener,
               private Scheduler::Listener {
 public:
  Engine(asio::any_io_executor executor, EngineServices services, EngineOptions options);
  ~Engine() override = default;

  /// Takes up where the last run ended: endpoints that were not well, lanes with rows, retries, and
  /// what came after the marks of its slots.
  Task<Status> start(const std::vector<store::DomainPtr>& domains,
                     const store::LoadedProgress& progress, const SettingsByUrl& settings,
                     Position head);

  /// What a commit made durable, in order.
  void on_commit(const store::BatchPtr& batch);

  /// Retention has dropped everything up to `last`: what lanes had of it is counted and let go.
  Task<void> expire(Position last);

  /// No new attempts.
  Task<void> stop_sending();
  /// After stop_sending(), or by itself: waits for attempts in flight until `deadline`, gives back
  /// the rest, saves progress.
  Task<void> stop(Deadline deadline);

  /// True when this core has the URL. Any thread.
  bool owns(const std::string& url) const { return router_.owns(url); }

  const asio::any_io_executor& executor() const { return executor_; }

  /// Aborts when an invariant of a part does not hold. For tests.
  void check_invariants() const;

  /// What operators see and ask for.
  Operator& operators() { return operator_; }

 private:
  // Intake.
  void apply_change(const store::DomainChange& change);
  void end_lane(LaneId id);
  void deliver(const EventPtr& event);
  void offer(const LanePtr& lane, const EventPtr& event, Hook hook);

  // Start (start.cc).
  void load_endpoints(const store::LoadedProgress& progress,
                      const std::vector<store::DomainPtr>& domains);
  void load_lanes(const store::LoadedProgress& progress,
                  const std::vector<store::DomainPtr>& domains);
  Task<Status> replay(const store::SlotMarks& marks, Position head);

  // What the parts ask of each other.
  void on_settled(const LanePtr& lane) override;
  void on_saved() override;
  void on_due(const LanePtr& lane) override;
  void on_read(const LanePtr& lane) override;
  void tell(const Lane& lane, control::NoticeKind kind, control::Notice notice) override;
  bool store_is_good() const override;
  void start(Attempt attempt) override;
  void read_more(const LanePtr& lane) override;
  void on_health(const EndpointPtr& endpoint, Health::Change change) override;

  const asio::any_io_executor executor_;
  const EngineServices services_;
  const EngineOptions options_;
  crypto::RandomPool random_;
  TaskGroup tasks_;  // attempts and reads
  TaskGroup loops_;
  bool stopping_ = false;

  // Each works with those before it.
  Router router_;
  Endpoints endpoints_;
  Lanes lanes_;
  Timers timers_;
  Saver saver_;
  RetryBook retries_;
  LogReader reader_;
  Scheduler scheduler_;
  Transitions transitions_;
  RecentSuccesses recent_;
  Outcomes outcomes_;
  Attempts attempts_;
  Operator operator_;
  Sweep sweep_;
};

}  // namespace eventhorn::delivery
