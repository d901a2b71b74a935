// The condition of an engine, and what keeps it good: recovery, room, retention.
#pragma once

#include "base/result.h"
#include "store/kept_clock.h"

#include <cstdint>

namespace eventhorn::store {

class Upkeep {
 public:
  virtual ~Upkeep() = default;

  /// Whether a write of any member failed: the engine takes no further one before recover(). Any
  /// thread, without a lock.
  virtual bool failed() const = 0;

  /// Makes an engine that failed() take writes again. What a failed commit wrote after all is
  /// visible then; saves of progress and values that were not durable may be lost, and what is not
  /// lost is durable. On an error it has still failed, and reads are kUnavailable as well until a
  /// recovery succeeds. From the thread of EventLog::commit().
  virtual Status recover() = 0;

  /// kUnavailable, saying why, while so much of the log waits for the indexes that no more should
  /// be appended. Edits and progress are taken all the same.
  virtual Status may_append() const = 0;

  /// Free space for more events, in bytes; UINT64_MAX when the engine cannot tell.
  virtual uint64_t free_bytes() const = 0;

  /// Stamps commits; expire() and the attempts' `written` go by it. Kept in the store.
  virtual KeptClock& kept_clock() = 0;

  /// Drops events committed before `events_before` from the log and the pages, attempts written
  /// before `attempts_before`, both of KeptClock::cut(); and ids, counts and missed rows of events
  /// committed 7 days before `events_before`, so that they outlive their events by 7 days while the
  /// retention is not shortened: whole ranges at once, the space comes back with compaction, and
  /// until then ids, missed rows and attempts may still be found. What the indexes do not have yet
  /// stays for a later call. Returns the number of positions dropped from the log.
  virtual Result<uint64_t> expire(SystemTime events_before, SystemTime attempts_before) = 0;

  /// The `events_before` with which expire() leaves about `bytes` of the log on the disk, rather
  /// more than less: the time of the first event that stays. The beginning of time when the log
  /// takes no more than that.
  virtual Result<SystemTime> cut_to_bytes(uint64_t bytes) = 0;
};

}  // namespace eventhorn::store
