#include "store/rocks/page_rows.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace eventhorn::store {
namespace {

// As a PageCursor is compared.
std::tuple<int64_t, std::string_view, Position> place(const TailEntry& e, const PageQuery& q) {
  if (q.domains) return {e.timestamp_us, {}, e.position};
  return {e.timestamp_us, e.id, {}};
}

bool in_range(const TailEntry& e, const PageQuery& q) {
  if (q.domains ? !q.domains->has(e.domain) : e.domain != q.domain) return false;
  const bool in = q.ascending ? e.timestamp_us >= q.first_us && e.timestamp_us < q.last_us
                              : e.timestamp_us <= q.first_us && e.timestamp_us > q.last_us;
  if (!in || !q.beyond) return in;
  const std::string_view beyond_id = q.beyond->id;
  const auto cursor = std::tuple(q.beyond->timestamp_us, beyond_id, q.beyond->position);
  const auto at = place(e, q);
  return q.ascending ? at > cursor : at < cursor;
}

}  // namespace

PageCursor cursor_of(const PageQuery& query, const TimeRow& row) {
  if (query.domains) return {row.timestamp_us, {}, row.position};
  return {row.timestamp_us, row.id, {}};
}

std::vector<TimeRow> tail_rows(const Tail::Runs& runs, const PageQuery& q,
                               const std::function<bool(const TailEntry&)>& wanted) {
  std::vector<const TailEntry*> found;
  for (const auto& run : runs) {
    const size_t n = run->size();
    for (size_t i = 0; i < n; ++i) {
      const auto& e = (*run)[i];
      if (in_range(e, q) && (!wanted || wanted(e))) found.push_back(&e);
    }
  }
  const auto before = [&](const TailEntry* a, const TailEntry* b) {
    return q.ascending ? place(*a, q) < place(*b, q) : place(*b, q) < place(*a, q);
  };
  const size_t keep = std::min(found.size(), q.max_scan);
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(keep), found.end(),
                    before);
  std::vector<TimeRow> out;
  out.reserve(keep);
  for (size_t i = 0; i < keep; ++i) {
    const auto& e = *found[i];
    const auto id = q.domains ? std::string_view() : e.id;
    out.push_back({e.timestamp_us, std::string(id), e.position, e.name, e.severity});
  }
  return out;
}

AllRows::AllRows(const TimeTable& times, const Tail::Runs& runs, const PageQuery& q)
    : walk_(times, q), tail_(tail_rows(runs, q, nullptr)), ascending_(q.ascending) {}

Result<std::optional<TimeRow>> AllRows::next() {
  const bool have_tail = tail_next_ < tail_.size();
  if (!walk_.valid()) {
    TRY_STATUS(walk_.status());
    return have_tail ? std::optional(std::move(tail_[tail_next_++])) : std::nullopt;
  }
  TimeRow row = walk_.row();
  if (have_tail) {
    auto& tail = tail_[tail_next_];
    const bool same = row.place() == tail.place();  // seen on its way from the tail to the index
    const bool tail_first =
        same || (ascending_ ? tail.place() < row.place() : row.place() < tail.place());
    if (same) walk_.next();
    if (tail_first) {
      ++tail_next_;
      return std::optional(std::move(tail));
    }
  }
  walk_.next();
  return std::optional(std::move(row));
}

}  // namespace eventhorn::store
