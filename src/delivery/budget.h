// Places for attempts on one core, shared so that endpoints that hang cannot take them all. Pure.
//
// Whoever is not known to be well gets at most three quarters of the places, and whoever failed
// last at most half: the rest is always there for receivers that answer. When many places are taken
// one endpoint gets no more than half of what is left (a dynamic threshold, as in shared switch
// buffers), or one if it is not known to be well.
#pragma once

#include "base/check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace eventhorn::delivery {

/// What is known of an endpoint when it asks for a place.
enum class Standing : uint8_t { kWell, kUnknown, kSuspect };

class Budget {
 public:
  enum class Answer : uint8_t {
    kYes,
    kOwnShare,  // it has its share: again when one of its own attempts ends
    kFull,      // again when any attempt ends
  };

  explicit Budget(size_t places) : places_(places) {}

  /// `held`: places that the asking endpoint has now.
  Answer ask(Standing standing, size_t held) const {
    if (taken_ >= places_) return Answer::kFull;
    if (standing != Standing::kWell && doubtful_ >= at_least_one(places_ - places_ / 4))
      return Answer::kFull;
    if (standing == Standing::kSuspect && suspect_ >= at_least_one(places_ / 2))
      return Answer::kFull;
    if (held == 0) return Answer::kYes;
    if (standing == Standing::kWell) {
      const bool plenty = taken_ < places_ / 2;
      return plenty || held < (places_ - taken_) / 2 ? Answer::kYes : Answer::kOwnShare;
    }
    return taken_ < at_least_one(places_ / 4) ? Answer::kYes : Answer::kOwnShare;
  }

  void take(Standing standing) {
    ++taken_;
    if (standing != Standing::kWell) ++doubtful_;
    if (standing == Standing::kSuspect) ++suspect_;
  }

  /// With the standing that it was taken with.
  void release(Standing standing) {
    CHECK(taken_ > 0 && (standing == Standing::kWell || doubtful_ > 0) &&
          (standing != Standing::kSuspect || suspect_ > 0));
    --taken_;
    if (standing != Standing::kWell) --doubtful_;
    if (standing == Standing::kSuspect) --suspect_;
  }

  size_t taken() const { return taken_; }

 private:
  static size_t at_least_one(size_t n) { return std::max<size_t>(1, n); }

  size_t places_;
  size_t taken_ = 0;
  size_t doubtful_ = 0;  // not kWell
  size_t suspect_ = 0;
};

}  // namespace eventhorn::delivery
