// The hooks that name a lane: for each the position after which its events belong to the lane. A
// value of the lane. Whether an event is wanted is decided here, for the lane's own events and for
// replays.
#pragma once

#include "base/ids.h"
#include "store/model.h"
#include "webhook/hook.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace eventhorn::delivery {

using store::Since;

class LaneHooks {
 public:
  /// The hooks from now on. Gives the former ones that ended, removed or begun anew: what is
  /// pending of them is not wanted any more.
  Since subscribe(const Since& since) {
    Since ended;
    for (size_t i = 0; i < since.size(); ++i) {
      const auto& before = since_[i];
      const auto& now = since[i];
      if (!before || (now && *now <= *before)) continue;
      ended[i] = before;
      ++lives_[i];
    }
    since_ = since;
    return ended;
  }

  /// How often the hook has ended.
  uint32_t life(webhook::Hook hook) const { return lives_[static_cast<size_t>(hook)]; }

  /// Of the lane's own segments.
  const Since& since() const { return since_; }

  /// Of a replay, which takes whatever the hooks name now.
  Since since_of_replay() const { return store::since_ever(since_); }

  bool wants(webhook::Hook hook, Position position) const {
    const auto& since = since_[static_cast<size_t>(hook)];
    return since && *since < position;
  }

  /// Of a replay, or of a retry, which may be of one.
  bool wants_replayed(webhook::Hook hook) const {
    return since_[static_cast<size_t>(hook)].has_value();
  }

  /// Of a retry that was saved while the hook was named `since_then`, nullopt when that is not
  /// known: a hook that was removed since then has dropped it.
  bool wants_saved(webhook::Hook hook, std::optional<Position> since_then) const {
    const auto& since = since_[static_cast<size_t>(hook)];
    return since && (!since_then || *since <= *since_then);
  }

 private:
  Since since_;
  std::array<uint32_t, webhook::kHooks> lives_{};
};

}  // namespace eventhorn::delivery
