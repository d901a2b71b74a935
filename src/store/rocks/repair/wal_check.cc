#include "store/rocks/repair/wal_check.h"

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

bool has_type(std::string_view record) {
  return type_of(record) >= kFull && type_of(record) <= kLast;
}

// Whether the checksum is that of a record of so many bytes. It covers type and contents, not the
// length.
bool is_whole(std::string_view record, size_t length) {
  if (!has_type(record) || length > record.size()) return false;
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(record.data() + 6, length - 6);
  const uint32_t masked = ((crc.checksum() >> 15) | (crc.checksum() << 17)) + kMask;
  const uint32_t stored = byte_at(record, 0) | byte_at(record, 1) << 8 | byte_at(record, 2) << 16 |
                          byte_at(record, 3) << 24;
  return masked == stored;
}

bool holds_a_whole_record(std::string_view bytes) {
  for (; bytes.size() >= kHeader; bytes.remove_prefix(1))
    if (is_whole(bytes, length_of(bytes))) return true;
  return false;
}

/// Where the walk over the records of a block ends before its end.
struct Break {
  enum class Kind { kBlank, kTooLong, kBad };

  size_t at = 0;
  Kind kind = Kind::kBad;
};

std::optional<Break> walk(std::string_view block, bool checksums) {
  size_t at = 0;
  while (block.size() - at >= kHeader) {
    const auto record = block.substr(at);
    const size_t length = length_of(record);
    if (is_blank(record)) return Break{at, Break::Kind::kBlank};
    if (length > record.size()) return Break{at, Break::Kind::kTooLong};
    if (checksums ? !is_whole(record, length) : !has_type(record))
      return Break{at, Break::Kind::kBad};
    at += length;
  }
  return std::nullopt;
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
  /// What must be there and is not. A directory without tables and logs is that of a first start
  /// that was cut short.
  std::vector<WalDamage> missing;
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
  // RocksDB makes the next log before it drops the last one.
  if (tables && out.files.empty())
    out.missing.push_back({directory, "has no log file (NNNNNN.log)", {}});
  // Without it RocksDB would make a new store, and remove the tables as none of its own.
  if ((tables || !out.files.empty()) && !std::filesystem::exists(directory / "CURRENT", ec))
    out.missing.push_back({directory / "CURRENT", "is missing", {}});
  return out;
}

// Whether the first write of a log is there to its end. Its parts, if it has several, fill their
// blocks.
Result<bool> begins_whole(const std::filesystem::path& file) {
  for (uint64_t offset = 0;; offset += kBlock) {
    TRY(const std::string block, read_block(file, offset));
    if (block.size() < kHeader || !is_whole(block, length_of(block))) return false;
    if (type_of(block) == kFull || type_of(block) == kLast) return true;
  }
}

// Zeros end a log, as a power cut may leave them: unless whole records follow.
Result<bool> goes_on(const std::filesystem::path& file, std::string_view rest_of_block,
                     uint64_t next_block) {
  if (holds_a_whole_record(rest_of_block)) return true;
  for (uint64_t offset = next_block;; offset += kBlock) {
    TRY(const std::string block, read_block(file, offset));
    if (block.size() < kHeader) return false;
    if (is_whole(block, length_of(block))) return true;
  }
}

// The sequence number of the first write: what a record holds begins with it. 0 when there is none,
// or only one that a power cut tore, because RocksDB drops that and gives its number once more.
// With whole records behind it, it is damaged, and was not torn.
Result<uint64_t> first_write(const std::filesystem::path& file) {
  TRY(const bool whole, begins_whole(file));
  TRY(const std::string block, read_block(file, 0));
  if (block.size() < kHeader + 8) return 0;
  if (!whole) {
    TRY(const bool damaged, goes_on(file, std::string_view(block).substr(1), kBlock));
    if (!damaged) return 0;
  }
  uint64_t out = 0;
  for (size_t i = 8; i-- > 0;) out = out << 8 | byte_at(block, kHeader + i);
  return out;
}

// A record that the end of the file cuts off is a torn tail, unless whole ones follow in its place,
// or it is whole and only its length is not. Of what RocksDB finds itself nothing is said with
// `only_hidden`.
Result<std::optional<uint64_t>> damaged_offset(const std::filesystem::path& file,
                                               bool only_hidden) {
  std::error_code ec;
  const uint64_t size = std::filesystem::file_size(file, ec);
  if (ec) return fail(Errc::kUnavailable, "cannot read " + file.string() + ": " + ec.message());
  for (uint64_t offset = 0; offset < size; offset += kBlock) {
    TRY(const std::string block, read_block(file, offset));
    const auto broken = walk(block, /*checksums=*/!only_hidden);
    if (!broken) continue;
    const std::string_view rest = std::string_view(block).substr(broken->at);
    bool damaged = !only_hidden;
    if (broken->kind == Break::Kind::kBlank) {
      TRY(damaged, goes_on(file, rest, offset + kBlock));
    } else if (broken->kind == Break::Kind::kTooLong && offset + block.size() >= size) {
      damaged = is_whole(rest, rest.size()) || holds_a_whole_record(rest.substr(1));
    }
    if (damaged) return offset + broken->at;
    return std::nullopt;
  }
  return std::nullopt;
}

Result<std::vector<WalDamage>> find(const std::filesystem::path& directory, bool only_hidden) {
  TRY(auto logs, logs_in(directory));
  TRY(auto out, find_repeated_logs(directory));
  out.insert(out.end(), logs.missing.begin(), logs.missing.end());
  for (const auto& file : logs.files) {
    TRY(const auto offset, damaged_offset(file, only_hidden));
    if (offset) out.push_back({file, "at offset " + std::to_string(*offset), offset});
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
    if (first <= last) out.push_back({file, "begins before the log that it follows: a copy?", {}});
    last = std::max(last, first);
  }
  return out;
}

}  // namespace eventhorn::store
