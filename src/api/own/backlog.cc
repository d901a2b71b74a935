#include "api/own/backlog.h"

#include "api/own/write.h"
#include "json/writer.h"
#include "store/unsettled.h"

#include <algorithm>

namespace eventhorn::api {
namespace {

using store::SegmentRow;

// Rows of one lane looked at for the first that waits: missed ones lie between them.
constexpr size_t kExceptionsPerRead = 1024;
constexpr size_t kMaxExceptionsRead = 16'384;

void keep_older(std::optional<SystemTime>& oldest, SystemTime time) {
  oldest = oldest ? std::min(*oldest, time) : time;
}

Result<std::optional<SystemTime>> oldest_of_segment(store::LaneLog& log, store::LaneQuery query,
                                                    const SegmentRow& segment) {
  query.max_events = 1;
  for (;;) {
    TRY(const auto slice, log.read_lane(query));
    for (const auto& event : slice.events) {
      if (!is_settled(segment, event->position)) return std::optional(event->committed);
    }
    if (slice.at_end) return std::optional<SystemTime>();
    query.after = slice.through;
  }
}

Result<std::optional<SystemTime>> oldest_waiting(const StoreAccess& store, LaneId lane) {
  Position after = kNoPosition;
  for (size_t read = 0; read < kMaxExceptionsRead; read += kExceptionsPerRead) {
    TRY(const auto rows, store.progress.read_exceptions(lane, after, kExceptionsPerRead, false));
    for (const auto& row : rows) {
      if (row.missed) continue;
      TRY(const auto events, store.log.read_events({row.position}));
      if (events.front()) return std::optional(events.front()->committed);
    }
    if (rows.size() < kExceptionsPerRead) break;
    after = rows.back().position;
  }
  return std::optional<SystemTime>();
}

}  // namespace

uint64_t Backlog::events() const {
  uint64_t sum = waiting;
  for (const auto& count : by_class) sum += count.events;
  return sum;
}

uint64_t Backlog::bytes() const {
  uint64_t sum = 0;
  for (const auto& count : by_class) sum += count.bytes;
  return sum;
}

void Backlog::add(const Backlog& other) {
  for (size_t i = 0; i < by_class.size(); ++i) {
    by_class[i].events += other.by_class[i].events;
    by_class[i].bytes += other.by_class[i].bytes;
  }
  waiting += other.waiting;
  if (other.oldest) keep_older(oldest, *other.oldest);
}

void write_backlog(json::Writer& writer, const Backlog& backlog, SystemTime now) {
  const auto of_class = [&](webhook::Class cls) {
    return backlog.by_class[static_cast<size_t>(cls)].events;
  };
  writer.begin_object();
  writer.key("events").value(backlog.events()).key("bytes").value(backlog.bytes());
  for (const auto cls : kClasses) writer.key(class_name(cls)).value(of_class(cls));
  writer.key("waiting").value(backlog.waiting);
  write_time(writer, "oldest", backlog.oldest);
  std::optional<int64_t> age;
  if (backlog.oldest) {
    const auto since = std::chrono::duration_cast<std::chrono::seconds>(now - *backlog.oldest);
    age = std::max<int64_t>(since.count(), 0);
  }
  writer.key("oldest_age_seconds").value(age);
  writer.end_object();
}

std::string_view class_name(webhook::Class cls) {
  switch (cls) {
    case webhook::Class::kUrgent:
      return "urgent";
    case webhook::Class::kNormal:
      return "normal";
    case webhook::Class::kBulk:
      return "bulk";
  }
  return "";
}

store::LaneQuery segment_query(const store::Domain& domain, LaneId lane, const SegmentRow& segment,
                               Position through) {
  store::LaneQuery query;
  query.domain = domain.uid;
  query.cls = segment.cls;
  query.after = std::max(segment.after, segment.acked_through);
  query.to = segment.to ? std::min(*segment.to, through) : through;
  query.since = domain.since(lane);
  if (segment.replay != 0) query.since = store::since_ever(query.since);
  query.source = segment.source;
  query.lane = lane;
  return query;
}

Result<store::EventCount> count_segment(store::LaneLog& log, const store::Domain& domain,
                                        LaneId lane, const SegmentRow& segment, Position through) {
  return store::count_unsettled(log, segment_query(domain, lane, segment, through),
                                segment.settled);
}

bool is_settled(const SegmentRow& segment, Position position) {
  if (position <= segment.acked_through) return true;
  const auto range = std::ranges::lower_bound(segment.settled, position, {},
                                              [](const store::PositionRange& r) { return r.last; });
  return range != segment.settled.end() && range->first <= position;
}

Result<Backlog> read_backlog(const StoreAccess& store, const store::Domain& domain,
                             const control::LaneStatus& lane) {
  Backlog out;
  out.waiting = lane.waiting;
  for (const auto& segment : lane.segments) {
    TRY(const auto count, count_segment(store.lanes, domain, lane.id, segment, lane.through));
    if (count.events == 0) continue;
    auto& of_class = out.by_class[static_cast<size_t>(segment.cls)];
    of_class.events += count.events;
    of_class.bytes += count.bytes;
    TRY(const auto oldest,
        oldest_of_segment(store.lanes, segment_query(domain, lane.id, segment, lane.through),
                          segment));
    if (oldest) keep_older(out.oldest, *oldest);
  }
  if (lane.waiting > 0) {
    TRY(const auto oldest, oldest_waiting(store, lane.id));
    if (oldest) keep_older(out.oldest, *oldest);
  }
  return out;
}

}  // namespace eventhorn::api
