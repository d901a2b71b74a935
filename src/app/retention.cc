#include "app/retention.h"

#include "async/timer.h"
#include "base/duration.h"
#include "base/log.h"

#include <algorithm>

namespace eventhorn::app {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using State = store::KeptClock::State;

// A hold is looked at so many times.
constexpr int kLooksPerHold = 16;

// Between looks at the clock. In an hour's hold ten seconds are enough to see any jump that could
// matter.
milliseconds watch_interval(milliseconds hold) {
  return std::clamp<milliseconds>(hold / kLooksPerHold, milliseconds(100), seconds(10));
}

milliseconds expire_interval(milliseconds retention) {
  return std::clamp<milliseconds>(retention / 24, seconds(1), hours(1));
}

}  // namespace

Retention::Retention(const config::Config& config, store::EventLog& log, store::Upkeep& store,
                     control::NoticeBoard& notices, const Clock& clock, Pool& pool, Expired expired)
    : config_(config),
      log_(log),
      store_(store),
      notices_(notices),
      clock_(clock),
      pool_(pool),
      expired_(std::move(expired)),
      ahead_gauge_(metrics::gauge("eventhorn_wall_clock_ahead_seconds",
                                  "The wall clock, ahead of the clock that retention goes by")),
      runs_(metrics::counter("eventhorn_retention_runs_total",
                             "Times that retention looked at the log")) {}

milliseconds Retention::clock_hold(const config::Config& config) {
  return std::min<milliseconds>(hours(1), config.events.retention / 4);
}

Task<void> Retention::run() {
  const auto look = watch_interval(clock_hold(config_));
  auto due = clock_.steady_now() + expire_interval(config_.events.retention);
  for (;;) {
    watch_clock();
    co_await sleep_until(clock_, std::min(due, clock_.steady_now() + look));
    if (clock_.steady_now() < due) continue;
    co_await expire();
    due = clock_.steady_now() + expire_interval(config_.events.retention);
  }
}

void Retention::watch_clock() {
  const auto watch = store_.kept_clock().watch();
  const std::chrono::duration<double> ahead = watch.ahead;
  ahead_gauge_.set(ahead.count());
  if (watch.state == watch.before) return;
  if (watch.state == State::kFollowing) {
    log_info("app", "the wall clock and the clock of retention agree again ahead_seconds={:.3f}",
             ahead.count());
    return;
  }
  control::Notice notice;
  notice.kind = control::NoticeKind::kClock;
  notice.at = clock_.now();
  const auto gap = format_duration(std::chrono::duration_cast<seconds>(watch.ahead));
  notice.reason =
      watch.state == State::kHolding
          ? "the wall clock is ahead by " + gap +
                ": the machine was off, or the clock was set; retention goes on without it, and "
                "believes it when both advance alike for " +
                format_duration(clock_hold(config_))
          : "the wall clock stayed ahead by " + gap +
                ": retention catches up, 60 times as fast as time passes";
  log_warn("app", "{}", notice.reason);
  notices_.post(std::move(notice));
}

Task<void> Retention::expire() {
  auto work = [&]() -> Result<Position> {
    const auto& clock = store_.kept_clock();
    const SystemTime events = clock.cut(config_.events.retention);
    TRY(const auto last, log_.position_before(events));
    const auto dropped = store_.expire(events, clock.cut(config_.attempts.retention));
    if (!dropped) return fail(dropped.error());
    return last;
  };
  const auto last = co_await run_blocking(pool_, work);
  if (!last) {
    log_error("app", "retention failed, will try again error={}", last.error().message);
    co_return;
  }
  co_await expired_(*last);
  runs_.add();
}

}  // namespace eventhorn::app
