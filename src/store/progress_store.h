// What was delivered and what was not: lanes, exceptions, attempts, the health of endpoints.
#pragma once

#include "base/result.h"
#include "store/model.h"

#include <compare>
#include <span>
#include <vector>

namespace eventhorn::store {

/// Names a save of progress. Later saves have greater tokens.
struct SaveToken {
  uint64_t opening = 0;  // of the engine
  uint64_t number = 0;
  friend auto operator<=>(const SaveToken&, const SaveToken&) = default;
};

/// The side of the writer. From one thread, which may be another one than EventLog::commit()'s.
class ProgressWriter {
 public:
  virtual ~ProgressWriter() = default;

  /// Writes all of `progress`, in order, or nothing. Readers see it when this returns; it outlives
  /// the process, but not a power cut before it is durable(). kUnavailable as EventLog::commit().
  virtual Result<SaveToken> save(std::span<const Progress* const> progress) = 0;

  /// Whether the save outlives everything. False for every save of before the last recovery: it may
  /// be lost.
  virtual bool durable(SaveToken token) const = 0;

  /// Makes every earlier save durable. Waits for the disk.
  virtual Status flush() = 0;
};

class ProgressReader {
 public:
  virtual ~ProgressReader() = default;

  /// Before the first save(): beside one, rows of before and after it may be mixed.
  virtual Result<LoadedProgress> load_progress() = 0;

  /// Puts these marks in place of all that are stored, durably. At the start, before any other
  /// write: see SlotMarks::to_be_rewritten().
  virtual Status replace_marks(std::span<const SlotMark> marks) = 0;

  /// Exception rows of a lane after a position, in order, at most `max`.
  virtual Result<std::vector<ExceptionRow>> read_exceptions(LaneId lane, Position after, size_t max,
                                                            bool missed_only) = 0;

  /// Attempts of one event in one lane, oldest first, at most `max`. Of its successes at the first
  /// try (see AttemptRow) at most one is among them: the first that was written after all others,
  /// and not before `committed`, which is when the event was.
  virtual Result<std::vector<AttemptRow>> read_attempts(LaneId lane, Position position,
                                                        SystemTime committed, size_t max) = 0;

  /// Attempts of a lane whose `written` is before `before`, newest first, at most `max`; rows
  /// written in the same microsecond as the last are not split, and have no order. The next page:
  /// before the last row's `written`.
  virtual Result<std::vector<AttemptRow>> last_attempts(LaneId lane, SystemTime before,
                                                        size_t max) = 0;
};

}  // namespace eventhorn::store
