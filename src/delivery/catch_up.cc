// Reading the log for lanes that are behind, and counting what is let go.
#include "base/log.h"
#include "delivery/engine.h"
#include "store/unsettled.h"
#include "webhook/url.h"

#include <algorithm>

namespace eventhorn::delivery {
namespace {

constexpr size_t kMaxReads = 64;  // at once: many more lanes may be behind
constexpr size_t kMaxReadEvents = 256;
constexpr size_t kLanesPerStep = 256;  // looked at before the core looks after its other work
// One read may take so much, a share of the memory that is left; a little when none is, so that
// every lane gets on.
constexpr size_t kMaxReadBytes = 256 << 10;
constexpr size_t kMinReadBytes = 4 << 10;
constexpr size_t kReadShare = 16;
// After a read that failed, doubled each time.
constexpr std::chrono::seconds kMinReadPause{1};
constexpr std::chrono::seconds kMaxReadPause{60};
// In a row, of which nothing came: then that is set aside. With the pauses between they last as
// long as a disk that is away for a moment, 15 s.
constexpr uint32_t kMaxEmptyReads = 4;
constexpr size_t kSmallEvent = 512;  // bytes; no more events are looked up than may fit

}  // namespace

void Engine::read_more(const LanePtr& lane) {
  const auto& health = lane->endpoint->health;
  if (stopping_ || health.limit(services_.clock.steady_now()) == 0) return;
  if (!segments_allowed(*lane)) return;
  auto* segment = lane->wants_read(health.parked() ? 1 : kReadBelow);
  if (segment == nullptr || services_.clock.steady_now() < lane->read_due) return;
  const size_t held = store::live_event_bytes() + reading_bytes_;
  const size_t left = options_.max_live_bytes > held ? options_.max_live_bytes - held : 0;
  // Over the budget only what has nothing else to send reads more.
  if (left == 0 && segment->held() > 0) return;
  // Nor does one of many that an endpoint could send to.
  const bool enough = left == 0 && lane->endpoint->ring.size() > kMaxReads;
  if (reading_ >= kMaxReads || enough) {
    if (!std::exchange(lane->awaits_read, true)) to_read_.push_back(lane);
    return;
  }
  auto query = lane->query(*segment);
  // Not beyond what was handed over: `since` is the configuration as of there, and the log may
  // already hold events of a later one.
  query.to = std::min(query.to.value_or(router_.through()), router_.through());
  query.max_bytes = std::clamp(left / kReadShare, kMinReadBytes, kMaxReadBytes);
  query.max_events = health.parked() ? 1 : std::min(kMaxReadEvents, query.max_bytes / kSmallEvent);
  ++reading_;
  reading_bytes_ += query.max_bytes;
  segment->reading = true;
  tasks_.spawn("delivery read", read_segment(lane, segment, query));
}

// A few at a time: those that still may not read queue up again.
void Engine::read_waiting() {
  for (size_t n = std::min(to_read_.size(), kMaxReads); n > 0 && reading_ < kMaxReads; --n) {
    const auto lane = to_read_.front().lock();
    to_read_.pop_front();
    if (!lane || lane->ended) continue;
    lane->awaits_read = false;
    read_more(lane);
  }
}

// Which of the events that a replay reads may have been missed: what it settles of them is struck
// off the list, and only that.
Result<MissedRows> Engine::missed_rows(const store::LaneQuery& query) const {
  MissedRows out;
  TRY(const auto rows,
      services_.store.read_exceptions(query.lane, query.after, kMaxReadEvents, true));
  for (const auto& row : rows) out.positions.push_back(row.position);
  if (rows.size() == kMaxReadEvents) out.known_through = rows.back().position;
  return out;
}

Task<void> Engine::read_segment(LanePtr lane, Segment* segment, store::LaneQuery query) {
  const bool wants_missed =
      segment->replay() != 0 && query.source == store::SegmentRow::Source::kLog;
  MissedRows missed;
  auto read = [&]() -> Result<store::LaneSlice> {
    if (wants_missed) {
      TRY(missed, missed_rows(query));
    }
    return services_.store.read_lane(query);
  };
  auto slice = co_await run_blocking(services_.readers, read);
  --reading_;
  reading_bytes_ -= query.max_bytes;
  segment->reading = false;
  read_waiting();
  if (lane->ended) co_return;
  if (!slice) {
    on_read_failure(lane, slice.error());
    co_return;
  }
  const bool none_readable = slice->events.empty() && !slice->unreadable.empty();
  if (none_readable && lane->failed_reads < kMaxEmptyReads) {
    on_read_failure(lane, Error(Errc::kUnavailable, "none of its next events can be read"));
    co_return;
  }
  if (!lane->read_error.empty()) {
    log_info("delivery", "the log can be read again lane={} url={}", lane->id().value,
             webhook::masked(lane->url()));
  }
  end_read_failure(*lane);
  // Spilled or cut meanwhile: what came is no longer what comes next.
  if (segment->read_through() == query.after) {
    // What a replay finds gone was settled, or told, before.
    if (slice->expired > 0 && segment->replay() == 0) on_expired(*lane, slice->expired);
    for (const auto& event : slice->unreadable) {
      // It may be settled, or have been cut off or ended meanwhile.
      if (segment->awaits(event.position) && lane->wants(segment, event.hook, event.position))
        set_aside(lane, event);
    }
    segment->fill(*slice, missed);
  }
  saver_.mark(lane);
  read_more(lane);
  schedule(lane);
}

// The lane goes on without the event, which waits as if an attempt of it had failed.
void Engine::set_aside(const LanePtr& lane, const store::UnreadableEvent& event) {
  if (lane->find_waiting(event.position) != nullptr) return;
  const auto now = services_.clock.now();
  saver_.put_exception({lane->id(), event.position, false, 0, now, Micros{}, 0, event.hook});
  set_waiting(*lane, event.position, {0, now, Micros{}, 0, event.hook});
  retry_at(services_.clock.steady_now() + kMinReadPause, lane, event.position);
}

// Nothing of the lane is skipped: it tries again, and says so.
void Engine::on_read_failure(const LanePtr& lane, const Error& error) {
  const auto now = services_.clock.steady_now();
  if (read_lines_.allow(now)) {
    log_error("delivery",
              "cannot read the log, will try again lane={} url={} error={} left_out_before={}",
              lane->id().value, webhook::masked(lane->url()), error.message,
              read_lines_.left_out());
  }
  auto pause = std::chrono::milliseconds(kMinReadPause);
  for (uint32_t i = 0; i < lane->failed_reads && pause < kMaxReadPause; ++i) pause *= 2;
  ++lane->failed_reads;
  // While the store as a whole refuses, it says so itself.
  if (lane->read_error.empty() && services_.commits.status()) {
    lane->read_error = lane->endpoint->read_error = error.message;
    ++lane->endpoint->unreadable_lanes;
    meters_.unreadable.add(1);
    control::Notice told;
    told.reason = "cannot read the log: " + error.message;
    if (const auto* domain = router_.find(lane->domain())) told.domain = domain->name;
    notice(control::NoticeKind::kUnreadable, *lane->endpoint, std::move(told));
  }
  const std::weak_ptr<Lane> weak = lane;
  lane->read_due = now + pause;
  timers_.at(lane->read_due, [this, weak] {
    if (const auto l = weak.lock()) schedule(l);
  });
}

void Engine::end_read_failure(Lane& lane) {
  lane.failed_reads = 0;
  if (lane.read_error.empty()) return;
  lane.read_error.clear();
  --lane.endpoint->unreadable_lanes;
  meters_.unreadable.add(-1);
}

void Engine::on_expired(const Lane& lane, uint64_t count) {
  meters_.expired.add(static_cast<double>(count));
  if (expiry_lines_.allow(services_.clock.steady_now())) {
    log_warn("delivery",
             "events dropped by retention before they were delivered lane={} url={} count={} "
             "left_out_before={}",
             lane.id().value, webhook::masked(lane.url()), count, expiry_lines_.left_out());
  }
  control::Notice told;
  told.count = count;
  told.reason = "retention dropped events before they were delivered";
  if (const auto* domain = router_.find(lane.domain())) told.domain = domain->name;
  notice(control::NoticeKind::kExpired, *lane.endpoint, std::move(told));
}

Task<void> Engine::expire(Position last) {
  std::vector<LanePtr> behind;
  for (const auto& [id, lane] : lanes_) behind.push_back(lane);
  size_t seen = 0;
  for (const auto& lane : behind) {
    if (++seen % kLanesPerStep == 0) co_await yield_now();
    if (!lane->ended && !stopping_ && lane->reaches_back_to(last)) co_await expire_lane(lane, last);
  }
}

// A lane that is sent to counts what is gone when it reads the log; this is for those that are not.
Task<void> Engine::expire_lane(LanePtr lane, Position last) {
  uint64_t gone = 0;
  std::vector<Position> ended;
  for (const auto& [position, waiting] : lane->waiting()) {
    if (position <= last && !waiting.in_flight) ended.push_back(position);
  }
  for (const Position position : ended) {
    end_waiting(*lane, position);
    saver_.end_exception(lane->id(), position);
    ++gone;
  }
  for (auto& segment : lane->segments()) {
    if (segment.caught_up() || !segment.idle() || segment.acked_through() >= last) continue;
    auto query = lane->query(segment);
    query.after = segment.acked_through();
    query.to = std::min(segment.to().value_or(last), last);
    segment.reading = true;  // so that it stays, and as it is
    auto count = [&] { return services_.store.count_lane(query); };
    const auto counted = co_await run_blocking(services_.readers, count);
    segment.reading = false;
    if (lane->ended) co_return;
    if (!counted) {
      log_error("delivery", "cannot count what retention dropped lane={} error={}",
                lane->id().value, counted.error().message);
      continue;
    }
    if (!segment.idle()) continue;  // it is being read, and counts there
    if (segment.replay() == 0) gone += counted->events;
    lane->settle_through(segment, last);
  }
  if (gone > 0) on_expired(*lane, gone);
  saver_.mark(lane);
  schedule(lane);
}

// What is pending of hooks that ended is dropped and counted: what is in memory here, what is in
// the log by the store. What is under way may still get through, and is counted when it does not.
// What a replay was to send again is let go by the way.
void Engine::drop_pending(const LanePtr& lane, const Lane::Since& ended) {
  if (std::ranges::none_of(ended, [](const auto& since) { return since.has_value(); })) return;
  uint64_t in_memory = lane->drop(ended);
  std::vector<Position> waiting;
  for (const auto& [position, each] : lane->waiting()) {
    if (ended[static_cast<size_t>(each.hook)] && !each.in_flight) waiting.push_back(position);
  }
  for (const Position position : waiting) {
    end_waiting(*lane, position);
    saver_.end_exception(lane->id(), position);
    ++in_memory;
  }
  std::vector<Unread> unread;
  for (const auto& segment : lane->segments()) {
    if (segment.caught_up() || segment.replay() != 0) continue;
    Unread part{lane->query(segment), segment.row().settled};
    part.query.since = ended;
    part.query.to = std::min(part.query.to.value_or(router_.through()), router_.through());
    if (part.query.after < *part.query.to) unread.push_back(std::move(part));
  }
  tasks_.spawn("delivery count",
               count_dropped(std::move(unread), lane->id(), lane->url(), in_memory));
  saver_.mark(lane);
  schedule(lane);
}

Task<void> Engine::count_dropped(std::vector<Unread> unread, LaneId lane, std::string url,
                                 uint64_t in_memory) {
  uint64_t dropped = in_memory;
  for (const auto& part : unread) {
    auto count = [&] { return store::count_unsettled(services_.store, part.query, part.settled); };
    const auto counted = co_await run_blocking(services_.readers, count);
    if (counted) {
      dropped += counted->events;
    } else {
      log_error("delivery", "cannot count what a removed webhook left lane={} error={}", lane.value,
                counted.error().message);
    }
  }
  meters_.dropped.add(static_cast<double>(dropped));
  log_info("delivery", "webhook removed: what was pending is dropped lane={} url={} dropped={}",
           lane.value, webhook::masked(url), dropped);
}

}  // namespace eventhorn::delivery
