#include "store/rocks/log_eraser.h"

#include "base/hash.h"
#include "base/log.h"
#include "store/rocks/slice.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <iterator>

namespace eventhorn::store {
namespace {

// Rows of attempts that are looked at by one call.
constexpr size_t kAttemptsAtOnce = 4096;

// Of the periods of new postings, which are few.
constexpr unsigned kWidth = 4;

NewEvent as_new(const StoredEvent& event, const event::Event& rewritten) {
  return {event.domain, event.shard, event.push, rewritten};
}

void note(EraseSlice& out, Position position) {
  if (!out.changed) out.changed = PositionRange{position, position};
  out.changed->first = std::min(out.changed->first, position);
  out.changed->last = std::max(out.changed->last, position);
}

}  // namespace

// Log, ids and times; `changes` takes what becomes of the index of terms.
Status LogEraser::change(const StoredEvent& event, const Rewrite& rewrite, TermChanges& changes,
                         rocksdb::WriteBatch& batch) const {
  const auto& database = parts_.database;
  const auto& old = event.event;
  const auto before = event::terms_of(old.bytes);
  std::vector<event::Term> after;
  const bool other_id = !rewrite.event || rewrite.event->id != old.id;
  if (other_id) {
    batch.Delete(database.family(Family::kIds), IdTable::key(event.domain, old.id));
    batch.Delete(database.family(Family::kTimes),
                 TimeTable::key(event.domain, old.timestamp_us, old.id));
  }
  if (rewrite.event) {
    const auto& now = *rewrite.event;
    TRY_STATUS(parts_.tables.log.put(event.position, as_new(event, now), event.committed, batch));
    if (other_id) {
      batch.Put(database.family(Family::kIds), IdTable::key(event.domain, now.id),
                IdTable::encode(event.position, hash_bytes(now.bytes)));
      batch.Put(database.family(Family::kTimes),
                TimeTable::key(event.domain, now.timestamp_us, now.id),
                TimeTable::encode(event.position, now.name, now.severity));
    }
    after = event::terms_of(now.bytes);
  } else {
    batch.Delete(database.family(Family::kLog), LogTable::key(event.position));
  }

  const Posting posting{old.timestamp_us, event.position};
  const auto lose = [&](TermScope scope, event::Term term) {
    for (unsigned width = 0; width < TermTable::kWidths; ++width) {
      auto& row = changes.lost[TermTable::key(scope, term, width, posting.timestamp_us)];
      row.period = TermTable::period_of(width, posting.timestamp_us);
      row.postings.push_back(posting);
    }
  };
  std::vector<event::Term> terms;
  std::ranges::set_difference(before, after, std::back_inserter(terms));
  for (const auto term : terms) lose(event.domain, term);
  if (!rewrite.event) {
    const TermScope account(kOnlyAccount);
    lose(account, event::name_term(old.name));
    if (old.severity != event::Severity::kNone) lose(account, event::severity_term(old.severity));
    lose(account, event::kCrowded);
  }
  terms.clear();
  std::ranges::set_difference(after, before, std::back_inserter(terms));
  for (const auto term : terms) {
    changes.got.emplace_back(
        TermTable::key(event.domain, term, kWidth, posting.timestamp_us),
        TermTable::encode({&posting, 1}, TermTable::period_of(kWidth, posting.timestamp_us)));
  }
  return {};
}

Status LogEraser::remove_missed(Position position, const std::vector<LaneId>& lanes,
                                rocksdb::WriteBatch& batch) const {
  for (const LaneId lane : lanes) {
    const auto take = [&](const ExceptionRow& row, bool) -> Result<bool> {
      if (row.position == position && row.missed)
        parts_.tables.exceptions.remove(lane, position, batch);
      return false;
    };
    TRY_STATUS(parts_.tables.exceptions.scan(lane, just_before(position), take));
  }
  return {};
}

// A row that cannot be read is left to searches, which look at every event then. What rows get
// comes last, because a row may lose postings too.
Status LogEraser::put_terms(const TermChanges& terms, rocksdb::WriteBatch& batch) const {
  auto* family = parts_.database.family(Family::kTerms);
  for (const auto& [key, row] : terms.lost) {
    rocksdb::PinnableSlice value;
    TRY(const bool found,
        parts_.database.get(Family::kTerms, key, value, "reading the index of terms"));
    if (!found) continue;
    std::vector<Posting> postings;
    if (!TermTable::decode(value.ToStringView(), row.period, postings)) continue;
    const size_t size = postings.size();
    std::erase_if(postings, [&](const Posting& posting) {
      return std::ranges::find(row.postings, posting) != row.postings.end();
    });
    if (postings.size() == size) continue;
    if (postings.empty()) {
      batch.Delete(family, key);
    } else {
      batch.Put(family, key, TermTable::encode(postings, row.period));
    }
  }
  for (const auto& [key, posting] : terms.got) batch.Merge(family, key, posting);
  return {};
}

Result<EraseSlice> LogEraser::erase(const EraseQuery& query,
                                    const std::vector<LaneId>& lanes) const {
  OrderQuery order;
  order.domain = query.domain;
  order.after = query.after;
  order.max_scan = order.max_events = query.max_scan;
  order.max_bytes = query.max_bytes;
  TRY(const auto slice, parts_.order.read(order, query.through));
  EraseSlice out;
  out.damaged = slice.damaged.size();
  out.at_end = slice.at_end;
  out.reached = slice.reached;
  if (slice.gone_through > query.after) {  // retention has dropped what was there
    out.reached = std::min(slice.gone_through, query.through);
    out.at_end = out.reached == query.through;
    return out;
  }
  rocksdb::WriteBatch batch;
  TermChanges terms;
  for (const auto& event : slice.events) {
    ++out.looked_at;
    const auto rewrite = query.rewrite(*event);
    if (!rewrite) continue;
    TRY_STATUS(change(*event, *rewrite, terms, batch));
    note(out, event->position);
    if (rewrite->event) {
      ++out.redacted;
    } else {
      ++out.removed;
      TRY_STATUS(remove_missed(event->position, lanes, batch));
    }
  }
  if (!out.changed) return out;
  TRY_STATUS(put_terms(terms, batch));
  TRY_STATUS(parts_.wal.write_synced(batch, "erasing events"));
  return out;
}

Result<EraseAttemptsSlice> LogEraser::erase_attempts(
    const std::string& after, const std::function<bool(std::string& text)>& change) const {
  EraseAttemptsSlice out;
  rocksdb::WriteBatch batch;
  size_t looked_at = 0;
  const auto take = [&](std::string_view key, std::string_view value) -> Result<bool> {
    if (looked_at++ == kAttemptsAtOnce) return false;
    out.reached = std::string(key);
    TRY(const bool changed, parts_.tables.attempts.rewrite(key, value, change, batch));
    if (changed) ++out.changed;
    return true;
  };
  // The row at `after` was looked at.
  const std::string from = after.empty() ? after : after + '\0';
  TRY_STATUS(scan_prefix(parts_.database.rows(Family::kAttempts, /*once=*/true), "", from,
                         "reading attempts", take));
  out.at_end = looked_at <= kAttemptsAtOnce;
  if (out.changed > 0) TRY_STATUS(parts_.wal.write_synced(batch, "erasing attempts"));
  return out;
}

Result<bool> LogEraser::values_mention(
    const std::string& prefix, const std::function<bool(std::string_view value)>& mentions) const {
  bool found = false;
  const auto take = [&](std::string_view, std::string_view value) -> Result<bool> {
    found = mentions(value);
    return !found;
  };
  TRY_STATUS(scan_prefix(parts_.database.rows(Family::kMeta, /*once=*/true),
                         format::meta_key(format::kValuePrefix, prefix), "reading values", take));
  return found;
}

}  // namespace eventhorn::store
