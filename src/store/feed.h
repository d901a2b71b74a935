// What became durable, handed to the directory and to subscribers in the order of the log, once:
// the committing thread calls it for each commit before the commit's producers are answered, and
// after a recovery for what failed commits left in the store.
//
// Owned by Writers. subscribe() before start(); everything else on the committing thread.
#pragma once

#include "base/result.h"
#include "store/directory.h"
#include "store/domain_store.h"
#include "store/event_log.h"

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace eventhorn::store {

/// What became durable together: events or changes. Of a commit with both the events come first, in
/// a batch of their own.
struct CommittedBatch {
  std::vector<DomainChange> changes;
  std::vector<EventPtr> events;  // by position
  /// Everything up to here has been handed over.
  Position head;
};

using BatchPtr = std::shared_ptr<const CommittedBatch>;

class Feed {
 public:
  /// `directory` must outlive this.
  explicit Feed(Directory& directory) : directory_(directory) {}

  /// Called with every batch on the committing thread; must not block.
  void subscribe(std::function<void(const BatchPtr&)> subscriber);

  /// Nothing up to `head` is handed over: the start has read it.
  void start(Position head);

  /// Events of a commit, by position, behind all that was handed over before.
  void events(std::vector<EventPtr> events);

  /// Edits of a commit, and the end of the log behind them. Those that failed are passed over.
  void changes(std::span<const WriteSet::Edit> edits, Position head);

  /// Hands over what is in the store and was not handed over yet, as if it had been committed just
  /// now: its events, then the domains that differ from the directory's.
  Status catch_up(EventLog& log, DomainStore& domains);

 private:
  void publish(std::shared_ptr<CommittedBatch> batch);

  Directory& directory_;
  std::vector<std::function<void(const BatchPtr&)>> subscribers_;  // constant after start()
  Position handed_over_;
};

}  // namespace eventhorn::store
