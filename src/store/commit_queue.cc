#include "store/commit_queue.h"

#include "async/suspend.h"
#include "base/check.h"
#include "base/log.h"

#include <algorithm>
#include <pthread.h>

namespace eventhorn::store {

/// What one turn of the thread takes on.
struct CommitQueue::Work {
  std::vector<AppendRequest*> appends;
  std::vector<EditRequest*> edits;

  bool empty() const { return appends.empty() && edits.empty(); }
};

CommitQueue::CommitQueue(Store& store, Directory& directory, CommitOptions options)
    : store_(store),
      directory_(directory),
      options_(options),
      appended_(metrics::counter("eventhorn_appends_total", "Events appended to the log")),
      duplicates_(metrics::counter("eventhorn_duplicates_total",
                                   "Appends of an id that was there already")),
      conflicts_(metrics::counter("eventhorn_conflicting_total",
                                  "Duplicates whose bytes differ from the original's")),
      commits_(metrics::counter("eventhorn_commits_total", "Writes to the store")),
      syncs_(
          metrics::counter("eventhorn_fsyncs_total", "Writes and syncs that waited for the disk")),
      failures_(
          metrics::counter("eventhorn_store_failures_total", "Writes that the store refused")),
      batch_events_(metrics::histogram("eventhorn_commit_events", "Events per commit",
                                       metrics::size_buckets())),
      commit_seconds_(metrics::histogram("eventhorn_commit_seconds",
                                         "Time of a commit with its fsync",
                                         metrics::latency_buckets())) {}

CommitQueue::~CommitQueue() {
  stop();
}

void CommitQueue::subscribe(std::function<void(const BatchPtr&)> subscriber) {
  subscribers_.push_back(std::move(subscriber));
}

void CommitQueue::start() {
  published_ = store_.head();
  started_ = true;
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "commit");
  save_thread_ = std::thread([this] { run_saves(); });
  pthread_setname_np(save_thread_.native_handle(), "progress");
}

void CommitQueue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  {
    const std::lock_guard lock(mutex_);
    stopping_saves_ = true;
  }
  wake_save_.notify_all();
  if (save_thread_.joinable()) save_thread_.join();
}

Status CommitQueue::status() const {
  if (!started_) return fail(Errc::kUnavailable, "starting; try again in a moment");
  if (failed_)
    return fail(Errc::kUnavailable, "the store cannot write; it is being reopened, try again");
  if (disk_low_) return fail(Errc::kUnavailable, "the disk is nearly full (store.min_free)");
  if (indexes_lag_) return store_.may_append();
  return {};
}

Task<Result<std::vector<CommitQueue::Outcome>>> CommitQueue::append(std::vector<NewEvent> events) {
  if (auto refused = status(); !refused) co_return fail(std::move(refused).error());
  if (events.empty()) co_return std::vector<Outcome>();
  AppendRequest request;
  for (const auto& e : events) request.bytes += e.event.bytes.size() + 256;
  request.events = std::move(events);
  bool taken = false;
  auto start = [&](std::function<void()> resume) {
    request.resume = std::move(resume);
    {
      const std::lock_guard lock(mutex_);
      const bool full =
          queued_bytes_ > 0 && queued_bytes_ + request.bytes > options_.max_queued_bytes;
      taken = !stopping_ && !full;
      if (full)
        request.reply =
            fail(Errc::kRateLimited, "too many events wait for the disk; try again later");
      if (stopping_) request.reply = fail(Errc::kUnavailable, "shutting down");
      if (taken) {
        queued_bytes_ += request.bytes;
        ++appends_queued_;
        appends_.push_back(&request);
      }
    }
    if (taken) {
      wake_.notify_one();
    } else {
      request.resume();
    }
  };
  co_await suspend(start);
  co_return std::move(request.reply);
}

Task<Result<DomainChange>> CommitQueue::edit(std::string domain, DomainEdit edit) {
  if (failed_)
    co_return fail(Errc::kUnavailable, "the store cannot write; it is being reopened, try again");
  EditRequest request;
  request.name = std::move(domain);
  request.edit = std::move(edit);
  auto start = [&](std::function<void()> resume) {
    request.resume = std::move(resume);
    bool stopped = false;
    {
      const std::lock_guard lock(mutex_);
      stopped = stopping_;
      request.behind = appends_queued_;
      if (!stopped) edits_.push_back(&request);
    }
    if (stopped) {
      request.reply = fail(Errc::kUnavailable, "shutting down");
      request.resume();
    } else {
      wake_.notify_one();
    }
  };
  co_await suspend(start);
  co_return std::move(request.reply);
}

void CommitQueue::save(Progress progress, std::function<void()> saved) {
  {
    const std::lock_guard lock(mutex_);
    saves_.push_back({std::move(progress), std::move(saved)});
  }
  wake_save_.notify_one();
}

bool CommitQueue::wait_for_work(Work& work) {
  std::unique_lock lock(mutex_);
  const auto ready = [&] { return stopping_ || failed_ || !appends_.empty() || !edits_.empty(); };
  // Nobody wakes us when there is room again while appends are refused, nor when a write that does
  // not come through the queue fails.
  wake_.wait_for(lock, options_.recover_interval, ready);
  take_appends(work);
  while (!edits_.empty() && edits_.front()->behind <= appends_taken_) {
    work.edits.push_back(edits_.front());
    edits_.pop_front();
  }
  return !stopping_ || !work.empty();
}

/// With mutex_ held.
void CommitQueue::take_appends(Work& work) {
  size_t events = 0;
  while (!appends_.empty() &&
         (events == 0 || events + appends_.front()->events.size() <= options_.max_batch_events)) {
    events += appends_.front()->events.size();
    queued_bytes_ -= appends_.front()->bytes;
    work.appends.push_back(appends_.front());
    appends_.pop_front();
    ++appends_taken_;
  }
}

void CommitQueue::run() {
  for (;;) {
    if (failed_) recover_until_good();
    Work work;
    if (!wait_for_work(work)) break;
    look_after_store();
    commit(work);
  }
  refuse_queued();
}

void CommitQueue::look_after_store() {
  if (store_.failed())
    fail_store({Errc::kUnavailable, "a setting, a notice or retention was not written"},
               recoveries_);
  const auto may_append = store_.may_append();
  if (indexes_lag_.exchange(!may_append) == may_append.has_value())
    log_error("store", "ingest {}",
              may_append ? "goes on: the indexes have caught up"
                         : "answers 503: " + may_append.error().message);
  const auto now = std::chrono::steady_clock::now();
  if (now - space_checked_ < options_.recover_interval) return;
  space_checked_ = now;
  disk_low_ = store_.free_bytes() < options_.min_free_bytes;
}

void CommitQueue::commit(Work& work) {
  drop_gone(work.appends);
  if (work.empty()) return;
  WriteSet set;
  for (auto* request : work.appends) {
    for (auto& e : request->events)
      set.appends.push_back({std::move(e), Outcome::kStored, nullptr});
  }
  for (auto* request : work.edits) {
    WriteSet::Edit edit;
    edit.name = request->name;
    edit.edit = request->edit;
    set.edits.push_back(std::move(edit));
  }
  if (!write(set)) return refuse(work);
  hand_over_events(work, set);
  hand_over_changes(work, set);
}

// The directory is as of the end of the log: no edit of this turn has run yet.
void CommitQueue::drop_gone(std::vector<AppendRequest*>& appends) {
  std::erase_if(appends, [&](AppendRequest* request) {
    const bool gone = std::any_of(request->events.begin(), request->events.end(),
                                  [&](const NewEvent& e) { return !directory_.has(e.domain); });
    if (gone) {
      request->reply = fail(Errc::kNotFound, "Domain not found");
      request->resume();
    }
    return gone;
  });
}

Status CommitQueue::write(WriteSet& set) {
  if (failed_) return fail(Errc::kUnavailable, "the store failed");
  const auto started = std::chrono::steady_clock::now();
  auto status = store_.commit(set);
  commits_.add();
  if (!status) {
    fail_store(status.error(), recoveries_);
    return status;
  }
  syncs_.add();
  synced_commits_.fetch_add(1);
  commit_seconds_.observe(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  return status;
}

/// False when the queue stops with nothing more to save, or with a store that could not be
/// reopened.
bool CommitQueue::wait_for_saves(std::vector<SaveRequest>& saves) {
  std::unique_lock lock(mutex_);
  wake_save_.wait(lock, [&] { return !failed_ || stopping_saves_; });
  if (failed_) return false;
  const auto ready = [&] {
    return stopping_saves_ || !saves_.empty() || recoveries_ != recoveries_seen_;
  };
  if (unsynced_.empty()) {
    wake_save_.wait(lock, ready);
  } else {
    wake_save_.wait_until(lock, unsynced_since_ + options_.sync_interval, ready);
  }
  std::swap(saves, saves_);
  return !stopping_saves_ || !saves.empty();
}

void CommitQueue::run_saves() {
  std::vector<SaveRequest> saves;
  while (wait_for_saves(saves)) {
    if (!write_saves(saves)) {  // they stay, before what has come meanwhile
      const std::lock_guard lock(mutex_);
      saves_.insert(saves_.begin(), std::make_move_iterator(saves.begin()),
                    std::make_move_iterator(saves.end()));
    }
    saves.clear();
    sync_progress();
  }
  if (!unsynced_.empty() && !failed_ && !store_.sync())
    log_error("store", "could not sync progress at the end");
}

Status CommitQueue::write_saves(std::vector<SaveRequest>& saves) {
  TRY_STATUS(write_again());
  if (saves.empty()) return {};
  std::vector<Progress> progress;
  for (const auto& save : saves) progress.push_back(save.progress);
  TRY_STATUS(write_progress(std::move(progress)));
  TRY_STATUS(write_again());  // the store may have been reopened just before the write
  for (const auto& save : saves) {
    if (save.saved) save.saved();
  }
  return {};
}

Status CommitQueue::write_progress(std::vector<Progress> progress) {
  const uint64_t recoveries = recoveries_;
  if (failed_) return fail(Errc::kUnavailable, "the store failed");
  WriteSet set;
  set.progress = std::move(progress);
  if (auto status = store_.commit(set); !status) {
    fail_store(status.error(), recoveries);
    return status;
  }
  if (unsynced_.empty()) unsynced_since_ = std::chrono::steady_clock::now();
  for (auto& p : set.progress) unsynced_.push_back({std::move(p), synced_commits_});
  return {};
}

// After the store was reopened: what it may have forgotten, in order, before anything newer.
Status CommitQueue::write_again() {
  while (recoveries_ != recoveries_seen_) {
    const uint64_t seen = recoveries_;
    std::vector<Progress> progress;
    for (const auto& u : unsynced_) progress.push_back(u.progress);
    auto kept = std::exchange(unsynced_, {});
    if (auto status = progress.empty() ? Status() : write_progress(std::move(progress)); !status) {
      unsynced_ = std::move(kept);
      return status;
    }
    recoveries_seen_ = seen;
  }
  return {};
}

// A commit that began after the progress was written has synced it: both share the write-ahead log.
// One may have been under way at that moment, so two must have ended since, without the store being
// reopened between.
void CommitQueue::sync_progress() {
  const uint64_t commits = synced_commits_;
  const uint64_t recoveries = recoveries_;
  if (failed_ || recoveries != recoveries_seen_) return;
  while (!unsynced_.empty() && commits >= unsynced_.front().at_commit + 2) unsynced_.pop_front();
  if (unsynced_.empty()) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - unsynced_since_ < options_.sync_interval) return;
  unsynced_since_ = now;
  syncs_.add();
  if (auto status = store_.sync(); !status) {
    fail_store(status.error(), recoveries);
  } else if (recoveries_ == recoveries_seen_) {
    unsynced_.clear();
  }
}

/// `recoveries`: how often the store had been reopened when it was used. One that has been reopened
/// since is another one.
void CommitQueue::fail_store(const Error& error, uint64_t recoveries) {
  {
    const std::lock_guard lock(mutex_);
    if (failed_ || recoveries != recoveries_) return;
    failed_ = true;
  }
  failures_.add();
  log_error("store", "a write failed; ingest answers 503 until the store is reopened error={}",
            error.message);
  wake_.notify_one();
}

void CommitQueue::publish(BatchPtr batch) {
  published_ = batch->head;
  for (const auto& subscriber : subscribers_) subscriber(batch);
}

void CommitQueue::hand_over_events(const Work& work, const WriteSet& set) {
  if (work.appends.empty()) return;
  auto batch = std::make_shared<CommittedBatch>();
  for (const auto& a : set.appends) {
    if (a.stored) batch->events.push_back(a.stored);
    const bool known = a.outcome == Outcome::kDuplicate || a.outcome == Outcome::kConflicting;
    duplicates_.add(known ? 1 : 0);
    conflicts_.add(a.outcome == Outcome::kConflicting ? 1 : 0);
  }
  appended_.add(static_cast<double>(batch->events.size()));
  batch_events_.observe(static_cast<double>(set.appends.size()));
  if (!batch->events.empty()) {
    batch->head = batch->events.back()->position;
    publish(std::move(batch));
  }
  std::span<const WriteSet::Append> rest(set.appends);
  for (auto* request : work.appends) {
    request->reply = reply_of(rest.first(request->events.size()));
    rest = rest.subspan(request->events.size());
    request->resume();
  }
}

Result<std::vector<CommitQueue::Outcome>> CommitQueue::reply_of(
    std::span<const WriteSet::Append> appends) {
  std::vector<Outcome> out;
  out.reserve(appends.size());
  for (const auto& a : appends) {
    if (a.outcome == Outcome::kUnreadable) {
      return fail(Errc::kUnavailable, "event " + a.event.event.id +
                                          ": the store cannot read whether it has it already, and "
                                          "has not stored it; the others of this request it has");
    }
    out.push_back(a.outcome);
  }
  return out;
}

void CommitQueue::hand_over_changes(const Work& work, WriteSet& set) {
  if (work.edits.empty()) return;
  auto batch = std::make_shared<CommittedBatch>();
  for (const auto& edit : set.edits) {
    if (!edit.outcome) continue;
    directory_.apply(edit.name, *edit.outcome);
    batch->changes.push_back(*edit.outcome);
  }
  batch->head = store_.head();
  publish(std::move(batch));
  for (size_t i = 0; i < work.edits.size(); ++i) {
    work.edits[i]->reply = std::move(set.edits[i].outcome);
    work.edits[i]->resume();
  }
}

void CommitQueue::refuse(const Work& work) {
  for (auto* request : work.appends) {
    request->reply =
        fail(Errc::kUnavailable,
             "the store cannot write; nothing of this request is acknowledged: send it again");
    request->resume();
  }
  for (auto* request : work.edits) {
    request->reply = fail(Errc::kUnavailable, "the store cannot write; the change was not made");
    request->resume();
  }
}

void CommitQueue::refuse_queued() {
  Work work;
  {
    const std::lock_guard lock(mutex_);
    work.appends.assign(appends_.begin(), appends_.end());
    work.edits.assign(edits_.begin(), edits_.end());
    appends_.clear();
    edits_.clear();
    appends_taken_ = appends_queued_;
    queued_bytes_ = 0;
  }
  refuse(work);
}

void CommitQueue::recover_until_good() {
  for (;;) {
    refuse_queued();
    auto status = store_.recover();
    if (status) status = hand_over_recovered();
    if (status) break;
    log_error("store", "reopening failed, will try again error={}", status.error().message);
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, options_.recover_interval, [&] { return stopping_; })) return;
  }
  {
    const std::lock_guard lock(mutex_);
    ++recoveries_;
    failed_ = false;
  }
  wake_save_.notify_all();
}

// What a failed commit wrote after all is now in the store; lanes and directory must know it as if
// it had succeeded: its events, then its changes.
Status CommitQueue::hand_over_recovered() {
  while (published_ < store_.head()) {
    TRY(const auto heads, store_.read_heads(published_, options_.max_batch_events));
    if (heads.empty()) break;
    std::vector<Position> positions;
    for (const auto& h : heads) positions.push_back(h.position);
    auto batch = std::make_shared<CommittedBatch>();
    TRY(batch->events, store_.read_events(positions));
    std::erase(batch->events, nullptr);
    batch->head = positions.back();
    publish(std::move(batch));
  }
  TRY(const auto domains, store_.load_domains());
  auto changed = std::make_shared<CommittedBatch>();
  changed->changes = directory_.replace_all(domains, store_.head());
  changed->head = store_.head();
  if (!changed->changes.empty()) publish(std::move(changed));
  return {};
}

}  // namespace eventhorn::store
