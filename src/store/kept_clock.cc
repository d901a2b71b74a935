#include "store/kept_clock.h"

#include "base/check.h"

#include <algorithm>

namespace eventhorn::store {

KeptClock::KeptClock(const Clock& clock, Micros hold) : clock_(clock), hold_(hold) {}

void KeptClock::start(const std::optional<Saved>& saved, SystemTime fresh) {
  const std::lock_guard lock(mutex_);
  if (started_) return;
  started_ = true;
  const BootTime boot = clock_.boot_now();
  SystemTime kept = fresh;
  if (saved) {
    // After another boot: what was stamped last may be so much later than the row.
    kept = saved->kept + boot.elapsed_since(saved->at).value_or(kSaveEvery);
    gaps_ = saved->gaps;
  }
  offset_us_ = to_micros(kept) - boot.since.count();
  watched_ = boot.since;
  close_gap(kept);
}

SystemTime KeptClock::now() const {
  return from_micros(clock_.boot_now().since.count() + offset_us_.load(std::memory_order_acquire));
}

KeptClock::Watch KeptClock::watch() {
  const std::lock_guard lock(mutex_);
  CHECK(started_);
  const Micros boot = clock_.boot_now().since;
  const SystemTime wall = clock_.now();
  const SystemTime kept = from_micros(boot.count() + offset_us_);
  const Micros ahead = wall - kept;
  const Micros offset = wall.time_since_epoch() - boot;
  Watch out{state_, state_, ahead};
  Micros corrected_for = boot - watched_;  // time that passed and may count kCatchUp-fold
  watched_ = boot;
  if (ahead <= kStep) {
    if (state_ == State::kCatchingUp) close_gap(kept);
    out.state = State::kFollowing;
  } else if (state_ == State::kFollowing || std::chrono::abs(offset - hold_offset_) > kStep) {
    if (state_ == State::kCatchingUp) close_gap(kept);
    hold_began_ = boot;
    hold_offset_ = offset;
    hold_stamp_ = kept;
    out.state = State::kHolding;
  } else if (boot - hold_began_ >= hold_) {
    if (state_ == State::kHolding) open_gap(hold_stamp_);
    corrected_for = std::min(corrected_for, boot - hold_began_ - hold_);
    out.state = State::kCatchingUp;
  }
  state_ = out.state;
  if (state_ != State::kHolding && ahead > Micros(0) && corrected_for > Micros(0)) {
    offset_us_ += std::min(ahead, (kCatchUp - 1) * corrected_for).count();
    saved_.reset();
  }
  return out;
}

SystemTime KeptClock::cut(Micros age) const {
  const std::lock_guard lock(mutex_);
  const SystemTime time = now() - age;
  for (const auto& gap : gaps_)
    if (gap.begin < time && time < gap.end) return gap.begin;
  return time;
}

void KeptClock::forget_gaps(SystemTime time) {
  const std::lock_guard lock(mutex_);
  std::erase_if(gaps_, [&](const Gap& gap) { return gap.end <= time; });
}

std::optional<KeptClock::Saved> KeptClock::due() const {
  {
    const std::lock_guard lock(mutex_);
    if (saved_ && clock_.boot_now().since - *saved_ < kSaveEvery) return std::nullopt;
  }
  return save();
}

KeptClock::Saved KeptClock::save() const {
  const std::lock_guard lock(mutex_);
  const BootTime boot = clock_.boot_now();
  return {from_micros(boot.since.count() + offset_us_), boot, gaps_};
}

void KeptClock::saved(const Saved& what) {
  const std::lock_guard lock(mutex_);
  // Not when it was corrected meanwhile: stamps may be far later than what was saved.
  if (to_micros(what.kept) - what.at.since.count() == offset_us_ && what.gaps == gaps_)
    saved_ = what.at.since;
}

void KeptClock::lost() {
  const std::lock_guard lock(mutex_);
  saved_.reset();
}

void KeptClock::open_gap(SystemTime begin) {
  CHECK(gaps_.empty() || gaps_.back().end <= begin);
  if (gaps_.size() >= kMaxGaps) {
    gaps_[1].begin = gaps_[0].begin;
    gaps_.erase(gaps_.begin());
  }
  gaps_.push_back({begin, SystemTime::max()});
  saved_.reset();
}

void KeptClock::close_gap(SystemTime end) {
  if (gaps_.empty() || gaps_.back().end != SystemTime::max()) return;
  gaps_.back().end = end;
  saved_.reset();
}

}  // namespace eventhorn::store
