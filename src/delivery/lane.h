// A lane: how far one URL of one domain has got in the log. Pure state, no I/O; owned by the
// engine, and lives on the core of its endpoint.
//
// It is four things, which know nothing of each other:
//
//   LaneHooks   the hooks that name it, and since when (lane_hooks.h);
//   SegmentSet  what of the log is to be sent, and how far that is (segment_set.h, segment.h);
//   KeyOrder    whose turn it is among the first attempts of one message and recipient
//               (key_order.h);
//   Retries     the events that failed and wait for another attempt (retries.h).
//
// take() gives the next attempt: what is ready by its turn, then what is live, urgent before normal
// before bulk; every fourth time the backlog goes before that: retries that are due, then segments
// that are behind, then replays.
//
// A live event claims its turn when it arrives, whatever its class; an event that was read from the
// log does when it would be sent. What has to wait for its turn is deferred, and the lane goes on
// without it.
//
// Ways to let go, here and in the parts of a lane. settle: the event is done with. give back: the
// attempt does not count, and the event is taken again. drop: nobody wants the event any more; the
// caller counts it. spill: what waits in memory is read again later. cancel, pause: of replays, by
// their operator.
//
// Invariants: an entry is deferred exactly while its claim is kept in the order of keys. Each entry
// that has its turn, and each attempt in flight of a key, is one of the turns of that key.
#pragma once

#include "delivery/key_order.h"
#include "delivery/lane_hooks.h"
#include "delivery/marks.h"
#include "delivery/retries.h"
#include "delivery/segment_set.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace eventhorn::delivery {

class Endpoint;

/// One attempt of one event, from take() to settle() or give_back().
struct Job {
  Segment* segment = nullptr;  // null for a retry
  Entry* entry = nullptr;      // of the segment
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

  /// LaneHooks::subscribe(). What is pending of hooks that ended is the caller's to drop().
  Since subscribe(const Since& since) { return hooks_.subscribe(since); }

  /// Lets go of the lane's own events of these hooks that wait in memory, those for a retry apart:
  /// how many they are.
  uint64_t drop(const Since& over);

  /// True when the hook of the attempt has ended since it began: a failure is not to be followed by
  /// another attempt.
  bool outlived(const Job& job) const { return job.life != hooks_.life(job.hook); }

  /// True when a job of a replay may be of an event that is in the list of missed ones.
  bool may_be_missed(const Job& job) const {
    return misses_lately || job.segment->source() == store::SegmentRow::Source::kMissed ||
           job.entry->may_be_missed;
  }

  /// What is asked of the log for a segment. A replay takes whatever the hooks name now.
  store::LaneQuery query(const Segment& segment) const;

  /// True when the lane still wants an event of a segment (null: a retry).
  bool wants(const Segment* segment, Hook hook, Position position) const;

  const LaneHooks& hooks() const { return hooks_; }

  void load(const store::LaneRow& row);

  /// SegmentSet::begin_live(), which may let go of what waits in memory.
  Segment* begin_live(Class cls, Position at);

  /// Takes an event handed over by a commit into an open segment, as Segment::offer() does.
  bool offer(Segment& segment, const EventPtr& event, Hook hook);

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

  Retries& retries() { return retries_; }

  const Retries& retries() const { return retries_; }

  /// Entries of them are changed by the lane alone, because it keeps their claims.
  SegmentSet& segments() { return segments_; }

  const SegmentSet& segments() const { return segments_; }

  /// Attempts, of segments and retries.
  size_t in_flight() const { return in_flight_; }

  /// Lets go of what waits in memory; it is read again.
  void spill();
  /// Everything of an idle segment up to `to` is settled, whatever it was.
  void settle_through(Segment& segment, Position to);
  /// Holds a replay, or lets it go on. False when the lane has none of it.
  bool pause_replay(uint64_t replay, bool paused);
  /// Ends a replay: nothing more of it is sent. False when the lane has none of it.
  bool cancel_replay(uint64_t replay);

  /// True when take() itself settled something since the last call: the lane wants saving.
  bool take_changed() { return std::exchange(changed_, false); }

  /// The durable form of the segments that are not settled.
  store::LaneRow row() const { return {id_, domain_, segments_.rows()}; }

  bool settled() const { return retries_.empty() && in_flight_ == 0 && segments_.settled(); }

  /// True when something up to the position waits for a retry, or is to be read from the log.
  bool reaches_back_to(Position position) const;

  /// Aborts when an invariant of the above, or of a part, does not hold. For tests.
  void check_invariants() const;

  // The engine's marks.
  Endpoint* endpoint = nullptr;  // lives as long as it has lanes
  SaveMark saving;
  RingMark ringing;
  ReadMark reading;
  bool ended = false;
  Position erased_through{};   // what is in memory of events up to here may not be sent
  bool misses_lately = false;  // something was missed since the lane is in memory

 private:
  /// An entry with its segment, as it claims a turn.
  struct Claim {
    Segment* segment;
    Entry* entry;

    uint64_t key() const { return entry->order_key(); }

    bool live() const { return segment->caught_up(); }

    friend bool operator==(const Claim&, const Claim&) = default;
  };

  std::optional<Job> take_ready();
  std::optional<Job> take_due(SteadyTime now);
  std::optional<Job> take_backlog(SteadyTime now);
  std::optional<Job> take_live();
  std::optional<Job> take_next(Segment& segment);
  std::optional<Job> take_any_next();
  std::optional<Job> take_oldest_waiting(SteadyTime now);
  std::optional<Job> take_crowding(Segment& segment);
  Job start(const Claim& claim);
  Job start_retry(Retries::Table::value_type& retry);
  bool drop_unwanted(const Claim& claim);
  bool take_turn(const Claim& claim);
  void end_turn(uint64_t key);
  void withdraw(Segment& segment, Position after);
  void spill(Segment& segment);

  LaneId id_;
  DomainUid domain_;
  std::string url_;
  LaneHooks hooks_;
  SegmentSet segments_;
  KeyOrder<Claim> order_;
  Retries retries_;
  size_t in_flight_ = 0;
  uint8_t taken_ = 0;  // by take(), to find every fourth
  bool probe_waiting_ = false;
  bool changed_ = false;
};

}  // namespace eventhorn::delivery
