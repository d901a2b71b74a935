#include "delivery/segment.h"

#include "base/check.h"

#include <algorithm>

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
  window_.push_back({event->position, hook, Slot::State::kWaiting, false, false, event});
  ++waiting_;
}

// The slot is no longer what its state says.
void Segment::leave(const Slot& slot) {
  switch (slot.state) {
    case Slot::State::kWaiting:
      --waiting_;
      break;
    case Slot::State::kDeferred:
      --deferred_;
      deferred_bytes_ -= slot.event->event.bytes.size();
      break;
    case Slot::State::kInFlight:
      --in_flight_;
      break;
    case Slot::State::kSettled:
      break;
  }
}

void Segment::end(Slot& slot) {
  leave(slot);
  slot.state = Slot::State::kSettled;
  slot.has_turn = false;
  slot.event.reset();
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
    if (window_.empty()) acked_through_ = {event->position.value - 1};
    push(event, *hook);
    window_.back().may_be_missed = missed.may_have(event->position);
    if (ahead != settled_ahead_.end() && ahead->first <= event->position) {
      // Keeps its slot, so that row() still knows it once its range is forgotten.
      end(window_.back());
    }
  }
  skip_to_waiting();
  pop_settled();
  read_through_ = std::max(read_through_, to_ ? std::min(slice.through, *to_) : slice.through);
  std::erase_if(settled_ahead_,
                [&](const store::PositionRange& r) { return r.last <= read_through_; });
  if (window_.empty()) acked_through_ = read_through_;
  if (open() && slice.at_end && read_through_ >= declined_) caught_up_ = true;
}

bool Segment::awaits(Position position) const {
  if (position <= read_through_ || (to_ && position > *to_)) return false;
  return std::ranges::none_of(settled_ahead_, [&](const store::PositionRange& r) {
    return r.first <= position && position <= r.last;
  });
}

Slot* Segment::next() {
  return has_next() ? &window_[first_waiting_] : nullptr;
}

Slot* Segment::first_deferred() {
  const auto at = std::ranges::find_if(window_, [](const Slot& slot) {
    return slot.state == Slot::State::kDeferred && !slot.has_turn;
  });
  return at == window_.end() ? nullptr : &*at;
}

void Segment::defer(Slot& slot) {
  CHECK(slot.state == Slot::State::kWaiting);
  leave(slot);
  slot.state = Slot::State::kDeferred;
  ++deferred_;
  deferred_bytes_ += slot.event->event.bytes.size();
  skip_to_waiting();
}

void Segment::start(Slot& slot) {
  CHECK(slot.state == Slot::State::kDeferred || slot.state == Slot::State::kWaiting);
  leave(slot);
  slot.state = Slot::State::kInFlight;
  ++in_flight_;
  skip_to_waiting();
}

void Segment::put_back(Slot& slot) {
  CHECK(slot.state == Slot::State::kInFlight);
  leave(slot);
  slot.state = Slot::State::kDeferred;
  ++deferred_;
  deferred_bytes_ += slot.event->event.bytes.size();
}

void Segment::settle(Slot& slot) {
  CHECK(slot.state != Slot::State::kSettled);
  end(slot);
  skip_to_waiting();
  pop_settled();
}

size_t Segment::drop_waiting(const std::function<bool(const Slot&)>& unwanted) {
  size_t dropped = 0;
  for (size_t i = first_waiting_; i < window_.size(); ++i) {
    auto& slot = window_[i];
    if (slot.state != Slot::State::kWaiting || !unwanted(slot)) continue;
    end(slot);
    ++dropped;
  }
  skip_to_waiting();
  pop_settled();
  return dropped;
}

void Segment::skip_to_waiting() {
  while (first_waiting_ < window_.size() &&
         window_[first_waiting_].state != Slot::State::kWaiting) {
    ++first_waiting_;
  }
}

void Segment::pop_settled() {
  while (!window_.empty() && window_.front().state == Slot::State::kSettled) {
    acked_through_ = window_.front().position;
    window_.pop_front();
    --first_waiting_;
  }
  if (window_.empty()) acked_through_ = read_through_;
}

std::vector<store::PositionRange> Segment::settled_from(size_t index) const {
  std::vector<store::PositionRange> out;
  bool in_run = false;
  for (; index < window_.size(); ++index) {
    const auto& slot = window_[index];
    const bool settled = slot.state == Slot::State::kSettled;
    if (settled && in_run) {
      out.back().last = slot.position;
    } else if (settled) {
      out.push_back({slot.position, slot.position});
    }
    in_run = settled;
  }
  return out;
}

Position Segment::last_in_flight() const {
  if (in_flight_ == 0) return kNoPosition;
  const auto at = std::find_if(window_.rbegin(), window_.rend(),
                               [](const Slot& s) { return s.state == Slot::State::kInFlight; });
  return at->position;
}

std::vector<const Slot*> Segment::turns_behind(Position after) const {
  std::vector<const Slot*> out;
  for (auto slot = window_.rbegin(); slot != window_.rend() && slot->position > after; ++slot) {
    if (slot->has_turn && slot->state != Slot::State::kInFlight) out.push_back(&*slot);
  }
  return out;
}

void Segment::spill() {
  caught_up_ = false;
  if (window_.empty()) return;
  size_t keep = window_.size();
  while (keep > 0 && window_[keep - 1].state != Slot::State::kInFlight) --keep;
  auto settled = settled_from(keep);
  settled.insert(settled.end(), settled_ahead_.begin(), settled_ahead_.end());
  settled_ahead_ = std::move(settled);
  while (window_.size() > keep) {
    leave(window_.back());
    window_.pop_back();
  }
  first_waiting_ = std::min(first_waiting_, window_.size());
  read_through_ = window_.empty() ? acked_through_ : window_.back().position;
}

bool Segment::absorb(const Segment& next) {
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

void Segment::skip_to(Position to) {
  CHECK(idle());
  spill();
  if (to_) to = std::min(to, *to_);
  if (to <= acked_through_) return;
  acked_through_ = read_through_ = to;
  std::erase_if(settled_ahead_, [&](const store::PositionRange& r) { return r.last <= to; });
}

void Segment::cancel() {
  cancelled_ = true;
  paused = false;
  caught_up_ = false;
  for (auto& slot : window_) {
    if (slot.state == Slot::State::kInFlight) continue;
    end(slot);
  }
  first_waiting_ = window_.size();
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

}  // namespace eventhorn::delivery
