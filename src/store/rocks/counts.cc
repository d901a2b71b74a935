#include "store/rocks/counts.h"

#include "store/rocks/rocks_store.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>

#include <algorithm>

namespace eventhorn::store {
namespace {

using format::ClassTotals;

// Missed events whose size is looked up; the others are taken to be like them.
constexpr size_t kSampledSizes = 64;

void add_event(EventCount& count, uint64_t bytes) {
  ++count.events;
  count.bytes += bytes;
}

// Walks the rows of one (domain, class).
class ClassWalk {
 public:
  ClassWalk(rocksdb::Iterator& it, DomainUid domain, webhook::Class cls)
      : it_(it), prefix_(format::class_prefix(domain, cls)) {}

  bool valid() const { return it_.Valid() && it_.key().starts_with(prefix_); }

  Position position() const { return {format::get_u64_be(it_.key().data() + prefix_.size())}; }

  Result<format::ClassRow> row() const { return format::decode_class(it_.value().ToStringView()); }

  void seek_after(Position p) { it_.Seek(prefix_ + format::u64_key(p.value + 1)); }

  void seek_up_to(Position p) { it_.SeekForPrev(prefix_ + format::u64_key(p.value)); }

  void next() { it_.Next(); }

  void prev() { it_.Prev(); }

  Status status() const { return to_status(it_.status(), "reading the catch-up index"); }

 private:
  rocksdb::Iterator& it_;
  const std::string prefix_;
};

// True when totals began anew between the two (RunningCounts::begin_run).
bool began_anew(const ClassTotals& first, const ClassTotals& last) {
  for (size_t slot = 0; slot < first.size(); ++slot)
    if (last[slot].events < first[slot].events || last[slot].bytes < first[slot].bytes) return true;
  return false;
}

// Counts the rows in (after, to]: forward to the first totals, then back from the end to the last.
Result<ClassTotals> count_rows(ClassWalk& walk, Position after, Position to, uint64_t& looked_at) {
  ClassTotals out{};
  std::optional<ClassTotals> first;
  for (walk.seek_after(after); !first && walk.valid() && walk.position() <= to; walk.next()) {
    TRY(const auto row, walk.row());
    ++looked_at;
    add_event(out[format::class_slot(row.hook)], row.bytes);
    first = row.totals;
  }
  TRY_STATUS(walk.status());
  if (!first) return out;
  std::optional<ClassTotals> last;
  for (walk.seek_up_to(to); !last && walk.valid(); walk.prev()) {
    TRY(const auto row, walk.row());
    ++looked_at;
    last = row.totals;
    if (!last) add_event(out[format::class_slot(row.hook)], row.bytes);
  }
  TRY_STATUS(walk.status());
  if (!last) return format::damaged("class");
  if (began_anew(*first, *last)) first = ClassTotals{};
  for (size_t slot = 0; slot < out.size(); ++slot) {
    out[slot].events += (*last)[slot].events - (*first)[slot].events;
    out[slot].bytes += (*last)[slot].bytes - (*first)[slot].bytes;
  }
  return out;
}

}  // namespace

RunningCounts::RunningCounts() = default;
RunningCounts::~RunningCounts() = default;

void RunningCounts::begin_run(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* classes, Position first,
                              bool anew) {
  size_t size = 0;
  for (const auto& kept : kept_) size += kept.size();
  if (size > kMaxKept) clear();
  first_ = first;
  anew_ = anew;
  before_.reset(db.NewIterator({}, classes));
}

void RunningCounts::end_run() {
  before_.reset();
}

void RunningCounts::clear() {
  before_.reset();
  for (auto& kept : kept_) kept.clear();
}

Status RunningCounts::load(DomainUid domain, webhook::Class cls, ClassTotals& totals) const {
  ClassWalk walk(*before_, domain, cls);
  for (walk.seek_up_to({first_.value - 1}); walk.valid(); walk.prev()) {
    TRY(const auto row, walk.row());
    if (!row.totals) {
      add_event(totals[format::class_slot(row.hook)], row.bytes);
      continue;
    }
    for (size_t slot = 0; slot < totals.size(); ++slot) {
      totals[slot].events += (*row.totals)[slot].events;
      totals[slot].bytes += (*row.totals)[slot].bytes;
    }
    break;
  }
  return walk.status();
}

Result<std::string> RunningCounts::add(const TailEntry& entry, webhook::Hook hook) {
  const auto cls = webhook::class_of(hook);
  const auto [it, fresh] = kept_[static_cast<size_t>(cls)].try_emplace(entry.domain);
  auto& state = it->second;
  if (fresh) {
    auto status = load(entry.domain, cls, state.totals);
    if (!status && !anew_) return fail(std::move(status).error());
    if (!status) state.totals = {};
  }
  add_event(state.totals[format::class_slot(hook)], entry.bytes);
  const bool mark = ++state.since_mark == kMarkEvery;
  if (mark) state.since_mark = 0;
  return format::class_value(hook, entry.bytes, mark ? &state.totals : nullptr);
}

Result<EventCount> RocksStore::count_lane(const LaneQuery& q) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  const Position head_now = head();
  const Position to = q.to ? std::min(*q.to, head_now) : head_now;
  if (q.source == SegmentRow::Source::kMissed) return count_missed(q, to);
  const auto runs = tail_.runs();
  // What is in a run is counted there, also when it has come to the index meanwhile.
  Position indexed_to = to;
  if (runs.front()->size() > 0)
    indexed_to = std::min(to, Position{(*runs.front())[0].position.value - 1});
  EventCount out;
  TRY_STATUS(count_indexed(q, indexed_to, out));
  for (const auto& run : runs) {
    const size_t n = run->size();
    for (size_t i = run->first_after(q.after); i < n && (*run)[i].position <= to; ++i) {
      const auto& e = (*run)[i];
      if (e.domain != q.domain) continue;
      const auto hook = e.hook();
      if (hook && q.wants(*hook, e.position)) add_event(out, e.bytes);
    }
  }
  return out;
}

Status RocksStore::count_indexed(const LaneQuery& q, Position to, EventCount& out) {
  const auto it = rows(kClasses);
  // Taken after the iterator is open: below it rows may be missing here and there.
  const uint64_t floor = floors_->classes;
  ClassWalk walk(*it, q.domain, q.cls);
  uint64_t looked_at = 0;
  // Hooks of one lane mostly begin together, and then share their walk.
  std::optional<Position> counted_after;
  ClassTotals counted{};
  for (const auto hook : webhook::kAllHooks) {
    const auto& since = q.since[static_cast<size_t>(hook)];
    if (!since || webhook::class_of(hook) != q.cls) continue;
    const Position after = std::max({q.after, *since, Position{floor == 0 ? 0 : floor - 1}});
    if (after >= to) continue;
    if (counted_after != after) {
      TRY(counted, count_rows(walk, after, to, looked_at));
      counted_after = after;
    }
    out.events += counted[format::class_slot(hook)].events;
    out.bytes += counted[format::class_slot(hook)].bytes;
  }
  rows_counted_.fetch_add(looked_at, std::memory_order_relaxed);
  return {};
}

// Missed events are few enough to be looked at one by one.
Result<EventCount> RocksStore::count_missed(const LaneQuery& q, Position to) const {
  const uint64_t floor = floors_->events;
  EventCount out;
  EventCount sample;
  const auto count = [&](const ExceptionRow& row) -> Result<bool> {
    if (row.position > to) return false;
    if (!row.missed || row.position.value < floor || !q.wants(row.hook, row.position)) return true;
    ++out.events;
    if (out.events > kSampledSizes) return true;
    rocksdb::PinnableSlice value;
    const auto s =
        db_->Get({}, family(kClasses), format::class_key(q.domain, q.cls, row.position), &value);
    if (s.IsNotFound()) return true;
    TRY_STATUS(to_status(s, "reading the catch-up index"));
    TRY(const auto indexed, format::decode_class(value.ToStringView()));
    add_event(sample, indexed.bytes);
    return true;
  };
  TRY_STATUS(scan_exceptions(q.lane, q.after, count));
  if (sample.events > 0) out.bytes = sample.bytes * out.events / sample.events;
  return out;
}

}  // namespace eventhorn::store
