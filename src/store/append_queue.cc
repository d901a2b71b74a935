#include "store/append_queue.h"

#include "async/suspend.h"
#include "base/check.h"
#include "base/log.h"

#include <algorithm>
#include <utility>

namespace eventhorn::store {

/// What one turn takes on.
struct AppendQueue::Work {
  std::vector<AppendRequest*> appends;
  std::vector<EditRequest*> edits;
  bool more = false;  // is queued

  bool empty() const { return appends.empty() && edits.empty(); }

  void refuse() const {
    for (auto* request : appends) {
      request->reply =
          fail(Errc::kUnavailable,
               "the store cannot write; nothing of this request is acknowledged: send it again");
      request->resume();
    }
    for (auto* request : edits) {
      request->reply = fail(Errc::kUnavailable, "the store cannot write; the change was not made");
      request->resume();
    }
  }
};

struct AppendQueue::Meters {
  metrics::Counter appended =
      metrics::counter("eventhorn_appends_total", "Events appended to the log");
  metrics::Counter duplicates =
      metrics::counter("eventhorn_duplicates_total", "Appends of an id that was there already");
  metrics::Counter conflicts = metrics::counter(
      "eventhorn_conflicting_total", "Duplicates whose bytes differ from the original's");
  metrics::Counter commits = metrics::counter("eventhorn_commits_total", "Writes to the store");
  metrics::Histogram batch_events =
      metrics::histogram("eventhorn_commit_events", "Events per commit", metrics::size_buckets());
  metrics::Histogram commit_seconds = metrics::histogram(
      "eventhorn_commit_seconds", "Time of a commit with its fsync", metrics::latency_buckets());
};

namespace {

Result<std::vector<AppendQueue::Outcome>> reply_of(std::span<const WriteSet::Append> appends) {
  std::vector<AppendQueue::Outcome> out;
  out.reserve(appends.size());
  for (const auto& a : appends) {
    if (a.outcome == AppendQueue::Outcome::kUnreadable) {
      return fail(Errc::kUnavailable, "event " + a.event.event.id +
                                          ": the store cannot read whether it has it already, and "
                                          "has not stored it; the others of this request it has");
    }
    out.push_back(a.outcome);
  }
  return out;
}

}  // namespace

AppendQueue::AppendQueue(const Parts& parts, const WriterOptions& options)
    : parts_(parts),
      options_(options),
      meters_(std::make_unique<Meters>()),
      worker_(parts.workers.make("commit", [this] { return turn(); })) {
  parts_.health.on_change([this] { worker_->wake(); });
}

AppendQueue::~AppendQueue() {
  stop();
}

void AppendQueue::start() {
  {
    const MutexLock lock(mutex_);
    queue_.started = true;
  }
  worker_->wake();
}

void AppendQueue::stop() {
  {
    const MutexLock lock(mutex_);
    queue_.stopping = true;
  }
  worker_->stop();
  const MutexLock lock(mutex_);
  CHECK(queue_.empty());
}

Task<Result<std::vector<AppendQueue::Outcome>>> AppendQueue::append(std::vector<NewEvent> events) {
  if (auto refused = parts_.health.status(); !refused) co_return fail(std::move(refused).error());
  if (events.empty()) co_return std::vector<Outcome>();
  AppendRequest request;
  for (auto& e : events) {
    e.terms = event::terms_of(e.event.bytes);
    request.bytes += e.event.bytes.size() + e.terms.size() * sizeof(event::Term) + 256;
  }
  request.events = std::move(events);
  auto start = [&](std::function<void()> resume) {
    request.resume = std::move(resume);
    auto queued = enqueue(request);
    if (queued) {
      worker_->wake();
    } else {
      request.reply = fail(std::move(queued).error());
      request.resume();
    }
  };
  co_await suspend(start);
  co_return std::move(request.reply);
}

Task<Result<DomainChange>> AppendQueue::edit(std::string domain, DomainEdit edit) {
  if (!parts_.health.good())
    co_return fail(Errc::kUnavailable, "the store cannot write; it is being reopened, try again");
  EditRequest request;
  request.name = std::move(domain);
  request.edit = std::move(edit);
  auto start = [&](std::function<void()> resume) {
    request.resume = std::move(resume);
    auto queued = enqueue(request);
    if (queued) {
      worker_->wake();
    } else {
      request.reply = fail(std::move(queued).error());
      request.resume();
    }
  };
  co_await suspend(start);
  co_return std::move(request.reply);
}

/// On an error the request is not queued. On success it may be answered, and gone, at any time.
Status AppendQueue::enqueue(AppendRequest& request) {
  const MutexLock lock(mutex_);
  if (queue_.stopping) return fail(Errc::kUnavailable, "shutting down");
  if (queue_.bytes > 0 && queue_.bytes + request.bytes > options_.max_queued_bytes)
    return fail(Errc::kRateLimited, "too many events wait for the disk; try again later");
  queue_.bytes += request.bytes;
  ++queue_.appends_queued;
  queue_.appends.push_back(&request);
  return {};
}

Status AppendQueue::enqueue(EditRequest& request) {
  const MutexLock lock(mutex_);
  if (queue_.stopping) return fail(Errc::kUnavailable, "shutting down");
  request.behind = queue_.appends_queued;
  queue_.edits.push_back(&request);
  return {};
}

std::optional<Micros> AppendQueue::turn() {
  if (!has_started()) return std::nullopt;
  if (!parts_.health.good()) return try_to_recover();
  auto work = take_work();
  parts_.health.look();
  commit(work);
  if (work.more || !parts_.health.good()) return Micros(0);
  // Nobody wakes the thread when there is room again while appends are refused, nor when a write
  // fails that does not come through the queue.
  return options_.recover_interval;
}

// Before the start nobody is there yet to whom the feed could hand over.
bool AppendQueue::has_started() {
  bool stopping = false;
  {
    const MutexLock lock(mutex_);
    if (queue_.started) return true;
    stopping = queue_.stopping;
  }
  if (stopping) refuse_queued();
  return false;
}

std::optional<Micros> AppendQueue::try_to_recover() {
  refuse_queued();
  const auto now = parts_.clock.steady_now();
  bool stopping = false;
  {
    const MutexLock lock(mutex_);
    stopping = queue_.stopping;
  }
  if (now < recover_at_ && !stopping) return std::chrono::ceil<Micros>(recover_at_ - now);
  const auto recovered =
      parts_.health.recover([this] { return parts_.feed.catch_up(parts_.log, parts_.domains); });
  // Also after one that succeeded: a disk that can be opened and takes nothing fails the next
  // write.
  recover_at_ = parts_.clock.steady_now() + options_.recover_interval;
  if (recovered) return Micros(0);
  log_error("store", "reopening failed, will try again error={}", recovered.error().message);
  return options_.recover_interval;
}

AppendQueue::Work AppendQueue::take_work() {
  Work work;
  const MutexLock lock(mutex_);
  take_appends(work);
  while (!queue_.edits.empty() && queue_.edits.front()->behind <= queue_.appends_taken) {
    work.edits.push_back(queue_.edits.front());
    queue_.edits.pop_front();
  }
  work.more = !queue_.empty();
  CHECK(!queue_.appends.empty() || (queue_.edits.empty() && queue_.bytes == 0));
  return work;
}

void AppendQueue::take_appends(Work& work) {
  size_t events = 0;
  while (!queue_.appends.empty()) {
    auto* next = queue_.appends.front();
    if (events > 0 && events + next->events.size() > options_.max_batch_events) break;
    events += next->events.size();
    queue_.bytes -= next->bytes;
    work.appends.push_back(next);
    queue_.appends.pop_front();
    ++queue_.appends_taken;
  }
}

void AppendQueue::commit(Work& work) {
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
  if (!write(set)) return work.refuse();
  answer_appends(work, set);
  answer_edits(work, set);
}

// The directory is as of the end of the log: no edit of this turn has run yet.
void AppendQueue::drop_gone(std::vector<AppendRequest*>& appends) {
  std::erase_if(appends, [&](AppendRequest* request) {
    const bool gone =
        std::any_of(request->events.begin(), request->events.end(),
                    [&](const NewEvent& e) { return !parts_.directory.has(e.domain); });
    if (gone) {
      request->reply = fail(Errc::kNotFound, "Domain not found");
      request->resume();
    }
    return gone;
  });
}

Status AppendQueue::write(WriteSet& set) {
  const auto generation = parts_.health.generation();
  if (!parts_.health.good()) return fail(Errc::kUnavailable, "the store failed");
  const auto started = parts_.clock.steady_now();
  auto status = parts_.log.commit(set);
  meters_->commits.add();
  if (!status) {
    parts_.health.failed(generation, status.error());
    return status;
  }
  meters_->commit_seconds.observe(
      std::chrono::duration<double>(parts_.clock.steady_now() - started).count());
  return status;
}

void AppendQueue::answer_appends(const Work& work, const WriteSet& set) {
  if (work.appends.empty()) return;
  std::vector<EventPtr> stored;
  for (const auto& a : set.appends) {
    if (a.stored) stored.push_back(a.stored);
    const bool known = a.outcome == Outcome::kDuplicate || a.outcome == Outcome::kConflicting;
    meters_->duplicates.add(known ? 1 : 0);
    meters_->conflicts.add(a.outcome == Outcome::kConflicting ? 1 : 0);
  }
  meters_->appended.add(static_cast<double>(stored.size()));
  meters_->batch_events.observe(static_cast<double>(set.appends.size()));
  parts_.feed.events(std::move(stored));
  std::span<const WriteSet::Append> rest(set.appends);
  for (auto* request : work.appends) {
    request->reply = reply_of(rest.first(request->events.size()));
    rest = rest.subspan(request->events.size());
    request->resume();
  }
}

void AppendQueue::answer_edits(const Work& work, WriteSet& set) {
  if (work.edits.empty()) return;
  parts_.feed.changes(set.edits, parts_.log.head());
  for (size_t i = 0; i < work.edits.size(); ++i) {
    work.edits[i]->reply = std::move(set.edits[i].outcome);
    work.edits[i]->resume();
  }
}

void AppendQueue::refuse_queued() {
  Work work;
  {
    const MutexLock lock(mutex_);
    work.appends.assign(queue_.appends.begin(), queue_.appends.end());
    work.edits.assign(queue_.edits.begin(), queue_.edits.end());
    queue_.appends.clear();
    queue_.edits.clear();
    queue_.appends_taken = queue_.appends_queued;
    queue_.bytes = 0;
  }
  work.refuse();
}

}  // namespace eventhorn::store
