// What a run decided and saw, one line each. The lines of two runs of one seed are the same; their
// hash says so, and the last hundred are kept for a run that fails.
#pragma once

#include "base/time.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace eventhorn::simulation {

class Trace {
 public:
  /// Prints each line when `print` is given.
  explicit Trace(std::FILE* print = nullptr) : print_(print) {}

  /// A step of the scheduler begins: lines that follow are of this step and time.
  void begin_step(uint64_t step, Micros time) {
    if (ended_) return;
    step_ = step;
    time_ = time;
  }

  /// Nothing is added any more: what comes is no part of the run.
  void end() { ended_ = true; }

  void add(std::string_view what, std::string_view detail = {});

  uint64_t hash() const { return hash_; }

  uint64_t lines() const { return lines_; }

  uint64_t step() const { return step_; }

  void print_last(std::FILE* to) const;

 private:
  struct Line {
    uint64_t step = 0;
    Micros time{};
    std::string text;
  };

  static void print(std::FILE* to, const Line& line);
  void mix(std::string_view bytes);

  static constexpr size_t kKept = 100;

  std::FILE* const print_;
  uint64_t step_ = 0;
  Micros time_{};
  uint64_t hash_ = 0xcbf29ce484222325;  // FNV-1a
  uint64_t lines_ = 0;
  bool ended_ = false;
  std::array<Line, kKept> last_;
};

}  // namespace eventhorn::simulation
