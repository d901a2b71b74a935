// What is kept of deliveries: lanes, exceptions, the health of endpoints, marks and attempts, as a
// save writes them and a start reads them back.
#pragma once

#include "store/rocks/attempt_records.h"
#include "store/rocks/exception_reader.h"
#include "store/rocks/tables/tables.h"

namespace eventhorn::store {

/// Any thread, with the database in use.
class ProgressRows {
 public:
  /// `tables` must outlive this.
  explicit ProgressRows(const Tables& tables)
      : exceptions(tables.exceptions, tables.log),
        attempts(tables.attempts, tables.tries),
        tables_(tables) {}

  /// All that it says, in its order. Put twice it is the same as put once.
  void put(const Progress& progress, rocksdb::WriteBatch& batch) const;

  Result<LoadedProgress> load() const;

  const ExceptionReader exceptions;
  const AttemptRecords attempts;

 private:
  void put_exceptions(const Progress& progress, rocksdb::WriteBatch& batch) const;

  const Tables& tables_;
};

}  // namespace eventhorn::store
