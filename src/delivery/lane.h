// A lane: how far one URL of one domain has got in the log, as a few segments over it, and the
// events that wait for another attempt. Pure state, no I/O; lives on the core of its endpoint.
//
// What is live goes first: a caught-up segment, urgent before normal before bulk; every fourth time
// the backlog goes before it: retries that are due, then segments that are behind, then replays.
//
// First attempts of one message and recipient (an order key) take turns. A live event takes its
// place among those of its key when it arrives, whatever its class; an event that was read from the
// log does when it would be sent. One slot of a key has the turn: it waits for a worker, is in
// flight, or was given back. The others are deferred, and the lane goes on without them.
#pragma once

#include "delivery/segment.h"

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace eventhorn::delivery {

struct Endpoint;

/// Closed segments of its own that a lane has of one class, at most; an open one that falls behind
/// beyond it stays so.
inline constexpr size_t kMaxClosed = 16;

/// An event that failed and waits for its next attempt.
struct Waiting {
  uint16_t attempts = 0;
  SystemTime last_attempt;
  Micros delay{};
  int last_status = 0;
  Hook hook{};
  SteadyTime due{};
  uint64_t tried = 0;  // set by wait(): the order of the last attempts
  bool in_flight = false;
  /// A probe of it failed, which counts as an attempt once another event has got through.
  bool probed = false;
  uint8_t failed_reads = 0;  // that found its event damaged
  SteadyTime read_due{};     // no probe takes it before, after such a read
};

/// One attempt of one event, from take() to settle() or give_back().
struct Job {
  Segment* segment = nullptr;  // null for a retry
  Slot* slot = nullptr;
  Position position;
  EventPtr event;  // null for a retry until it is read
  uint16_t attempt = 1;
  uint64_t order_key = 0;
  bool probe = false;
  Hook hook{};
  uint32_t life = 0;  // of the hook in the lane, when the attempt began
};

class Lane {
 public:
  Lane(LaneId id, DomainUid domain, std::string url)
      : id_(id), domain_(domain), url_(std::move(url)) {}

  LaneId id() const { return id_; }

  DomainUid domain() const { return domain_; }

  const std::string& url() const { return url_; }

  using Since = std::array<std::optional<Position>, webhook::kHooks>;

  /// The lane's hooks: for each the position after which its events belong to the lane. Gives the
  /// former ones that ended: what is pending of them is not wanted any more.
  Since subscribe(const Since& since);

  /// Lets go of the lane's own events of these hooks that wait in memory, those for a retry apart:
  /// how many they are.
  uint64_t drop(const Since& over);

  /// True when the hook of the attempt has ended since it began: a failure is not to be followed by
  /// another attempt.
  bool outlived(const Job& job) const { return job.life != lives_[static_cast<size_t>(job.hook)]; }

  /// True when a job of a replay may be of an event that is in the list of missed ones.
  bool may_be_missed(const Job& job) const {
    return misses_lately || job.segment->source() == store::SegmentRow::Source::kMissed ||
           job.slot->may_be_missed;
  }

  /// What is asked of the log for a segment. A replay takes whatever the hooks name now.
  store::LaneQuery query(const Segment& segment) const;

  /// True when the lane still wants an event of a segment (null: a retry).
  bool wants(const Segment* segment, Hook hook, Position position) const;

  void load(const store::LaneRow& row);

  /// The open segment of a class; made, starting after `after`, when there is none. `caught_up`
  /// says whether a new one gets its events from commits or begins by reading the log.
  Segment& open_segment(Class cls, Position after, bool caught_up);

  /// Closes the open segment of a class at `at`, where it is behind, and opens a live one there.
  /// Null when the lane has so many closed ones that the open one has to do.
  Segment* begin_live(Class cls, Position at);

  /// Takes an event handed over by a commit into a segment of open_segment() or begin_live(), as
  /// Segment::offer does.
  bool offer(Segment& segment, const EventPtr& event, Hook hook);

  void add(const store::SegmentRow& row) { segments_.emplace_back(row); }

  /// The next attempt to make; never two at once of one message and recipient. `segments_allowed`
  /// false: retries only.
  std::optional<Job> take(bool segments_allowed, SteadyTime now);

  /// An attempt that finds out whether the endpoint is back: of a segment's next event and of the
  /// waiting one that was tried longest ago, in turn.
  std::optional<Job> take_probe(SteadyTime now);

  /// True when take() may give something, or would after a read.
  bool has_work(bool segments_allowed) const;

  /// The attempt is over and the event is settled, missed, or moved among the waiting ones.
  void settle(const Job& job);
  /// The attempt does not count: the event is to be taken again.
  void give_back(const Job& job);

  /// Records a failed attempt; the caller settles the job and calls due() in time.
  void wait(Position position, const Waiting& waiting) {
    waiting_[position] = waiting;
    waiting_[position].tried = ++tried_;
  }

  std::map<Position, Waiting>& waiting() { return waiting_; }

  const std::map<Position, Waiting>& waiting() const { return waiting_; }

  Waiting* find_waiting(Position position) {
    const auto it = waiting_.find(position);
    return it == waiting_.end() ? nullptr : &it->second;
  }

  void end_waiting(Position position) { waiting_.erase(position); }

  /// The retry's time has come, unless it was put off.
  void due(Position position, SteadyTime now);

  /// No retry is due, for now.
  void forget_due() { due_.clear(); }

  /// The first segment, in the order of take(), that has fewer than `below` slots to offer and more
  /// to read; null when there is none, or a read is under way.
  Segment* wants_read(size_t below);

  size_t in_flight() const { return in_flight_; }

  std::list<Segment>& segments() { return segments_; }

  const std::list<Segment>& segments() const { return segments_; }

  /// Lets go of what waits in memory; it is read again.
  void spill();
  /// Everything of an idle segment up to `to` is settled, whatever it was.
  void skip_to(Segment& segment, Position to);
  /// Holds a replay, or lets it go on. False when the lane has none of it.
  bool pause_replay(uint64_t replay, bool paused);
  /// Ends a replay: nothing more of it is sent. False when the lane has none of it.
  bool cancel_replay(uint64_t replay);

  /// True when take() itself settled something since the last call: the lane wants saving.
  bool take_changed() { return std::exchange(changed_, false); }

  /// Segments that hold something, in durable form; drops those that are settled and joins those
  /// that may be one.
  store::LaneRow row();

  bool settled() const;
  /// True when something up to the position waits for a retry, or is to be read from the log.
  bool reaches_back_to(Position position) const;
  /// True when a segment reads the log.
  bool behind() const;

  // The engine's marks.
  Endpoint* endpoint = nullptr;  // lives as long as it has lanes
  bool dirty = false;
  bool has_row = false;
  bool in_ring = false;
  bool awaits_read = false;
  bool ended = false;
  bool counted_behind = false;
  bool misses_lately = false;  // something was missed since the lane is in memory
  uint32_t failed_reads = 0;   // of its segments, in a row
  SteadyTime read_due{};       // not before, after such a read
  std::string read_error;      // of the first of them; empty when the last was good

 private:
  std::optional<Job> take_again();
  std::optional<Job> take_due(SteadyTime now);
  std::optional<Job> take_backlog(bool segments_allowed, SteadyTime now);
  std::optional<Job> take_live();
  std::optional<Job> take_slot(Segment& segment);
  std::optional<Job> take_any_slot();
  std::optional<Job> take_oldest_waiting(SteadyTime now);
  Job start_retry(Position position, Waiting& waiting);
  bool drop_unwanted(Segment& segment, Slot& slot);
  using Held = std::pair<Segment*, Slot*>;

  Job start(Segment& segment, Slot& slot);
  std::optional<Job> start_out_of_turn(Segment& segment);
  bool take_turn(Segment& segment, Slot& slot);
  void end_turn(uint64_t key);
  void let_go(Segment& segment, Position after);
  void spill(Segment& segment);
  void join_segments();

  LaneId id_;
  DomainUid domain_;
  std::string url_;
  Since since_;
  std::array<uint32_t, webhook::kHooks> lives_{};  // how often each hook has ended
  std::list<Segment> segments_;                    // own ones by class, oldest first; then replays
  std::map<Position, Waiting> waiting_;            // bounded by delivery.max_exceptions
  std::deque<Position> due_;                       // may be: the time in waiting_ decides
  std::deque<Held> again_;                         // taken before everything else
  // By order key: how many slots have the turn (more than one when a segment was crowded), and
  // those that wait for it.
  std::unordered_map<uint64_t, uint32_t> turns_;
  std::unordered_map<uint64_t, std::deque<Held>> deferred_;
  size_t in_flight_ = 0;
  uint64_t tried_ = 0;
  uint8_t turn_ = 0;
  bool probe_waiting_ = false;
  bool changed_ = false;
};

}  // namespace eventhorn::delivery
