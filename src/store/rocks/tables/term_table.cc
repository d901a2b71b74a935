#include "store/rocks/tables/term_table.h"

#include "store/rocks/format.h"
#include "store/rocks/slice.h"
#include "store/rocks/status.h"

#include <rocksdb/iterator.h>
#include <rocksdb/merge_operator.h>

#include <algorithm>
#include <bit>
#include <optional>

namespace eventhorn::store {
namespace {

constexpr size_t kScopeAt = 2 + event::kTermBytes;

// A value that no postings have: a number that does not end. What was merged of such rows is as
// unreadable as they are, and a search goes on without the index (term_search.h).
constexpr std::string_view kUnreadable = "\x80";

// Postings are merged without looking at their period: they count from its beginning, whatever that
// is.
constexpr int64_t kAnyPeriod = 0;

// Of a period's number in a key, by its width: timestamps have 56 bits.
constexpr size_t period_bytes(unsigned width) {
  return (56 - (14 + 4 * width) + 7) / 8;
}

void put_big_endian(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = bytes; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t get_big_endian(std::string_view bytes) {
  uint64_t out = 0;
  for (const char c : bytes) out = out << 8 | static_cast<unsigned char>(c);
  return out;
}

// Seven bits a byte, the lowest first; the last byte has no high bit.
void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

std::optional<uint64_t> take_varint(std::string_view& in) {
  uint64_t out = 0;
  for (size_t i = 0; i < in.size() && i < 10; ++i) {
    const auto byte = static_cast<unsigned char>(in[i]);
    out |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      in.remove_prefix(i + 1);
      return out;
    }
  }
  return std::nullopt;
}

// Small numbers of both signs as small numbers.
uint64_t zigzag(int64_t value) {
  return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
}

int64_t unzigzag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

class PostingsMerge final : public rocksdb::MergeOperator {
 public:
  const char* Name() const override { return "eventhorn-postings"; }

  bool FullMergeV2(const MergeOperationInput& in, MergeOperationOutput* out) const override {
    std::vector<Posting> postings;
    bool good =
        in.existing_value == nullptr ||
        TermTable::decode(in.existing_value->ToStringView(), kAnyPeriod, postings).has_value();
    for (const auto& operand : in.operand_list)
      good = good && TermTable::decode(operand.ToStringView(), kAnyPeriod, postings).has_value();
    join(good, postings, out->new_value);
    return true;
  }

  bool PartialMergeMulti(const rocksdb::Slice&, const std::deque<rocksdb::Slice>& operands,
                         std::string* out, rocksdb::Logger*) const override {
    std::vector<Posting> postings;
    bool good = true;
    for (const auto& operand : operands)
      good = good && TermTable::decode(operand.ToStringView(), kAnyPeriod, postings).has_value();
    join(good, postings, *out);
    return true;
  }

 private:
  // An error would keep RocksDB from compacting, and the whole store from being written.
  static void join(bool good, std::vector<Posting>& postings, std::string& out) {
    if (!good) {
      out = kUnreadable;
      return;
    }
    std::ranges::sort(postings);
    postings.erase(std::unique(postings.begin(), postings.end()), postings.end());
    out = TermTable::encode(postings, kAnyPeriod);
  }
};

}  // namespace

std::string TermTable::prefix(TermScope scope, event::Term term) {
  std::string out;
  out.reserve(kScopeAt + 9 + 8);
  put_big_endian(out, event::terms_version(), 2);
  put_big_endian(out, term, event::kTermBytes);
  const auto bytes = static_cast<size_t>(std::bit_width(scope.value()) + 7) / 8;
  out.push_back(static_cast<char>(bytes));
  put_big_endian(out, scope.value(), bytes);
  return out;
}

std::string TermTable::key(TermScope scope, event::Term term, unsigned width,
                           int64_t timestamp_us) {
  std::string out = prefix(scope, term);
  out.push_back(static_cast<char>(width));
  put_big_endian(out, static_cast<uint64_t>(timestamp_us) >> period_bits(width),
                 period_bytes(width));
  return out;
}

std::string TermTable::encode(std::span<const Posting> postings, int64_t period) {
  std::string out;
  Posting last{period, {0}};
  for (const Posting& posting : postings) {
    put_varint(out, static_cast<uint64_t>(posting.timestamp_us - last.timestamp_us));
    put_varint(out, zigzag(static_cast<int64_t>(posting.position.value - last.position.value)));
    last = posting;
  }
  return out;
}

Status TermTable::decode(std::string_view value, int64_t period, std::vector<Posting>& out) {
  Posting last{period, {0}};
  while (!value.empty()) {
    const auto time = take_varint(value);
    const auto position = time ? take_varint(value) : std::nullopt;
    if (!position) return format::damaged("postings");
    last.timestamp_us = static_cast<int64_t>(static_cast<uint64_t>(last.timestamp_us) + *time);
    last.position.value += static_cast<uint64_t>(unzigzag(*position));
    out.push_back(last);
  }
  return {};
}

TermTable::Domains::Domains(const TermTable& table, event::Term term)
    : term_(term), rows_(table.database_.rows(Family::kTerms)) {}

TermTable::Domains::~Domains() = default;

std::optional<DomainUid> TermTable::Domains::seek(DomainUid domain) {
  const std::string from = prefix(domain, term_);
  rows_->Seek(from);
  if (!rows_->Valid() || rows_->key().size() <= kScopeAt) return std::nullopt;
  const auto found = rows_->key().ToStringView();
  if (!found.starts_with(std::string_view(from).substr(0, kScopeAt))) return std::nullopt;
  const auto bytes = static_cast<size_t>(found[kScopeAt]);
  const auto uid = get_big_endian(found.substr(kScopeAt + 1, bytes));
  return TermScope(DomainUid{uid}).domain();
}

Status TermTable::Domains::status() const {
  return to_status(rows_->status(), "reading the index of terms");
}

TermTable::Rows::Rows(const TermTable& table, TermScope scope, event::Term term)
    : prefix_(prefix(scope, term)), rows_(table.database_.rows(Family::kTerms)) {}

TermTable::Rows::~Rows() = default;

bool TermTable::Rows::seek(unsigned width, int64_t timestamp_us, bool ascending) {
  width_ = width;
  std::string key = prefix_;
  key.push_back(static_cast<char>(width));
  const size_t begin = key.size();
  put_big_endian(key, static_cast<uint64_t>(timestamp_us) >> period_bits(width),
                 period_bytes(width));
  if (ascending) {
    rows_->Seek(key);
  } else {
    rows_->SeekForPrev(key);
  }
  return rows_->Valid() && rows_->key().size() == key.size() &&
         rows_->key().starts_with(to_slice(std::string_view(key).substr(0, begin)));
}

unsigned TermTable::Rows::next_width(unsigned width) {
  rows_->Seek(prefix_ + static_cast<char>(width));
  if (!rows_->Valid() || !rows_->key().starts_with(prefix_)) return kWidths;
  if (rows_->key().size() <= prefix_.size()) return kWidths;
  return std::min(kWidths, static_cast<unsigned>(rows_->key()[prefix_.size()]));
}

int64_t TermTable::Rows::period() const {
  const auto period = get_big_endian(rows_->key().ToStringView().substr(prefix_.size() + 1));
  return static_cast<int64_t>(period << period_bits(width_));
}

Status TermTable::Rows::read(std::vector<Posting>& out) const {
  if (rows_->value().size() > kMaxRowBytes)
    return fail(Errc::kInvalidArgument, "too many events have nearly one timestamp");
  return decode(rows_->value().ToStringView(), period(), out);
}

Status TermTable::Rows::status() const {
  return to_status(rows_->status(), "reading the index of terms");
}

bool TermTable::expired(std::string_view key, std::string_view value, const Floors& floors) {
  if (key.size() <= kScopeAt) return false;
  if (get_big_endian(key.substr(0, 2)) != event::terms_version()) return true;
  const uint64_t floor = floors.events;
  std::string_view rest = value;
  for (uint64_t position = 0; !rest.empty();) {
    const auto time = take_varint(rest);
    const auto step = time ? take_varint(rest) : std::nullopt;
    if (!step) return false;
    position += static_cast<uint64_t>(unzigzag(*step));
    if (position >= floor) return false;
  }
  return true;
}

std::shared_ptr<rocksdb::MergeOperator> TermTable::merge_operator() {
  return std::make_shared<PostingsMerge>();
}

}  // namespace eventhorn::store
