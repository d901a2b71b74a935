#include "store/rocks/repair/readable_rows.h"

#include <rocksdb/iterator.h>

#include <algorithm>
#include <optional>

namespace eventhorn::store {
namespace {

// Keys are taken as fractions of so many bytes; longer ones of one more than they have.
constexpr size_t kWidth = 64;

// `key` as a big-endian number, plus 2^bit.
std::optional<std::string> plus(std::string key, size_t bit) {
  size_t i = key.size() - 1 - bit / 8;
  unsigned carry = 1U << (bit % 8);
  for (;; --i) {
    const unsigned sum = static_cast<uint8_t>(key[i]) + carry;
    key[i] = static_cast<char>(sum & 0xff);
    carry = sum >> 8;
    if (carry == 0) return key;
    if (i == 0) return std::nullopt;
  }
}

}  // namespace

ReadableRows::ReadableRows(Open open) : open_(std::move(open)), rows_(open_()) {}

ReadableRows::~ReadableRows() = default;

std::string_view ReadableRows::key() const {
  return rows_->key().ToStringView();
}

std::string_view ReadableRows::value() const {
  return rows_->value().ToStringView();
}

bool ReadableRows::next() {
  if (started_) {
    last_ = key();
    rows_->Next();
  } else {
    started_ = true;
    rows_->SeekToFirst();
  }
  if (rows_->Valid()) return true;
  return !rows_->status().ok() && pass_damage();
}

bool ReadableRows::readable_from(const std::string& key) {
  rows_ = open_();  // one that has met damage does not find everything again
  rows_->Seek(key);
  return rows_->Valid() || rows_->status().ok();
}

// The steps double until one is beyond the damage; then they halve, down to the first key there.
bool ReadableRows::pass_damage() {
  std::string low = last_;
  low.resize(std::max(kWidth, last_.size() + 1), '\0');
  gaps_.push_back({last_, {}});
  std::string damaged = low;
  for (size_t bit = 0; bit < low.size() * 8; ++bit) {
    auto beyond = plus(low, bit);
    if (!beyond) return false;
    if (!readable_from(*beyond)) {
      damaged = *std::move(beyond);
      continue;
    }
    low = std::move(damaged);
    for (size_t finer = bit > 0 ? bit - 1 : 0; finer-- > 0;) {
      auto middle = plus(low, finer);
      if (middle && !readable_from(*middle)) low = std::move(*middle);
    }
    const auto first = plus(low, 0);
    if (!first || !readable_from(*first) || !rows_->Valid()) return false;
    gaps_.back().before = key();
    return true;
  }
  return false;
}

}  // namespace eventhorn::store
