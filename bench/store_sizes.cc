// bench_store_sizes: what a store takes on disk, by family. The store is opened for reading only;
// no server may have it.
#include "base/check.h"
#include "base/result.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/metadata.h>
#include <rocksdb/table_properties.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace eventhorn {
namespace {

Status check(const rocksdb::Status& status) {
  return status.ok() ? Status() : fail(Errc::kUnavailable, status.ToString());
}

/// Tables of one family.
struct Sizes {
  uint64_t files = 0;
  uint64_t bytes = 0;  // on disk
  uint64_t entries = 0;
  uint64_t raw_bytes = 0;     // keys and values, not compressed
  uint64_t filter_bytes = 0;  // of bytes: Bloom filters
  uint64_t index_bytes = 0;   // of bytes: indexes of blocks
};

Result<Sizes> sizes_of(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family) {
  rocksdb::TablePropertiesCollection tables;
  TRY_STATUS(check(db.GetPropertiesOfAllTables(family, &tables)));
  rocksdb::ColumnFamilyMetaData metadata;
  db.GetColumnFamilyMetaData(family, &metadata);
  Sizes sizes;
  sizes.files = metadata.file_count;
  sizes.bytes = metadata.size;
  for (const auto& [name, table] : tables) {
    sizes.entries += table->num_entries;
    sizes.raw_bytes += table->raw_key_size + table->raw_value_size;
    sizes.filter_bytes += table->filter_size;
    sizes.index_bytes += table->index_size;
  }
  return sizes;
}

uint64_t bytes_of_logs(const std::filesystem::path& store) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(store)) {
    if (entry.path().extension() == ".log") bytes += entry.file_size();
  }
  return bytes;
}

Status print_sizes(const std::filesystem::path& data) {
  const std::string store = data / "store";
  std::vector<std::string> names;
  TRY_STATUS(check(rocksdb::DB::ListColumnFamilies({}, store, &names)));
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  TRY_STATUS(check(rocksdb::DB::OpenForReadOnly({}, store, families, &handles, &opened)));
  const std::unique_ptr<rocksdb::DB> db(opened);
  std::vector<std::string> parts;
  for (size_t n = 0; n < names.size(); ++n) {
    TRY(const auto s, sizes_of(*db, handles[n]));
    parts.push_back(fmt::format(
        R"("{}":{{"files":{},"bytes":{},"entries":{},"raw_bytes":{},"filter_bytes":{},"index_bytes":{}}})",
        names[n], s.files, s.bytes, s.entries, s.raw_bytes, s.filter_bytes, s.index_bytes));
    TRY_STATUS(check(db->DestroyColumnFamilyHandle(handles[n])));
  }
  fmt::print(R"({{"families":{{{}}},"log_bytes":{}}})"
             "\n",
             fmt::join(parts, ","), bytes_of_logs(store));
  return {};
}

}  // namespace
}  // namespace eventhorn

int main(int argc, char** argv) {
  CLI::App app("Prints what the tables of a store take on disk, by family, as one JSON line.");
  std::string data;
  app.add_option("--data", data, "Data directory of a server that does not run")->required();
  app.footer("Example:\n  bench_store_sizes --data eventhorn-data");
  CLI11_PARSE(app, argc, argv);
  if (const auto status = eventhorn::print_sizes(data); !status) {
    fmt::print(stderr, "bench_store_sizes: {}\n", status.error().message);
    return 1;
  }
  return 0;
}
