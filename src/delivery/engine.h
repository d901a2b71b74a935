// Delivery on one core: the lanes whose URL lives here, their endpoints, and the attempts in
// flight.
//
// Life of a delivery: a commit hands its events over (on_commit); each goes to the lanes whose
// hooks want it; lanes with work wait in their endpoint's ring; workers, at most the endpoint's
// concurrency, take jobs from the ring and post them; outcomes change the lane and are saved, with
// the attempts, every few milliseconds. A healthy delivery writes no row of its own: what is not
// saved as unsettled is settled up to `settled_through`.
//
// Every member runs on the core's executor. start() before anything else; stop() drains and saves.
#pragma once

#include "async/task_group.h"
#include "base/metrics.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "delivery/endpoint.h"
#include "delivery/lane.h"
#include "delivery/sender.h"
#include "store/commit_queue.h"
#include "webhook/outcome.h"
#include "webhook/retry_schedule.h"

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

namespace eventhorn::delivery {

struct EngineOptions {
  /// This core's place among `cores`: a URL lives on the core that its hash names.
  uint32_t slot = 0;
  uint32_t cores = 1;
  /// Attempts in flight on this core.
  size_t max_in_flight = 1024;
  size_t max_concurrency_per_url = 64;
  size_t max_exceptions = 10'000;
  /// Bytes of events held for caught-up lanes; beyond it lanes fall behind and read the log.
  size_t max_live_bytes = 32 << 20;
  /// Outcomes not yet saved on all cores together: the bound on what a crash repeats beyond the
  /// attempts in flight.
  size_t max_unsaved = 256;
  std::shared_ptr<std::atomic<size_t>> unsaved = std::make_shared<std::atomic<size_t>>(0);
  std::chrono::milliseconds timeout{10'000};
  std::chrono::milliseconds save_interval{5};
  webhook::SuccessRule success = webhook::SuccessRule::kAny2xx;
  webhook::RetrySchedule schedule;
  bool retry_delivered = true;
};

/// The key that signs attempts now; may change while the engine runs.
using SigningKey = std::function<std::shared_ptr<const crypto::HmacKey>()>;

class Engine {
 public:
  Engine(asio::any_io_executor executor, asio::thread_pool& readers, store::Store& store,
         store::CommitQueue& commits, Sender& sender, const Clock& clock, SigningKey key,
         EngineOptions options);
  ~Engine();

  /// Takes up where the last run ended: lanes with rows, retries, and what came after
  /// `settled_through`.
  Task<Status> start(std::vector<store::DomainPtr> domains, store::LoadedProgress progress,
                     Position head);

  /// What a commit made durable, in order.
  void on_commit(const store::BatchPtr& batch);

  /// No new attempts; waits for those in flight until `deadline`, gives back the rest, saves
  /// progress.
  Task<void> stop(Deadline deadline);

  /// True when this core has the URL.
  bool owns(const std::string& url) const;

  size_t in_flight() const { return in_flight_; }

 private:
  struct Route {
    LaneId lane;
    Position since;
    const std::string* url;  // in the domain that routes_ keeps
  };

  struct Routes {
    store::DomainPtr domain;
    std::array<std::vector<Route>, webhook::kHooks> hooks;
  };

  using LanePtr = std::shared_ptr<Lane>;

  // Configuration and intake.
  void apply_change(const store::DomainChange& change);
  void add_routes(const store::DomainPtr& domain);
  void end_lane(LaneId id);
  void deliver(const EventPtr& event);
  LanePtr lane_of(const Routes& routes, LaneId id, const std::string& url);
  void subscribe(Lane& lane, const store::Domain& domain);
  Task<Status> replay(Position after, Position head);

  // Attempts.
  Endpoint& endpoint_of(const std::string& url);
  void schedule(const LanePtr& lane);
  void pump(Endpoint& endpoint);
  void pump_queue();
  void look_again_soon();
  bool can_start() const;
  std::optional<Job> take(Endpoint& endpoint, LanePtr& lane);
  Task<void> work(Endpoint& endpoint, LanePtr lane, Job job);
  Task<bool> load_event(LanePtr lane, Job& job);
  Task<void> attempt(Endpoint& endpoint, LanePtr lane, Job job);
  void finish(Endpoint& endpoint, const LanePtr& lane, const Job& job, const SendReply& reply,
              std::chrono::milliseconds took);
  void on_failure(Endpoint& endpoint, const LanePtr& lane, const Job& job,
                  const webhook::AttemptResult& result);
  void record(const Lane& lane, const Job& job, const SendReply& reply, webhook::Verdict verdict,
              std::chrono::milliseconds took);

  // Reading the log for lanes that are behind.
  void read_more(const LanePtr& lane);
  Task<void> read_segment(LanePtr lane, Segment* segment);

  // Timers.
  void wake_at(SteadyTime when, std::function<void()> what);
  void retry_at(SteadyTime when, const LanePtr& lane, Position position);
  Task<void> run_timers();

  // Saving.
  void mark(Lane& lane);
  void save_soon();
  void save_now();
  void on_saved();
  store::Progress gather();
  Task<void> run_saves();

  struct Meters {
    Meters();
    metrics::Counter success, rejected, gone, retried, missed, expired, dropped;
    metrics::Gauge in_flight, behind;
    metrics::Histogram attempt_seconds, lag_seconds;
  };

  asio::any_io_executor executor_;
  asio::thread_pool& readers_;
  store::Store& store_;
  store::CommitQueue& commits_;
  Sender& sender_;
  const Clock& clock_;
  const SigningKey key_;
  const EngineOptions options_;
  crypto::RandomPool random_;

  std::unordered_map<DomainUid, Routes> routes_;
  std::unordered_map<LaneId, LanePtr> lanes_;  // only lanes with something unsettled
  std::unordered_map<std::string, std::unique_ptr<Endpoint>> endpoints_;
  std::deque<Endpoint*> queue_;  // endpoints that wait for a place in the core's budget
  Position seen_;
  size_t in_flight_ = 0;
  bool stopping_ = false;
  bool looking_again_ = false;

  std::multimap<SteadyTime, std::function<void()>> wakes_;
  asio::steady_timer wake_timer_;

  store::Progress unsaved_;
  std::vector<LaneId> dirty_;
  size_t unsaved_outcomes_ = 0;  // of this core, not yet being saved
  size_t saving_outcomes_ = 0;
  bool saving_ = false;
  Position saved_through_;
  SteadyTime save_due_ = SteadyTime::max();
  asio::steady_timer save_timer_;

  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  TaskGroup tasks_;  // attempts and reads
  TaskGroup loops_;
  Meters meters_;
};

}  // namespace eventhorn::delivery
