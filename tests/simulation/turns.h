// Whose turn it is: first attempts of one message and recipient (the key of an event) in one lane
// begin one after the other, whatever their classes, and while a lane is caught up they follow
// arrival. A part of the model, which says what is a first attempt.
#pragma once

#include "store/model.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace eventhorn::simulation {

class Turns {
 public:
  /// The lanes of the URL may have fallen behind: their order need not be that of arrival.
  void disturb(const std::string& url) { disturbed_.insert(url); }

  /// They have not.
  void calm(const std::string& url) { disturbed_.erase(url); }

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
  std::set<std::string> disturbed_;
};

}  // namespace eventhorn::simulation
