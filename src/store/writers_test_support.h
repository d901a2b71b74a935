// The writers of a store over the embedded engine on a disk that fails on command.
#pragma once

#include "store/rocks/fault_env_test_support.h"
#include "store/rocks_test_support.h"
#include "store/store_test_support.h"
#include "store/writers.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace eventhorn::store {

/// The queue's callers run on the test's own thread: submit() returns once the request is in the
/// queue.
class WriterRig {
 public:
  using Outcomes = Result<std::vector<AppendQueue::Outcome>>;

  /// `adjust` is called with the options of each opening.
  explicit WriterRig(WriterOptions options = quick(),
                     std::function<void(RocksOptions&)> adjust = nullptr)
      : adjust_(std::move(adjust)) {
    open(options);
  }

  ~WriterRig() { close(); }

  WriterRig(const WriterRig&) = delete;
  WriterRig& operator=(const WriterRig&) = delete;

  static WriterOptions quick() {
    WriterOptions out;
    out.min_free_bytes = 0;
    out.recover_interval = std::chrono::milliseconds(1);
    return out;
  }

  void open(WriterOptions options = quick()) {
    auto store_options = rocks_options(dir, &env);
    if (adjust_) adjust_(store_options);
    auto opened = RocksStore::open(store_options, clock);
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::move(*opened);
    directory = std::make_unique<Directory>();
    const auto domains = store->load_domains();
    for (const auto& d : *domains) directory->apply(d->name, {kNoPosition, nullptr, d});
    writers = std::make_unique<Writers>(*store, *directory, clock, workers, options);
    writers->feed.subscribe([this](const BatchPtr& batch) {
      if (on_batch) on_batch();
      const std::lock_guard lock(mutex_);
      batches_.push_back(batch);
    });
    writers->start();
  }

  void close() {
    writers.reset();
    run();
    store.reset();
  }

  void restart() {
    close();
    open();
  }

  /// Power goes, with all that was not synced, and comes back.
  void cut_power(uint64_t torn = 0) {
    env.set_fault(FaultEnv::Fault::kDead);
    env.release_syncs();
    close();
    env.lose_unsynced(torn);
    env.set_fault(FaultEnv::Fault::kNone);
    open();
  }

  /// Ends when every request so far is answered.
  void run() {
    context_.restart();
    context_.run();
  }

  std::future<Outcomes> submit(std::vector<NewEvent> events) {
    auto out =
        asio::co_spawn(context_, writers->appends.append(std::move(events)), asio::use_future);
    context_.restart();
    context_.poll();
    return out;
  }

  std::future<Outcomes> submit(const std::string& id) { return submit(std::vector{event(id)}); }

  std::future<Result<DomainChange>> submit_edit(const std::string& name, DomainEdit edit) {
    auto out =
        asio::co_spawn(context_, writers->appends.edit(name, std::move(edit)), asio::use_future);
    context_.restart();
    context_.poll();
    return out;
  }

  Outcomes append(std::vector<NewEvent> events) {
    auto out = submit(std::move(events));
    run();
    return out.get();
  }

  Outcomes append(const std::string& id) { return append(std::vector{event(id)}); }

  /// Appends until the store takes it again; for a store that is being reopened.
  Outcomes append_when_good(const std::string& id) {
    for (;;) {
      auto out = append(id);
      if (out || out.error().code != Errc::kUnavailable) return out;
      std::this_thread::yield();
    }
  }

  Result<DomainChange> edit(const std::string& name, DomainEdit fn) {
    auto out = submit_edit(name, std::move(fn));
    run();
    return out.get();
  }

  DomainUid create(const std::string& name = "a.test") {
    const auto made = edit(name, [&](const DomainPtr&, Position at) -> Result<DomainPtr> {
      auto d = std::make_shared<Domain>();
      d->uid = {at.value};
      d->name = name;
      return DomainPtr(d);
    });
    EXPECT_TRUE(made);
    domain = made->after->uid;
    return domain;
  }

  NewEvent event(const std::string& id) const {
    return make_event(id, kBaseUs, event::Name::kDelivered, domain);
  }

  /// Saves the progress of a lane, and waits for it; it is not synced.
  void save_lane(uint64_t lane, uint64_t acked = 10) {
    Progress p;
    p.lanes.push_back({{lane}, {1}, {{webhook::Class::kBulk, {1}, std::nullopt, {acked}, {}}}});
    std::promise<void> saved;
    writers->progress.save(std::move(p), [&] { saved.set_value(); });
    saved.get_future().wait();
  }

  /// Ids that subscribers have seen, in order.
  std::vector<std::string> seen() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& batch : batches_) {
      for (const auto& e : batch->events) out.push_back(e->event.id);
    }
    return out;
  }

  std::vector<BatchPtr> batches() const {
    const std::lock_guard lock(mutex_);
    return batches_;
  }

  /// Ids in the log, by position, read from the store.
  std::vector<std::string> stored() const {
    std::vector<std::string> out;
    std::vector<Position> positions;
    const auto heads = store->read_heads(kNoPosition, SIZE_MAX);
    for (const auto& h : *heads) positions.push_back(h.position);
    return ids_of(*store->read_events(positions));
  }

  /// Ids on the pages, by id.
  std::vector<std::string> listed() const {
    PageQuery q;
    q.domain = domain;
    q.last_us = INT64_MAX;
    q.max_scan = SIZE_MAX;
    q.max_events = SIZE_MAX;
    return ids_of(store->read_page(q)->events);
  }

  std::function<void()> on_batch;  // on the committing thread
  TempDir dir;
  SystemClock clock;
  WorkerThreads workers;
  FaultEnv env;
  DomainUid domain;
  std::unique_ptr<RocksStore> store;
  std::unique_ptr<Directory> directory;
  std::unique_ptr<Writers> writers;

 private:
  const std::function<void(RocksOptions&)> adjust_;
  asio::io_context context_;
  mutable std::mutex mutex_;
  std::vector<BatchPtr> batches_;  // guarded by mutex_
};

}  // namespace eventhorn::store
