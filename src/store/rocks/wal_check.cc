#include "store/rocks/wal_check.h"

#include <boost/crc.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string_view>

namespace eventhorn::store {
namespace {

// A log is a row of blocks; a record of it lies within one. Header: u32 masked CRC-32C of what
// follows the length, u16 length of the contents, u8 type.
constexpr size_t kBlock = 32 * 1024;
constexpr size_t kHeader = 7;
constexpr uint32_t kMask = 0xa282ead8;

enum RecordType : uint8_t { kZero = 0, kFull = 1, kLast = 4 };

uint32_t byte_at(std::string_view s, size_t i) {
  return static_cast<uint8_t>(s[i]);
}

uint32_t type_of(std::string_view record) {
  return byte_at(record, 6);
}

size_t length_of(std::string_view record) {
  return kHeader + (byte_at(record, 4) | byte_at(record, 5) << 8);
}

bool is_blank(std::string_view record) {
  return type_of(record) == kZero && length_of(record) == kHeader;
}

bool is_whole(std::string_view record) {
  const size_t length = length_of(record);
  if (type_of(record) < kFull || type_of(record) > kLast || length > record.size()) return false;
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(record.data() + 6, length - 6);
  const uint32_t masked = ((crc.checksum() >> 15) | (crc.checksum() << 17)) + kMask;
  const uint32_t stored = byte_at(record, 0) | byte_at(record, 1) << 8 | byte_at(record, 2) << 16 |
                          byte_at(record, 3) << 24;
  return masked == stored;
}

bool holds_a_whole_record(std::string_view bytes) {
  for (; bytes.size() >= kHeader; bytes.remove_prefix(1))
    if (is_whole(bytes)) return true;
  return false;
}

struct Walk {
  /// Where the walk over whole records ended before the end of the block.
  std::optional<size_t> broken_at;
  /// The record there is longer than what is left of the block.
  bool too_long = false;
};

Walk walk(std::string_view block) {
  size_t at = 0;
  while (block.size() - at >= kHeader) {
    const auto record = block.substr(at);
    if (is_blank(record)) return {};  // RocksDB passes over the rest of the block
    if (!is_whole(record)) return {at, length_of(record) > record.size()};
    at += length_of(record);
  }
  return {};
}

Result<std::string> read_block(const std::filesystem::path& file, uint64_t offset) {
  std::ifstream in(file, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(offset));
  std::string out(kBlock, '\0');
  in.read(out.data(), kBlock);
  if (!in && !in.eof()) return fail(Errc::kUnavailable, "cannot read " + file.string());
  out.resize(static_cast<size_t>(in.gcount()));
  return out;
}

struct Logs {
  std::vector<std::filesystem::path> files;
  /// There are tables and no log: RocksDB makes the next log before it drops the last one. Without
  /// tables the very first start was cut short.
  bool missing = false;
};

Result<Logs> logs_in(const std::filesystem::path& directory) {
  Logs out;
  std::error_code ec;
  bool tables = false;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ec)) {
    if (entry.path().extension() == ".log") out.files.push_back(entry.path());
    tables = tables || entry.path().extension() == ".sst";
  }
  if (ec && ec != std::errc::no_such_file_or_directory)
    return fail(Errc::kUnavailable, "cannot read " + directory.string() + ": " + ec.message());
  // By number: names grow longer after 999999.
  std::sort(out.files.begin(), out.files.end(), [](const auto& a, const auto& b) {
    const auto x = a.filename().string();
    const auto y = b.filename().string();
    return std::pair(x.size(), x) < std::pair(y.size(), y);
  });
  out.missing = out.files.empty() && tables;
  return out;
}

// The sequence number of the first write: what a record holds begins with it.
Result<uint64_t> first_write(const std::filesystem::path& file) {
  TRY(const std::string block, read_block(file, 0));
  if (block.size() < kHeader + 8) return 0;
  uint64_t out = 0;
  for (size_t i = 8; i-- > 0;) out = out << 8 | byte_at(block, kHeader + i);
  return out;
}

// A record that the end of the file cuts off is a torn tail, unless whole ones follow in its place.
Result<std::optional<uint64_t>> damaged_offset(const std::filesystem::path& file, uint64_t from,
                                               bool only_hidden) {
  std::error_code ec;
  const uint64_t size = std::filesystem::file_size(file, ec);
  if (ec) return fail(Errc::kUnavailable, "cannot read " + file.string() + ": " + ec.message());
  for (uint64_t offset = from; offset < size; offset += kBlock) {
    TRY(const std::string block, read_block(file, offset));
    const Walk walked = walk(block);
    if (!walked.broken_at) continue;
    const bool may_be_torn = walked.too_long && offset + block.size() >= size;
    const bool damaged =
        may_be_torn ? holds_a_whole_record(std::string_view(block).substr(*walked.broken_at + 1))
                    : !only_hidden;
    if (damaged) return offset + *walked.broken_at;
  }
  return std::nullopt;
}

Result<std::vector<WalDamage>> find(const std::filesystem::path& directory, bool only_hidden) {
  TRY(const auto logs, logs_in(directory));
  TRY(auto out, find_repeated_logs(directory));
  if (logs.missing) out.push_back({directory, "has no log file (NNNNNN.log)"});
  for (const auto& file : logs.files) {
    std::error_code ec;
    const uint64_t size = std::filesystem::file_size(file, ec);
    const uint64_t last_block = size == 0 || ec ? 0 : (size - 1) / kBlock * kBlock;
    TRY(const auto offset, damaged_offset(file, only_hidden ? last_block : 0, only_hidden));
    if (offset) out.push_back({file, "at offset " + std::to_string(*offset)});
  }
  return out;
}

}  // namespace

Result<std::vector<WalDamage>> find_wal_damage(const std::filesystem::path& directory) {
  return find(directory, /*only_hidden=*/false);
}

Result<std::vector<WalDamage>> find_hidden_wal_damage(const std::filesystem::path& directory) {
  return find(directory, /*only_hidden=*/true);
}

Result<std::vector<WalDamage>> find_repeated_logs(const std::filesystem::path& directory) {
  TRY(const auto logs, logs_in(directory));
  std::vector<WalDamage> out;
  uint64_t last = 0;
  for (const auto& file : logs.files) {
    TRY(const uint64_t first, first_write(file));
    if (first == 0) continue;  // nothing was written to it
    if (first <= last) out.push_back({file, "begins before the log that it follows: a copy?"});
    last = std::max(last, first);
  }
  return out;
}

}  // namespace eventhorn::store
