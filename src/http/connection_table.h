// The open connections of a server by the address of their other end, so that at the limit the
// address that has most gives way (reliability A11). Thread-safe.
#pragma once

#include "base/time.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace eventhorn::http {

class Connection;

/// One connection in the table.
struct ConnectionEntry {
  size_t core = 0;
  /// Touched on the core alone; null once the connection has ended.
  Connection* connection = nullptr;
  /// Since when the connection is of no use: all the time but while a request with a right key is
  /// served. In ticks of the steady clock; 0 while it is of use.
  std::atomic<int64_t> useless_since{0};

  /// Leaves an earlier time as it is, so that requests without a key make nobody look younger.
  void set_useless(SteadyTime since) {
    if (is_useless()) return;
    useless_since.store(since.time_since_epoch().count(), std::memory_order_relaxed);
  }

  void set_useful() { useless_since.store(0, std::memory_order_relaxed); }

  bool is_useless() const { return useless_since.load(std::memory_order_relaxed) != 0; }

  /// Has been chosen to be closed; then it stays so, unless it has become useful meanwhile.
  std::atomic<bool> chosen{false};
};

using ConnectionEntryPtr = std::shared_ptr<ConnectionEntry>;

class ConnectionTable {
 public:
  void add(std::string_view address, ConnectionEntryPtr entry);
  void remove(std::string_view address, const ConnectionEntry& entry);

  /// The longest useless connection of the address that has most connections, or of any other
  /// address when that one has none; none that was chosen before. Null when all are of use.
  ConnectionEntryPtr choose();

 private:
  static ConnectionEntryPtr longest_useless(const std::vector<ConnectionEntryPtr>& entries);

  std::mutex mutex_;
  std::unordered_map<std::string, std::vector<ConnectionEntryPtr>>
      by_network_;  // guarded by mutex_
};

}  // namespace eventhorn::http
