#include "store/rocks/term_rebuild.h"

#include "base/log.h"
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

// The marks go first: what is left of the index after a crash does no harm, because rows that come
// again are joined to it. Files go whole where they can, because one may be what cannot be read.
Status TermRebuild::begin_anew() {
  TRY(const auto indexed, parts_.numbers.load(NumberTable::kIndexedThrough));
  auto* family = parts_.database.family(Family::kTerms);
  const std::string end(kLongestKey, '\xff');
  rocksdb::WriteBatch batch;
  parts_.numbers.put(key_of(NumberTable::kTermsSince), indexed.value_or(0), batch);
  parts_.numbers.put(key_of(NumberTable::kTermsThrough), 0, batch);
  batch.DeleteRange(family, "", end);
  TRY_STATUS(parts_.database.write(batch, "forgetting the index of terms"));
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
  if (auto status = index(through_, to); !status) {
    if (!std::exchange(failing_, true)) {
      log_warn("store", "making the index of terms failed, will try again after={} error={}",
               through_.value, status.error().message);
    }
    return false;
  }
  failing_ = false;
  told_ += to.value - through_.value;
  through_ = to;
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
Status TermRebuild::index(Position after, Position through) {
  std::vector<Position> positions;
  for (Position p = just_after(after); p <= through; p = just_after(p)) positions.push_back(p);
  std::vector<EventPtr> events;
  if (!parts_.log.read(positions, LogTable::kAllBytes, events)) {
    events.clear();
    for (const auto& status : parts_.log.read_each(positions, LogTable::kAllBytes, events))
      if (!status && status.error().code != Errc::kCorruption) return status;
  }
  TailRun run;
  for (const auto& event : events)
    if (event) run.append(TailEntry::of(*event, event::terms_of(event->event.bytes)));
  std::vector<IndexRow> rows;
  TRY_STATUS(index_.add_rows(run, Index::Reads::kMustSucceed, rows));
  rocksdb::WriteBatch batch;
  for (const auto& row : rows)
    batch.Merge(parts_.database.family(index_.family()), row.key, row.value);
  parts_.numbers.put(key_of(NumberTable::kTermsThrough), through.value, batch);
  return parts_.database.write(batch, "making the index of terms");
}

}  // namespace eventhorn::store
