// The single writer of a store: appends and edits from all cores share commits (group commit), and
// are seen and answered only afterwards: durable, then visible, then acknowledged.
//
// Each turn takes the appends that wait, as many as a batch may hold, and behind them the edits
// before which no append waits any more. So neither kind ever waits for more than a turn of the
// other, an append that was queued before an edit comes before it in the log, and one that was
// queued after it, while it was not answered yet, may.
//
// Owns two threads: one commits and waits for the disk, the other saves progress, which must not
// wait behind an fsync (a lane may only have so many outcomes unsaved). The public members may be
// called from any thread or core. start() before use; stop() ends intake, writes what is queued and
// joins.
#pragma once

#include "async/task.h"
#include "base/metrics.h"
#include "store/directory.h"
#include "store/store.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
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

struct CommitOptions {
  /// Bytes of events that may wait; more is refused with kRateLimited.
  size_t max_queued_bytes = 64 << 20;
  size_t max_batch_events = 2048;
  /// Unsynced progress is synced at least so often.
  std::chrono::milliseconds sync_interval{1000};
  /// Appends are refused with kUnavailable while the disk has less.
  uint64_t min_free_bytes = 256 << 20;
  /// Between two tries to reopen a failed store, and between two looks at the free space and at
  /// whether the store failed.
  std::chrono::milliseconds recover_interval{1000};
};

class CommitQueue {
 public:
  using Outcome = WriteSet::Append::Outcome;

  CommitQueue(Store& store, Directory& directory, CommitOptions options);
  ~CommitQueue();

  /// Called on the queue's thread with every batch, after it is durable and before its producers
  /// are answered. Add subscribers before start().
  void subscribe(std::function<void(const BatchPtr&)> subscriber);

  void start();
  void stop();

  /// Appends all items. The outcomes come in the order of the items, after all of them (and the
  /// originals of duplicates) are durable; none is kUnreadable. kRateLimited: the queue is full;
  /// kUnavailable: the disk refuses, an item is kUnreadable, or stop() was called; kNotFound: the
  /// domain was deleted meanwhile. On error nothing is acknowledged.
  Task<Result<std::vector<Outcome>>> append(std::vector<NewEvent> events);

  /// Runs an edit of a domain in the order of the log; answers after it is durable and in the
  /// directory.
  Task<Result<DomainChange>> edit(std::string domain, DomainEdit edit);

  /// OK while appends are taken; kUnavailable, saying why, while the disk or the store refuses, or
  /// the indexes are too far behind.
  Status status() const;

  /// Writes progress at once, unsynced: the next commit syncs it, or the saving thread within
  /// sync_interval. Kept and tried again when the store fails. `saved` is called on the saving
  /// thread once it is written.
  void save(Progress progress, std::function<void()> saved);

 private:
  struct AppendRequest {
    std::vector<NewEvent> events;
    size_t bytes = 0;
    Result<std::vector<Outcome>> reply = fail(Errc::kInternal, "not committed");
    std::function<void()> resume;
  };

  struct EditRequest {
    std::string name;
    DomainEdit edit;
    uint64_t behind = 0;  // of all appends so far, how many were queued before it
    Result<DomainChange> reply = fail(Errc::kInternal, "not committed");
    std::function<void()> resume;
  };

  struct SaveRequest {
    Progress progress;
    std::function<void()> saved;
  };

  struct Work;

  // On the committing thread.
  void run();
  bool wait_for_work(Work& work);
  void take_appends(Work& work);
  void look_after_store();
  void commit(Work& work);
  void drop_gone(std::vector<AppendRequest*>& appends);
  Status write(WriteSet& set);
  void hand_over_events(const Work& work, const WriteSet& set);
  void hand_over_changes(const Work& work, WriteSet& set);
  void publish(BatchPtr batch);
  void recover_until_good();
  void refuse_queued();
  static void refuse(const Work& work);
  static Result<std::vector<Outcome>> reply_of(std::span<const WriteSet::Append> appends);

  // On the saving thread.
  void run_saves();
  bool wait_for_saves(std::vector<SaveRequest>& saves);
  Status write_saves(std::vector<SaveRequest>& saves);
  Status write_progress(std::vector<Progress> progress);
  Status write_again();
  void sync_progress();

  void fail_store(const Error& error, uint64_t recoveries);
  Status hand_over_recovered();

  Store& store_;
  Directory& directory_;
  const CommitOptions options_;
  std::vector<std::function<void(const BatchPtr&)>> subscribers_;  // constant after start()

  std::mutex mutex_;
  std::condition_variable wake_;       // of the committing thread
  std::condition_variable wake_save_;  // of the saving thread
  std::deque<AppendRequest*>
      appends_;  // guarded by mutex_; the requests live in their callers' coroutines
  std::deque<EditRequest*> edits_;  // guarded by mutex_
  uint64_t appends_queued_ = 0;     // guarded by mutex_; ever
  uint64_t appends_taken_ = 0;      // guarded by mutex_; of those
  std::vector<SaveRequest> saves_;  // guarded by mutex_
  size_t queued_bytes_ = 0;         // guarded by mutex_
  bool stopping_ = false;           // guarded by mutex_
  bool stopping_saves_ = false;     // guarded by mutex_

  std::atomic<bool> started_{false};
  std::atomic<bool> failed_{false};
  std::atomic<bool> disk_low_{false};
  std::atomic<bool> indexes_lag_{false};
  std::atomic<uint64_t> synced_commits_{0};

  // Touched only on the committing thread.
  SteadyTime space_checked_{};
  Position published_;

  std::atomic<uint64_t> recoveries_{0};  // how often the store was reopened; written under mutex_

  // Touched only on the saving thread.
  struct Unsynced {
    Progress progress;
    uint64_t at_commit = 0;
  };

  /// Written, but not known to be durable: a store that is reopened may have forgotten it.
  std::deque<Unsynced> unsynced_;
  SteadyTime unsynced_since_{};
  uint64_t recoveries_seen_ = 0;

  std::thread thread_;
  std::thread save_thread_;

  metrics::Counter appended_, duplicates_, conflicts_, commits_, syncs_, failures_;
  metrics::Histogram batch_events_, commit_seconds_;
};

}  // namespace eventhorn::store
