// The truth: what must hold of what clients were told, what the log has, and what receivers got,
// whatever goes wrong in between. It is told of everything at the borders of the real code
// (clients, the feed of commits, the network, kills) and never asks the code how it is.
//
//   - Every event that was acknowledged is in the log, with its bytes, and stays there.
//   - What is sent is an event of the log, to a URL that was subscribed at its position, or by a
//   replay.
//   - An event is settled once for each URL, and once more for each replay. After a kill what was
//   settled before may be settled
//     again: of all URLs together at most the documented number, or, after a power cut, also what
//     was not durable yet.
//   - Attempts under way keep to their bounds, and none begins before Retry-After is over, more
//   often
//     than the rate allows, before the delay of a retry is over (pace.h), after the last one of the
//     schedule, or while the endpoint is paused (pauses.h).
//   - What is missed was given all its attempts.
//   - First attempts of one message and recipient take turns (turns.h).
//   - An event is in the log until its retention, and not much longer.
//   - Pages that clients walk (page_walk.h) and what operators list (backlog.h) say what is so.
//   - When all is calm each event is settled for each URL when its delay is over and those before
//   it
//     had their time (find_late), and in the end (check_end) settled or missed, unless the webhook
//     was removed or retention was faster.
//
// The first thing that does not hold is kept; the run ends with it.
#pragma once

#include "simulation/disk_story.h"
#include "simulation/pace.h"
#include "simulation/pauses.h"
#include "simulation/turns.h"
#include "simulation/world.h"
#include "store/append_queue.h"
#include "store/feed.h"
#include "store/store.h"
#include "webhook/outcome.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace eventhorn::simulation {

struct ModelOptions {
  /// Attempts under way on one core, and to one URL.
  size_t max_in_flight = 0;
  size_t max_concurrency = 0;
  /// Outcomes that a kill may repeat, beyond the attempts that may be under way.
  size_t max_unsaved = 0;
  /// What was settled so long before a power cut is not repeated by it.
  Micros durable_after{};
  /// Events are kept so long, and not much longer.
  Micros retention{};
  /// Events in memory are never so many bytes that lanes fall behind for it.
  bool has_room = false;
  /// Between the attempts of one event.
  Delays delays{};
  /// False: an event that says `delivered` has one attempt.
  bool retry_delivered = true;
  /// Attempts a second to one URL; 0: no limit.
  double rate = 0;
  /// Events of a lane that may wait for a retry before it sends nothing else.
  size_t max_exceptions = 0;
  /// Bytes of events in memory that lanes may hold.
  size_t max_live_bytes = 0;
};

class Model {
 public:
  /// That a delivery was settled: in which life, and when.
  struct Settlement {
    size_t life = 0;
    SteadyTime at;
  };

  /// An event for one URL.
  struct Delivery {
    std::string url;
    LaneId lane;
    std::vector<Settlement> settlements;  // the last of itself, and of each of its replays
    bool dropped = false;                 // the webhook was removed, then
    SteadyTime dropped_at{};
    bool optional = false;   // only a replay wants it
    size_t replays = 0;      // asked for, and not yet settled
    bool tried = false;      // in vain: what follows are no first attempts
    size_t failures = 0;     // attempts that failed
    SteadyTime failed_at{};  // the last of them,
    size_t failed_life = 0;  // in that life
    bool unsure = false;     // the code may have counted fewer of them

    bool settled() const { return !settlements.empty(); }
  };

  struct Event {
    Position position;
    DomainUid domain;
    std::optional<webhook::Hook> hook;  // nullopt: it is for no URL
    uint64_t key = 0;
    std::string id;
    int64_t timestamp_us = 0;
    std::string bytes;
    std::vector<Delivery> deliveries;
    SteadyTime committed_since;  // and handed over,
    SteadyTime committed_until;  // or found after a kill
  };

  Model(World& world, const ModelOptions& options) : world_(world), options_(options) {}

  // Clients.

  /// The request is answered: the event is stored, under `bytes`.
  void on_acknowledged(const std::string& bytes, store::AppendQueue::Outcome outcome);

  /// A replay is asked for: the event may be settled once more for the URL.
  void on_replay(const std::string& url, LaneId lane, const std::string& bytes);
  /// The same for all events of a class that the log has now, as often as it may be.
  void on_replay(DomainUid domain, const std::string& url, webhook::Class cls);

  /// A URL is configured or resumed: what it asked for itself counts no more.
  void on_operator(const std::string& url);
  /// It is to be resumed.
  void on_resume(const std::string& url);
  /// It is to be paused; what on_paused() is to be told.
  uint64_t on_pause(const std::string& url);
  /// That was answered.
  void on_paused(const std::string& url, uint64_t asked);

  /// What is wrong with something that a client saw; nothing for nullopt.
  void judge(const std::optional<std::string>& wrong);

  // The log.

  /// As a commit is handed over.
  void on_batch(const store::CommittedBatch& batch);
  /// A process has opened the store and hands over what earlier ones did not come to.
  void on_opened(store::Store& store);

  /// A client has seen the event, which is to be handed over, unless it was.
  void expect(const std::string& bytes) { expected_.insert(bytes); }

  // The network.

  void on_attempt(const std::string& url, const std::string& bytes);
  void on_answer(const std::string& url, const std::string& bytes,
                 const webhook::AttemptResult& result);

  // The machine.

  enum class End { kStop, kKill, kPowerCut };

  /// A process begins.
  void on_boot(size_t cores);
  /// A process is no more.
  void on_end(End end);
  /// The wall clock has moved on by so much beyond what passed by the steady one, or fallen back
  /// when that is 0: retention may be sooner by it, and later by its hold.
  void on_wall_clock(Micros ahead);
  /// The disk begins to fail writes or syncs, or is well again.
  void on_disk(bool fails);
  /// The disk begins to take long, or is quick again.
  void on_slow_disk(bool slow);

  // The verdict.

  /// Nothing goes wrong any more, and what was paused is resumed.
  void on_calm();
  /// True when nothing is to come any more: every event is settled or, as the store says, missed.
  /// What is late by now, or was missed without reason, is a violation.
  bool done(store::Store& store);
  /// Of a run that has ended: it is done(), and the store has every event.
  void check_end(store::Store& store);

  // The truth, for those that judge what is seen of it.

  const ModelOptions& options() const { return options_; }

  SteadyTime now() const { return world_.clock().steady_now(); }

  /// All events that were handed over, by position.
  const std::vector<Event>& log() const { return log_; }

  /// Up to there.
  Position through() const { return through_; }

  /// Lives of processes that have ended.
  size_t lives() const { return lives_.size(); }

  /// Since when the URL is paused; nullopt when it may not be.
  std::optional<SteadyTime> paused_since(const std::string& url) const {
    return pauses_.since(url);
  }

  /// Attempts under way.
  size_t in_flight(const std::string& url) const;
  /// Null when it was not handed over.
  const Event* find_event(const std::string& bytes) const;
  /// True when retention may have taken the event so long ago, or sooner.
  bool is_gone(const Event& event, Micros ago = Micros(0)) const;
  /// True when a replay of a range may have settled it, or begun to.
  bool may_be_replayed(const Event& event, const std::string& url) const;

  size_t events() const { return log_.size(); }

  size_t settled() const { return settled_; }

  size_t repeated() const { return repeated_; }

  /// What did not hold.
  const std::optional<std::string>& violation() const { return violation_; }

 private:
  struct OfUrl {
    size_t in_flight = 0;
    size_t open = 0;  // deliveries that are neither settled nor dropped
    Pace pace;
  };

  /// How a process ended, and what was settled again of what had been settled before.
  struct Life {
    bool forgets = false;    // what was decided before may not have been saved, or its time
    SteadyTime lossy_since;  // what was settled from then on may have been lost
    size_t max_repeats = 0;  // of what had been settled before,
    size_t repeats = 0;      // and how often it was
  };

  void apply(const store::DomainChange& change);
  void compare(const std::vector<store::DomainPtr>& domains, Position at);
  void drop(DomainUid domain, LaneId lane, webhook::Hook hook);
  void add(const store::StoredEvent& event);
  Event* find(const std::string& bytes);
  void check_bounds(const std::string& url);
  void check_pause(const std::string& url);

  /// False when an attempt that has its place may take long to read its event.
  bool reads_in_time() const { return !disk_.slow.lately(now()); }

  bool forgot_since(size_t life) const;
  void fail(Delivery& delivery);
  void check_turn(const Event& event, const Delivery& delivery);
  void check_retry(const Event& event, const Delivery& delivery);
  size_t attempts_of(const Event& event) const;
  void check_expected();
  void forget_unnamed();
  void close(const Delivery& delivery);
  void settle(const Event& event, Delivery& delivery);
  static Delivery* find(Event& event, const std::string& url);
  using Missed = std::map<LaneId, std::set<Position>>;

  Result<Missed> read_missed(store::Store& store) const;
  /// Calls `each(event, delivery)` for what is neither settled nor missed.
  template <class F>
  void for_each_open(const Missed& missed, F each) const;
  std::optional<std::string> find_open(const Missed& missed) const;
  void find_held(const Missed& missed);
  std::optional<std::string> find_late(const Missed& missed);
  std::optional<std::string> find_missed_early(const Missed& missed) const;
  SteadyTime due(const Delivery& delivery) const;
  static void replay(Event& event, const std::string& url, LaneId lane);
  /// A process that has ended since then may have lost it.
  bool repeats_crash(const Settlement& settlement);
  void break_with(std::string what);

  World& world_;
  const ModelOptions options_;
  std::vector<Event> log_;                                   // by position
  std::unordered_map<std::string, size_t> by_bytes_;         // places in log_
  std::map<std::pair<DomainUid, std::string>, size_t> ids_;  // places in log_, the last of each
  std::set<std::string> expected_;  // bytes of events, seen before they were handed over
  std::map<DomainUid, store::DomainPtr> domains_;  // as of what was handed over
  Position through_;
  std::map<std::tuple<DomainUid, std::string, webhook::Class>, Position> replayed_;  // up to there
  std::vector<Life> lives_;  // those that have ended
  size_t cores_ = 0;
  std::map<std::string, OfUrl> of_url_;
  size_t in_flight_ = 0;
  Turns turns_;
  Pauses pauses_;
  SteadyTime booted_at_{};
  SteadyTime moved_ahead_at_{};  // the wall clock, the last time
  std::optional<SteadyTime> calm_since_;
  Micros calm_work_{};                       // that all that was open then may take
  std::map<LaneId, SteadyTime> held_until_;  // in the calm, by retries that wait
  std::optional<Micros> ahead_;  // of all that the wall clock moved ahead; nullopt: it never jumped
  SteadyTime last_batch_{};
  DiskStory disk_;
  size_t settled_ = 0;
  size_t repeated_ = 0;
  std::optional<std::string> violation_;
};

}  // namespace eventhorn::simulation
