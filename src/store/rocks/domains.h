// The domains in memory, as of the last visible edit. With many domains a second copy would cost
// more than all else, so readers get these values themselves.
#pragma once

#include "base/mutex.h"
#include "store/event_log.h"
#include "store/rocks/tables/domain_table.h"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace eventhorn::store {

/// All but all() is called on the thread of EventLog::commit(), and while the store is opened, with
/// the database in use.
class Domains {
 public:
  /// `table` must outlive this.
  explicit Domains(const DomainTable& table) : table_(table) {}

  /// Takes what the table has in place of what was known.
  Status load();

  /// In no order. Any thread.
  std::vector<DomainPtr> all() const;

  /// Runs `edits` in order, the first at the position `next`, which moves behind the last, and puts
  /// what they change into `batch`. They see each other; all() is as before until publish().
  void run(std::vector<WriteSet::Edit>& edits, uint64_t& next, rocksdb::WriteBatch& batch) const;

  /// What run() put is durable.
  void publish(const std::vector<WriteSet::Edit>& edits);

 private:
  const DomainTable& table_;
  mutable Mutex mutex_;
  /// Changed only on the commit thread, under mutex_; read there without it.
  std::unordered_map<std::string, DomainPtr> domains_;
};

}  // namespace eventhorn::store
