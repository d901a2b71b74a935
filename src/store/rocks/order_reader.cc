#include "store/rocks/order_reader.h"

#include <rocksdb/iterator.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace eventhorn::store {
namespace {

// Rows whose events are fetched together, and heads of the log that are read together.
constexpr size_t kRowsAtOnce = 256;

struct OrderRow {
  Position position;
  DomainUid domain;
  event::Name name{};
  event::Severity severity{};
  bool damaged = false;  // its record cannot be read, and all else is not known
};

// The rows of one domain after a position, up to another: its classes and the tail, merged.
class IndexRows {
 public:
  /// `runs` were taken before.
  IndexRows(const ClassTable& classes, const Tail::Runs& runs, DomainUid domain, Position after,
            Position to)
      : domain_(domain), to_(to), last_(after), runs_(runs) {
    for (size_t i = 0; i < kWalks; ++i) {
      rows_[i] = classes.rows();
      auto& walk = walks_.emplace_back(*rows_[i], domain, webhook::Class{static_cast<uint8_t>(i)});
      walk.seek_after(after);
    }
  }

  /// nullopt at the end.
  Result<std::optional<OrderRow>> next() {
    ClassTable::Walk* first = nullptr;
    for (auto& walk : walks_) {
      if (!walk.valid()) {
        TRY_STATUS(walk.status());
        continue;
      }
      if (first == nullptr || walk.position() < first->position()) first = &walk;
    }
    const Position indexed = first != nullptr ? first->position() : Position{UINT64_MAX};
    if (const auto* entry = tail_entry(); entry != nullptr && entry->position <= indexed) {
      if (entry->position == indexed) first->next();  // seen on its way from the tail to the index
      ++tail_next_;
      return row(entry->position, {entry->name, entry->severity});
    }
    if (first == nullptr || indexed > to_) return std::optional<OrderRow>();
    TRY(const auto event, first->event());
    first->next();
    return row(indexed, event);
  }

 private:
  static constexpr size_t kWalks = webhook::kClasses + 1;

  std::optional<OrderRow> row(Position position, webhook::HookEvent event) {
    last_ = position;
    return OrderRow{position, domain_, event.name, event.severity};
  }

  /// The domain's next one in the tail; null when there is none.
  const TailEntry* tail_entry() {
    for (; run_ < runs_.size(); ++run_, tail_next_ = 0) {
      const auto& run = *runs_[run_];
      if (tail_next_ == 0) tail_next_ = run.first_after(last_);
      for (const size_t n = run.size(); tail_next_ < n; ++tail_next_) {
        const auto& entry = run[tail_next_];
        if (entry.position > to_) return nullptr;
        if (entry.domain == domain_) return &entry;
      }
    }
    return nullptr;
  }

  const DomainUid domain_;
  const Position to_;
  Position last_;
  std::array<std::unique_ptr<rocksdb::Iterator>, kWalks> rows_;
  std::vector<ClassTable::Walk> walks_;
  const Tail::Runs& runs_;
  size_t run_ = 0;
  size_t tail_next_ = 0;
};

// The rows of all domains after a position, up to another, as the log has them.
class LogRows {
 public:
  LogRows(const LogTable& log, Position after, Position to) : log_(log), last_(after), to_(to) {}

  /// nullopt at the end.
  Result<std::optional<OrderRow>> next() {
    while (next_ == rows_.size() && !ended_) TRY_STATUS(read());
    if (next_ == rows_.size()) return std::optional<OrderRow>();
    return std::optional(rows_[next_++]);
  }

 private:
  Status read() {
    next_ = 0;
    rows_.clear();
    const auto heads = log_.read_heads(last_, to_, kRowsAtOnce);
    if (!heads && heads.error().code == Errc::kCorruption) return read_one_by_one();
    if (!heads) return fail(heads.error());
    for (const auto& head : *heads)
      rows_.push_back({head.position, head.domain, head.name, head.severity});
    ended_ = rows_.size() < kRowsAtOnce;
    if (!rows_.empty()) last_ = rows_.back().position;
    return {};
  }

  // A record that cannot be read costs itself alone.
  Status read_one_by_one() {
    for (size_t n = 0; n < kRowsAtOnce && last_ < to_; ++n) {
      last_ = just_after(last_);
      const auto head = log_.find_head(last_);
      if (!head && head.error().code != Errc::kCorruption) return fail(head.error());
      if (!head) rows_.push_back({last_, {}, {}, {}, true});
      if (!head) continue;
      if (const auto& found = *head)
        rows_.push_back({found->position, found->domain, found->name, found->severity});
    }
    ended_ = last_ >= to_;
    return {};
  }

  const LogTable& log_;
  Position last_;
  const Position to_;
  std::vector<OrderRow> rows_;
  size_t next_ = 0;
  bool ended_ = false;
};

}  // namespace

/// Rows whose events are wanted and not fetched yet.
struct OrderReader::Wanted {
  std::vector<Position> positions{};
  size_t bytes = 0;  // looked at so far
  /// An event was gone already.
  std::optional<Position> gone{};
};

// Fetches the events of `wanted` and empties it; true when the slice ends with one of them.
Result<bool> OrderReader::fetch(const OrderQuery& q, Wanted& wanted, OrderSlice& out) const {
  while (!wanted.positions.empty()) {
    std::vector<EventPtr> events;
    std::vector<Status> each;
    if (!parts_.log.read(wanted.positions, q.max_bytes - wanted.bytes, events))
      each = parts_.log.read_each(wanted.positions, q.max_bytes - wanted.bytes, events);
    for (size_t i = 0; i < events.size(); ++i) {
      auto& event = events[i];
      const bool readable = each.empty() || each[i];
      if (!readable && each[i].error().code != Errc::kCorruption) return fail(each[i].error());
      if (!readable) out.damaged.push_back(wanted.positions[i]);
      if (readable && !event) wanted.gone = wanted.positions[i];
      out.reached = wanted.positions[i];
      if (event) wanted.bytes += event->event.bytes.size();
      if (event && (!q.matches || q.matches(event->event.bytes)))
        out.events.push_back(std::move(event));
      if (out.events.size() == q.max_events || wanted.bytes >= q.max_bytes) return true;
      if (q.give_up && i + 1 < wanted.positions.size() && q.give_up()) return true;
    }
    wanted.positions.erase(wanted.positions.begin(),
                           wanted.positions.begin() + static_cast<std::ptrdiff_t>(events.size()));
  }
  return false;
}

template <class Rows>
Result<OrderSlice> OrderReader::read_rows(const OrderQuery& q, Rows& rows, Position to) const {
  OrderSlice out;
  out.reached = q.after;
  Wanted wanted;
  bool ended = false;
  Position passed = q.after;  // rows that need no bytes count as reached
  for (size_t scanned = 0; scanned < q.max_scan && !ended; ++scanned) {
    TRY(const auto row, rows.next());
    if (!row) {
      out.at_end = true;
      break;
    }
    passed = row->position;
    if (row->damaged) {
      out.damaged.push_back(row->position);
    } else if ((!q.domain || *q.domain == row->domain) &&
               (!q.may_match || q.may_match(row->domain, row->name, row->severity))) {
      wanted.positions.push_back(row->position);
    }
    const size_t enough = std::min(kRowsAtOnce, q.max_events - out.events.size());
    if (wanted.positions.size() < enough) continue;
    TRY(ended, fetch(q, wanted, out));
    ended = ended || (q.give_up && q.give_up());
  }
  if (!ended) {
    TRY(ended, fetch(q, wanted, out));
    if (!ended) out.reached = out.at_end ? to : passed;
  }
  if (ended) out.at_end = false;
  std::erase_if(out.damaged, [&](Position position) { return position > out.reached; });
  if (wanted.gone) out.gone_through = *wanted.gone;
  return out;
}

// What retention is about to drop may be gone from the log before the floor tells, but not before
// its row does.
Result<Position> OrderReader::gone_through(bool ask_table) const {
  Position floor{parts_.floors.events};
  if (ask_table) {
    TRY(const Position kept, parts_.dropped.greatest());
    floor = std::max(floor, kept);
  }
  return floor == kNoPosition ? kNoPosition : just_before(floor);
}

Result<OrderSlice> OrderReader::read_up_to(const OrderQuery& q, Position head) const {
  const Position mark = parts_.fill.complete_after();
  if (q.domain && q.after >= mark) {
    const auto runs = parts_.tail.runs();
    IndexRows rows(parts_.classes, runs, *q.domain, q.after, head);
    return read_rows(q, rows, head);
  }
  const Position to = q.domain ? std::min(mark, head) : head;
  LogRows rows(parts_.log, q.after, to);
  TRY(auto out, read_rows(q, rows, to));
  if (to < head) out.at_end = false;
  TRY(const Position gone, gone_through(true));
  out.gone_through = std::max(out.gone_through, gone);
  return out;
}

Result<OrderSlice> OrderReader::read(const OrderQuery& q, Position head) const {
  OrderSlice nothing;
  nothing.reached = q.after;
  TRY(nothing.gone_through, gone_through(false));
  if (nothing.gone_through > q.after) return nothing;
  if (q.after >= head) {
    nothing.at_end = true;
    return nothing;
  }
  TRY(auto out, read_up_to(q, head));
  // What is missing and was not dropped was erased: no gap.
  TRY(const Position gone, gone_through(out.gone_through > kNoPosition));
  nothing.gone_through = gone;
  if (nothing.gone_through > q.after) return nothing;
  out.gone_through = gone;
  return out;
}

}  // namespace eventhorn::store
