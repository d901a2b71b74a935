#include "store/rocks/repair/find_text.h"

#include "base/strings.h"
#include "store/rocks/repair/damage.h"
#include "store/rocks/status.h"
#include "store/rocks/tables/term_table.h"

#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <string_view>

namespace eventhorn::store {
namespace {

constexpr size_t kPiece = size_t{1} << 20;

// Of RocksDB's logs: blocks of records, each behind a header of checksum, length and type.
constexpr size_t kLogBlock = 32 * 1024;
constexpr size_t kLogHeader = 7;

/// Counts a text, in lower case, in what comes piece by piece.
class Search {
 public:
  explicit Search(std::string text)
      : text_(std::move(text)), searcher_(text_.begin(), text_.end()) {}

  void feed(std::string_view piece) {
    rest_ += to_lower(piece);
    for (auto from = rest_.cbegin();;) {
      const auto found = searcher_(from, rest_.cend()).first;
      if (found == rest_.cend()) break;
      ++times_;
      from = found + 1;
    }
    // Too short to be one, and may be the beginning of one.
    rest_.erase(0, rest_.size() - std::min(text_.size() - 1, rest_.size()));
  }

  /// What comes now does not go on from what came before.
  void separate() { rest_.clear(); }

  size_t times() const { return times_; }

 private:
  const std::string text_;
  const std::boyer_moore_horspool_searcher<std::string::const_iterator> searcher_;
  std::string rest_;
  size_t times_ = 0;
};

Status read_file(const std::filesystem::path& file, size_t piece,
                 const std::function<void(std::string_view)>& each) {
  std::ifstream in(file, std::ios::binary);
  std::string bytes(piece, '\0');
  while (in) {
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    each(std::string_view(bytes).substr(0, static_cast<size_t>(in.gcount())));
  }
  if (!in.eof()) return fail(Errc::kUnavailable, "cannot read " + file.string());
  return {};
}

// What the records of a block hold, without their headers.
void feed_records(std::string_view block, Search& search) {
  while (block.size() >= kLogHeader) {
    const auto low = static_cast<unsigned char>(block[4]);
    const auto high = static_cast<unsigned char>(block[5]);
    const size_t size = std::min<size_t>(low | high << 8, block.size() - kLogHeader);
    search.feed(block.substr(kLogHeader, size));
    block.remove_prefix(kLogHeader + size);
  }
}

Status search_table(const std::filesystem::path& file, Search& search) {
  rocksdb::Options options;
  options.merge_operator = TermTable::merge_operator();
  rocksdb::SstFileReader reader(options);
  const std::string doing = "reading " + file.string();
  TRY_STATUS(to_status(reader.Open(file.string()), doing.c_str()));
  rocksdb::ReadOptions once;
  once.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> rows(reader.NewIterator(once));
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    for (const auto part : {rows->key(), rows->value()}) {
      search.separate();
      search.feed(part.ToStringView());
    }
  }
  return to_status(rows->status(), doing.c_str());
}

Result<size_t> times_in(const std::filesystem::path& file, const std::string& text) {
  Search raw(text);
  TRY_STATUS(read_file(file, kPiece, [&](std::string_view piece) { raw.feed(piece); }));
  Search decoded(text);
  if (file.extension() == ".sst") {
    TRY_STATUS(search_table(file, decoded));
  } else if (file.extension() == ".log" || file.filename().string().starts_with("MANIFEST-")) {
    TRY_STATUS(
        read_file(file, kLogBlock, [&](std::string_view block) { feed_records(block, decoded); }));
  }
  return std::max(raw.times(), decoded.times());
}

}  // namespace

Result<std::vector<FoundText>> find_text(const std::filesystem::path& data,
                                         const std::string& text) {
  if (text.empty()) return fail(Errc::kInvalidArgument, "the text to find is empty");
  TRY(const auto lock, StoreLock::take(data / "store"));
  std::vector<std::filesystem::path> files;
  std::error_code ec;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data, ec))
    if (entry.is_regular_file(ec)) files.push_back(entry.path());
  if (ec) return fail(Errc::kUnavailable, "cannot read " + data.string() + ": " + ec.message());
  std::ranges::sort(files);
  std::vector<FoundText> out;
  for (const auto& file : files) {
    TRY(const size_t times, times_in(file, to_lower(text)));
    if (times > 0) out.push_back({std::filesystem::relative(file, data, ec), times});
  }
  return out;
}

}  // namespace eventhorn::store
