#include "delivery/lane.h"

#include <algorithm>

namespace eventhorn::delivery {
namespace {

constexpr uint8_t kBacklogTurn = 4;  // every fourth turn the backlog goes first

uint64_t order_key(const Slot& slot) {
  return slot.event->event.order_key;
}

}  // namespace

Lane::Since Lane::subscribe(const Since& since) {
  Since over;
  for (size_t i = 0; i < since.size(); ++i) {
    if (!since_[i] || (since[i] && *since[i] <= *since_[i])) continue;
    over[i] = since_[i];
    ++lives_[i];
  }
  since_ = since;
  return over;
}

uint64_t Lane::drop(const Since& over) {
  uint64_t dropped = 0;
  const auto unwanted = [&](const Slot& slot) {
    return over[static_cast<size_t>(slot.hook)].has_value();
  };
  const auto let_go = [&](const Held& held) {
    if (held.first->replay() != 0 || !unwanted(*held.second)) return false;
    held.first->settle(*held.second);
    ++dropped;
    return true;
  };
  for (auto& [key, slots] : deferred_) std::erase_if(slots, let_go);
  std::erase_if(deferred_, [](const auto& entry) { return entry.second.empty(); });
  std::vector<uint64_t> turns;  // of the slots that are let go
  std::erase_if(again_, [&](const Held& held) {
    const uint64_t key = order_key(*held.second);
    if (!let_go(held)) return false;
    turns.push_back(key);
    return true;
  });
  const auto let_go_waiting = [&](const Slot& slot) {
    if (!unwanted(slot)) return false;
    if (slot.has_turn) turns.push_back(order_key(slot));
    return true;
  };
  for (auto& segment : segments_) {
    if (segment.replay() == 0) dropped += segment.drop_waiting(let_go_waiting);
  }
  for (const uint64_t key : turns) end_turn(key);
  return dropped;
}

store::LaneQuery Lane::query(const Segment& segment) const {
  store::LaneQuery out;
  out.domain = domain_;
  out.cls = segment.cls();
  out.after = segment.read_through();
  out.to = segment.to();
  out.since = since_;
  if (segment.replay() != 0) {
    for (auto& since : out.since) {
      if (since) since = kNoPosition;
    }
  }
  out.source = segment.source();
  out.lane = id_;
  return out;
}

bool Lane::wants(const Segment* segment, Hook hook, Position position) const {
  const auto& since = since_[static_cast<size_t>(hook)];
  if (!since) return false;
  // A retry may be of a replay.
  return segment == nullptr || segment->replay() != 0 || *since < position;
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
                               [&](const Segment& s) { return s.cls() > cls || s.replay() != 0; });
  // The one before it may reach further than the caller knows.
  if (at != segments_.begin() && std::prev(at)->cls() == cls)
    after = std::max(after, *std::prev(at)->to());
  auto& made = *segments_.emplace(at, cls, after, std::nullopt);
  if (caught_up) made.fill({{}, after, true});
  return made;
}

Segment* Lane::begin_live(Class cls, Position at) {
  join_segments();
  const auto own = [&](const Segment& s) { return s.cls() == cls && s.replay() == 0; };
  if (std::count_if(segments_.begin(), segments_.end(), own) > static_cast<long>(kMaxClosed))
    return nullptr;
  const auto open = std::find_if(segments_.begin(), segments_.end(),
                                 [&](const Segment& s) { return own(s) && s.open(); });
  if (open != segments_.end()) open->close(at);
  return &open_segment(cls, at, true);
}

bool Lane::offer(Segment& segment, const EventPtr& event, Hook hook) {
  if (!segment.offer(event, hook)) return false;
  Slot* slot = segment.last();
  // A read may have been faster, and the event may be settled since.
  const bool waits = slot != nullptr && slot->position == event->position &&
                     slot->state == Slot::State::kWaiting && !slot->has_turn;
  if (waits && order_key(*slot) != 0) (void)take_turn(segment, *slot);
  return true;
}

// Gives a waiting slot the turn of its key, or defers it until that is free.
bool Lane::take_turn(Segment& segment, Slot& slot) {
  const uint64_t key = order_key(slot);
  slot.has_turn = turns_.try_emplace(key, 1).second;
  if (slot.has_turn) return true;
  segment.defer(slot);
  auto& queue = deferred_[key];
  const auto is_backlog = [](const Held& held) { return !held.first->caught_up(); };
  // What is live goes before the backlog, which may be long.
  const bool overtakes = segment.caught_up() && !queue.empty() && is_backlog(queue.back());
  const auto at = overtakes ? std::ranges::find_if(queue, is_backlog) : queue.end();
  queue.emplace(at, &segment, &slot);
  return false;
}

// The next slot of the key has the turn.
void Lane::end_turn(uint64_t key) {
  if (key == 0) return;
  const auto turns = turns_.find(key);
  if (--turns->second > 0) return;
  const auto queue = deferred_.empty() ? deferred_.end() : deferred_.find(key);
  if (queue == deferred_.end()) {
    turns_.erase(turns);
    return;
  }
  ++turns->second;
  const Held next = queue->second.front();
  queue->second.pop_front();
  if (queue->second.empty()) deferred_.erase(queue);
  next.second->has_turn = true;
  again_.push_back(next);
}

Job Lane::start(Segment& segment, Slot& slot) {
  segment.start(slot);
  ++in_flight_;
  return {&segment,   &slot,     slot.position,
          slot.event, 1,         order_key(slot),
          false,      slot.hook, lives_[static_cast<size_t>(slot.hook)]};
}

// A crowded segment sends its oldest deferred slot beside the one that has the turn.
std::optional<Job> Lane::start_out_of_turn(Segment& segment) {
  Slot* slot = segment.first_deferred();
  if (slot == nullptr) return std::nullopt;
  const uint64_t key = order_key(*slot);
  const auto queue = deferred_.find(key);
  queue->second.erase(std::ranges::find(queue->second, Held(&segment, slot)));
  if (queue->second.empty()) deferred_.erase(queue);
  slot->has_turn = true;
  ++turns_[key];
  return start(segment, *slot);
}

// The hook ended while the event was being read, or it is of a replay. Counted by who ended it.
bool Lane::drop_unwanted(Segment& segment, Slot& slot) {
  if (wants(&segment, slot.hook, slot.position)) return false;
  changed_ = true;
  const uint64_t turn = slot.has_turn ? order_key(slot) : 0;
  segment.settle(slot);
  end_turn(turn);
  return true;
}

std::optional<Job> Lane::take_slot(Segment& segment) {
  while (Slot* slot = segment.next()) {
    if (drop_unwanted(segment, *slot)) continue;
    if (order_key(*slot) == 0 || slot->has_turn || take_turn(segment, *slot))
      return start(segment, *slot);
    if (segment.crowded()) break;
  }
  return segment.crowded() ? start_out_of_turn(segment) : std::nullopt;
}

std::optional<Job> Lane::take_again() {
  while (!again_.empty()) {
    const auto next =
        std::ranges::find_if(again_, [](const Held& held) { return !held.first->paused; });
    if (next == again_.end()) break;
    const auto [segment, slot] = *next;
    again_.erase(next);
    if (drop_unwanted(*segment, *slot)) continue;
    return start(*segment, *slot);
  }
  return std::nullopt;
}

Job Lane::start_retry(Position position, Waiting& waiting) {
  waiting.in_flight = true;
  ++in_flight_;
  Job job;
  job.position = position;
  job.attempt = static_cast<uint16_t>(waiting.attempts + 1);
  job.hook = waiting.hook;
  job.life = lives_[static_cast<size_t>(waiting.hook)];
  return job;
}

std::optional<Job> Lane::take_due(SteadyTime now) {
  while (!due_.empty()) {
    const Position position = due_.front();
    due_.pop_front();
    const auto it = waiting_.find(position);
    // It may have been tried, and put off, since its time came.
    if (it == waiting_.end() || it->second.in_flight || it->second.due > now) continue;
    return start_retry(position, it->second);
  }
  return std::nullopt;
}

std::optional<Job> Lane::take_backlog(bool segments_allowed, SteadyTime now) {
  if (auto job = take_due(now)) return job;
  if (!segments_allowed) return std::nullopt;
  for (auto& segment : segments_) {
    if (segment.caught_up()) continue;
    if (auto job = take_slot(segment)) return job;
  }
  return std::nullopt;
}

std::optional<Job> Lane::take_live() {
  for (auto& segment : segments_) {
    if (!segment.caught_up()) continue;
    if (auto job = take_slot(segment)) return job;
  }
  return std::nullopt;
}

std::optional<Job> Lane::take(bool segments_allowed, SteadyTime now) {
  if (!segments_allowed) return take_due(now);
  if (auto job = take_again()) return job;
  if (++turn_ % kBacklogTurn == 0) {
    if (auto job = take_backlog(true, now)) return job;
  }
  if (auto job = take_live()) return job;
  return take_backlog(true, now);
}

std::optional<Job> Lane::take_any_slot() {
  if (auto job = take_again()) return job;
  if (auto job = take_live()) return job;
  for (auto& segment : segments_) {
    if (auto job = take_slot(segment)) return job;
  }
  return std::nullopt;
}

std::optional<Job> Lane::take_oldest_waiting(SteadyTime now) {
  auto oldest = waiting_.end();
  for (auto it = waiting_.begin(); it != waiting_.end(); ++it) {
    if (it->second.in_flight || it->second.read_due > now) continue;
    if (oldest == waiting_.end() || it->second.tried < oldest->second.tried) oldest = it;
  }
  if (oldest == waiting_.end()) return std::nullopt;
  return start_retry(oldest->first, oldest->second);
}

std::optional<Job> Lane::take_probe(SteadyTime now) {
  probe_waiting_ = !probe_waiting_;
  auto job = probe_waiting_ ? take_oldest_waiting(now) : take_any_slot();
  if (!job) job = probe_waiting_ ? take_any_slot() : take_oldest_waiting(now);
  if (job) job->probe = true;
  return job;
}

bool Lane::has_work(bool segments_allowed) const {
  if (!due_.empty()) return true;
  if (!segments_allowed) return false;
  return !again_.empty() || std::any_of(segments_.begin(), segments_.end(), [](const Segment& s) {
    return s.has_next() || s.wants_read(1) || s.crowded();
  });
}

void Lane::settle(const Job& job) {
  --in_flight_;
  if (job.segment == nullptr) {
    const auto it = waiting_.find(job.position);
    if (it != waiting_.end()) it->second.in_flight = false;
    return;
  }
  job.segment->settle(*job.slot);
  end_turn(job.order_key);
  if (job.segment->paused) spill(*job.segment);
}

void Lane::give_back(const Job& job) {
  if (job.segment != nullptr && job.segment->cancelled()) return settle(job);
  --in_flight_;
  if (job.segment == nullptr) {
    const auto it = waiting_.find(job.position);
    if (it == waiting_.end()) return;
    it->second.in_flight = false;
    it->second.due = {};
    due_.push_back(job.position);
    return;
  }
  job.segment->put_back(*job.slot);
  again_.emplace_front(job.segment, job.slot);
  if (job.segment->paused) spill(*job.segment);
}

void Lane::due(Position position, SteadyTime now) {
  const auto it = waiting_.find(position);
  if (it != waiting_.end() && it->second.due <= now) due_.push_back(position);
}

Segment* Lane::wants_read(size_t below) {
  Segment* out = nullptr;
  for (auto& s : segments_) {
    if (s.reading) return nullptr;
    if (out == nullptr && s.wants_read(below)) out = &s;
  }
  return out;
}

// Forgets slots of a segment behind a position, which its owner is about to drop.
void Lane::let_go(Segment& segment, Position after) {
  const auto held = [&](const Held& h) {
    return h.first == &segment && h.second->position > after;
  };
  std::erase_if(again_, held);
  for (auto& [key, slots] : deferred_) std::erase_if(slots, held);
  std::erase_if(deferred_, [](const auto& entry) { return entry.second.empty(); });
  for (const Slot* slot : segment.turns_behind(after)) end_turn(order_key(*slot));
}

void Lane::spill(Segment& segment) {
  let_go(segment, segment.last_in_flight());
  segment.spill();
}

void Lane::spill() {
  for (auto& segment : segments_) spill(segment);
}

void Lane::skip_to(Segment& segment, Position to) {
  let_go(segment, kNoPosition);
  segment.skip_to(to);
}

bool Lane::pause_replay(uint64_t replay, bool paused) {
  bool any = false;
  for (auto& segment : segments_) {
    if (segment.replay() != replay) continue;
    segment.paused = paused;
    if (paused) spill(segment);  // or others would wait for their turn behind it
    any = true;
  }
  return any;
}

bool Lane::cancel_replay(uint64_t replay) {
  bool any = false;
  for (auto& segment : segments_) {
    if (segment.replay() != replay) continue;
    let_go(segment, kNoPosition);
    segment.cancel();
    any = true;
  }
  return any;
}

// A closed segment that nobody holds becomes part of the closed one before it, so that a lane that
// falls behind time and again keeps few.
void Lane::join_segments() {
  for (auto it = segments_.begin(); it != segments_.end();) {
    const auto next = std::next(it);
    if (next == segments_.end() || next->replay() != 0) return;
    const bool joinable = it->cls() == next->cls() && it->to() && !next->open();
    if (joinable && next->last_in_flight() == kNoPosition && !next->reading) {
      let_go(*next, kNoPosition);
      next->spill();
      if (it->absorb(*next)) {
        segments_.erase(next);
        continue;
      }
    }
    ++it;
  }
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

bool Lane::reaches_back_to(Position position) const {
  if (!waiting_.empty() && waiting_.begin()->first <= position) return true;
  return std::ranges::any_of(
      segments_, [&](const Segment& s) { return !s.caught_up() && s.acked_through() < position; });
}

bool Lane::behind() const {
  return std::any_of(segments_.begin(), segments_.end(),
                     [](const Segment& s) { return !s.caught_up() && !s.settled(); });
}

}  // namespace eventhorn::delivery
