// The clock that retention goes by, and that stamps commits. The wall clock is only its witness: a
// wall clock that is wrong for a while deletes nothing, and one that was wrong for long does so
// slowly and with a notice.
//
// The kept clock advances with CLOCK_BOOTTIME and never falls. Where the wall clock is ahead of it
// (the machine was off, a clock was corrected) there is a hold, during which both must advance
// alike; then the kept clock catches up, kCatchUp times as fast as time passes. Where the wall
// clock is behind, the kept clock goes on by itself.
//
// What is committed from the moment when the kept clock falls behind until it follows again is
// stamped with a time that lies behind by up to all of the correction. Such stamps make a Gap, and
// cut() takes everything in a gap for committed at its end, because an event must not be dropped
// sooner than `age` after its commit. Restarts and further steps of the wall clock end no gap.
#pragma once

#include "base/mutex.h"
#include "base/time.h"

#include <atomic>
#include <optional>
#include <vector>

namespace eventhorn::store {

class KeptClock {
 public:
  enum class State : uint8_t {
    kFollowing,   // no further behind the wall clock than kStep, or ahead of it
    kHolding,     // the wall clock is ahead, and is watched
    kCatchingUp,  // the wall clock was ahead for the whole hold
  };

  /// Stamps in [begin, end) count as `end`.
  struct Gap {
    SystemTime begin;
    SystemTime end;
    friend bool operator==(const Gap&, const Gap&) = default;
  };

  /// The kept clock does not follow the wall clock. A gap once something was corrected: nobody
  /// knows yet as what stamps from `begin` on will count.
  struct OpenGap {
    SystemTime begin;
    bool corrected = false;
    friend bool operator==(const OpenGap&, const OpenGap&) = default;
  };

  /// What outlives the process.
  struct Saved {
    SystemTime kept;
    BootTime at;
    std::vector<Gap> gaps;          // by time, apart
    std::optional<OpenGap> open{};  // behind all of them
  };

  struct Watch {
    State state{};
    State before{};
    Micros ahead{};  // the wall clock of the kept one; negative when behind
  };

  /// Steps of the wall clock up to this are followed at once, and count as agreement in a hold:
  /// leap seconds, NTP after a start.
  static constexpr Micros kStep = std::chrono::seconds(2);
  static constexpr int kCatchUp = 60;
  /// A stamp is at most so much later than the last row that was saved.
  static constexpr Micros kSaveEvery = std::chrono::seconds(1);
  /// More are joined to one, beginning with the oldest.
  static constexpr size_t kMaxGaps = 32;

  /// `clock` must outlive this. Nothing else is called before start().
  KeptClock(const Clock& clock, Micros hold);

  /// Goes on where `saved` was; without it at `fresh`. Later calls are ignored.
  void start(const std::optional<Saved>& saved, SystemTime fresh);

  /// Any thread, without a lock.
  SystemTime now() const;

  /// Compares with the wall clock and corrects what the rules above allow. To be called every few
  /// seconds, and several times in a hold. Any thread.
  Watch watch();

  /// Events with a stamp before this are at least `age` old. Any thread.
  SystemTime cut(Micros age) const;

  /// Forgets gaps that lie before `time`. Any thread.
  void forget_gaps(SystemTime time);

  /// What to save with a commit now; nullopt when the last one saved will do. Any thread.
  std::optional<Saved> due() const;
  Saved save() const;
  void saved(const Saved& what);
  /// The one saved last was lost.
  void lost();

 private:
  void follow(SystemTime kept) REQUIRES(mutex_);
  void begin_hold(Micros boot, Micros offset) REQUIRES(mutex_);
  void correct(Micros by) REQUIRES(mutex_);

  const Clock& clock_;
  const Micros hold_;

  /// The kept time is the boot's time and this. Changed only under mutex_; never falls.
  std::atomic<int64_t> offset_us_{0};

  mutable Mutex mutex_;
  bool started_ GUARDED_BY(mutex_) = false;
  State state_ GUARDED_BY(mutex_) = State::kFollowing;
  Micros watched_ GUARDED_BY(mutex_){};      // boot time of the last watch()
  Micros hold_began_ GUARDED_BY(mutex_){};   // boot time
  Micros hold_offset_ GUARDED_BY(mutex_){};  // of the wall clock from boot time, then
  SystemTime followed_ GUARDED_BY(mutex_);   // the kept time when it followed last
  std::vector<Gap> gaps_ GUARDED_BY(mutex_);
  std::optional<OpenGap> open_ GUARDED_BY(mutex_);  // unless it follows
  /// Boot time of what was saved last; nullopt: something is new.
  std::optional<Micros> saved_ GUARDED_BY(mutex_);
};

/// The kept time as wall time, for what was promised for a while and must not end by a jump.
/// Both arguments must outlive it. Thread-safe.
class KeptTime final : public Clock {
 public:
  KeptTime(const Clock& clock, const KeptClock& kept) : clock_(clock), kept_(kept) {}

  SystemTime now() const override { return kept_.now(); }

  SteadyTime steady_now() const override { return clock_.steady_now(); }

  BootTime boot_now() const override { return clock_.boot_now(); }

 private:
  const Clock& clock_;
  const KeptClock& kept_;
};

}  // namespace eventhorn::store
