// Reading the log for the lanes of a core that are behind, and counting what is let go unread:
// dropped by retention, or with a webhook that was removed.
//
//   read_more(): a segment wants events -> a read, or a place in the line for one
//     read: events   -> Segment::fill(), the lane may send
//     read: failure  -> the lane waits, a second at first and a minute at most, and tries again
//     of its next events none can be read, four times in a row -> those are set aside, as retries
//
// So what cannot be read costs itself alone, and nothing is skipped.
#pragma once

#include "async/pool.h"
#include "async/task_group.h"
#include "base/log.h"
#include "base/metrics.h"
#include "control/notices.h"
#include "delivery/endpoint.h"
#include "delivery/retry_book.h"
#include "delivery/router.h"
#include "delivery/saver.h"
#include "delivery/timers.h"
#include "store/store.h"

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace eventhorn::delivery {

/// Owned by the engine; on the core's executor, and its reads on the readers' threads.
///
/// Invariants:
/// - At most 64 reads are under way, each into another segment, which stays as it is meanwhile.
/// - A read takes no more memory than its share of what is left of `max_live_bytes`, or 4 KiB; only
///   a lane that has nothing else to send reads beyond that.
/// - No read goes beyond what was handed over (Router::through).
/// - A lane stands in the line once.
class LogReader {
 public:
  /// Who sends.
  class Listener {
   public:
    virtual ~Listener() = default;
    /// The lane may have something to send.
    virtual void on_read(const LanePtr& lane) = 0;
    /// Something for people, of the lane's URL and domain.
    virtual void tell(const Lane& lane, control::NoticeKind kind, control::Notice notice) = 0;
    /// False while the store as a whole refuses, which it says itself.
    virtual bool store_is_good() const = 0;
  };

  /// What it works with; everything outlives it.
  struct Parts {
    Pool& readers;
    store::Store& store;
    const Clock& clock;
    const Router& router;
    Timers& timers;
    Saver& saver;
    RetryBook& retries;
    Listener& listener;
  };

  /// `max_live_bytes`: of events held in memory by all cores. Reads run in `tasks`.
  LogReader(Parts parts, size_t max_live_bytes, TaskGroup& tasks);

  /// Reads what the lane wants next, if it is its turn and there is memory.
  void read_more(const LanePtr& lane);
  /// A few of those in the line: those that still may not read stand in it again.
  void read_waiting();

  /// No more reads.
  void stop() { stopping_ = true; }

  /// A lane ends, or its log can be read again.
  void end_failure(Lane& lane);

  /// Retention has dropped everything up to `last`: what the lane had of it is counted and let go.
  /// A lane that is sent to counts what is gone when it reads; this is for those that are not.
  Task<void> expire(LanePtr lane, Position last);
  /// Retention dropped events of the lane before they were delivered.
  void on_expired(const Lane& lane, uint64_t count);

  /// Hooks of the lane ended: what is pending of them is dropped and counted, what is in memory at
  /// once, what is in the log by the store. What is under way may still get through, and is counted
  /// when it does not. What a replay was to send again is let go by the way.
  void drop_pending(const LanePtr& lane, const Since& ended);

 private:
  struct Unread {
    store::LaneQuery query;
    std::vector<store::PositionRange> settled;
  };

  struct Meters {
    Meters();
    metrics::Counter expired, dropped;
    metrics::Gauge unreadable;
  };

  Task<void> read(LanePtr lane, Segment* segment, store::LaneQuery query);
  Result<MissedRows> missed_rows(const store::LaneQuery& query) const;
  void take_in(const LanePtr& lane, Segment& segment, const store::LaneSlice& slice,
               const MissedRows& missed);
  void on_failure(const LanePtr& lane, const Error& error);
  void set_aside(const LanePtr& lane, const store::UnreadableEvent& event);
  uint64_t expire_waiting(const LanePtr& lane, Position last);
  Task<void> count_dropped(std::vector<Unread> unread, LaneId lane, std::string url,
                           uint64_t in_memory);

  const Parts parts_;
  const size_t max_live_bytes_;
  TaskGroup& tasks_;
  size_t reading_ = 0;                    // reads under way,
  size_t reading_bytes_ = 0;              // and what they may bring
  std::deque<std::weak_ptr<Lane>> line_;  // lanes that wait for one
  bool stopping_ = false;
  LogLimit expiry_lines_, failure_lines_;
  Meters meters_;
};

}  // namespace eventhorn::delivery
