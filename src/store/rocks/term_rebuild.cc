#include "store/rocks/term_rebuild.h"

#include "base/check.h"
#include "base/log.h"
#include "store/rocks/scan.h"
#include "store/rocks/status.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::store {
namespace {

constexpr uint64_t kTellEvery = 1'000'000;

constexpr size_t kLongestKey = 32;

constexpr size_t kBytesAtOnce = size_t{16} << 20;

std::string key_of(std::string_view name) {
  const unsigned version = event::terms_version();
  std::string out(name);
  out.push_back(static_cast<char>(version >> 8));
  out.push_back(static_cast<char>(version));
  return out;
}

}  // namespace

Status TermRebuild::load(Position indexed) {
  TRY(const auto since, parts_.numbers.load(key_of(NumberTable::kTermsSince)));
  TRY(const auto through, parts_.numbers.load(key_of(NumberTable::kTermsThrough)));
  if (!since) {
    rocksdb::WriteBatch batch;
    TRY_STATUS(forget_marks(batch));
    parts_.numbers.put(key_of(NumberTable::kTermsSince), indexed.value, batch);
    TRY_STATUS(parts_.database.write(batch, "marking the index"));
  }
  since_ = {since.value_or(indexed.value)};
  through_ = {through.value_or(0)};
  told_ = 0;
  look();
  if (!done())
    log_info("store", "the index of terms will be made from={} to={}", through_.value,
             since_.value);
  return {};
}

// Of other versions too: an index of theirs lacks what was indexed since, and RocksDB has dropped
// parts of it.
Status TermRebuild::forget_marks(rocksdb::WriteBatch& batch) const {
  for (const auto name : {NumberTable::kTermsSince, NumberTable::kTermsThrough}) {
    const auto forget = [&](std::string_view key, std::string_view) -> Result<bool> {
      if (key.size() == name.size() + 2)
        batch.Delete(parts_.database.family(Family::kMeta), to_slice(key));
      return true;
    };
    TRY_STATUS(scan_prefix(parts_.database.rows(Family::kMeta), name, "reading marks", forget));
  }
  return {};
}

// The marks go first: what is left of the index after a crash does no harm, because rows that come
// again are joined to it. Files go whole where they can, because one may be what cannot be read.
Status TermRebuild::begin_anew() {
  TRY(const auto indexed, parts_.numbers.load(NumberTable::kIndexedThrough));
  auto* family = parts_.database.family(Family::kTerms);
  const std::string end(kLongestKey, '\xff');
  rocksdb::WriteBatch batch;
  TRY_STATUS(forget_marks(batch));
  parts_.numbers.put(key_of(NumberTable::kTermsSince), indexed.value_or(0), batch);
  parts_.numbers.put(key_of(NumberTable::kTermsThrough), 0, batch);
  batch.DeleteRange(family, "", end);
  TRY_STATUS(parts_.database.write_synced(batch, "forgetting the index of terms"));
  const rocksdb::RangePtr all(nullptr, nullptr);
  TRY_STATUS(to_status(rocksdb::DeleteFilesInRanges(&*parts_.database, family, &all, 1),
                       "forgetting the index of terms"));
  return load({indexed.value_or(0)});
}

// Retention may have dropped what is missing.
void TermRebuild::look() {
  const uint64_t floor = parts_.floors.events;
  if (floor > 0) through_.value = std::max(through_.value, floor - 1);
  left_.store(through_ < since_ ? since_.value - through_.value : 0, std::memory_order_release);
}

bool TermRebuild::step() {
  if (done()) return false;
  look();
  if (done()) return false;
  const Position to{std::min(since_.value, through_.value + kAtOnce)};
  const auto done_to = index(through_, to);
  if (!done_to) {
    if (!std::exchange(failing_, true)) {
      log_warn("store", "making the index of terms failed, will try again after={} error={}",
               through_.value, done_to.error().message);
    }
    return false;
  }
  failing_ = false;
  told_ += done_to->value - through_.value;
  through_ = *done_to;
  look();
  if (done()) {
    log_info("store", "the index of terms is made");
  } else if (told_ >= kTellEvery) {
    told_ = 0;
    log_info("store", "making the index of terms at={} of={}", through_.value, since_.value);
  }
  return !done();
}

// An event that cannot be read is left out, as every search leaves it out. While the disk gives
// errors, none is.
Result<Position> TermRebuild::index(Position after, Position to) {
  std::vector<Position> positions;
  for (Position p = just_after(after); p <= to; p = just_after(p)) positions.push_back(p);
  std::vector<EventPtr> events;
  if (!parts_.log.read(positions, kBytesAtOnce, events)) {
    events.clear();
    for (const auto& status : parts_.log.read_each(positions, kBytesAtOnce, events))
      if (!status && status.error().code != Errc::kCorruption) return fail(status.error());
  }
  CHECK(!events.empty());
  const Position through = positions[events.size() - 1];
  TailRun run;
  for (const auto& event : events)
    if (event) run.append(TailEntry::of(*event, event::terms_of(event->event.bytes)));
  std::vector<IndexRow> rows;
  TRY_STATUS(index_.add_rows(run, Index::Reads::kMustSucceed, rows));
  rocksdb::WriteBatch batch;
  for (const auto& row : rows)
    batch.Merge(parts_.database.family(index_.family()), row.key, row.value);
  parts_.numbers.put(key_of(NumberTable::kTermsThrough), through.value, batch);
  TRY_STATUS(parts_.database.write(batch, "making the index of terms"));
  return through;
}

}  // namespace eventhorn::store
