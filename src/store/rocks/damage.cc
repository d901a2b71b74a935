#include "store/rocks/damage.h"

#include "base/log.h"
#include "store/rocks/status.h"
#include "store/rocks/wal_check.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <optional>
#include <regex>
#include <set>
#include <utility>

namespace eventhorn::store {
namespace {

namespace fs = std::filesystem;

// Of tables that a repair adds; a store does not come that far.
constexpr uint64_t kUnusedNumber = 900'000'000;

rocksdb::DBOptions options_for(Database::Mode mode) {
  auto out = db_options(nullptr);
  out.create_if_missing = mode == Database::Mode::kCreate;
  out.create_missing_column_families = mode == Database::Mode::kCreate;
  if (mode == Database::Mode::kLenient || mode == Database::Mode::kRemains)
    out.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  if (mode == Database::Mode::kRemains) {
    out.track_and_verify_wals_in_manifest = false;  // not when reading only: RocksDB 7.8 dies of it
    out.paranoid_checks = false;
  }
  return out;
}

Result<std::vector<std::string>> damaged_tables(const Database& database) {
  std::vector<rocksdb::LiveFileMetaData> files;
  database->GetLiveFilesMetaData(&files);
  std::vector<std::string> out;
  size_t checked = 0;
  for (const auto& file : files) {
    const std::string path = file.db_path + file.name;
    rocksdb::SstFileReader reader{rocksdb::Options()};
    auto status = reader.Open(path);
    if (status.ok()) status = reader.VerifyChecksum();
    if (!status.ok())
      out.push_back(path + " (" + file.column_family_name + "): " + status.ToString());
    if (++checked % 100 == 0) log_info("store", "checking files={} of={}", checked, files.size());
  }
  return out;
}

std::string table_name(uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return digits + ".sst";
}

// RocksDB names the table that it could not open; one that is missing by its former suffix, too.
std::optional<std::string> table_in(const std::string& message) {
  static const std::regex kTable(R"((\d{6,})\.(sst|ldb))");
  std::smatch match;
  if (!std::regex_search(message, match, kTable)) return std::nullopt;
  return match[1].str() + ".sst";
}

Status link_files(const fs::path& from, const fs::path& to) {
  TRY(const auto without, find_repeated_logs(from));
  std::error_code ec;
  fs::create_directories(to, ec);
  for (const auto& entry : fs::directory_iterator(from, ec)) {
    const auto name = entry.path().filename();
    if (!entry.is_regular_file() || name == "LOCK") continue;
    if (std::any_of(without.begin(), without.end(),
                    [&](const WalDamage& log) { return log.file == entry.path(); }))
      continue;
    fs::create_hard_link(entry.path(), to / name, ec);
    if (ec) break;
  }
  if (!ec) return {};
  return fail(Errc::kUnavailable, "cannot link the files of " + from.string() + " into " +
                                      to.string() + ": " + ec.message());
}

// Holds no row: a table must have one entry, so it deletes a key that is never written.
Status write_empty_table(const Database& database, Family family, const fs::path& path) {
  std::error_code ec;
  fs::remove(path, ec);  // a link: the store's own file stays
  rocksdb::SstFileWriter writer({}, database->GetOptions(database.family(family)),
                                database.family(family));
  TRY_STATUS(to_status(writer.Open(path.string()), "writing an empty table"));
  TRY_STATUS(to_status(writer.Delete(rocksdb::Slice("\0", 1)), "writing an empty table"));
  return to_status(writer.Finish(), "writing an empty table");
}

}  // namespace

Result<StoreLock> StoreLock::take(const fs::path& store) {
  std::error_code ec;
  if (!fs::is_directory(store, ec))
    return fail(Errc::kNotFound, "there is no store in " + store.parent_path().string());
  rocksdb::FileLock* lock = nullptr;
  const auto status = rocksdb::Env::Default()->LockFile((store / "LOCK").string(), &lock);
  if (!status.ok()) {
    return fail(Errc::kConflict, "cannot lock " + store.string() + " (" + status.ToString() +
                                     "): stop the server that uses it");
  }
  return StoreLock(lock);
}

StoreLock::StoreLock(StoreLock&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}

StoreLock::~StoreLock() {
  if (lock_ != nullptr) rocksdb::Env::Default()->UnlockFile(lock_).PermitUncheckedError();
}

Database::~Database() {
  if (!db_) return;
  for (auto* f : families_) db_->DestroyColumnFamilyHandle(f).PermitUncheckedError();
}

Result<std::unique_ptr<Database>> Database::open(const fs::path& path, Mode mode) {
  const auto options = options_for(mode);
  auto families = family_descriptors(nullptr);
  for (auto& family : families) family.options.disable_auto_compactions = mode == Mode::kRemains;
  const bool writes = mode == Mode::kRemains || mode == Mode::kCreate;
  auto out = std::unique_ptr<Database>(new Database());
  rocksdb::DB* db = nullptr;
  const auto status =
      writes ? rocksdb::DB::Open(options, path.string(), families, &out->families_, &db)
             : rocksdb::DB::OpenForReadOnly(options, path.string(), families, &out->families_, &db);
  TRY_STATUS(to_status(status, ("opening " + path.string()).c_str()));
  out->db_.reset(db);
  return out;
}

Result<Damage> damage_of(const fs::path& store) {
  Damage out;
  TRY(const auto logs, find_wal_damage(store));
  for (const auto& log : logs) out.places.push_back(log.text());
  out.only_in_tables = logs.empty();
  TRY(const auto repeated, find_repeated_logs(store));
  if (!repeated.empty()) return out;  // RocksDB does not survive those
  auto database = Database::open(store, Database::Mode::kStrict);
  if (!database) {
    out.only_in_tables = false;
    if (logs.empty()) out.places.push_back(database.error().message);
    database = Database::open(store, Database::Mode::kLenient);
  }
  if (!database) {
    if (out.places.back() != database.error().message)
      out.places.push_back(database.error().message);
    return out;
  }
  TRY(auto tables, damaged_tables(**database));
  out.places.insert(out.places.end(), std::make_move_iterator(tables.begin()),
                    std::make_move_iterator(tables.end()));
  return out;
}

Result<std::unique_ptr<Database>> open_remains(const fs::path& store, const fs::path& scratch) {
  const auto links = scratch / "store";
  TRY_STATUS(link_files(store, links));
  TRY(const auto families, Database::open(scratch / "families", Database::Mode::kCreate));
  std::set<fs::path> emptied;
  for (;;) {
    auto opened = Database::open(links, Database::Mode::kRemains);
    if (opened) return opened;
    const auto table = table_in(opened.error().message);
    if (!table || !emptied.insert(links / *table).second) break;
    log_warn("store", "left out of the repair table={} error={}", *table, opened.error().message);
    TRY_STATUS(write_empty_table(*families, Family::kMeta, links / *table));
  }
  log_warn("store", "the list of files is damaged: making it anew");
  // RepairDB knows only families that have a table; without one it would pass over their records
  // in the log.
  for (size_t i = 0; i < kFamilyNames.size(); ++i)
    TRY_STATUS(write_empty_table(*families, Family{i}, links / table_name(kUnusedNumber + i)));
  const auto status = rocksdb::RepairDB(links.string(), options_for(Database::Mode::kRemains),
                                        family_descriptors(nullptr));
  TRY_STATUS(to_status(status, "listing the files of the store anew"));
  return Database::open(links, Database::Mode::kRemains);
}

}  // namespace eventhorn::store
