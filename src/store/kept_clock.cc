#include "store/kept_clock.h"

#include "base/check.h"

#include <algorithm>

namespace eventhorn::store {

KeptClock::KeptClock(const Clock& clock, Micros hold) : clock_(clock), hold_(hold) {}

void KeptClock::start(const std::optional<Saved>& saved, SystemTime fresh) {
  const MutexLock lock(mutex_);
  if (started_) return;
  started_ = true;
  const BootTime boot = clock_.boot_now();
  SystemTime kept = fresh;
  if (saved) {
    // After another boot: what was stamped last may be so much later than the row.
    kept = saved->kept + boot.elapsed_since(saved->at).value_or(kSaveEvery);
    gaps_ = saved->gaps;
    open_ = saved->open;
  }
  offset_us_ = to_micros(kept) - boot.since.count();
  watched_ = boot.since;
  followed_ = kept;
  if (open_) begin_hold(boot.since, clock_.now().time_since_epoch() - boot.since);
}

SystemTime KeptClock::now() const {
  return from_micros(clock_.boot_now().since.count() + offset_us_.load(std::memory_order_acquire));
}

KeptClock::Watch KeptClock::watch() {
  const MutexLock lock(mutex_);
  CHECK(started_);
  const Micros boot = clock_.boot_now().since;
  const SystemTime wall = clock_.now();
  const SystemTime kept = from_micros(boot.count() + offset_us_);
  const Micros ahead = wall - kept;
  const Micros offset = wall.time_since_epoch() - boot;
  const State before = state_;
  const Micros passed = boot - watched_;
  watched_ = boot;
  if (ahead <= kStep) {
    follow(kept);
    correct(std::clamp(ahead, Micros(0), (kCatchUp - 1) * passed));
  } else if (state_ == State::kFollowing || std::chrono::abs(offset - hold_offset_) > kStep) {
    begin_hold(boot, offset);
  } else if (const Micros since_hold = boot - hold_began_ - hold_; since_hold >= Micros(0)) {
    state_ = State::kCatchingUp;
    open_->corrected = true;
    correct(std::min(ahead, (kCatchUp - 1) * std::min(passed, since_hold)));
  }
  CHECK(open_.has_value() == (state_ != State::kFollowing));
  return {state_, before, ahead};
}

void KeptClock::follow(SystemTime kept) {
  state_ = State::kFollowing;
  followed_ = kept;
  if (!open_) return;
  saved_.reset();
  if (open_->corrected) gaps_.push_back({open_->begin, kept});
  open_.reset();
  if (gaps_.size() <= kMaxGaps) return;
  gaps_[1].begin = gaps_[0].begin;
  gaps_.erase(gaps_.begin());
}

void KeptClock::begin_hold(Micros boot, Micros offset) {
  state_ = State::kHolding;
  hold_began_ = boot;
  hold_offset_ = offset;
  if (open_) return;
  CHECK(gaps_.empty() || gaps_.back().end <= followed_);
  open_ = OpenGap{followed_};
  saved_.reset();
}

void KeptClock::correct(Micros by) {
  if (by <= Micros(0)) return;
  offset_us_ += by.count();
  saved_.reset();
}

SystemTime KeptClock::cut(Micros age) const {
  const MutexLock lock(mutex_);
  const SystemTime time = now() - age;
  if (open_ && open_->corrected && open_->begin < time) return open_->begin;
  for (const auto& gap : gaps_)
    if (gap.begin < time && time < gap.end) return gap.begin;
  return time;
}

void KeptClock::forget_gaps(SystemTime time) {
  const MutexLock lock(mutex_);
  std::erase_if(gaps_, [&](const Gap& gap) { return gap.end <= time; });
}

std::optional<KeptClock::Saved> KeptClock::due() const {
  {
    const MutexLock lock(mutex_);
    if (saved_ && clock_.boot_now().since - *saved_ < kSaveEvery) return std::nullopt;
  }
  return save();
}

KeptClock::Saved KeptClock::save() const {
  const MutexLock lock(mutex_);
  const BootTime boot = clock_.boot_now();
  return {from_micros(boot.since.count() + offset_us_), boot, gaps_, open_};
}

void KeptClock::saved(const Saved& what) {
  const MutexLock lock(mutex_);
  // Not when it was corrected meanwhile: stamps may be far later than what was saved.
  const bool current = to_micros(what.kept) - what.at.since.count() == offset_us_;
  if (current && what.gaps == gaps_ && what.open == open_) saved_ = what.at.since;
}

void KeptClock::lost() {
  const MutexLock lock(mutex_);
  saved_.reset();
}

}  // namespace eventhorn::store
