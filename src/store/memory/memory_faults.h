// What goes wrong in a MemoryStore, by logical operation: the store asks before each one. This
// class answers that nothing does; a test or a simulation overrides what it wants to decide.
//
// Called with the store's lock held, so nothing here may call the store. What takes long on a real
// disk may move the clocks.
#pragma once

#include "base/ids.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace eventhorn::store {

class MemoryFaults {
 public:
  enum class Operation {
    kOpen,     // MemoryStore::open()
    kRecover,  // Upkeep::recover(); its error leaves the store closed, and nothing is read either
    // Writes, before anything of them is there.
    kCommit,
    kSaveProgress,
    kSaveMarks,
    kSaveValues,
    kExpire,
    // Syncs, with the write there already: of flush(), and of all else that is durable when it
    // returns.
    kFlush,
    kSync,
    // Reads.
    kLoadDomains,
    kLoadProgress,
    kLoadValues,
    kReadHeads,
    kReadEvents,
    kFindEvents,
    kFindByTime,
    kReadLane,
    kCountLane,
    kReadPage,
    kReadOrder,
    kReadExceptions,
    kReadAttempts,
  };

  virtual ~MemoryFaults() = default;

  /// An error is what the operation returns: kUnavailable for a disk that refuses or cannot read,
  /// kCorruption for damage. One of a write or a sync makes the store failed().
  virtual Status on(Operation) { return {}; }

  /// Of the record of one event in the log, wherever it is read. kCorruption: it is damaged for
  /// good.
  virtual Status on_record(Position) { return {}; }

  /// Of the row of one id: an append of it is kUnreadable.
  virtual Status on_id(DomainUid, std::string_view) { return {}; }

  /// How many of the writes that are not synced a recovery finds, the oldest first; the last of
  /// them may be a commit that failed.
  virtual size_t found_by_recovery(size_t unsynced) { return unsynced; }

  /// Answers Upkeep::may_append().
  virtual Status may_append() { return {}; }

  /// Answers Upkeep::free_bytes().
  virtual uint64_t free_bytes() { return UINT64_MAX; }
};

}  // namespace eventhorn::store
