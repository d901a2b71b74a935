// What a MemoryStore keeps, and what of it outlives whom: rows in tables, and the writes that a
// power cut may still take away. It outlives the stores that open it, as a disk outlives processes.
//
// Writes are kept in order until they are synced, as in a write-ahead log. One that is shown is in
// the tables; a commit is shown only once it is synced, everything else at once. A power cut, or a
// recovery, leaves some prefix of them: what is left is durable and shown, the rest never was.
//
// Not thread-safe. The store that has it open guards it; kill() and power_cut() are called while no
// thread uses that.
//
// Invariant: of the writes that are not synced, all but the last are shown.
#pragma once

#include "store/memory/memory_tables.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace eventhorn::store {

/// The rows of one write: all of them come, or none. Each change swaps a row with what is in its
/// place, so that a second swap takes it back. The tables must outlive it.
class MemoryWrite {
 public:
  template <class K, class V>
  void put(std::map<K, V>& table, std::type_identity_t<K> key, std::type_identity_t<V> value) {
    change(table, std::move(key), std::optional<V>(std::move(value)));
  }

  template <class K, class V>
  void erase(std::map<K, V>& table, std::type_identity_t<K> key) {
    change(table, std::move(key), std::optional<V>());
  }

  /// All rows from `first` to `last`, both included.
  template <class K, class V>
  void erase_range(std::map<K, V>& table, std::type_identity_t<K> first,
                   std::type_identity_t<K> last) {
    swaps_.push_back([&table, first = std::move(first), last = std::move(last),
                      rows = std::map<K, V>()]() mutable {
      std::map<K, V> there;
      for (auto it = table.lower_bound(first); it != table.end() && it->first <= last;)
        there.insert(table.extract(it++));
      table.merge(rows);
      rows = std::move(there);
    });
  }

  template <class T>
  void set(T& field, std::type_identity_t<T> value) {
    swaps_.push_back([&field, value = std::move(value)]() mutable { std::swap(field, value); });
  }

  bool empty() const { return swaps_.empty(); }

  bool shown() const { return shown_; }

  /// Does nothing when it is shown already.
  void show();
  /// Does nothing when it is not shown. All writes that were shown later are taken back already.
  void take_back();

 private:
  template <class K, class V>
  void change(std::map<K, V>& table, K key, std::optional<V> row) {
    swaps_.push_back([&table, key = std::move(key), row = std::move(row)]() mutable {
      std::optional<V> there;
      const auto it = table.find(key);
      if (it != table.end()) there = std::move(it->second);
      if (row) {
        table.insert_or_assign(key, *std::move(row));
      } else if (it != table.end()) {
        table.erase(it);
      }
      row = std::move(there);
    });
  }

  std::vector<std::function<void()>> swaps_;
  bool shown_ = false;
};

class MemoryDisk {
 public:
  MemoryDisk() = default;
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  /// The process that has the disk dies: whatever its store is asked from now on fails. All that it
  /// wrote is there. Does nothing when no store is open.
  void kill() { owner_.reset(); }

  /// As kill(), and of the writes that were not synced only the first `left` stay. More than there
  /// are count as all.
  void power_cut(size_t left = 0);

  /// Writes that are not synced.
  size_t unsynced() const { return unsynced_.size(); }

  // For the store that has it open.

  /// Names an opening.
  using Owner = uint64_t;

  bool in_use() const { return owner_.has_value(); }

  Owner take();
  /// Does nothing when the disk is another owner's, or nobody's.
  void release(Owner owner);

  bool belongs_to(Owner owner) const { return owner_ == owner; }

  MemoryTables& tables() { return tables_; }

  /// Adds a write, not shown yet.
  void write(MemoryWrite write);
  /// Shows all of them.
  void show();
  /// The first `count` of the writes that are not synced are durable and shown, the others never
  /// were. There are as many.
  void settle(size_t count);

  /// Cheap: for every step of a simulation.
  void check_invariants() const;

 private:
  MemoryTables tables_;
  std::vector<MemoryWrite> unsynced_;
  std::optional<Owner> owner_;
  Owner last_owner_ = 0;
};

}  // namespace eventhorn::store
