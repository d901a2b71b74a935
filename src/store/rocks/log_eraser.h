// Changes events where they are, with all rows that tell of them (store/eraser.h).
//
// Ids, times and terms are otherwise written by the indexer alone, so it must not take a turn
// meanwhile: the caller sees to that. What is not in the indexes yet is not touched.
#pragma once

#include "store/eraser.h"
#include "store/rocks/database.h"
#include "store/rocks/order_reader.h"
#include "store/rocks/tables/tables.h"
#include "store/rocks/wal.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::store {

/// Any thread, with the database in use.
class LogEraser {
 public:
  /// All must outlive this.
  struct Parts {
    const Database& database;
    const Tables& tables;
    const OrderReader& order;
    Wal& wal;
  };

  explicit LogEraser(const Parts& parts) : parts_(parts) {}

  /// As Eraser; everything up to `query.through` is in the indexes.
  Result<EraseSlice> erase(const EraseQuery& query, const std::vector<LaneId>& lanes) const;
  Result<EraseAttemptsSlice> erase_attempts(
      const std::string& after, const std::function<bool(std::string& text)>& change) const;
  Result<bool> values_mention(const std::string& prefix,
                              const std::function<bool(std::string_view value)>& mentions) const;

 private:
  /// Postings that rows of the index of terms lose.
  struct Lost {
    int64_t period = 0;  // of the row
    std::vector<Posting> postings{};
  };

  /// By their keys.
  struct TermChanges {
    std::map<std::string, Lost> lost{};
    std::vector<std::pair<std::string, std::string>> got{};
  };

  Status change(const StoredEvent& event, const Rewrite& rewrite, TermChanges& terms,
                rocksdb::WriteBatch& batch) const;
  Status remove_missed(Position position, const std::vector<LaneId>& lanes,
                       rocksdb::WriteBatch& batch) const;
  Status put_terms(const TermChanges& terms, rocksdb::WriteBatch& batch) const;

  const Parts parts_;
};

}  // namespace eventhorn::store
