// What the parts of the engine keep in each lane and endpoint. Each mark is written by the part
// that it names as its friend, and by nobody else.
#pragma once

#include "base/time.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace eventhorn::delivery {

/// In a lane or an endpoint.
class SaveMark {
 private:
  friend class Saver;

  bool dirty_ = false;    // stands in the changes
  bool has_row_ = false;  // in the store, or in the save that is under way
  bool behind_ = false;   // counted as a lane that is behind
};

/// In a lane.
class ReadMark {
 public:
  /// Why the log cannot be read; empty when the last read was good.
  const std::string& error() const { return error_; }

 private:
  friend class LogReader;

  bool in_line_ = false;
  uint32_t failures_ = 0;  // of its segments, in a row
  SteadyTime due_{};       // not before, after such a read
  std::string error_;      // of the first of them
};

/// In a lane.
class RingMark {
 private:
  friend class Ring;

  bool in_ring_ = false;
};

/// In an endpoint.
class RetryMark {
 public:
  /// Retries of all its lanes.
  size_t waiting() const { return waiting_; }

 private:
  friend class RetryBook;

  size_t waiting_ = 0;
};

/// In an endpoint.
class UnreadableMark {
 public:
  /// Lanes that cannot read the log,
  size_t lanes() const { return lanes_; }

  /// and why, of the last.
  const std::string& error() const { return error_; }

 private:
  friend class LogReader;

  size_t lanes_ = 0;
  std::string error_;
};

/// In an endpoint.
class QueueMark {
 private:
  friend class Scheduler;

  bool in_queue_ = false;                // of the core's places, or of its host's
  SteadyTime wake_ = SteadyTime::max();  // the earliest one that is set
};

}  // namespace eventhorn::delivery
