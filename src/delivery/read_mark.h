// What the LogReader keeps in each lane.
#pragma once

#include "base/time.h"

#include <cstdint>
#include <string>

namespace eventhorn::delivery {

/// Written by the LogReader alone.
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

}  // namespace eventhorn::delivery
