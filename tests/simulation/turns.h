// Whose turn it is: first attempts of one message and recipient (the key of an event) in one lane
// begin one after the other, whatever their classes, and while a lane is caught up they follow
// arrival. A part of the model, which says what is a first attempt.
#pragma once

#include "base/time.h"
#include "store/model.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace eventhorn::simulation {

class Turns {
 public:
  /// A lane that is behind though it has nothing to send has found that out by then.
  static constexpr std::chrono::seconds kCaughtUp{3};

  /// The lanes of the URL may have fallen behind: their order need not be that of arrival.
  void disturb(const std::string& url) { disturbed_[url] = SteadyTime::max(); }

  /// They have nothing to send.
  void rest(const std::string& url, SteadyTime now) {
    const auto at = disturbed_.find(url);
    if (at != disturbed_.end()) at->second = now;
  }

  /// They have again. `undisturbed`: nothing held the URL up while it was at rest.
  void wake(const std::string& url, SteadyTime now, bool undisturbed) {
    const auto at = disturbed_.find(url);
    if (at == disturbed_.end() || at->second == SteadyTime::max()) return;
    if (undisturbed && now > at->second + kCaughtUp) {
      disturbed_.erase(at);
    } else {
      disturb(url);
    }
  }

  /// A first attempt begins. What is wrong with that; nullopt when nothing is.
  std::optional<std::string> begin(const std::string& url, LaneId lane, uint64_t key,
                                   Position position) {
    if (key == 0) return std::nullopt;
    auto& turn = turns_[{lane, key}];
    if (!turn.under_way.insert(position).second) return std::nullopt;
    if (turn.under_way.size() > 1) return "beside another first attempt of its key";
    const Position last = std::exchange(turn.last, std::max(turn.last, position));
    if (position < last && !disturbed_.contains(url)) return "after a later one of its key";
    return std::nullopt;
  }

  /// An attempt has ended; does nothing for one that is none of begin().
  void end(LaneId lane, uint64_t key, Position position) {
    const auto turn = turns_.find({lane, key});
    if (turn != turns_.end()) turn->second.under_way.erase(position);
  }

  /// The process is no more.
  void clear() { turns_.clear(); }

 private:
  struct Turn {
    std::set<Position> under_way;
    Position last;  // the greatest that has begun
  };

  std::map<std::pair<LaneId, uint64_t>, Turn> turns_;
  std::map<std::string, SteadyTime> disturbed_;  // since when at rest; maximum: it is not
};

}  // namespace eventhorn::simulation
