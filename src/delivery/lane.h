// A lane: how far one URL of one domain has got in the log, as a few segments over it. Pure state,
// no I/O; lives on the core of its endpoint.
//
// A segment covers a range of positions of one class. Its window holds the events that are read but
// not settled, in the order of the log; what is settled ahead of the first unsettled one stays in
// the window until the gap closes. A segment that is caught up gets its events straight from the
// commit; any other one is filled by reads of the log.
#pragma once

#include "store/store.h"

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace eventhorn::delivery {

using store::EventPtr;
using webhook::Class;
using webhook::Hook;

/// Slots a window may hold: the bound on the settled set of a stored segment.
inline constexpr size_t kMaxWindow = 8192;
/// Slots a caught-up segment may have waiting before it falls behind and reads the log instead.
inline constexpr size_t kMaxLive = 1024;
/// A segment that is behind is read when fewer slots than this wait.
inline constexpr size_t kReadBelow = 128;

struct Slot {
  enum class State : uint8_t { kWaiting, kDeferred, kInFlight, kSettled };

  Position position;
  Hook hook{};
  State state = State::kWaiting;
  EventPtr event;  // null once settled
};

class Segment {
 public:
  Segment(Class cls, Position after, std::optional<Position> to);
  explicit Segment(const store::SegmentRow& row);

  Class cls() const { return cls_; }

  bool open() const { return !to_; }

  bool caught_up() const { return caught_up_; }

  /// Nothing is left to do: no slot waits, and no event may come by a read.
  bool settled() const { return window_.empty() && (caught_up_ || (to_ && read_through_ >= *to_)); }

  size_t waiting() const { return window_.size() - first_waiting_ + deferred_; }

  /// True when a read of the log is due.
  bool wants_read() const {
    return !reading && !settled() && !caught_up_ && !(to_ && read_through_ >= *to_) &&
           waiting() < kReadBelow && window_.size() < kMaxWindow;
  }

  Position read_through() const { return read_through_; }

  std::optional<Position> to() const { return to_; }

  /// Takes an event handed over by a commit. False when it is not taken: the segment is, or now is,
  /// behind.
  bool offer(const EventPtr& event, Hook hook);

  /// From now on the events come from the log.
  void fall_behind() { caught_up_ = false; }

  /// Takes a slice of the log. `seen`: the last commit handed over on this core; a slice that
  /// reaches it makes an open segment caught up.
  void fill(const store::LaneSlice& slice, Position seen);

  /// The next slot that nobody has started; null when there is none in memory.
  Slot* next();

  bool has_next() const { return first_waiting_ < window_.size(); }

  void defer(Slot& slot);
  /// A waiting (then it is next()'s) or deferred slot is being sent.
  void start(Slot& slot);
  /// A slot in flight becomes a deferred one; the caller keeps it at hand.
  void put_back(Slot& slot);
  void settle(Slot& slot);

  store::SegmentRow row() const;

  bool reading = false;

 private:
  void push(const EventPtr& event, Hook hook);
  void skip_settled();
  void pop_settled();

  Class cls_;
  Position after_;
  std::optional<Position> to_;
  Position acked_through_;
  Position read_through_;
  bool caught_up_ = false;
  std::deque<Slot> window_;   // pointers to slots stay good: only the ends move
  size_t first_waiting_ = 0;  // index of the first slot never started
  size_t deferred_ = 0;
  std::vector<store::PositionRange> settled_ahead_;  // from a row, beyond read_through_
};

/// An event that failed and waits for its next attempt.
struct Waiting {
  uint16_t attempts = 0;
  SystemTime last_attempt;
  Micros delay{};
  int last_status = 0;
  bool in_flight = false;
};

/// One attempt of one event, from take() to settle(), retry() or give_back().
struct Job {
  Segment* segment = nullptr;  // null for a retry
  Slot* slot = nullptr;
  Position position;
  EventPtr event;  // null for a retry until it is read
  uint16_t attempt = 1;
  uint64_t order_key = 0;
};

class Lane {
 public:
  Lane(LaneId id, DomainUid domain, std::string url)
      : id_(id), domain_(domain), url_(std::move(url)) {}

  LaneId id() const { return id_; }

  DomainUid domain() const { return domain_; }

  const std::string& url() const { return url_; }

  /// The lane's hooks: for each the position after which its events belong to the lane.
  void subscribe(const std::array<std::optional<Position>, webhook::kHooks>& since) {
    since_ = since;
  }

  const std::array<std::optional<Position>, webhook::kHooks>& since() const { return since_; }

  bool wants(Hook hook, Position position) const {
    const auto& since = since_[static_cast<size_t>(hook)];
    return since && *since < position;
  }

  void load(const store::LaneRow& row);

  void load_waiting(Position position, const Waiting& waiting) { waiting_[position] = waiting; }

  /// The open segment of a class; made, starting after `after`, when there is none. `caught_up`
  /// says whether a new one gets its events from commits or begins by reading the log.
  Segment& open_segment(Class cls, Position after, bool caught_up);

  /// The next attempt to make: a retry that is due, else the first event of a segment, urgent
  /// before normal before bulk, whose message and recipient are not in flight. `segments_allowed`
  /// false: retries only.
  std::optional<Job> take(bool segments_allowed);

  /// True when take() may give something, as far as is known without trying.
  bool has_work(bool segments_allowed) const;

  /// The attempt is over and the event is settled, missed, or moved among the waiting ones.
  void settle(const Job& job);
  /// The attempt does not count: the event is to be taken again.
  void give_back(const Job& job);

  /// Records a failed attempt; the caller settles the job and calls due() in time.
  void wait(Position position, const Waiting& waiting) { waiting_[position] = waiting; }

  const Waiting* find_waiting(Position position) const {
    const auto it = waiting_.find(position);
    return it == waiting_.end() ? nullptr : &it->second;
  }

  void end_waiting(Position position) { waiting_.erase(position); }

  /// The retry's time has come.
  void due(Position position);

  /// A segment whose next read is due; null when none is.
  Segment* wants_read();

  size_t waiting() const { return waiting_.size(); }

  size_t in_flight() const { return in_flight_; }

  /// True when take() itself settled something since the last call: the lane wants saving.
  bool take_changed() { return std::exchange(changed_, false); }

  /// Events dropped because their hook was removed, since the last call.
  uint64_t take_dropped() { return std::exchange(dropped_, 0); }

  /// Segments that hold something, in durable form; drops those that are settled.
  store::LaneRow row();

  bool settled() const;
  /// True when a segment reads the log.
  bool behind() const;

  // The engine's marks.
  bool dirty = false;
  bool has_row = false;
  bool in_ring = false;
  bool ended = false;
  bool counted_behind = false;

 private:
  std::optional<Job> take_slot(Segment& segment);
  bool drop_unwanted(Segment& segment, Slot& slot);
  Job start(Segment& segment, Slot& slot, uint64_t key);
  void release(uint64_t key);

  LaneId id_;
  DomainUid domain_;
  std::string url_;
  std::array<std::optional<Position>, webhook::kHooks> since_;
  std::list<Segment> segments_;          // by class, oldest first
  std::map<Position, Waiting> waiting_;  // bounded by delivery.max_exceptions
  std::deque<Position> due_;
  std::deque<std::pair<Segment*, Slot*>> again_;  // taken before everything else
  std::unordered_set<uint64_t> keys_in_flight_;
  std::unordered_map<uint64_t, std::deque<std::pair<Segment*, Slot*>>> deferred_;
  size_t in_flight_ = 0;
  uint64_t dropped_ = 0;
  bool changed_ = false;
};

}  // namespace eventhorn::delivery
