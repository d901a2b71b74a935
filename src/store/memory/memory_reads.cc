#include "store/memory/memory_store.h"

#include <algorithm>
#include <limits>

namespace eventhorn::store {
namespace {

/// Calls `each(position, hook)` for what the query wants, up to `to`, in order, until it is false.
template <class F>
void for_each_of_lane(const MemoryTables& tables, const LaneQuery& q, Position to, F each) {
  if (q.source == SegmentRow::Source::kMissed) {
    for (auto it = tables.exceptions.upper_bound({q.lane, q.after});
         it != tables.exceptions.end() && it->first <= std::pair(q.lane, to); ++it) {
      const Position position = it->first.second;
      const auto& row = it->second;
      if (row.missed && q.wants(row.hook, position) && !each(position, row.hook)) return;
    }
    return;
  }
  for (auto it = tables.lane_events.upper_bound({q.domain, q.cls, q.after});
       it != tables.lane_events.end() && it->first <= std::tuple(q.domain, q.cls, to); ++it) {
    const Position position = std::get<Position>(it->first);
    if (q.wants(it->second.hook, position) && !each(position, it->second.hook)) return;
  }
}

/// Where the rows of a page begin and end: [begin, end) in the order of time, whatever the
/// direction.
std::pair<MemoryTables::TimeKey, MemoryTables::TimeKey> range_of(const PageQuery& q) {
  using Key = MemoryTables::TimeKey;
  const auto before = [&](int64_t us) { return Key{q.domain, us, ""}; };
  const auto behind = [&](int64_t us) {
    return us == std::numeric_limits<int64_t>::max() ? Key{{q.domain.value + 1}, 0, ""}
                                                     : before(us + 1);
  };
  Key begin = q.ascending ? before(q.first_us) : behind(q.last_us);
  Key end = q.ascending ? before(q.last_us) : behind(q.first_us);
  // A cursor only ever narrows the range.
  if (q.beyond && q.ascending)
    begin = std::max(begin, Key{q.domain, q.beyond->timestamp_us, q.beyond->id + '\0'});
  if (q.beyond && !q.ascending)
    end = std::min(end, Key{q.domain, q.beyond->timestamp_us, q.beyond->id});
  return {begin, end};
}

/// Calls `each(cursor, position)` for the events of several domains in the direction of a page,
/// until it is false.
template <class F>
Status for_each_of_domains(const MemoryTables& tables, const PageQuery& q, F each) {
  std::vector<std::pair<int64_t, Position>> places;
  for (auto it = tables.first_event(); it != tables.events.end(); ++it) {
    const auto& event = it->second.event;
    const int64_t us = event.event.timestamp_us;
    const bool in =
        q.ascending ? us >= q.first_us && us < q.last_us : us <= q.first_us && us > q.last_us;
    if (!in || !q.domains->has(event.domain)) continue;
    const std::pair place(us, it->first);
    if (q.beyond) {
      const std::pair cursor(q.beyond->timestamp_us, q.beyond->position);
      if (q.ascending ? place <= cursor : place >= cursor) continue;
    }
    places.push_back(place);
  }
  std::ranges::sort(places);
  if (!q.ascending) std::ranges::reverse(places);
  for (const auto& [us, position] : places) {
    TRY(const bool go_on, each(PageCursor{us, {}, position}, position));
    if (!go_on) break;
  }
  return {};
}

/// The same for those of a domain.
template <class F>
Status for_each_of_domain(const MemoryTables& tables, const PageQuery& q, F each) {
  const auto [begin, end] = range_of(q);
  if (begin >= end) return {};
  auto first = tables.times.lower_bound(begin);
  auto last = tables.times.lower_bound(end);
  while (first != last) {
    const auto& [key, position] = q.ascending ? *first++ : *--last;
    const auto& [domain, timestamp_us, id] = key;
    TRY(const bool go_on, each(PageCursor{timestamp_us, id, {}}, position));
    if (!go_on) break;
  }
  return {};
}

}  // namespace

Position MemoryStore::visible_head() const {
  return just_before(tables().next);
}

Position MemoryStore::head() const {
  const MutexLock lock(mutex_);
  return visible_head();
}

Result<std::vector<EventHead>> MemoryStore::read_heads(Position after, size_t max) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kReadHeads));
  std::vector<EventHead> out;
  const auto& events = tables().events;
  for (auto it = events.lower_bound(std::max(just_after(after), tables().gone_below));
       it != events.end() && out.size() < max; ++it) {
    const auto& [position, row] = *it;
    TRY_STATUS(faults_.on_record(position));
    const auto& e = row.event;
    out.push_back({position, e.domain, e.push, e.event.name, e.event.severity});
  }
  return out;
}

Result<std::vector<EventPtr>> MemoryStore::read_events(const std::vector<Position>& positions) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kReadEvents));
  std::vector<EventPtr> out;
  for (const Position position : positions) {
    const auto* row = tables().find_event(position);
    if (row != nullptr) TRY_STATUS(faults_.on_record(position));
    out.push_back(row != nullptr ? row->at(position) : nullptr);
  }
  return out;
}

Result<std::vector<Position>> MemoryStore::find_events(DomainUid domain,
                                                       const std::vector<std::string>& ids) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kFindEvents));
  std::vector<Position> out;
  for (const auto& id : ids) {
    TRY_STATUS(faults_.on_id(domain, id));
    const auto it = tables().ids.find({domain, id});
    out.push_back(it == tables().ids.end() ? kNoPosition : it->second);
  }
  return out;
}

Result<Position> MemoryStore::position_before(SystemTime time) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kFindByTime));
  const Position first = tables().first_since(time);
  return first == tables().gone_below ? kNoPosition : just_before(first);
}

Result<LaneSlice> MemoryStore::read_lane(const LaneQuery& q) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kReadLane));
  const auto& t = tables();
  const Position to = std::min(q.to.value_or(visible_head()), visible_head());
  LaneSlice out;
  out.through = to;
  out.at_end = true;
  size_t bytes = 0;
  for_each_of_lane(t, q, to, [&](Position position, webhook::Hook hook) {
    const auto* row = t.find_event(position);
    if (row == nullptr) {
      if (position < t.gone_below) ++out.expired;
      return true;
    }
    const bool first = out.events.empty();
    const bool full = out.events.size() + out.unreadable.size() >= q.max_events;
    if (full || (!first && bytes + row->bytes > q.max_bytes)) {
      out.through = just_before(position);
      out.at_end = false;
      return false;
    }
    if (!faults_.on_record(position)) {
      out.unreadable.push_back({position, hook});
      return true;
    }
    bytes += row->bytes;
    out.events.push_back(row->at(position));
    return true;
  });
  return out;
}

Result<EventCount> MemoryStore::count_lane(const LaneQuery& q) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kCountLane));
  const auto& t = tables();
  const Position to = std::min(q.to.value_or(visible_head()), visible_head());
  const bool missed = q.source == SegmentRow::Source::kMissed;
  EventCount out;
  for_each_of_lane(t, q, to, [&](Position position, webhook::Hook) {
    if (missed && position < t.gone_below) return true;
    ++out.events;
    const auto row = t.lane_events.find({q.domain, q.cls, position});
    if (row != t.lane_events.end()) out.bytes += row->second.bytes;
    return true;
  });
  return out;
}

Result<PageSlice> MemoryStore::read_page(const PageQuery& q) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kReadPage));
  const auto& t = tables();
  PageSlice out;
  out.at_end = true;
  size_t rows = 0;
  size_t bytes = 0;
  bool looked = false;  // at an event since give_up was asked
  const auto look = [&](PageCursor place, Position position) -> Result<bool> {
    const bool full = rows == q.max_scan || out.events.size() == q.max_events ||
                      (bytes > 0 && bytes >= q.max_bytes);
    if (full || (std::exchange(looked, false) && q.give_up && q.give_up())) {
      out.at_end = false;
      return false;
    }
    ++rows;
    const auto& row = *t.find_event(position);
    const auto& event = row.event.event;
    const bool wanted = !q.wants_id || q.wants_id(event.id);
    if (wanted && (!q.may_match || q.may_match(event.name, event.severity))) {
      looked = true;
      bytes += row.bytes;
      if (auto status = faults_.on_record(position); !status) {
        if (status.error().code != Errc::kCorruption) return fail(status.error());
        out.damaged.push_back(event.id);
      } else if (!q.matches || q.matches(event.bytes)) {
        out.events.push_back(row.at(position));
      }
    }
    out.reached = std::move(place);
    return true;
  };
  TRY_STATUS(q.domains ? for_each_of_domains(t, q, look) : for_each_of_domain(t, q, look));
  return out;
}

Result<OrderSlice> MemoryStore::read_order(const OrderQuery& q) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kReadOrder));
  const auto& t = tables();
  OrderSlice out;
  out.reached = q.after;
  if (t.gone_below > kNoPosition) out.gone_through = just_before(t.gone_below);
  if (out.gone_through > q.after) return out;
  size_t rows = 0;
  size_t bytes = 0;
  bool looked = false;  // at an event since give_up was asked
  for (auto it = t.events.upper_bound(q.after); it != t.events.end(); ++it) {
    const auto& [position, row] = *it;
    const auto& event = row.event.event;
    if (q.domain && *q.domain != row.event.domain) continue;
    const bool full = rows == q.max_scan || out.events.size() == q.max_events ||
                      (bytes > 0 && bytes >= q.max_bytes);
    if (full || (std::exchange(looked, false) && q.give_up && q.give_up())) return out;
    ++rows;
    if (!q.may_match || q.may_match(row.event.domain, event.name, event.severity)) {
      looked = true;
      bytes += row.bytes;
      if (auto status = faults_.on_record(position); !status) {
        if (status.error().code != Errc::kCorruption) return fail(status.error());
        out.damaged.push_back(position);
      } else if (!q.matches || q.matches(event.bytes)) {
        out.events.push_back(row.at(position));
      }
    }
    out.reached = position;
  }
  out.reached = std::max(q.after, visible_head());
  out.at_end = true;
  return out;
}

Committed MemoryStore::last_commit() const {
  const MutexLock lock(mutex_);
  return {visible_head(), complete_until_};
}

Result<std::optional<SystemTime>> MemoryStore::committed_at(Position position) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kReadOrder));
  const auto* row = tables().find_event(position);
  if (row == nullptr) return std::optional<SystemTime>();
  const auto status = faults_.on_record(position);
  if (!status && status.error().code != Errc::kCorruption) return fail(status.error());
  return status ? std::optional(row->committed) : std::nullopt;
}

uint64_t MemoryStore::generation() const {
  return MemoryTables::kGeneration;
}

Result<LoadedProgress> MemoryStore::load_progress() {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kLoadProgress));
  const auto& t = tables();
  LoadedProgress out;
  for (const auto& [slots, position] : t.marks) out.marks.add({{slots}, position});
  for (const auto& [lane, row] : t.lanes) out.lanes.push_back(row);
  for (const auto& [key, row] : t.exceptions) {
    if (row.missed) {
      ++out.missed;
    } else {
      out.waiting.push_back(row);
    }
  }
  for (const auto& [url, row] : t.endpoints) out.endpoints.push_back(row);
  return out;
}

Result<std::vector<ExceptionRow>> MemoryStore::read_exceptions(LaneId lane, Position after,
                                                               size_t max, bool missed_only) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kReadExceptions));
  std::vector<ExceptionRow> out;
  const auto& rows = tables().exceptions;
  for (auto it = rows.upper_bound({lane, after});
       it != rows.end() && it->first.first == lane && out.size() < max; ++it) {
    if (it->second.missed || !missed_only) out.push_back(it->second);
  }
  return out;
}

// Successes at the first try are found by their time of writing alone, so only one is looked for,
// and only behind the attempts that have a record of their own.
Result<std::vector<AttemptRow>> MemoryStore::read_attempts(LaneId lane, Position position,
                                                           SystemTime committed, size_t max) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kReadAttempts));
  std::vector<AttemptRow> out;
  const auto& rows = tables().attempts;
  const auto first = rows.lower_bound({lane, SystemTime::min(), SystemTime::min(), {}, false});
  for (auto it = first; it != rows.end() && it->first.lane == lane && out.size() < max; ++it) {
    if (!it->first.first_try && it->first.position == position) out.push_back(it->second);
  }
  if (out.size() >= max) return out;
  const SystemTime from = out.empty() ? committed : out.back().written + Micros(1);
  for (auto it = rows.lower_bound({lane, from, SystemTime::min(), {}, false});
       it != rows.end() && it->first.lane == lane; ++it) {
    if (!it->first.first_try || it->first.position != position) continue;
    out.push_back(it->second);
    break;
  }
  return out;
}

Result<std::vector<AttemptRow>> MemoryStore::last_attempts(LaneId lane, SystemTime before,
                                                           size_t max) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kReadAttempts));
  std::vector<AttemptRow> out;
  const auto& rows = tables().attempts;
  for (auto it = rows.lower_bound({lane, before, SystemTime::min(), {}, false});
       it != rows.begin() && std::prev(it)->first.lane == lane; --it) {
    const auto& row = std::prev(it)->second;
    if (out.size() >= max && (out.empty() || out.back().written != row.written)) break;
    out.push_back(row);
  }
  return out;
}

Result<std::vector<DomainPtr>> MemoryStore::load_domains() {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kLoadDomains));
  std::vector<DomainPtr> out;
  for (const auto& [name, domain] : tables().domains) out.push_back(domain);
  return out;
}

Result<std::optional<std::string>> MemoryStore::load_value(const std::string& key) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kLoadValues));
  const auto it = tables().values.find(key);
  return it == tables().values.end() ? std::nullopt : std::optional(it->second);
}

Result<std::vector<std::pair<std::string, std::string>>> MemoryStore::load_values(
    const std::string& prefix) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kLoadValues));
  std::vector<std::pair<std::string, std::string>> out;
  const auto& values = tables().values;
  for (auto it = values.lower_bound(prefix); it != values.end() && it->first.starts_with(prefix);
       ++it)
    out.emplace_back(*it);
  return out;
}

}  // namespace eventhorn::store
