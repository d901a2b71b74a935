// Family `terms`: (terms_version, domain uid, term, width, period) -> postings: where the events of
// a domain that have a term are. A period is a part of time; its rows have every posting of the
// term whose timestamp is in it, in order.
//
// Periods come in widths, because terms are as frequent as they please: one width would make
// millions of postings a row, or a row of each posting. term_index.h picks the width, by how many
// postings a period will have; one term may have rows of all widths.
//
// Rows are merged, not put: what one run of the tail adds to a period is joined to what earlier
// ones wrote when RocksDB compacts or reads them. A posting that comes twice is one.
#pragma once

#include "base/ids.h"
#include "event/terms.h"
#include "store/rocks/database.h"
#include "store/rocks/floors.h"

#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rocksdb {
class MergeOperator;
}  // namespace rocksdb

namespace eventhorn::store {

/// Where an event is.
struct Posting {
  int64_t timestamp_us = 0;
  Position position;
  friend auto operator<=>(const Posting&, const Posting&) = default;
};

/// Any thread, with the database in use.
class TermTable {
 public:
  static constexpr unsigned kWidths = 8;
  /// What a walk takes: some 200 000 postings.
  static constexpr size_t kMaxRowBytes = size_t{1} << 20;

  /// `database` must outlive this.
  explicit TermTable(const Database& database) : database_(database) {}

  // The bytes on disk.
  static std::string prefix(DomainUid domain, event::Term term);
  static std::string key(DomainUid domain, event::Term term, unsigned width, int64_t timestamp_us);
  /// `postings` are in order, and of the period of key(), which begins at `period`.
  static std::string encode(std::span<const Posting> postings, int64_t period);
  /// Appends them. kCorruption when the bytes are not of this form.
  static Status decode(std::string_view value, int64_t period, std::vector<Posting>& out);

  /// Microseconds of a period: 16 ms, and 16 times as long with each width, up to 51 days.
  static constexpr int64_t period_us(unsigned width) { return int64_t{1} << period_bits(width); }

  /// When the period with that timestamp begins.
  static constexpr int64_t period_of(unsigned width, int64_t timestamp_us) {
    return timestamp_us >> period_bits(width) << period_bits(width);
  }

  /// The rows of one term. The iterator is shared by what walks the term's widths.
  class Rows {
   public:
    Rows(const TermTable& table, DomainUid domain, event::Term term);
    ~Rows();

    /// To the row of that width whose period has the timestamp, or the next one in that direction;
    /// false when there is none, or after an error.
    bool seek(unsigned width, int64_t timestamp_us, bool ascending);

    /// The narrowest width from `width` on that has rows; kWidths when none has.
    unsigned next_width(unsigned width);

    // Of the row that seek() found.
    int64_t period() const;
    /// kInvalidArgument for a row of more than kMaxRowBytes.
    Status read(std::vector<Posting>& out) const;

    Status status() const;

   private:
    const std::string prefix_;
    const std::unique_ptr<rocksdb::Iterator> rows_;
    unsigned width_ = 0;
  };

  /// Of another version of the terms, or below what retention kept.
  static bool expired(std::string_view key, std::string_view value, const Floors& floors);

  static std::shared_ptr<rocksdb::MergeOperator> merge_operator();

 private:
  static constexpr unsigned period_bits(unsigned width) { return 14 + 4 * width; }

  const Database& database_;
};

}  // namespace eventhorn::store
