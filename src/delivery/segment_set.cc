#include "delivery/segment_set.h"

#include "base/check.h"

#include <algorithm>
#include <iterator>

namespace eventhorn::delivery {
namespace {

bool is_own(const Segment& segment, Class cls) {
  return segment.cls() == cls && segment.replay() == 0;
}

}  // namespace

Segment& SegmentSet::open(Class cls, Position after, bool caught_up) {
  for (auto& s : segments_) {
    if (s.cls() == cls && s.open()) return s;
  }
  const auto at = std::ranges::find_if(
      segments_, [&](const Segment& s) { return s.cls() > cls || s.replay() != 0; });
  // The one before it may reach further than the caller knows.
  if (at != segments_.begin() && is_own(*std::prev(at), cls)) {
    const auto to = std::prev(at)->to();
    CHECK(to);
    after = std::max(after, *to);
  }
  auto& made = *segments_.emplace(at, cls, after, std::nullopt);
  if (caught_up) made.fill({{}, after, true});
  return made;
}

Segment* SegmentSet::begin_live(Class cls, Position at, const BeforeSpill& before_spill) {
  join(before_spill);
  const auto own = [&](const Segment& s) { return is_own(s, cls); };
  if (std::ranges::count_if(segments_, own) > static_cast<std::ptrdiff_t>(kMaxClosed))
    return nullptr;
  const auto open =
      std::ranges::find_if(segments_, [&](const Segment& s) { return own(s) && s.open(); });
  if (open != segments_.end()) open->close(at);
  return &this->open(cls, at, true);
}

void SegmentSet::join(const BeforeSpill& before_spill) {
  for (auto it = segments_.begin(); it != segments_.end();) {
    const auto next = std::next(it);
    if (next == segments_.end() || next->replay() != 0) return;
    const bool joinable = it->cls() == next->cls() && !it->open() && !next->open();
    if (joinable && next->last_in_flight() == kNoPosition && !next->reading) {
      before_spill(*next);
      next->spill();
      if (it->join(*next)) {
        segments_.erase(next);
        continue;
      }
    }
    ++it;
  }
}

Segment* SegmentSet::wants_read(size_t below) {
  Segment* out = nullptr;
  for (auto& s : segments_) {
    if (s.reading) return nullptr;
    if (out == nullptr && s.wants_read(below)) out = &s;
  }
  return out;
}

void SegmentSet::remove_settled() {
  segments_.remove_if([](const Segment& s) { return s.settled() && !s.reading; });
}

bool SegmentSet::settled() const {
  return std::ranges::all_of(segments_, [](const Segment& s) { return s.settled() && !s.reading; });
}

bool SegmentSet::behind() const {
  return std::ranges::any_of(segments_,
                             [](const Segment& s) { return !s.caught_up() && !s.settled(); });
}

bool SegmentSet::reaches_back_to(Position position) const {
  return std::ranges::any_of(
      segments_, [&](const Segment& s) { return !s.caught_up() && s.acked_through() < position; });
}

std::vector<store::SegmentRow> SegmentSet::rows() const {
  std::vector<store::SegmentRow> out;
  for (const auto& s : segments_) {
    if (!s.settled()) out.push_back(s.row());
  }
  return out;
}

void SegmentSet::check_invariants() const {
  const Segment* before = nullptr;
  for (const auto& s : segments_) {
    s.check_invariants();
    if (s.replay() == 0 && before != nullptr) {
      CHECK(before->replay() == 0 && before->cls() <= s.cls());
      if (before->cls() == s.cls()) CHECK(!before->open() && *before->to() <= s.after());
    }
    before = &s;
  }
  for (const auto& s : segments_) {
    const auto of_class = [&](const Segment& other) { return is_own(other, s.cls()); };
    CHECK(std::ranges::count_if(segments_, of_class) <=
          static_cast<std::ptrdiff_t>(kMaxClosed) + 1);
  }
}

}  // namespace eventhorn::delivery
