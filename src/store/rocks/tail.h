// The tail: events that are in the log but not yet in the indexes. It holds what an index needs,
// not the bytes, and is rebuilt from the log after a crash. One thread appends (that of
// AppendQueue); any thread reads.
#pragma once

#include "base/mutex.h"
#include "event/terms.h"
#include "store/model.h"

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace eventhorn::store {

struct TailEntry {
  Position position;
  DomainUid domain;
  int64_t timestamp_us = 0;
  uint64_t content_hash = 0;
  std::string_view id;
  event::Name name{};
  event::Severity severity{};
  bool push = true;
  uint32_t bytes = 0;  // of the event
  std::span<const event::Term> terms{};

  /// `id` and `terms` are those given: they live as long.
  static TailEntry of(const StoredEvent& event, std::span<const event::Term> terms = {});

  /// The hook whose lanes see the event; nullopt when none does.
  std::optional<webhook::Hook> hook() const {
    return push ? webhook::hook_for(name, severity) : std::nullopt;
  }
};

/// A run of the tail that is indexed as a whole. Append-only; readers see a prefix that never
/// changes.
class TailRun {
 public:
  static constexpr size_t kCapacity = 32768;
  static constexpr size_t kMaxTerms = size_t{1} << 20;

  TailRun();

  /// From the appending thread. The entry's id and terms are copied.
  void append(TailEntry entry);
  /// Not beside append(). Null when there is none.
  const TailEntry* find(DomainUid domain, std::string_view id) const;

  size_t size() const { return count_.load(std::memory_order_acquire); }

  /// `index` < a size() seen earlier.
  const TailEntry& operator[](size_t index) const { return entries_[index]; }

  /// Bytes of memory that it takes. From the appending thread.
  size_t memory() const;

  /// Index of the first entry beyond `position`; size() when there is none.
  size_t first_after(Position position) const;

  /// Its terms are bounded too, because the indexer makes rows of them.
  bool full() const { return size() == kCapacity || terms() >= kMaxTerms; }

  /// Of all entries, as far as they are counted: by blocks. From the appending thread, and once the
  /// run is closed.
  size_t terms() const { return term_blocks_.load(std::memory_order_acquire) * kTermBlock; }

 private:
  static constexpr size_t kTermBlock = 16 * 1024;

  static uint64_t id_hash(DomainUid domain, std::string_view id);
  std::string_view keep(std::string_view id);
  std::span<const event::Term> keep(std::span<const event::Term> terms);

  std::unique_ptr<TailEntry[]> entries_;
  std::unique_ptr<uint32_t[]> table_;  // open addressing; index + 1, 0 when free
  std::vector<std::unique_ptr<char[]>> arena_;
  size_t arena_used_ = 0;
  std::vector<std::unique_ptr<event::Term[]>> term_arena_;
  size_t terms_used_ = 0;
  std::atomic<size_t> term_blocks_{0};
  std::atomic<size_t> count_{0};
};

class Tail {
 public:
  using Runs = std::vector<std::shared_ptr<TailRun>>;

  Tail();

  struct Found {
    Position position;
    uint64_t content_hash = 0;
  };

  void append(const TailEntry& entry);
  /// By value, because the indexer may forget the entry's run at any time.
  std::optional<Found> find(DomainUid domain, std::string_view id) const;

  /// All runs, oldest first. A reader that takes this before it opens an index iterator misses
  /// nothing: an event is in a run, or the run was indexed before the iterator was opened.
  Runs runs() const;

  /// Closes the open run if it holds anything; later appends go to a new one. Any thread may ask;
  /// it is done by the next append or by oldest_closed().
  void close_open_run();

  /// The oldest run that no longer grows; null when there is none.
  std::shared_ptr<TailRun> oldest_closed() const;
  /// Forgets the oldest run, once it is indexed.
  void drop_oldest();

  /// Forgets everything: the store is reopened and rebuilds it.
  void clear();

  /// Events not yet in the indexes.
  size_t size() const;

  /// Bytes of memory that they take.
  size_t memory() const;

 private:
  mutable Mutex mutex_;
  Runs runs_ GUARDED_BY(mutex_);  // the last one is open, and only it grows
};

}  // namespace eventhorn::store
