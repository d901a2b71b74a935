#include "control/retention.h"

#include "async/timer.h"
#include "base/duration.h"
#include "base/log.h"

#include <algorithm>

namespace eventhorn::control {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using State = store::KeptClock::State;

// Between two looks at how much there is.
constexpr seconds kBetweenMeasures{30};

// A hold is looked at so many times.
constexpr int kLooksPerHold = 16;

// Between looks at the clock. In an hour's hold ten seconds are enough to see any jump that could
// matter.
milliseconds watch_interval(milliseconds hold) {
  return std::clamp<milliseconds>(hold / kLooksPerHold, milliseconds(100), seconds(10));
}

}  // namespace

Retention::Retention(const RetentionOptions& options, store::EventLog& log, store::Upkeep& store,
                     NoticeBoard& notices, const Clock& clock, Pool& pool, Expired expired)
    : options_(options),
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

milliseconds Retention::clock_hold(milliseconds events) {
  return std::min<milliseconds>(hours(1), events / 4);
}

milliseconds Retention::interval(milliseconds events) {
  return std::clamp<milliseconds>(events / 24, seconds(1), hours(1));
}

Task<void> Retention::run() {
  const auto look = watch_interval(clock_hold(options_.events));
  auto due = clock_.steady_now() + between_looks();
  for (;;) {
    watch_clock();
    co_await sleep_until(clock_, std::min(due, clock_.steady_now() + look));
    if (clock_.steady_now() < due) continue;
    co_await expire();
    due = clock_.steady_now() + between_looks();
  }
}

void Retention::watch_clock() {
  const auto watch = store_.kept_clock().watch();
  const std::chrono::duration<double> ahead = watch.ahead;
  ahead_gauge_.set(ahead.count());
  if (watch.state == watch.before) return;
  if (watch.state == State::kFollowing) {
    log_info("control",
             "the wall clock and the clock of retention agree again ahead_seconds={:.3f}",
             ahead.count());
    return;
  }
  Notice notice;
  notice.kind = NoticeKind::kClock;
  notice.at = clock_.now();
  const auto gap = format_duration(std::chrono::duration_cast<seconds>(watch.ahead));
  notice.reason =
      watch.state == State::kHolding
          ? "the wall clock is ahead by " + gap +
                ": the machine was off, or the clock was set; retention goes on without it, and "
                "believes it when both advance alike for " +
                format_duration(clock_hold(options_.events))
          : "the wall clock stayed ahead by " + gap +
                ": retention catches up, 60 times as fast as time passes";
  log_warn("control", "{}", notice.reason);
  notices_.post(std::move(notice));
}

// Bytes come faster than time passes.
milliseconds Retention::between_looks() const {
  const auto by_time = interval(options_.events);
  return options_.bytes == 0 ? by_time : std::min<milliseconds>(by_time, kBetweenMeasures);
}

Result<Position> Retention::drop() {
  const auto& clock = store_.kept_clock();
  SystemTime events = clock.cut(options_.events);
  if (options_.bytes > 0) {
    TRY(const auto by_bytes, store_.cut_to_bytes(options_.bytes));
    events = std::max(events, by_bytes);
  }
  TRY(const auto last, log_.position_before(events));
  TRY_STATUS(store_.expire(events, clock.cut(options_.attempts)));
  return last;
}

Task<void> Retention::expire() {
  const auto last = co_await run_blocking(pool_, [this] { return drop(); });
  if (!last) {
    log_error("control", "retention failed, will try again error={}", last.error().message);
    co_return;
  }
  co_await expired_(*last);
  runs_.add();
}

}  // namespace eventhorn::control
