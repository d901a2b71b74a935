#include "delivery/log_reader.h"

#include "base/check.h"
#include "base/log.h"
#include "store/unsettled.h"
#include "webhook/url.h"

#include <algorithm>

namespace eventhorn::delivery {
namespace {

constexpr size_t kMaxReads = 64;  // at once: many more lanes may be behind
constexpr size_t kMaxReadEvents = 256;
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

LogReader::Meters::Meters()
    : expired(metrics::counter("eventhorn_missed_expired_total",
                               "Events that retention dropped before they were delivered")),
      dropped(metrics::counter("eventhorn_dropped_total",
                               "Pending events dropped because their webhook was removed")),
      unreadable(metrics::gauge("eventhorn_lanes_unreadable",
                                "Lanes that cannot go on because the log cannot be read")) {}

LogReader::LogReader(Parts parts, size_t max_live_bytes, TaskGroup& tasks)
    : parts_(parts), max_live_bytes_(max_live_bytes), tasks_(tasks) {}

void LogReader::read_more(const LanePtr& lane) {
  const auto& health = lane->endpoint->health();
  auto* segment = lane->segments().wants_read(health.parked() ? 1 : kReadBelow);
  if (segment == nullptr || stopping_) return;
  const auto now = parts_.clock.steady_now();
  if (health.limit(now) == 0 || now < lane->reading.due_ || !parts_.retries.allows(*lane)) return;
  const size_t held = store::live_event_bytes() + reading_bytes_;
  const size_t left = max_live_bytes_ > held ? max_live_bytes_ - held : 0;
  // Over the budget only a segment that has nothing else to send reads more ...
  if (left == 0 && segment->held() > 0) return;
  // ... and one of many lanes that their endpoint could send waits.
  const bool enough = left == 0 && lane->endpoint->ring().size() > kMaxReads;
  if (reading_ >= kMaxReads || enough) {
    if (!std::exchange(lane->reading.in_line_, true)) line_.push_back(lane);
    return;
  }
  auto query = lane->query(*segment);
  // `since` is the configuration as of what was handed over, and the log may already hold events of
  // a later one.
  query.to = std::min(query.to.value_or(parts_.router.through()), parts_.router.through());
  query.max_bytes = std::clamp(left / kReadShare, kMinReadBytes, kMaxReadBytes);
  query.max_events = health.parked() ? 1 : std::min(kMaxReadEvents, query.max_bytes / kSmallEvent);
  ++reading_;
  reading_bytes_ += query.max_bytes;
  CHECK(!segment->reading);
  segment->reading = true;
  tasks_.spawn("delivery read", read(lane, segment, query));
}

void LogReader::read_waiting() {
  for (size_t n = std::min(line_.size(), kMaxReads); n > 0 && reading_ < kMaxReads; --n) {
    const auto lane = line_.front().lock();
    line_.pop_front();
    if (!lane || lane->ended) continue;
    lane->reading.in_line_ = false;
    read_more(lane);
  }
}

// Which of the events that a replay reads may have been missed: what it settles of them is struck
// off the list, and only that.
Result<MissedRows> LogReader::missed_rows(const store::LaneQuery& query) const {
  MissedRows out;
  TRY(const auto rows, parts_.store.read_exceptions(query.lane, query.after, kMaxReadEvents, true));
  for (const auto& row : rows) out.positions.push_back(row.position);
  if (rows.size() == kMaxReadEvents) out.known_through = rows.back().position;
  return out;
}

Task<void> LogReader::read(LanePtr lane, Segment* segment, store::LaneQuery query) {
  const bool wants_missed =
      segment->replay() != 0 && query.source == store::SegmentRow::Source::kLog;
  MissedRows missed;
  auto read = [&]() -> Result<store::LaneSlice> {
    if (wants_missed) {
      TRY(missed, missed_rows(query));
    }
    return parts_.store.read_lane(query);
  };
  const auto slice = co_await run_blocking(parts_.readers, read);
  CHECK(reading_ > 0 && reading_bytes_ >= query.max_bytes && segment->reading);
  --reading_;
  reading_bytes_ -= query.max_bytes;
  segment->reading = false;
  read_waiting();
  if (lane->ended) co_return;
  if (!slice) {
    on_failure(lane, slice.error());
    co_return;
  }
  const bool none_readable = slice->events.empty() && !slice->unreadable.empty();
  if (none_readable && lane->reading.failures_ < kMaxEmptyReads) {
    on_failure(lane, Error(Errc::kUnavailable, "none of its next events can be read"));
    co_return;
  }
  if (!lane->reading.error_.empty()) {
    log_info("delivery", "the log can be read again lane={} url={}", lane->id().value,
             webhook::masked(lane->url()));
  }
  end_failure(*lane);
  // Spilled or cut meanwhile: what came is no longer what comes next.
  if (segment->read_through() == query.after) take_in(lane, *segment, *slice, missed);
  parts_.saver.mark(lane);
  read_more(lane);
  parts_.listener.on_read(lane);
}

void LogReader::take_in(const LanePtr& lane, Segment& segment, const store::LaneSlice& slice,
                        const MissedRows& missed) {
  // What a replay finds gone was settled, or told, before.
  if (slice.expired > 0 && segment.replay() == 0) on_expired(*lane, slice.expired);
  for (const auto& event : slice.unreadable) {
    // It may be settled, or have been cut off or ended meanwhile.
    if (segment.awaits(event.position) && lane->wants(&segment, event.hook, event.position))
      set_aside(lane, event);
  }
  segment.fill(slice, missed);
}

// The lane goes on without the event, which waits as if an attempt of it had failed.
void LogReader::set_aside(const LanePtr& lane, const store::UnreadableEvent& event) {
  if (lane->retries().find(event.position) != nullptr) return;
  Waiting waiting;
  waiting.last_attempt = parts_.clock.now();
  waiting.hook = event.hook;
  parts_.retries.wait(lane, event.position, waiting);
  parts_.retries.at(parts_.clock.steady_now() + kMinReadPause, lane, event.position);
}

// Nothing of the lane is skipped: it tries again, and says so.
void LogReader::on_failure(const LanePtr& lane, const Error& error) {
  auto& mark = lane->reading;
  const auto now = parts_.clock.steady_now();
  if (failure_lines_.allow(now)) {
    log_error("delivery",
              "cannot read the log, will try again lane={} url={} error={} left_out_before={}",
              lane->id().value, webhook::masked(lane->url()), error.message,
              failure_lines_.left_out());
  }
  auto pause = std::chrono::milliseconds(kMinReadPause);
  for (uint32_t i = 0; i < mark.failures_ && pause < kMaxReadPause; ++i) pause *= 2;
  ++mark.failures_;
  if (mark.error_.empty() && parts_.listener.store_is_good()) {
    mark.error_ = lane->endpoint->unreadable.error_ = error.message;
    ++lane->endpoint->unreadable.lanes_;
    meters_.unreadable.add(1);
    control::Notice told;
    told.reason = "cannot read the log: " + error.message;
    parts_.listener.tell(*lane, control::NoticeKind::kUnreadable, std::move(told));
  }
  const std::weak_ptr<Lane> weak = lane;
  mark.due_ = now + pause;
  parts_.timers.at(mark.due_, [this, weak] {
    if (const auto l = weak.lock()) parts_.listener.on_read(l);
  });
}

void LogReader::end_failure(Lane& lane) {
  lane.reading.failures_ = 0;
  if (lane.reading.error_.empty()) return;
  lane.reading.error_.clear();
  CHECK(lane.endpoint->unreadable.lanes_ > 0);
  --lane.endpoint->unreadable.lanes_;
  meters_.unreadable.add(-1);
}

void LogReader::on_expired(const Lane& lane, uint64_t count) {
  meters_.expired.add(static_cast<double>(count));
  if (expiry_lines_.allow(parts_.clock.steady_now())) {
    log_warn("delivery",
             "events dropped by retention before they were delivered lane={} url={} count={} "
             "left_out_before={}",
             lane.id().value, webhook::masked(lane.url()), count, expiry_lines_.left_out());
  }
  control::Notice told;
  told.count = count;
  told.reason = "retention dropped events before they were delivered";
  parts_.listener.tell(lane, control::NoticeKind::kExpired, std::move(told));
}

uint64_t LogReader::expire_waiting(const LanePtr& lane, Position last) {
  std::vector<Position> ended;
  for (const auto& [position, waiting] : lane->retries().all()) {
    if (position <= last && !waiting.in_flight) ended.push_back(position);
  }
  for (const Position position : ended) parts_.retries.settle(*lane, position);
  return ended.size();
}

Task<void> LogReader::expire(LanePtr lane, Position last) {
  uint64_t gone = expire_waiting(lane, last);
  for (auto& segment : lane->segments()) {
    if (segment.caught_up() || !segment.idle() || segment.acked_through() >= last) continue;
    auto query = lane->query(segment);
    query.after = segment.acked_through();
    query.to = std::min(segment.to().value_or(last), last);
    segment.reading = true;  // so that it stays, and as it is
    auto count = [&] { return parts_.store.count_lane(query); };
    const auto counted = co_await run_blocking(parts_.readers, count);
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
  parts_.saver.mark(lane);
  parts_.listener.on_read(lane);
}

void LogReader::drop_pending(const LanePtr& lane, const Since& ended) {
  if (std::ranges::none_of(ended, [](const auto& since) { return since.has_value(); })) return;
  uint64_t in_memory = lane->drop(ended);
  std::vector<Position> waiting;
  for (const auto& [position, each] : lane->retries().all()) {
    if (!ended[static_cast<size_t>(each.hook)]) continue;
    if (!each.in_flight) {
      waiting.push_back(position);
    } else {
      // Settled when its attempt ends, which a kill may prevent.
      parts_.saver.end_exception(lane->id(), position);
    }
  }
  for (const Position position : waiting) parts_.retries.settle(*lane, position);
  in_memory += waiting.size();
  const Position through = parts_.router.through();
  std::vector<Unread> unread;
  for (const auto& segment : lane->segments()) {
    if (segment.caught_up() || segment.replay() != 0) continue;
    Unread part{lane->query(segment), segment.row().settled};
    part.query.since = ended;
    part.query.to = std::min(part.query.to.value_or(through), through);
    if (part.query.after < *part.query.to) unread.push_back(std::move(part));
  }
  tasks_.spawn("delivery count",
               count_dropped(std::move(unread), lane->id(), lane->url(), in_memory));
  parts_.saver.mark(lane);
  parts_.listener.on_read(lane);
}

Task<void> LogReader::count_dropped(std::vector<Unread> unread, LaneId lane, std::string url,
                                    uint64_t in_memory) {
  uint64_t dropped = in_memory;
  for (const auto& part : unread) {
    auto count = [&] { return store::count_unsettled(parts_.store, part.query, part.settled); };
    const auto counted = co_await run_blocking(parts_.readers, count);
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
