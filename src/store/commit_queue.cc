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
  // While the disk is low no append comes to wake us, and someone must see that it no longer is.
  if (disk_low_) {
    wake_.wait_for(lock, options_.recover_interval, ready);
  } else {
    wake_.wait(lock, ready);
  }
  // Edits go alone, so that events appended after them see the directory as the edits left it.
  if (!edits_.empty()) {
    work.edits.assign(edits_.begin(), edits_.end());
    edits_.clear();
    return true;
  }
  size_t events = 0;
  while (!appends_.empty() &&
         (events == 0 || events + appends_.front()->events.size() <= options_.max_batch_events)) {
    events += appends_.front()->events.size();
    queued_bytes_ -= appends_.front()->bytes;
    work.appends.push_back(appends_.front());
    appends_.pop_front();
  }
  return !stopping_ || !work.appends.empty();
}

void CommitQueue::run() {
  for (;;) {
    if (failed_) recover_until_good();
    Work work;
    if (!wait_for_work(work)) break;
    const auto now = std::chrono::steady_clock::now();
    if (now - space_checked_ >= options_.recover_interval) {
      space_checked_ = now;
      disk_low_ = store_.free_bytes() < options_.min_free_bytes;
    }
    if (!work.edits.empty()) commit_edits(work);
    if (!work.appends.empty()) commit_appends(work);
  }
  refuse_queued();
}

Status CommitQueue::commit(WriteSet& set) {
  if (failed_) return fail(Errc::kUnavailable, "the store failed");
  const auto started = std::chrono::steady_clock::now();
  auto status = store_.commit(set);
  commits_.add();
  if (!status) {
    fail_store(status.error());
    return status;
  }
  syncs_.add();
  synced_commits_.fetch_add(1);
  commit_seconds_.observe(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  return status;
}

bool CommitQueue::wait_for_saves(std::vector<SaveRequest>& saves) {
  std::unique_lock lock(mutex_);
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
    auto status = write_again();
    while (status && !saves.empty()) {
      std::vector<Progress> progress;
      for (const auto& save : saves) progress.push_back(save.progress);
      status = write_progress(std::move(progress));
      if (status) status = write_again();  // the store may have been reopened just before the write
      if (!status) break;
      for (const auto& save : saves) {
        if (save.saved) save.saved();
      }
      saves.clear();
    }
    if (!status) {
      fail_store(status.error());
      if (!wait_until_good()) return;
      const std::lock_guard lock(mutex_);
      saves_.insert(saves_.begin(), std::make_move_iterator(saves.begin()),
                    std::make_move_iterator(saves.end()));
      saves.clear();
    }
    sync_progress();
  }
  if (!unsynced_.empty() && !failed_ && !store_.sync())
    log_error("store", "could not sync progress at the end");
}

Status CommitQueue::write_progress(std::vector<Progress> progress) {
  if (failed_) return fail(Errc::kUnavailable, "the store failed");
  WriteSet set;
  set.progress = std::move(progress);
  TRY_STATUS(store_.commit(set));
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
// One may have been under way at that moment, so two must have ended since.
void CommitQueue::sync_progress() {
  while (!unsynced_.empty() && synced_commits_ >= unsynced_.front().at_commit + 2)
    unsynced_.pop_front();
  if (unsynced_.empty() || failed_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - unsynced_since_ < options_.sync_interval) return;
  unsynced_since_ = now;
  syncs_.add();
  if (auto status = store_.sync(); !status) {
    fail_store(status.error());
  } else if (recoveries_ == recoveries_seen_) {
    unsynced_.clear();
  }
}

/// Waits for the committing thread to reopen the store; false when the queue stops before it could.
bool CommitQueue::wait_until_good() {
  std::unique_lock lock(mutex_);
  wake_save_.wait(lock, [&] { return !failed_ || stopping_saves_; });
  return !failed_;
}

void CommitQueue::fail_store(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (failed_) return;
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

void CommitQueue::commit_appends(Work& work) {
  WriteSet set;
  std::vector<AppendRequest*> live;
  for (auto* request : work.appends) {
    const bool gone = std::any_of(request->events.begin(), request->events.end(),
                                  [&](const NewEvent& e) { return !directory_.has(e.domain); });
    if (gone) {
      request->reply = fail(Errc::kNotFound, "Domain not found");
      request->resume();
      continue;
    }
    live.push_back(request);
    for (auto& e : request->events)
      set.appends.push_back({std::move(e), Outcome::kStored, nullptr});
  }
  if (set.appends.empty()) return;
  if (!commit(set)) {
    for (auto* request : live) {
      request->reply =
          fail(Errc::kUnavailable,
               "the store cannot write; nothing of this request is acknowledged: send it again");
      request->resume();
    }
    return;
  }
  auto batch = std::make_shared<CommittedBatch>();
  for (const auto& a : set.appends) {
    if (a.stored) batch->events.push_back(a.stored);
    duplicates_.add(a.outcome == Outcome::kStored ? 0 : 1);
    conflicts_.add(a.outcome == Outcome::kConflicting ? 1 : 0);
  }
  appended_.add(static_cast<double>(batch->events.size()));
  batch_events_.observe(static_cast<double>(set.appends.size()));
  batch->head = store_.head();
  if (!batch->events.empty()) publish(std::move(batch));
  size_t next = 0;
  for (auto* request : live) {
    std::vector<Outcome> outcomes;
    outcomes.reserve(request->events.size());
    for (size_t i = 0; i < request->events.size(); ++i)
      outcomes.push_back(set.appends[next++].outcome);
    request->reply = std::move(outcomes);
    request->resume();
  }
}

void CommitQueue::commit_edits(Work& work) {
  WriteSet set;
  for (auto* request : work.edits) {
    WriteSet::Edit edit;
    edit.name = request->name;
    edit.edit = request->edit;
    set.edits.push_back(std::move(edit));
  }
  if (!commit(set)) {
    for (auto* request : work.edits) {
      request->reply = fail(Errc::kUnavailable, "the store cannot write; the change was not made");
      request->resume();
    }
    return;
  }
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

void CommitQueue::refuse_queued() {
  const std::lock_guard lock(mutex_);
  for (auto* request : appends_) {
    request->reply =
        fail(Errc::kUnavailable,
             "the store cannot write; nothing of this request is acknowledged: send it again");
    request->resume();
  }
  for (auto* request : edits_) {
    request->reply = fail(Errc::kUnavailable, "the store cannot write; the change was not made");
    request->resume();
  }
  appends_.clear();
  edits_.clear();
  queued_bytes_ = 0;
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
// it had succeeded.
Status CommitQueue::hand_over_recovered() {
  TRY(const auto domains, store_.load_domains());
  auto changed = std::make_shared<CommittedBatch>();
  changed->changes = directory_.replace_all(domains, store_.head());
  changed->head = published_;
  if (!changed->changes.empty()) publish(std::move(changed));
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
  return {};
}

}  // namespace eventhorn::store
