// Delivery on one core: the lanes whose URL lives here, their endpoints, and the attempts in
// flight.
//
// Life of a delivery: a commit hands its events over (on_commit); each goes to the lanes whose
// hooks want it; lanes with work wait in their endpoint's ring; workers, as many as the endpoint's
// health and the core's budget allow, take jobs from the ring and post them; outcomes change the
// lane and the endpoint and are saved, with the attempts, every few milliseconds. A healthy
// delivery writes no row of its own: what is not saved as unsettled is settled up to
// `settled_through`.
//
// An endpoint that cannot be sent to costs nothing per event: its lanes' open segments are behind,
// and the log has what they miss.
//
// Every member runs on the core's executor. start() before anything else; stop() drains and saves.
#pragma once

#include "async/task_group.h"
#include "base/log.h"
#include "base/metrics.h"
#include "control/deliveries.h"
#include "control/notices.h"
#include "crypto/random.h"
#include "delivery/budget.h"
#include "delivery/endpoint.h"
#include "delivery/lane.h"
#include "delivery/log_reader.h"
#include "delivery/recent.h"
#include "delivery/retry_book.h"
#include "delivery/router.h"
#include "delivery/saver.h"
#include "delivery/sender.h"
#include "delivery/timers.h"
#include "store/commit_queue.h"
#include "webhook/outcome.h"
#include "webhook/retry_schedule.h"
#include "webhook/signature.h"

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
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
  asio::thread_pool& readers;
  store::Store& store;
  store::CommitQueue& commits;
  control::NoticeBoard& notices;
  Sender& sender;
  const Clock& clock;
  /// The keys that sign attempts now.
  std::function<webhook::SigningKeys()> keys;
};

class Engine : private Saver::Listener, private RetryBook::Listener, private LogReader::Listener {
 public:
  using SettingsByUrl = std::unordered_map<std::string, store::EndpointSettings>;

  Engine(asio::any_io_executor executor, EngineServices services, EngineOptions options);
  ~Engine() override = default;

  /// Takes up where the last run ended: endpoints that were not well, lanes with rows, retries, and
  /// what came after the marks of its slots.
  Task<Status> start(const std::vector<store::DomainPtr>& domains,
                     const store::LoadedProgress& progress, const SettingsByUrl& settings,
                     Position head);

  /// What a commit made durable, in order.
  void on_commit(const store::BatchPtr& batch);

  /// No new attempts.
  Task<void> stop_sending();
  /// After stop_sending(), or by itself: waits for attempts in flight until `deadline`, gives back
  /// the rest, saves progress.
  Task<void> stop(Deadline deadline);

  /// True when this core has the URL. Any thread.
  bool owns(const std::string& url) const { return router_.owns(url); }

  const asio::any_io_executor& executor() const { return executor_; }

  // What operators see and ask for: control/deliveries.h.
  Task<std::vector<control::EndpointStatus>> endpoints(std::optional<store::EndpointId> after,
                                                       size_t limit,
                                                       std::optional<control::EndpointState> state);
  Task<std::vector<control::EndpointStatus>> endpoints_of(std::vector<std::string> urls);
  control::EndpointStatus endpoint(const std::string& url) const;
  Task<std::vector<control::LaneStatus>> lanes(std::vector<LaneId> ids);
  Task<std::vector<control::LaneStatus>> lanes_of(std::string url);
  Task<std::vector<control::LaneStatus>> replaying();

  std::vector<store::AttemptRow> recent_successes(const std::string& url) const {
    return recent_.of(url);
  }

  Task<control::LaneStatus> lane(LaneId id, DomainUid domain, std::string url);
  Task<Status> pause(std::string url);
  Task<Status> resume(std::string url);
  Task<void> configured(std::string url);
  void settings_changed(const std::string& url, store::EndpointSettings settings, uint64_t version);
  Task<Status> add_segments(LaneId id, DomainUid domain, std::vector<store::SegmentRow> segments);
  Task<Status> attempt_again(LaneId id, std::vector<EventPtr> events);
  Task<Status> change_replay(uint64_t replay, control::ReplayAction action);

  /// Retention has dropped everything up to `last`: what lanes had of it is counted and let go.
  Task<void> expire(Position last);

 private:
  class Attempt;  // attempt.h

  // Configuration and intake (engine.cc).
  void apply_change(const store::DomainChange& change);
  void end_lane(LaneId id);
  void deliver(const EventPtr& event);
  void offer(const LanePtr& lane, const EventPtr& event, Hook hook);
  LanePtr lane_of(const store::Domain& domain, LaneId id, const std::string& url);
  LanePtr find_or_make_lane(LaneId id, DomainUid domain);
  void forget(const LanePtr& lane);

  // Start (start.cc).
  void load_endpoints(const store::LoadedProgress& progress,
                      const std::vector<store::DomainPtr>& domains);
  void load_lanes(const store::LoadedProgress& progress,
                  const std::vector<store::DomainPtr>& domains);
  Task<Status> replay(const store::SlotMarks& marks, Position head);

  // Endpoints: who may send, and what becomes of them (endpoints.cc).
  const EndpointPtr& endpoint_of(const std::string& url);
  void apply_settings(Endpoint& endpoint);
  void schedule(const LanePtr& lane);
  void schedule_all(const EndpointPtr& endpoint);
  void pump(const EndpointPtr& endpoint);
  void pump_queues(Places& places);
  void look_again_soon();
  std::optional<Attempt> start_next(const EndpointPtr& endpoint);
  bool has_place(const EndpointPtr& endpoint, Standing standing);
  void release(Endpoint& endpoint, Standing standing);
  void abandon(const LanePtr& lane, const Job& job);
  std::optional<Job> take(Endpoint& endpoint, LanePtr& lane, SteadyTime now);
  void arm(const EndpointPtr& endpoint, SteadyTime now);
  void changed(const EndpointPtr& endpoint, Health::Change change, const std::string& reason);
  void retime(Endpoint& endpoint);
  void spill(Endpoint& endpoint);
  void unload(const LanePtr& lane);
  void tell(const Endpoint& endpoint, control::NoticeKind kind, control::Notice notice);
  void throttle_changed(Endpoint& endpoint);
  Task<void> run_sweeps();
  Task<void> sweep();
  void wake_held();

  // Attempts (attempts.cc).
  Task<void> work(Attempt first);
  Task<bool> load_event(Attempt& attempt);
  Task<void> make(Attempt& attempt);
  Task<SendReply> send(const Endpoint& endpoint, const store::StoredEvent& event, Deadline deadline,
                       bool fresh_connection);
  void finish(const EndpointPtr& endpoint, const LanePtr& lane, const Job& job,
              const SendReply& reply, SteadyTime started);
  void on_unreadable(Endpoint& endpoint, const LanePtr& lane, const Job& job, const Error& error);
  void drop_outlived(const LanePtr& lane, const Job& job);
  bool not_its_fault(const EndpointPtr& endpoint, const LanePtr& lane, const Job& job,
                     const webhook::AttemptResult& result);
  void decide(Endpoint& endpoint, const LanePtr& lane, const Job& job,
              const webhook::AttemptResult& result, webhook::Verdict verdict);
  void on_settled(const LanePtr& lane, const Job& job);
  void on_failure(Endpoint& endpoint, const LanePtr& lane, const Job& job,
                  const webhook::AttemptResult& result);
  void on_missed(Endpoint& endpoint, Lane& lane, const Job& job,
                 const webhook::AttemptResult& result);
  void tell_missed(Endpoint& endpoint, const Lane& lane, std::string event, std::string reason);
  webhook::RetrySchedule schedule_of(const Endpoint& endpoint, const Lane& lane) const;
  void record(const Lane& lane, const Job& job, const SendReply& reply, webhook::Verdict verdict,
              SystemTime now, std::chrono::milliseconds took);

  // What the saver, the retries and the reader ask for.
  void on_settled(const LanePtr& lane) override;
  void on_saved() override;
  void on_due(const LanePtr& lane) override;
  void on_read(const LanePtr& lane) override;
  void tell(const Lane& lane, control::NoticeKind kind, control::Notice notice) override;
  bool store_is_good() const override;

  // For operators (control.cc).
  control::EndpointState state_of(const Endpoint& endpoint) const;
  control::EndpointStatus status_of(const Endpoint& endpoint) const;
  control::LaneStatus status_of(const Lane& lane) const;
  Task<std::vector<control::LaneStatus>> statuses(std::vector<LanePtr> lanes);
  std::vector<LanePtr> replaying_lanes();

  struct Meters {
    Meters();
    metrics::Counter success, rejected, gone, retried, given_up, own_fault, dropped;
    metrics::Counter probe_success, probe_failure;
    metrics::Gauge in_flight, replays;
    std::array<metrics::Gauge, 5> endpoints;  // by control::EndpointState
    metrics::Histogram attempt_seconds, lag_seconds;
  };

  const asio::any_io_executor executor_;
  const EngineServices services_;
  const EngineOptions options_;
  crypto::RandomPool random_;

  Router router_;
  std::unordered_map<LaneId, LanePtr> lanes_;  // only lanes with something unsettled
  std::set<LaneId> replaying_;                 // of lanes_; may be over: replaying_lanes() looks
  std::unordered_map<std::string, EndpointPtr> endpoints_;
  std::map<store::EndpointId, EndpointPtr> endpoints_by_id_;
  std::unordered_map<std::string, std::weak_ptr<Places>> hosts_;
  SettingsByUrl settings_;                                       // of the URLs that have some
  std::unordered_map<std::string, uint64_t> settings_versions_;  // of those changed in this life
  bool stopping_ = false;

  Places places_;
  bool looking_again_ = false;

  Timers timers_;
  Timer sweep_timer_;
  SteadyTime own_fault_log_due_{};
  uint64_t own_faults_unlogged_ = 0;
  LogLimit miss_lines_, read_lines_;

  TaskGroup tasks_;  // attempts and reads
  TaskGroup loops_;
  Saver saver_;
  RetryBook retries_;
  LogReader reader_;
  RecentSuccesses recent_;
  std::array<size_t, 5> counted_endpoints_{};
  size_t counted_replays_ = 0;
  Meters meters_;
};

}  // namespace eventhorn::delivery
