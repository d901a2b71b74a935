#include "store/rocks/tables/time_table.h"

#include "store/rocks/format.h"
#include "store/rocks/status.h"

#include <rocksdb/iterator.h>

#include <algorithm>

namespace eventhorn::store {

std::string TimeTable::key(DomainUid domain, int64_t timestamp_us, std::string_view id) {
  std::string out;
  out.reserve(16 + id.size());
  format::put_u64_be(out, domain.value);
  format::put_u64_be(out, static_cast<uint64_t>(timestamp_us));
  out.append(id);
  return out;
}

std::string TimeTable::encode(Position position, event::Name name, event::Severity severity) {
  std::string out;
  format::put_u64_be(out, position.value);
  out.push_back(static_cast<char>(name));
  out.push_back(static_cast<char>(severity));
  return out;
}

Status TimeTable::add_rows(const TailRun& run, Reads, std::vector<IndexRow>& out) {
  const size_t n = run.size();
  out.reserve(out.size() + n);
  for (size_t i = 0; i < n; ++i) {
    const auto& e = run[i];
    out.push_back({key(e.domain, e.timestamp_us, e.id), encode(e.position, e.name, e.severity)});
  }
  return {};
}

TimeTable::Walk::Walk(const TimeTable& table, const PageQuery& q)
    : rows_(table.database_.rows(Family::kTimes)), query_(q) {
  // Keys order (timestamp, id) as the rows do; the cursor only ever narrows the range.
  if (q.ascending) {
    std::string from = key(q.domain, std::max<int64_t>(q.first_us, 0), {});
    if (q.beyond) from = std::max(from, key(q.domain, q.beyond->timestamp_us, q.beyond->id + '\0'));
    rows_->Seek(from);
  } else {
    std::string from = key(q.domain, std::max<int64_t>(q.first_us, 0),
                           "\xff");  // after every id: they are ASCII
    if (q.beyond) from = std::min(from, key(q.domain, q.beyond->timestamp_us, q.beyond->id));
    rows_->SeekForPrev(from);
    if (valid() && rows_->key() == from) rows_->Prev();
  }
}

TimeTable::Walk::~Walk() = default;

bool TimeTable::Walk::valid() const {
  if (!rows_->Valid() || rows_->key().size() < 16 || rows_->value().size() < 10) return false;
  if (format::get_u64_be(rows_->key().data()) != query_.domain.value) return false;
  const auto timestamp = static_cast<int64_t>(format::get_u64_be(rows_->key().data() + 8));
  return query_.ascending ? timestamp < query_.last_us : timestamp > query_.last_us;
}

TimeRow TimeTable::Walk::row() const {
  const auto key = rows_->key().ToStringView();
  const auto value = rows_->value().ToStringView();
  return {static_cast<int64_t>(format::get_u64_be(key.data() + 8)),
          std::string(key.substr(16)),
          {format::get_u64_be(value.data())},
          static_cast<event::Name>(value[8]),
          static_cast<event::Severity>(value[9])};
}

void TimeTable::Walk::next() {
  if (query_.ascending) {
    rows_->Next();
  } else {
    rows_->Prev();
  }
}

Status TimeTable::Walk::status() const {
  return to_status(rows_->status(), "reading the time index");
}

}  // namespace eventhorn::store
