// The single writer of the log: appends and edits from all cores share commits (group commit), and
// are seen and answered only afterwards: durable, then visible, then acknowledged.
//
// Each turn takes the appends that wait, as many as a batch may hold, and behind them the edits
// before which no append waits any more. So neither kind ever waits for more than a turn of the
// other, an append that was queued before an edit comes before it in the log, and one that was
// queued after it, while it was not answered yet, may.
//
// While the store has failed, every request is refused, and the turns try to recover it.
//
// Owns the thread "commit". append() and edit() may be called on any core. Until start(), when all
// subscribers of the feed are there, edits wait and appends are refused. stop() ends intake, writes
// what is queued (without a start it refuses that), and joins.
#pragma once

#include "async/task.h"
#include "async/worker.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "store/directory.h"
#include "store/event_log.h"
#include "store/feed.h"
#include "store/health.h"
#include "store/writer_options.h"

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace eventhorn::store {

class AppendQueue {
 public:
  using Outcome = WriteSet::Append::Outcome;

  /// What it writes to and whom it tells. All must outlive the queue.
  struct Parts {
    EventLog& log;
    DomainStore& domains;
    const Directory& directory;  // that of the feed
    Feed& feed;
    StoreHealth& health;
    const Clock& clock;
    Workers& workers;
  };

  AppendQueue(const Parts& parts, const WriterOptions& options);
  /// As stop().
  ~AppendQueue();
  AppendQueue(const AppendQueue&) = delete;
  AppendQueue& operator=(const AppendQueue&) = delete;

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

  /// The requests that wait. They live in their callers' coroutines.
  struct Queue {
    std::deque<AppendRequest*> appends;
    std::deque<EditRequest*> edits;
    uint64_t appends_queued = 0;  // ever
    uint64_t appends_taken = 0;   // of those
    size_t bytes = 0;             // of `appends`
    bool started = false;
    bool stopping = false;

    bool empty() const { return appends.empty() && edits.empty(); }
  };

  struct Work;
  struct Meters;

  Status enqueue(AppendRequest& request);
  Status enqueue(EditRequest& request);

  // On the thread.
  std::optional<Micros> turn();
  bool has_started();
  std::optional<Micros> try_to_recover();
  Work take_work();
  void take_appends(Work& work) REQUIRES(mutex_);
  void commit(Work& work);
  void drop_gone(std::vector<AppendRequest*>& appends);
  Status write(WriteSet& set);
  void answer_appends(const Work& work, const WriteSet& set);
  void answer_edits(const Work& work, WriteSet& set);
  void refuse_queued();

  const Parts parts_;
  const WriterOptions options_;
  const std::unique_ptr<Meters> meters_;

  Mutex mutex_;
  Queue queue_ GUARDED_BY(mutex_);

  SteadyTime recover_at_ = SteadyTime::min();  // touched only on the thread
  const std::unique_ptr<Worker> worker_;       // last: its turns use all others
};

}  // namespace eventhorn::store
