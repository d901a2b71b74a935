// The rows of a column family that can still be read, and between which keys some cannot.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rocksdb {
class Iterator;
}  // namespace rocksdb

namespace eventhorn::store {

/// Walks forward. A damaged block ends RocksDB's own iterator; this one goes on with the first key
/// that it finds readable behind it. Of good blocks between two damaged ones, those that are
/// shorter than the damage before them may be passed over.
class ReadableRows {
 public:
  /// Some rows between these keys cannot be read.
  struct Gap {
    std::string after;   // empty: from the beginning
    std::string before;  // empty: to the end
  };

  using Open = std::function<std::unique_ptr<rocksdb::Iterator>()>;

  /// Before the first row.
  explicit ReadableRows(Open open);
  ~ReadableRows();

  /// To the first row, then to the next. False at the end.
  bool next();

  std::string_view key() const;
  std::string_view value() const;

  const std::vector<Gap>& gaps() const { return gaps_; }

 private:
  bool readable_from(const std::string& key);
  bool pass_damage();

  Open open_;
  std::unique_ptr<rocksdb::Iterator> rows_;
  bool started_ = false;
  std::string last_;
  std::vector<Gap> gaps_;
};

}  // namespace eventhorn::store
