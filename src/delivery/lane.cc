#include "delivery/lane.h"

#include <algorithm>
#include <vector>

namespace eventhorn::delivery {
namespace {

constexpr uint8_t kBacklogTurn = 4;  // every fourth turn the backlog goes first

}  // namespace

uint64_t Lane::drop(const Since& over) {
  uint64_t dropped = 0;
  std::vector<uint64_t> turns;  // of the entries that are dropped
  const auto unwanted = [&](const Entry& entry) {
    return over[static_cast<size_t>(entry.hook)].has_value();
  };
  const auto withdrawn = order_.withdraw(
      [&](const Claim& claim) { return claim.segment->replay() == 0 && unwanted(*claim.entry); });
  for (const auto& claim : withdrawn) {
    if (claim.entry->has_turn) turns.push_back(claim.key());
    claim.segment->settle(*claim.entry);
    ++dropped;
  }
  const auto unwanted_fresh = [&](const Entry& entry) {
    if (!unwanted(entry)) return false;
    if (entry.has_turn) turns.push_back(entry.order_key());
    return true;
  };
  for (auto& segment : segments_) {
    if (segment.replay() == 0) dropped += segment.drop(unwanted_fresh);
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
  out.since = segment.replay() != 0 ? hooks_.since_of_replay() : hooks_.since();
  out.source = segment.source();
  out.lane = id_;
  return out;
}

bool Lane::wants(const Segment* segment, Hook hook, Position position) const {
  const bool own = segment != nullptr && segment->replay() == 0;
  return own ? hooks_.wants(hook, position) : hooks_.wants_replayed(hook);
}

void Lane::load(const store::LaneRow& row) {
  for (const auto& s : row.segments) segments_.add(s);
}

Segment* Lane::begin_live(Class cls, Position at) {
  return segments_.begin_live(cls, at, [this](Segment& s) { withdraw(s, kNoPosition); });
}

bool Lane::offer(Segment& segment, const EventPtr& event, Hook hook) {
  if (!segment.offer(event, hook)) return false;
  Entry* entry = segment.last();
  // A read may have been faster, and the event may be settled since.
  const bool claims = entry != nullptr && entry->position == event->position &&
                      entry->state == Entry::State::kFresh && !entry->has_turn;
  if (claims && entry->order_key() != 0) (void)take_turn({&segment, entry});
  return true;
}

// Gives a fresh entry the turn of its key, or defers it until that is free.
bool Lane::take_turn(const Claim& claim) {
  claim.entry->has_turn = order_.claim(claim);
  if (!claim.entry->has_turn) claim.segment->defer(*claim.entry);
  return claim.entry->has_turn;
}

void Lane::end_turn(uint64_t key) {
  if (const auto next = order_.end(key)) next->entry->has_turn = true;
}

Job Lane::start(const Claim& claim) {
  auto& entry = *claim.entry;
  claim.segment->start(entry);
  ++in_flight_;
  return {claim.segment, &entry,     entry.position,         entry.event, 1, entry.order_key(),
          false,         entry.hook, hooks_.life(entry.hook)};
}

// Deferred entries are in the way of a whole segment: the oldest goes beside the one that has the
// turn.
std::optional<Job> Lane::take_crowding(Segment& segment) {
  Entry* entry = segment.first_deferred();
  if (entry == nullptr) return std::nullopt;
  const Claim claim{&segment, entry};
  order_.jump(claim);
  entry->has_turn = true;
  return start(claim);
}

// Settles an entry whose hook ended after it was read. Whoever ended the hook has counted it, or it
// is of a replay.
bool Lane::drop_unwanted(const Claim& claim) {
  auto& entry = *claim.entry;
  if (wants(claim.segment, entry.hook, entry.position)) return false;
  changed_ = true;
  const uint64_t turn = entry.has_turn ? entry.order_key() : 0;
  claim.segment->settle(entry);
  end_turn(turn);
  return true;
}

std::optional<Job> Lane::take_next(Segment& segment) {
  while (Entry* entry = segment.next()) {
    const Claim claim{&segment, entry};
    if (drop_unwanted(claim)) continue;
    if (entry->order_key() == 0 || entry->has_turn || take_turn(claim)) return start(claim);
    if (segment.crowded()) break;
  }
  return segment.crowded() ? take_crowding(segment) : std::nullopt;
}

std::optional<Job> Lane::take_ready() {
  const auto may = [](const Claim& claim) { return !claim.segment->paused; };
  while (const auto claim = order_.take_ready(may)) {
    if (!drop_unwanted(*claim)) return start(*claim);
  }
  return std::nullopt;
}

Job Lane::start_retry(Retries::Table::value_type& retry) {
  const auto& [position, waiting] = retry;
  ++in_flight_;
  Job job;
  job.position = position;
  job.attempt = static_cast<uint16_t>(waiting.attempts + 1);
  job.hook = waiting.hook;
  job.life = hooks_.life(waiting.hook);
  return job;
}

std::optional<Job> Lane::take_due(SteadyTime now) {
  auto* retry = retries_.take_due(now);
  if (retry == nullptr) return std::nullopt;
  return start_retry(*retry);
}

std::optional<Job> Lane::take_backlog(SteadyTime now) {
  if (auto job = take_due(now)) return job;
  for (auto& segment : segments_) {
    if (segment.caught_up()) continue;
    if (auto job = take_next(segment)) return job;
  }
  return std::nullopt;
}

std::optional<Job> Lane::take_live() {
  for (auto& segment : segments_) {
    if (!segment.caught_up()) continue;
    if (auto job = take_next(segment)) return job;
  }
  return std::nullopt;
}

std::optional<Job> Lane::take(bool segments_allowed, SteadyTime now) {
  if (!segments_allowed) return take_due(now);
  if (auto job = take_ready()) return job;
  if (++taken_ % kBacklogTurn == 0) {
    if (auto job = take_backlog(now)) return job;
  }
  if (auto job = take_live()) return job;
  return take_backlog(now);
}

std::optional<Job> Lane::take_any_next() {
  if (auto job = take_ready()) return job;
  if (auto job = take_live()) return job;
  for (auto& segment : segments_) {
    if (auto job = take_next(segment)) return job;
  }
  return std::nullopt;
}

std::optional<Job> Lane::take_oldest_waiting(SteadyTime now) {
  auto* retry = retries_.take_oldest(now);
  if (retry == nullptr) return std::nullopt;
  return start_retry(*retry);
}

std::optional<Job> Lane::take_probe(SteadyTime now) {
  probe_waiting_ = !probe_waiting_;
  auto job = probe_waiting_ ? take_oldest_waiting(now) : take_any_next();
  if (!job) job = probe_waiting_ ? take_any_next() : take_oldest_waiting(now);
  if (job) job->probe = true;
  return job;
}

bool Lane::has_work(bool segments_allowed) const {
  if (retries_.may_have_due()) return true;
  if (!segments_allowed) return false;
  return order_.has_ready() || std::ranges::any_of(segments_, [](const Segment& s) {
           return s.has_next() || s.wants_read(1) || s.crowded();
         });
}

void Lane::settle(const Job& job) {
  CHECK(in_flight_ > 0);
  --in_flight_;
  if (job.segment == nullptr) return retries_.settle(job.position);
  job.segment->settle(*job.entry);
  end_turn(job.order_key);
  if (job.segment->paused) spill(*job.segment);
}

void Lane::give_back(const Job& job) {
  if (job.segment != nullptr && job.segment->cancelled()) return settle(job);
  CHECK(in_flight_ > 0);
  --in_flight_;
  if (job.segment == nullptr) return retries_.give_back(job.position);
  job.segment->give_back(*job.entry);
  order_.give_back({job.segment, job.entry});
  if (job.segment->paused) spill(*job.segment);
}

// Ends the claims and the turns of what a segment has behind a position, but for what is in flight:
// its entries are about to go.
void Lane::withdraw(Segment& segment, Position after) {
  order_.withdraw([&](const Claim& claim) {
    return claim.segment == &segment && claim.entry->position > after;
  });
  for (const Entry* entry : segment.turns_behind(after)) end_turn(entry->order_key());
}

void Lane::spill(Segment& segment) {
  withdraw(segment, segment.last_in_flight());
  segment.spill();
}

void Lane::spill() {
  for (auto& segment : segments_) spill(segment);
}

void Lane::settle_through(Segment& segment, Position to) {
  withdraw(segment, kNoPosition);
  segment.settle_through(to);
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
    withdraw(segment, kNoPosition);
    segment.cancel();
    any = true;
  }
  return any;
}

bool Lane::reaches_back_to(Position position) const {
  const auto& waiting = retries_.all();
  if (!waiting.empty() && waiting.begin()->first <= position) return true;
  return segments_.reaches_back_to(position);
}

void Lane::check_invariants() const {
  segments_.check_invariants();
  order_.check_invariants();
  size_t deferred = 0;
  for (const auto& segment : segments_) deferred += segment.deferred();
  CHECK(deferred == order_.size());
}

}  // namespace eventhorn::delivery
