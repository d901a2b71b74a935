// Family `terms`: (terms_version, term, scope, width, period) -> postings: where the events of a
// scope that have a term are. A period is a part of time; its rows have every posting of the term
// whose timestamp is in it, in order.
//
// A scope is a domain, with all terms of its events, or an account, with those of their kinds
// alone: every event has one, so they find all events of the account. The scopes that have a term
// stand together, so a search of an account finds out by it in which of its domains the term is.
// In a key a scope is its number without leading zeros, behind how many bytes that leaves.
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
#include <optional>
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

/// Whose events postings are of.
class TermScope {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): most scopes are domains
  TermScope(DomainUid domain) : value_(domain.value) {}

  explicit TermScope(AccountId account) : value_(kAccount | account.value) {}

  /// nullopt when it is an account.
  std::optional<DomainUid> domain() const {
    return value_ < kAccount ? std::optional(DomainUid{value_}) : std::nullopt;
  }

  /// In keys: domains come first.
  uint64_t value() const { return value_; }

 private:
  static constexpr uint64_t kAccount = uint64_t{1} << 63;
  uint64_t value_;
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
  static std::string prefix(TermScope scope, event::Term term);
  static std::string key(TermScope scope, event::Term term, unsigned width, int64_t timestamp_us);
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

  /// The domains that have a term.
  class Domains {
   public:
    Domains(const TermTable& table, event::Term term);
    ~Domains();

    /// The first from `domain` on; nullopt when there is none, or after an error.
    std::optional<DomainUid> seek(DomainUid domain);

    Status status() const;

   private:
    const event::Term term_;
    const std::unique_ptr<rocksdb::Iterator> rows_;
  };

  /// The rows of one term. The iterator is shared by what walks the term's widths.
  class Rows {
   public:
    Rows(const TermTable& table, TermScope scope, event::Term term);
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
