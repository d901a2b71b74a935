#include "store/rocks/repair/repair.h"

#include "base/dates.h"
#include "base/log.h"
#include "store/rocks/format.h"
#include "store/rocks/repair/damage.h"
#include "store/rocks/repair/lost_list.h"
#include "store/rocks/repair/readable_rows.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/status.h"
#include "store/rocks/tables/tables.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <optional>
#include <stdio.h>
#include <unistd.h>
#include <utility>

namespace eventhorn::store {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBatchBytes = 1 << 20;
/// So many events are in the memory of the indexer at once.
constexpr uint64_t kPieceEvents = 500'000;
/// Positions of events that were lost without a trace must not come again: who had confirmed those
/// would be taken to have confirmed the new ones.
constexpr uint64_t kPositionsToSpare = 1 << 20;

using Gap = PositionRange;

/// Writes rows to a database in batches, without a log of its own: finish() makes them durable.
class Batches {
 public:
  explicit Batches(const Database& to) : to_(to) {}

  Status put(Family family, std::string_view key, std::string_view value) {
    batch_.Put(to_.family(family), key, value);
    return batch_.GetDataSize() < kBatchBytes ? Status() : write();
  }

  Status finish() {
    TRY_STATUS(write());
    for (size_t i = 0; i < kFamilyNames.size(); ++i)
      TRY_STATUS(to_status(to_->Flush({}, to_.family(Family{i})), "writing the new store"));
    return {};
  }

 private:
  Status write() {
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    TRY_STATUS(to_status(to_->Write(options, &batch_), "writing the new store"));
    batch_.Clear();
    return {};
  }

  const Database& to_;
  rocksdb::WriteBatch batch_;
};

ReadableRows rows_of(const Database& database, Family family) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = 1 << 20;
  return ReadableRows([&database, family, options] {
    return std::unique_ptr<rocksdb::Iterator>(
        database->NewIterator(options, database.family(family)));
  });
}

// A file or a directory.
Status sync_path(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (synced) return {};
  return fail(Errc::kUnavailable, "cannot sync " + path.string() + ": " + std::strerror(error));
}

/// One repair. The new store is made in the quarantine and changes places with the old one.
class Repair {
 public:
  Repair(fs::path data, const Clock& clock, const Damage& damage, RepairReport& report)
      : data_(std::move(data)),
        clock_(clock),
        damage_(damage),
        report_(report),
        log_damaged_(!damage.only_in_tables) {}

  Status run() {
    TRY_STATUS(make_room());
    TRY_STATUS(open_source());
    TRY_STATUS(copy_default());
    TRY_STATUS(copy_old_classes());
    TRY_STATUS(copy(Family::kAttempts));
    TRY_STATUS(copy(Family::kTries));
    TRY_STATUS(copy_log());
    TRY_STATUS(copy_ids());
    TRY_STATUS(list_positions());
    TRY_STATUS(list_lanes());
    TRY_STATUS(set_next_position());
    TRY_STATUS(lost_.close());
    source_.reset();
    prefix_.reset();
    std::error_code ec;
    fs::remove_all(links(), ec);
    fs::remove_all(report_.quarantine / "prefix", ec);
    return change_places();
  }

  /// From then on the quarantine holds the only copy of the old store.
  bool exchanged() const { return exchanged_; }

 private:
  fs::path store() const { return data_ / "store"; }

  fs::path links() const { return report_.quarantine / "links"; }

  fs::path target() const { return report_.quarantine / "store"; }

  Status make_room();
  Status open_source();
  Status copy_default();
  Status copy_old_classes();
  Status copy(Family family);
  Status copy_log();
  Status index_piece();
  Status copy_ids();
  Status list_positions();
  Status list_lanes();
  Status set_next_position();
  Status change_places();

  void note_default(std::string_view key, std::string_view value);

  void see(uint64_t position) { highest_ = std::max(highest_, position); }

  void note_gaps(Family family, const ReadableRows& rows);
  const Gap* gap_of(uint64_t position) const;

  std::string commit_time(const Database& database, uint64_t position) const;

  const fs::path data_;
  const Clock& clock_;
  const Damage& damage_;
  RepairReport& report_;
  bool log_damaged_;  // beyond what the index knows of
  std::unique_ptr<Database> source_;
  std::unique_ptr<Database> prefix_;  // null when the logs are whole
  LostList lost_;

  uint64_t highest_ = 0;  // position that any row names
  uint64_t indexed_ = 0;  // the mark of the old store
  uint64_t floor_ = 1;    // retention dropped what is below
  bool ids_damaged_ = false;
  bool exchanged_ = false;
  std::vector<Gap> gaps_;  // of the positions of the log, in order
  std::map<uint64_t, DomainPtr> domains_;
  std::vector<ReadableRows::Gap> default_gaps_;
};

Status Repair::make_room() {
  uint64_t bytes = 0;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(store(), ec))
    if (entry.is_regular_file(ec)) bytes += entry.file_size(ec);
  const auto space = fs::space(data_, ec);
  if (!ec && space.available < bytes + bytes / 10) {
    return fail(Errc::kUnavailable,
                "repair writes a new store beside the old one: " + data_.string() + " has " +
                    std::to_string(space.available >> 20) + " MiB free and it needs " +
                    std::to_string((bytes + bytes / 10) >> 20));
  }
  std::string when = format_iso8601(clock_.now());
  std::erase_if(when, [](char c) { return c == ':' || c == '-' || c == '.'; });
  report_.quarantine = data_ / ("quarantine-" + when);
  fs::create_directories(report_.quarantine, ec);
  return lost_.open(report_.quarantine / "lost.ndjson");
}

Status Repair::open_source() {
  TRY(auto remains, open_remains(store(), links(), std::nullopt));
  source_ = std::move(remains.database);
  const auto lacks = [&](Family family) { return remains.incomplete.contains(family); };
  log_damaged_ = log_damaged_ || lacks(Family::kLog);
  ids_damaged_ = lacks(Family::kIds);
  if (lacks(Family::kMeta)) default_gaps_.push_back({});  // anywhere
  if (!damage_.in_logs) return {};
  TRY(auto prefix, open_remains(store(), report_.quarantine / "prefix", damage_.in_logs));
  prefix_ = std::move(prefix.database);
  return {};
}

void Repair::note_default(std::string_view key, std::string_view value) {
  const bool number = value.size() == 8;
  if (key == NumberTable::kIndexedThrough && number) indexed_ = format::get_u64_be(value.data());
  if (key[0] == format::kFloorPrefix && number)
    floor_ = std::max(floor_, format::get_u64_be(value.data()));
  if (number && key[0] != format::kValuePrefix) see(format::get_u64_be(value.data()));
  if (key[0] == format::kSlotPrefix && !MarkTable::is_by_core(key)) {
    if (const auto mark = MarkTable::decode(key, value)) see(mark->settled_through.value);
  }
  if (key[0] == format::kDomainPrefix) {
    if (auto domain = DomainTable::decode(value))
      domains_.emplace((*domain)->uid.value, std::move(*domain));
  }
  if (key[0] != format::kLanePrefix || key.size() != 9) return;
  const auto lane = LaneTable::decode({format::get_u64_be(key.data() + 1)}, value);
  if (!lane) return;
  for (const auto& segment : lane->segments) {
    see(segment.acked_through.value);
    if (!segment.settled.empty()) see(segment.settled.back().last.value);
  }
}

void Repair::note_gaps(Family family, const ReadableRows& rows) {
  for (const auto& gap : rows.gaps()) lost_.add_rows(family, gap);
  report_.rows_lost += rows.gaps().size();
}

bool is_progress(std::string_view key) {
  return key[0] == format::kLanePrefix || key[0] == format::kExceptionPrefix ||
         key[0] == format::kSlotPrefix;
}

// Progress is taken as it was before the first damaged place of the logs: a lane whose row is lost
// while that of its slot is not would be taken to have nothing behind. So too much is sent again,
// never too little.
Status Repair::copy_default() {
  TRY(const auto to, open_database(target(), OpenMode::kCreate));
  Batches out(*to);
  auto rows = rows_of(*source_, Family::kMeta);
  while (rows.next()) {
    // The new store names a generation of its own, and its index is made whole.
    if (rows.key() == NumberTable::kGeneration || rows.key() == NumberTable::kOrderedAfter)
      continue;
    note_default(rows.key(), rows.value());
    if (rows.key() == NumberTable::kIndexedThrough || (prefix_ && is_progress(rows.key())))
      continue;
    TRY_STATUS(out.put(Family::kMeta, rows.key(), rows.value()));
  }
  note_gaps(Family::kMeta, rows);
  default_gaps_.insert(default_gaps_.end(), rows.gaps().begin(), rows.gaps().end());
  if (prefix_) {
    auto progress = rows_of(*prefix_, Family::kMeta);
    while (progress.next())
      if (is_progress(progress.key()))
        TRY_STATUS(out.put(Family::kMeta, progress.key(), progress.value()));
  }
  // Without what retention noted, the log tells from where on it was kept.
  auto log = rows_of(*source_, Family::kLog);
  if (!default_gaps_.empty() && log.next())
    floor_ = std::max(floor_, format::get_u64_be(log.key().data()));
  return out.finish();
}

// What retention left of the index is of use for a week more. Before the log: totals go on from it.
Status Repair::copy_old_classes() {
  TRY(const auto to, open_database(target(), OpenMode::kCreate));
  Batches out(*to);
  auto classes = rows_of(*source_, Family::kClasses);
  while (classes.next()) {
    if (classes.key().size() == 17 && format::get_u64_be(classes.key().data() + 9) < floor_)
      TRY_STATUS(out.put(Family::kClasses, classes.key(), classes.value()));
  }
  return out.finish();
}

Status Repair::copy(Family family) {
  TRY(const auto to, open_database(target(), OpenMode::kCreate));
  Batches out(*to);
  auto rows = rows_of(*source_, family);
  while (rows.next()) TRY_STATUS(out.put(family, rows.key(), rows.value()));
  note_gaps(family, rows);
  return out.finish();
}

// In pieces, each of which the store itself then reads back and indexes.
Status Repair::copy_log() {
  auto rows = rows_of(*source_, Family::kLog);
  uint64_t next = floor_;
  for (bool more = rows.next(); more;) {
    {
      TRY(const auto to, open_database(target(), OpenMode::kCreate));
      Batches out(*to);
      if (report_.events_kept == 0) {
        const uint64_t first = format::get_u64_be(rows.key().data());
        TRY_STATUS(
            out.put(Family::kMeta, NumberTable::kIndexedThrough, format::u64_key(first - 1)));
        TRY_STATUS(out.put(Family::kMeta, NumberTable::kOrderedAfter, format::u64_key(0)));
      }
      for (uint64_t n = 0; more && n < kPieceEvents; ++n, more = rows.next()) {
        const uint64_t position = format::get_u64_be(rows.key().data());
        if (position > next) gaps_.push_back({{next}, {position - 1}});
        next = std::max(next, position + 1);
        TRY_STATUS(out.put(Family::kLog, rows.key(), rows.value()));
        ++report_.events_kept;
      }
      TRY_STATUS(out.finish());
    }
    TRY_STATUS(index_piece());
  }
  see(next);
  gaps_.push_back({{next}, {UINT64_MAX}});
  log_damaged_ = log_damaged_ || !rows.gaps().empty();
  return {};
}

Status Repair::index_piece() {
  RocksOptions options;
  options.directory = report_.quarantine;
  options.ballast_bytes = 0;
  TRY(const auto store, RocksStore::open(std::move(options), clock_));
  TRY_STATUS(store->index_now());
  log_info("store", "repaired events={}", report_.events_kept);
  return {};
}

const Gap* Repair::gap_of(uint64_t position) const {
  const auto after = std::upper_bound(gaps_.begin(), gaps_.end(), position,
                                      [](uint64_t p, const Gap& g) { return p < g.first.value; });
  if (after == gaps_.begin()) return nullptr;
  const Gap& gap = *std::prev(after);
  return position <= gap.last.value ? &gap : nullptr;
}

// Those of what retention dropped are of use for a week more. Those beyond it whose events are gone
// tell which were lost; they are not kept, so that a producer may send those again.
Status Repair::copy_ids() {
  TRY(const auto to, open_database(target(), OpenMode::kCreate));
  Batches out(*to);
  auto ids = rows_of(*source_, Family::kIds);
  while (ids.next()) {
    const auto key = ids.key();
    if (key.size() < 8 || ids.value().size() < 8) continue;
    const uint64_t position = format::get_u64_be(ids.value().data());
    see(position);
    if (position < floor_) TRY_STATUS(out.put(Family::kIds, key, ids.value()));
    if (position < floor_ || gap_of(position) == nullptr) continue;
    const auto domain = domains_.find(format::get_u64_be(key.data()));
    lost_.add_event(position, domain == domains_.end() ? std::string_view() : domain->second->name,
                    key.substr(8));
    ++report_.events_lost;
  }
  ids_damaged_ = ids_damaged_ || !ids.gaps().empty();
  return out.finish();
}

std::string Repair::commit_time(const Database& database, uint64_t position) const {
  std::string row;
  const auto status =
      database->Get({}, database.family(Family::kLog), format::u64_key(position), &row);
  const auto event = status.ok() ? LogTable::decode({position}, row)
                                 : Result<EventPtr>(fail(Errc::kNotFound, "none"));
  return event ? format_iso8601((*event)->committed) : std::string();
}

// Where no index tells: only as ranges. A change of a domain takes positions too, so some may have
// held no event.
Status Repair::list_positions() {
  if (!log_damaged_) return {};
  TRY(const auto to, open_database(target(), OpenMode::kCreate));
  for (const auto& gap : gaps_) {
    const uint64_t first = std::max(gap.first.value, ids_damaged_ ? 0 : indexed_ + 1);
    if (first > gap.last.value) continue;
    const bool open = gap.last.value == UINT64_MAX;
    LostList::Range range{first, std::nullopt, commit_time(*to, gap.first.value - 1), {}};
    if (!open) {
      range.last = gap.last.value;
      range.committed_before = commit_time(*to, gap.last.value + 1);
    }
    lost_.add_range(range);
    if (open) {
      report_.lost_after = range.committed_after;
    } else {
      report_.positions_lost += gap.last.value - first + 1;
    }
  }
  return {};
}

// A lane without a row has nothing behind; one whose row was lost looks the same.
Status Repair::list_lanes() {
  const auto in_gap = [&](const std::string& key) {
    return std::any_of(default_gaps_.begin(), default_gaps_.end(), [&](const auto& gap) {
      return key > gap.after && (gap.before.empty() || key < gap.before);
    });
  };
  for (const auto& [uid, domain] : domains_) {
    for (const auto& lane : domain->lanes) {
      if (!in_gap(LaneTable::key(lane.id))) continue;
      lost_.add_lane(lane.id, domain->name, lane.url);
      ++report_.lanes_lost;
    }
  }
  return {};
}

Status Repair::set_next_position() {
  TRY(const auto to, open_database(target(), OpenMode::kCreate));
  Batches out(*to);
  TRY_STATUS(out.put(Family::kMeta, NumberTable::kNextPosition,
                     format::u64_key(highest_ + kPositionsToSpare)));
  return out.finish();
}

Status Repair::change_places() {
  TRY_STATUS(sync_path(report_.quarantine / "lost.ndjson"));
  TRY_STATUS(sync_path(target()));
  TRY_STATUS(sync_path(report_.quarantine));
  if (renameat2(AT_FDCWD, store().c_str(), AT_FDCWD, target().c_str(), RENAME_EXCHANGE) != 0) {
    const std::string reason = std::strerror(errno);
    return fail(Errc::kUnavailable, "cannot exchange " + store().string() + " with the new store " +
                                        target().string() + ": " + reason);
  }
  exchanged_ = true;
  TRY_STATUS(sync_path(report_.quarantine));
  return sync_path(data_);
}

}  // namespace

Result<std::vector<std::string>> find_damage(const fs::path& data) {
  TRY(const auto lock, StoreLock::take(data / "store"));
  TRY(auto damage, damage_of(data / "store"));
  return std::move(damage.places);
}

Result<RepairReport> repair(const fs::path& data, const Clock& clock) {
  TRY(const auto lock, StoreLock::take(data / "store"));
  RepairReport report;
  TRY(const auto damage, damage_of(data / "store"));
  report.damage = damage.places;
  if (report.damage.empty()) return report;
  Repair work(data, clock, damage, report);
  if (auto status = work.run(); !status) {
    std::error_code ec;
    if (!work.exchanged()) fs::remove_all(report.quarantine, ec);
    return fail(status.error());
  }
  return report;
}

}  // namespace eventhorn::store
