#include "delivery/lane.h"

#include "base/check.h"

#include <algorithm>

namespace eventhorn::delivery {
namespace {

// First attempts of one (message, recipient) are ordered within a class.
uint64_t order_key(const Segment& segment, const EventPtr& event) {
  const uint64_t key = event->event.order_key;
  return key == 0 ? 0 : key ^ (static_cast<uint64_t>(segment.cls()) << 62);
}

}  // namespace

Segment::Segment(Class cls, Position after, std::optional<Position> to)
    : cls_(cls), after_(after), to_(to), acked_through_(after), read_through_(after) {}

Segment::Segment(const store::SegmentRow& row)
    : cls_(row.cls),
      after_(row.after),
      to_(row.to),
      acked_through_(row.acked_through),
      read_through_(row.acked_through),
      settled_ahead_(row.settled) {}

void Segment::push(const EventPtr& event, Hook hook) {
  window_.push_back({event->position, hook, Slot::State::kWaiting, event});
}

bool Segment::offer(const EventPtr& event, Hook hook) {
  if (event->position <= read_through_) return true;  // a read was faster
  if (!caught_up_) return false;
  if (waiting() >= kMaxLive || window_.size() >= kMaxWindow) {
    caught_up_ = false;
    return false;
  }
  push(event, hook);
  read_through_ = event->position;
  return true;
}

void Segment::fill(const store::LaneSlice& slice, Position seen) {
  auto ahead = settled_ahead_.begin();
  for (const auto& event : slice.events) {
    while (ahead != settled_ahead_.end() && ahead->last < event->position) ++ahead;
    const auto hook = webhook::hook_for(event->event.name, event->event.severity);
    if (!hook) continue;
    push(event, *hook);
    if (ahead != settled_ahead_.end() && ahead->first <= event->position) {
      // Keeps its slot, so that row() still knows it once its range is forgotten.
      window_.back().state = Slot::State::kSettled;
      window_.back().event.reset();
    }
  }
  skip_settled();
  pop_settled();
  read_through_ = std::max(read_through_, slice.through);
  std::erase_if(settled_ahead_,
                [&](const store::PositionRange& r) { return r.last <= read_through_; });
  if (window_.empty()) acked_through_ = read_through_;
  if (open() && slice.at_end && read_through_ >= seen) caught_up_ = true;
}

Slot* Segment::next() {
  return has_next() ? &window_[first_waiting_] : nullptr;
}

void Segment::defer(Slot& slot) {
  CHECK(&slot == &window_[first_waiting_]);
  slot.state = Slot::State::kDeferred;
  ++first_waiting_;
  ++deferred_;
  skip_settled();
}

void Segment::start(Slot& slot) {
  if (slot.state == Slot::State::kDeferred) {
    --deferred_;
  } else {
    CHECK(&slot == &window_[first_waiting_]);
    ++first_waiting_;
  }
  slot.state = Slot::State::kInFlight;
  skip_settled();
}

void Segment::put_back(Slot& slot) {
  CHECK(slot.state == Slot::State::kInFlight);
  slot.state = Slot::State::kDeferred;
  ++deferred_;
}

void Segment::settle(Slot& slot) {
  if (slot.state == Slot::State::kDeferred) --deferred_;
  if (slot.state == Slot::State::kWaiting) {
    CHECK(&slot == &window_[first_waiting_]);
    ++first_waiting_;
  }
  slot.state = Slot::State::kSettled;
  slot.event.reset();
  skip_settled();
  pop_settled();
}

void Segment::skip_settled() {
  while (has_next() && window_[first_waiting_].state == Slot::State::kSettled) ++first_waiting_;
}

void Segment::pop_settled() {
  while (!window_.empty() && window_.front().state == Slot::State::kSettled) {
    acked_through_ = window_.front().position;
    window_.pop_front();
    --first_waiting_;
  }
  if (window_.empty()) acked_through_ = read_through_;
}

store::SegmentRow Segment::row() const {
  store::SegmentRow out{cls_, after_, to_, acked_through_, {}};
  bool in_run = false;
  for (const auto& slot : window_) {
    const bool settled = slot.state == Slot::State::kSettled;
    if (settled && in_run) {
      out.settled.back().last = slot.position;
    } else if (settled) {
      out.settled.push_back({slot.position, slot.position});
    }
    in_run = settled;
  }
  out.settled.insert(out.settled.end(), settled_ahead_.begin(), settled_ahead_.end());
  return out;
}

void Lane::load(const store::LaneRow& row) {
  for (const auto& s : row.segments) segments_.emplace_back(s);
  has_row = true;
}

Segment& Lane::open_segment(Class cls, Position after, bool caught_up) {
  for (auto& s : segments_) {
    if (s.cls() == cls && s.open()) return s;
  }
  const auto at = std::find_if(segments_.begin(), segments_.end(),
                               [&](const Segment& s) { return s.cls() > cls; });
  auto& made = *segments_.emplace(at, cls, after, std::nullopt);
  if (caught_up) made.fill({{}, after, true}, after);
  return made;
}

Job Lane::start(Segment& segment, Slot& slot, uint64_t key) {
  segment.start(slot);
  if (key != 0) keys_in_flight_.insert(key);
  ++in_flight_;
  return {&segment, &slot, slot.position, slot.event, 1, key};
}

// The hook was removed after the event was read: what was pending is dropped and counted.
bool Lane::drop_unwanted(Segment& segment, Slot& slot) {
  if (wants(slot.hook, slot.position)) return false;
  ++dropped_;
  changed_ = true;
  const bool deferred = slot.state == Slot::State::kDeferred;
  const uint64_t key = order_key(segment, slot.event);
  segment.settle(slot);
  if (deferred) release(key);
  return true;
}

std::optional<Job> Lane::take_slot(Segment& segment) {
  while (Slot* slot = segment.next()) {
    if (drop_unwanted(segment, *slot)) continue;
    const uint64_t key = order_key(segment, slot->event);
    if (key != 0 && keys_in_flight_.contains(key)) {
      segment.defer(*slot);
      deferred_[key].emplace_back(&segment, slot);
      continue;
    }
    return start(segment, *slot, key);
  }
  return std::nullopt;
}

std::optional<Job> Lane::take(bool segments_allowed) {
  while (!due_.empty()) {
    const Position position = due_.front();
    due_.pop_front();
    const auto it = waiting_.find(position);
    if (it == waiting_.end() || it->second.in_flight) continue;
    it->second.in_flight = true;
    ++in_flight_;
    return Job{nullptr, nullptr, position, nullptr, static_cast<uint16_t>(it->second.attempts + 1),
               0};
  }
  if (!segments_allowed) return std::nullopt;
  while (!again_.empty()) {
    const auto [segment, slot] = again_.front();
    again_.pop_front();
    if (drop_unwanted(*segment, *slot)) continue;
    return start(*segment, *slot, order_key(*segment, slot->event));
  }
  for (auto& segment : segments_) {
    if (auto job = take_slot(segment)) return job;
  }
  return std::nullopt;
}

bool Lane::has_work(bool segments_allowed) const {
  if (!due_.empty()) return true;
  if (!segments_allowed) return false;
  return !again_.empty() || std::any_of(segments_.begin(), segments_.end(),
                                        [](const Segment& s) { return s.has_next(); });
}

void Lane::release(uint64_t key) {
  if (key == 0) return;
  keys_in_flight_.erase(key);
  const auto it = deferred_.find(key);
  if (it == deferred_.end()) return;
  again_.push_back(it->second.front());
  it->second.pop_front();
  if (it->second.empty()) deferred_.erase(it);
}

void Lane::settle(const Job& job) {
  --in_flight_;
  if (job.segment == nullptr) {
    const auto it = waiting_.find(job.position);
    if (it != waiting_.end()) it->second.in_flight = false;
    return;
  }
  job.segment->settle(*job.slot);
  release(job.order_key);
}

void Lane::give_back(const Job& job) {
  --in_flight_;
  if (job.segment == nullptr) {
    const auto it = waiting_.find(job.position);
    if (it == waiting_.end()) return;
    it->second.in_flight = false;
    due_.push_back(job.position);
    return;
  }
  job.segment->put_back(*job.slot);
  if (job.order_key != 0) keys_in_flight_.erase(job.order_key);
  again_.emplace_front(job.segment, job.slot);
}

void Lane::due(Position position) {
  if (waiting_.contains(position)) due_.push_back(position);
}

Segment* Lane::wants_read() {
  for (auto& s : segments_) {
    if (s.wants_read()) return &s;
  }
  return nullptr;
}

store::LaneRow Lane::row() {
  segments_.remove_if([](const Segment& s) { return s.settled() && !s.reading; });
  store::LaneRow out{id_, domain_, {}};
  for (const auto& s : segments_) {
    if (!s.settled()) out.segments.push_back(s.row());
  }
  return out;
}

bool Lane::settled() const {
  return waiting_.empty() && in_flight_ == 0 &&
         std::all_of(segments_.begin(), segments_.end(),
                     [](const Segment& s) { return s.settled() && !s.reading; });
}

bool Lane::behind() const {
  return std::any_of(segments_.begin(), segments_.end(),
                     [](const Segment& s) { return !s.caught_up() && !s.settled(); });
}

}  // namespace eventhorn::delivery
