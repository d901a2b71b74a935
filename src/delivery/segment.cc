#include "delivery/segment.h"

#include "base/check.h"

#include <algorithm>
#include <array>
#include <utility>

namespace eventhorn::delivery {
namespace {

// A quarter of what a row may hold, so that merged segments keep room for what settles later.
constexpr size_t kMaxMergedRanges = kMaxWindow / 4;

}  // namespace

Segment::Segment(Class cls, Position after, std::optional<Position> to)
    : cls_(cls), after_(after), to_(to), acked_through_(after), read_through_(after) {}

Segment::Segment(const store::SegmentRow& row)
    : paused(row.paused),
      cls_(row.cls),
      source_(row.source),
      replay_(row.replay),
      after_(row.after),
      to_(row.to),
      acked_through_(row.acked_through),
      read_through_(row.acked_through),
      settled_ahead_(row.settled) {}

void Segment::push(const EventPtr& event, Hook hook) {
  window_.push_back({event->position, hook, Entry::State::kFresh, false, false, event});
  ++fresh_;
}

// The entry is no longer what its state says.
void Segment::count_out(const Entry& entry) {
  switch (entry.state) {
    case Entry::State::kFresh:
      CHECK(fresh_ > 0);
      --fresh_;
      break;
    case Entry::State::kDeferred:
      CHECK(deferred_ > 0);
      --deferred_;
      deferred_bytes_ -= entry.event->event.bytes.size();
      break;
    case Entry::State::kInFlight:
      CHECK(in_flight_ > 0);
      --in_flight_;
      break;
    case Entry::State::kSettled:
      break;
  }
}

void Segment::hold(Entry& entry) {
  count_out(entry);
  entry.state = Entry::State::kDeferred;
  ++deferred_;
  deferred_bytes_ += entry.event->event.bytes.size();
}

void Segment::end(Entry& entry) {
  count_out(entry);
  entry.state = Entry::State::kSettled;
  entry.has_turn = false;
  entry.event.reset();
}

bool Segment::offer(const EventPtr& event, Hook hook) {
  if (event->position <= read_through_) return true;  // a read was faster
  if (!caught_up_ || held() >= kMaxLive || full()) {
    decline(event->position);
    return false;
  }
  push(event, hook);
  read_through_ = event->position;
  return true;
}

void Segment::decline(Position position) {
  caught_up_ = false;
  declined_ = position;
}

void Segment::close(Position to) {
  CHECK(open());
  to_ = to;
  if (!std::exchange(caught_up_, false)) return;
  read_through_ = std::max(read_through_, to);
  if (window_.empty()) acked_through_ = read_through_;
}

void Segment::fill(const store::LaneSlice& slice, const MissedRows& missed) {
  auto ahead = settled_ahead_.begin();
  for (const auto& event : slice.events) {
    if (event->position <= read_through_) continue;
    if (to_ && event->position > *to_) break;  // it was cut meanwhile
    while (ahead != settled_ahead_.end() && ahead->last < event->position) ++ahead;
    const auto hook = webhook::hook_for(event->event.name, event->event.severity);
    if (!hook) continue;
    // What lies before it is not the lane's, or is no more, and is not counted again.
    if (window_.empty()) acked_through_ = store::just_before(event->position);
    push(event, *hook);
    window_.back().may_be_missed = missed.may_have(event->position);
    if (ahead != settled_ahead_.end() && ahead->first <= event->position) {
      // It stays in the window, so that row() still knows it once its range is forgotten.
      end(window_.back());
    }
  }
  find_first_fresh();
  pop_settled();
  read_through_ = std::max(read_through_, to_ ? std::min(slice.through, *to_) : slice.through);
  forget_ahead();
  if (window_.empty()) acked_through_ = read_through_;
  if (open() && slice.at_end && read_through_ >= declined_) caught_up_ = true;
}

bool Segment::awaits(Position position) const {
  if (position <= read_through_ || (to_ && position > *to_)) return false;
  return std::ranges::none_of(settled_ahead_, [&](const store::PositionRange& r) {
    return r.first <= position && position <= r.last;
  });
}

Entry* Segment::next() {
  return has_next() ? &window_[first_fresh_] : nullptr;
}

Entry* Segment::first_deferred() {
  const auto at = std::ranges::find_if(window_, [](const Entry& entry) {
    return entry.state == Entry::State::kDeferred && !entry.has_turn;
  });
  return at == window_.end() ? nullptr : &*at;
}

void Segment::defer(Entry& entry) {
  CHECK(entry.state == Entry::State::kFresh);
  hold(entry);
  find_first_fresh();
}

void Segment::start(Entry& entry) {
  CHECK(entry.state == Entry::State::kDeferred || entry.state == Entry::State::kFresh);
  count_out(entry);
  entry.state = Entry::State::kInFlight;
  ++in_flight_;
  find_first_fresh();
}

void Segment::give_back(Entry& entry) {
  CHECK(entry.state == Entry::State::kInFlight);
  hold(entry);
}

void Segment::settle(Entry& entry) {
  CHECK(entry.state != Entry::State::kSettled);
  end(entry);
  find_first_fresh();
  pop_settled();
}

size_t Segment::drop(const std::function<bool(const Entry&)>& unwanted) {
  size_t dropped = 0;
  for (size_t i = first_fresh_; i < window_.size(); ++i) {
    auto& entry = window_[i];
    if (entry.state != Entry::State::kFresh || !unwanted(entry)) continue;
    end(entry);
    ++dropped;
  }
  find_first_fresh();
  pop_settled();
  return dropped;
}

// Goes on from where it was: nothing before becomes fresh.
void Segment::find_first_fresh() {
  while (first_fresh_ < window_.size() && window_[first_fresh_].state != Entry::State::kFresh)
    ++first_fresh_;
}

// After find_first_fresh(): what leaves at the front lies before the first fresh entry.
void Segment::pop_settled() {
  while (!window_.empty() && window_.front().state == Entry::State::kSettled) {
    CHECK(first_fresh_ > 0);
    acked_through_ = window_.front().position;
    window_.pop_front();
    --first_fresh_;
  }
  if (window_.empty()) acked_through_ = read_through_;
}

// What lies up to read_through_ is told by the window.
void Segment::forget_ahead() {
  std::erase_if(settled_ahead_,
                [&](const store::PositionRange& r) { return r.last <= read_through_; });
  if (settled_ahead_.empty() || settled_ahead_.front().first > read_through_) return;
  settled_ahead_.front().first = store::just_after(read_through_);
}

std::vector<store::PositionRange> Segment::settled_from(size_t index) const {
  std::vector<store::PositionRange> out;
  bool in_run = false;
  for (; index < window_.size(); ++index) {
    const auto& entry = window_[index];
    const bool settled = entry.state == Entry::State::kSettled;
    if (settled && in_run) {
      out.back().last = entry.position;
    } else if (settled) {
      out.push_back({entry.position, entry.position});
    }
    in_run = settled;
  }
  return out;
}

Position Segment::last_in_flight() const {
  if (in_flight_ == 0) return kNoPosition;
  const auto at = std::find_if(window_.rbegin(), window_.rend(),
                               [](const Entry& e) { return e.state == Entry::State::kInFlight; });
  return at->position;
}

std::vector<const Entry*> Segment::turns_behind(Position after) const {
  std::vector<const Entry*> out;
  for (auto entry = window_.rbegin(); entry != window_.rend() && entry->position > after; ++entry) {
    if (entry->has_turn && entry->state != Entry::State::kInFlight) out.push_back(&*entry);
  }
  return out;
}

void Segment::spill() {
  caught_up_ = false;
  if (window_.empty()) return;
  size_t keep = window_.size();
  while (keep > 0 && window_[keep - 1].state != Entry::State::kInFlight) --keep;
  auto settled = settled_from(keep);
  settled.insert(settled.end(), settled_ahead_.begin(), settled_ahead_.end());
  settled_ahead_ = std::move(settled);
  while (window_.size() > keep) {
    count_out(window_.back());
    window_.pop_back();
  }
  first_fresh_ = std::min(first_fresh_, window_.size());
  read_through_ = window_.empty() ? acked_through_ : window_.back().position;
}

bool Segment::join(const Segment& next) {
  CHECK(to_ && next.idle() && next.window_.empty());
  if (next.after_ < *to_) return false;
  auto settled = settled_ahead_;
  // Between the two nothing was unsettled.
  if (next.acked_through_ > *to_) {
    const Position first{to_->value + 1};
    if (!settled.empty() && settled.back().last >= *to_) {
      settled.back().last = next.acked_through_;
    } else {
      settled.push_back({first, next.acked_through_});
    }
  }
  settled.insert(settled.end(), next.settled_ahead_.begin(), next.settled_ahead_.end());
  if (settled.size() > kMaxMergedRanges) return false;
  settled_ahead_ = std::move(settled);
  to_ = next.to_;
  return true;
}

void Segment::settle_through(Position to) {
  CHECK(idle());
  spill();
  if (to_) to = std::min(to, *to_);
  if (to <= acked_through_) return;
  acked_through_ = read_through_ = to;
  forget_ahead();
}

void Segment::cancel() {
  cancelled_ = true;
  paused = false;
  caught_up_ = false;
  for (auto& entry : window_) {
    if (entry.state != Entry::State::kInFlight) end(entry);
  }
  first_fresh_ = window_.size();
  settled_ahead_.clear();
  to_ = read_through_;
  pop_settled();
}

store::SegmentRow Segment::row() const {
  store::SegmentRow out{cls_,    after_,  to_,   acked_through_, settled_from(0),
                        source_, replay_, paused};
  out.settled.insert(out.settled.end(), settled_ahead_.begin(), settled_ahead_.end());
  return out;
}

void Segment::check_invariants() const {
  CHECK(after_ <= acked_through_ && acked_through_ <= read_through_);
  CHECK(!to_ || read_through_ <= *to_);
  CHECK(!caught_up_ || (open() && declined_ <= read_through_));
  CHECK(!window_.empty() || acked_through_ == read_through_);
  CHECK(window_.empty() || window_.front().state != Entry::State::kSettled);
  std::array<size_t, 4> counts{};
  size_t deferred_bytes = 0;
  size_t first_fresh = window_.size();
  Position last = acked_through_;
  for (size_t i = 0; i < window_.size(); ++i) {
    const auto& entry = window_[i];
    CHECK(entry.position > std::exchange(last, entry.position));
    CHECK((entry.event == nullptr) == (entry.state == Entry::State::kSettled));
    ++counts[static_cast<size_t>(entry.state)];
    if (entry.state == Entry::State::kFresh) first_fresh = std::min(first_fresh, i);
    if (entry.state == Entry::State::kDeferred) deferred_bytes += entry.event->event.bytes.size();
  }
  CHECK(last <= read_through_);
  CHECK(counts[static_cast<size_t>(Entry::State::kFresh)] == fresh_ && first_fresh == first_fresh_);
  CHECK(counts[static_cast<size_t>(Entry::State::kDeferred)] == deferred_);
  CHECK(counts[static_cast<size_t>(Entry::State::kInFlight)] == in_flight_);
  CHECK(deferred_bytes == deferred_bytes_);
  last = read_through_;
  for (const auto& range : settled_ahead_) {
    CHECK(last < range.first && range.first <= range.last);
    last = range.last;
  }
  CHECK(!cancelled_ || (fresh_ == 0 && deferred_ == 0 && settled_ahead_.empty()));
}

}  // namespace eventhorn::delivery
