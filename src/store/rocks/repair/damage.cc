#include "store/rocks/repair/damage.h"

#include "base/log.h"
#include "base/strings.h"
#include "store/rocks/repair/wal_check.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/sst_file_reader.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <utility>

namespace eventhorn::store {
namespace {

namespace fs = std::filesystem;

// Of tables that a repair adds; a store does not come that far.
constexpr uint64_t kUnusedNumber = 900'000'000;

rocksdb::DBOptions options_for(OpenMode mode) {
  auto out = db_options(nullptr);
  out.create_if_missing = mode == OpenMode::kCreate;
  out.create_missing_column_families = mode == OpenMode::kCreate;
  if (mode == OpenMode::kLenient || mode == OpenMode::kRemains)
    out.wal_recovery_mode = rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  if (mode == OpenMode::kRemains) {
    // Reading only, RocksDB 7.8 dies of the first of these.
    out.track_and_verify_wals_in_manifest = false;
    out.paranoid_checks = false;
    out.verify_sst_unique_id_in_manifest = false;  // empty tables stand in for others
  }
  return out;
}

std::string table_name(uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return digits + ".sst";
}

using Tables = std::map<std::string, uint64_t>;  // names, sizes

std::vector<rocksdb::LiveFileMetaData> tables_of(const Database& database) {
  std::vector<rocksdb::LiveFileMetaData> out;
  database->GetLiveFilesMetaData(&out);
  return out;
}

Result<std::vector<std::string>> damaged_tables(const Database& database) {
  const auto files = tables_of(database);
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

// Names begin with a slash there.
// Those that are missing or cannot be opened, and the size that they should have.
Tables bad_tables(const Database& database, const fs::path& directory) {
  Tables out;
  for (const auto& file : tables_of(database)) {
    const std::string name = file.name.substr(1);
    rocksdb::SstFileReader reader{rocksdb::Options()};
    if (!reader.Open((directory / name).string()).ok()) out.emplace(name, file.size);
  }
  return out;
}

std::set<Family> families_of(const Database& database, const Tables& tables) {
  std::set<Family> out;
  for (const auto& file : tables_of(database)) {
    const auto name = std::find(kFamilyNames.begin(), kFamilyNames.end(), file.column_family_name);
    if (tables.contains(file.name.substr(1)) && name != kFamilyNames.end())
      out.insert(Family{static_cast<size_t>(name - kFamilyNames.begin())});
  }
  return out;
}

bool holds_tables(const fs::path& directory) {
  std::error_code ec;
  for (fs::directory_iterator it(directory, ec), end; !ec && it != end; it.increment(ec))
    if (it->path().extension() == ".sst") return true;
  return false;
}

uint64_t number_of(const fs::path& log) {
  return parse_uint(log.stem().string()).value_or(0);
}

// In place of what is there: a link, then, whose file stays.
Status put_copy(const fs::path& from, const fs::path& to) {
  std::error_code ec;
  fs::remove(to, ec);
  fs::copy_file(from, to, ec);
  if (!ec) return {};
  return fail(Errc::kUnavailable, "cannot write " + to.string() + ": " + ec.message());
}

// The footer is found from the end, everything else from the beginning: between them is room.
Status put_table_of_size(const fs::path& from, const fs::path& to, uint64_t size) {
  constexpr size_t kFooter = 53;
  std::ifstream in(from, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(in), {});
  if (bytes.size() < kFooter || bytes.size() > size)
    return fail(Errc::kUnavailable, "no empty table is as small as " + to.string());
  bytes.insert(bytes.size() - kFooter, size - bytes.size(), '\0');
  std::error_code ec;
  fs::remove(to, ec);
  std::ofstream out(to, std::ios::binary);
  out << bytes;
  if (out.flush()) return {};
  return fail(Errc::kUnavailable, "cannot write " + to.string());
}

Status link_files(const fs::path& from, const fs::path& to, std::optional<LogPlace> end) {
  TRY(const auto without, find_repeated_logs(from));
  std::error_code ec;
  fs::remove_all(to, ec);
  fs::create_directories(to, ec);
  for (fs::directory_iterator it(from, ec), last; !ec && it != last; it.increment(ec)) {
    const auto& path = it->path();
    const bool repeated = std::any_of(without.begin(), without.end(),
                                      [&](const WalDamage& log) { return log.file == path; });
    if (!it->is_regular_file(ec) || path.filename() == "LOCK" || repeated) continue;
    const bool log = path.extension() == ".log";
    if (log && end && number_of(path) > end->number) continue;
    if (log && end && number_of(path) == end->number) {
      TRY_STATUS(put_copy(path, to / path.filename()));
      fs::resize_file(to / path.filename(), end->offset, ec);
    } else {
      fs::create_hard_link(path, to / path.filename(), ec);
    }
    if (ec) break;
  }
  if (!ec) return {};
  return fail(Errc::kUnavailable, "cannot link the files of " + from.string() + " into " +
                                      to.string() + ": " + ec.message());
}

// Tables without a row, one for each family. They must have an entry, so each deletes a key that is
// never written.
Result<std::vector<fs::path>> make_empty_tables(const fs::path& directory) {
  std::error_code ec;
  fs::remove_all(directory, ec);
  TRY(const auto database, open_database(directory, OpenMode::kCreate));
  std::vector<fs::path> out(kFamilyNames.size());
  for (size_t i = 0; i < out.size(); ++i) {
    auto* family = database->family(Family{i});
    auto status = (*database)->Delete({}, family, rocksdb::Slice("\0", 1));
    if (status.ok()) status = (*database)->Flush({}, family);
    TRY_STATUS(to_status(status, "writing an empty table"));
  }
  for (const auto& file : tables_of(*database)) {
    const auto name = std::find(kFamilyNames.begin(), kFamilyNames.end(), file.column_family_name);
    out[static_cast<size_t>(name - kFamilyNames.begin())] = directory / file.name.substr(1);
  }
  return out;
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

Result<std::unique_ptr<Database>> open_database(const fs::path& path, OpenMode mode) {
  const auto options = options_for(mode);
  auto families = family_descriptors(nullptr);
  const bool remains = mode == OpenMode::kRemains;
  for (auto& family : families) family.options.disable_auto_compactions = remains;
  const bool writes = remains || mode == OpenMode::kCreate;
  auto out = std::make_unique<Database>();
  const auto status = out->open(options, path.string(), families,
                                writes ? Database::Access::kReadAndWrite : Database::Access::kRead);
  TRY_STATUS(to_status(status, ("opening " + path.string()).c_str()));
  return out;
}

// The first that is damaged, or that RocksDB says is missing.
std::optional<LogPlace> first_place(const std::vector<WalDamage>& logs, const std::string& error) {
  std::optional<LogPlace> out;
  const auto take = [&](LogPlace place) {
    if (!out || place.number < out->number) out = place;
  };
  for (const auto& log : logs)
    if (log.offset) take({number_of(log.file), *log.offset});
  static const std::regex missing(R"(Missing WAL with log number: (\d+))");
  std::smatch match;
  if (std::regex_search(error, match, missing))
    if (const auto number = parse_uint(match[1].str())) take({*number, 0});
  return out;
}

Result<Damage> damage_of(const fs::path& store) {
  Damage out;
  TRY(const auto logs, find_wal_damage(store));
  for (const auto& log : logs) out.places.push_back(log.text());
  out.in_logs = first_place(logs, {});
  out.only_in_tables = logs.empty();
  TRY(const auto repeated, find_repeated_logs(store));
  if (!repeated.empty()) return out;  // RocksDB does not survive those
  auto database = open_database(store, OpenMode::kStrict);
  if (!database) {
    out.only_in_tables = false;
    out.in_logs = first_place(logs, database.error().message);
    if (logs.empty()) out.places.push_back(database.error().message);
    database = open_database(store, OpenMode::kLenient);
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

Result<Remains> open_remains(const fs::path& store, const fs::path& scratch,
                             std::optional<LogPlace> end) {
  const auto links = scratch / "store";
  TRY_STATUS(link_files(store, links, end));
  TRY(const auto empty, make_empty_tables(scratch / "families"));
  auto opened = open_database(links, OpenMode::kRemains);
  if (opened) {
    // One that cannot be opened would take all others of its level with it.
    const auto bad = bad_tables(**opened, links);
    auto incomplete = families_of(**opened, bad);
    if (bad.empty()) return Remains{std::move(*opened), {}};
    opened->reset();
    // Anew: a database that is opened removes files, and may write some.
    TRY_STATUS(link_files(store, links, end));
    for (const auto& [table, size] : bad) {
      log_warn("store", "left out of the repair: it cannot be opened table={}", table);
      TRY_STATUS(put_table_of_size(empty[0], links / table, size));
    }
    TRY(auto database, open_database(links, OpenMode::kRemains));
    return Remains{std::move(database), std::move(incomplete)};
  }
  log_warn("store", "the list of files is damaged: making it anew error={}",
           opened.error().message);
  TRY_STATUS(link_files(store, links, end));
  // RepairDB knows only families that have a table; without one it would pass over their records
  // in the log.
  for (size_t i = 0; i < kFamilyNames.size(); ++i)
    TRY_STATUS(put_copy(empty[i], links / table_name(kUnusedNumber + i)));
  const auto status = rocksdb::RepairDB(links.string(), options_for(OpenMode::kRemains),
                                        family_descriptors(nullptr));
  TRY_STATUS(to_status(status, "listing the files of the store anew"));
  Remains out;
  TRY(out.database, open_database(links, OpenMode::kRemains));
  if (holds_tables(links / "lost"))  // of which families is not known
    for (size_t i = 0; i < kFamilyNames.size(); ++i) out.incomplete.insert(Family{i});
  return out;
}

}  // namespace eventhorn::store
