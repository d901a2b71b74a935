// The queue over a log in memory; the test takes its turns. writers_test.cc has it with its
// threads, over the embedded engine.
#include "store/append_queue.h"

#include "async/worker_test_support.h"
#include "store/store_test_support.h"
#include "store/upkeep_test_support.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

namespace eventhorn::store {
namespace {

using Ids = std::vector<std::string>;
using Outcome = AppendQueue::Outcome;
using Outcomes = Result<std::vector<Outcome>>;

// Stores what it is given, and remembers the ids and edits of each commit.
class FakeLog final : public EventLog, public DomainStore {
 public:
  Status commit(WriteSet& set) override {
    auto& names = commits.emplace_back();
    for (auto& a : set.appends) {
      names.push_back(a.event.event.id);
      if (a.event.event.id == "unreadable") {
        a.outcome = Outcome::kUnreadable;
        continue;
      }
      auto stored = std::make_shared<StoredEvent>();
      stored->position = {++head_.value};
      stored->event = a.event.event;
      a.stored = std::move(stored);
    }
    for (auto& e : set.edits) {
      names.push_back("edit " + e.name);
      const Position at{head_.value + 1};
      head_.value += kEditStride;
      auto after = e.edit(nullptr, at);
      if (after) e.outcome = DomainChange{at, nullptr, *after};
    }
    if (!refuses) return {};
    return fail(Errc::kUnavailable, "no space");
  }

  Position head() const override { return head_; }

  Result<std::vector<EventHead>> read_heads(Position, size_t) override {
    return std::vector<EventHead>();
  }

  Result<std::vector<EventPtr>> read_events(const std::vector<Position>&) override {
    return std::vector<EventPtr>();
  }

  Result<std::vector<Position>> find_events(DomainUid, const std::vector<std::string>&) override {
    return fail(Errc::kInternal, "not used");
  }

  Result<Position> position_before(SystemTime) override {
    return fail(Errc::kInternal, "not used");
  }

  Result<std::vector<DomainPtr>> load_domains() override { return domains; }

  std::vector<Ids> commits;
  bool refuses = false;
  std::vector<DomainPtr> domains;

 private:
  Position head_{100};
};

// Not started yet.
struct Unstarted {
  explicit Unstarted(const WriterOptions& options = {})
      : queue({log, log, directory, feed, health, clock, hand}, options) {
    auto domain = std::make_shared<Domain>();
    domain->name = "a.test";
    domain->uid = kDomain;
    log.domains = {domain};
    (void)directory.replace_all(log.domains, kNoPosition);
    feed.subscribe([this](const BatchPtr& batch) {
      for (const auto& e : batch->events) seen.push_back(e->event.id);
    });
  }

  ~Unstarted() { queue.stop(); }

  void start() {
    feed.start(log.head());
    health.start();
    queue.start();
  }

  template <class T>
  std::future<T> spawn(Task<T> task) {
    auto out = asio::co_spawn(context, std::move(task), asio::use_future);
    poll();
    return out;
  }

  void poll() {
    context.restart();
    context.poll();
  }

  std::future<Outcomes> append(std::vector<std::string> ids, size_t bytes = 10) {
    std::vector<NewEvent> events;
    for (const auto& id : ids) {
      events.push_back(make_event(id));
      events.back().event.bytes = std::string(bytes, ' ');
    }
    return spawn(queue.append(std::move(events)));
  }

  std::future<Result<DomainChange>> edit(const std::string& name) {
    return spawn(queue.edit(name, [name](const DomainPtr&, Position at) -> Result<DomainPtr> {
      auto domain = std::make_shared<Domain>();
      domain->name = name;
      domain->uid = {at.value};
      return DomainPtr(domain);
    }));
  }

  std::optional<Micros> turns() {
    const auto pause = hand.run();
    poll();
    return pause;
  }

  FakeLog log;
  FakeUpkeep upkeep;
  FakeClock clock;
  HandWorkers hand;
  asio::io_context context;
  Directory directory;
  Feed feed{directory};
  StoreHealth health{upkeep, clock, {}};
  Ids seen;
  AppendQueue queue;
};

bool ready(const auto& future) {
  return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

struct Rig : Unstarted {
  explicit Rig(const WriterOptions& options = {}) : Unstarted(options) { start(); }
};

// Cores that have not started yet would take their configuration from before the edit.
TEST(AppendQueue, UntilTheStartEditsWaitAndNothingIsRecovered) {
  Unstarted rig;
  auto edit = rig.edit("b.test");
  EXPECT_EQ(rig.turns(), std::nullopt);
  EXPECT_TRUE(rig.log.commits.empty());
  rig.health.failed(rig.health.generation(), Error(Errc::kUnavailable, "no space"));
  EXPECT_EQ(rig.turns(), std::nullopt);
  EXPECT_FALSE(rig.health.good());
  EXPECT_TRUE(rig.health.recover([] { return Status(); }));
  rig.start();
  rig.turns();
  EXPECT_TRUE(edit.get());
}

TEST(AppendQueue, AStopWithoutAStartRefusesWhatWaits) {
  Unstarted rig;
  auto edit = rig.edit("b.test");
  rig.queue.stop();
  rig.poll();
  EXPECT_FALSE(edit.get());
  EXPECT_TRUE(rig.log.commits.empty());
}

TEST(AppendQueue, WhatWaitsSharesACommitAndIsSeenBeforeItIsAnswered) {
  Rig rig;
  auto first = rig.append({"a"});
  auto second = rig.append({"b", "c"});
  EXPECT_TRUE(rig.hand.woken());
  EXPECT_FALSE(ready(first));
  rig.feed.subscribe([&](const BatchPtr&) { EXPECT_FALSE(ready(first)); });
  rig.turns();
  EXPECT_EQ(rig.log.commits, (std::vector<Ids>{{"a", "b", "c"}}));
  EXPECT_EQ(rig.seen, (Ids{"a", "b", "c"}));
  EXPECT_EQ(*first.get(), std::vector{Outcome::kStored});
  EXPECT_EQ(second.get()->size(), 2U);
}

TEST(AppendQueue, ABatchIsBoundedAndARequestIsNotSplit) {
  WriterOptions options;
  options.max_batch_events = 2;
  Rig rig(options);
  auto a = rig.append({"a"});
  auto b = rig.append({"b", "c"});
  auto d = rig.append({"d", "e", "f"});
  rig.turns();
  EXPECT_EQ(rig.log.commits, (std::vector<Ids>{{"a"}, {"b", "c"}, {"d", "e", "f"}}));
}

TEST(AppendQueue, AnEditComesBehindTheAppendsBeforeIt) {
  WriterOptions options;
  options.max_batch_events = 1;
  Rig rig(options);
  auto a = rig.append({"a"});
  auto b = rig.append({"b"});
  auto edit = rig.edit("new.test");
  auto c = rig.append({"c"});
  rig.turns();
  EXPECT_EQ(rig.log.commits, (std::vector<Ids>{{"a"}, {"b", "edit new.test"}, {"c"}}));
  EXPECT_TRUE(edit.get());
  EXPECT_NE(rig.directory.find("new.test"), nullptr);
}

TEST(AppendQueue, AFullQueueRefusesAtOnce) {
  WriterOptions options;
  options.max_queued_bytes = 1000;
  Rig rig(options);
  auto large = rig.append({"large"}, 5000);
  auto refused = rig.append({"refused"});
  ASSERT_TRUE(ready(refused));
  EXPECT_EQ(refused.get().error().code, Errc::kRateLimited);
  EXPECT_FALSE(ready(large)) << "an empty queue takes a request of any size";
  rig.turns();
  EXPECT_TRUE(large.get());
  auto again = rig.append({"again"});
  rig.turns();
  EXPECT_TRUE(again.get()) << "room again";
}

TEST(AppendQueue, OneThatCannotBeReadCostsItsOwnRequest) {
  Rig rig;
  auto bad = rig.append({"unreadable", "a"});
  auto good = rig.append({"b"});
  rig.turns();
  EXPECT_EQ(bad.get().error().code, Errc::kUnavailable);
  EXPECT_TRUE(good.get());
  EXPECT_TRUE(rig.health.good());
}

TEST(AppendQueue, EventsOfAGoneDomainAreNotFound) {
  Rig rig;
  auto kept = rig.append({"a"});
  auto foreign = make_event("b");
  foreign.domain = kOtherDomain;
  auto gone = rig.spawn(rig.queue.append({foreign}));
  rig.turns();
  EXPECT_EQ(gone.get().error().code, Errc::kNotFound);
  EXPECT_TRUE(kept.get());
}

TEST(AppendQueue, AFailedStoreRefusesUntilItHasRecovered) {
  Rig rig;
  rig.log.refuses = true;
  rig.upkeep.recovery = fail(Errc::kUnavailable, "still no space");
  auto refused = rig.append({"a"});
  auto edit = rig.edit("new.test");
  EXPECT_EQ(rig.turns(), WriterOptions().recover_interval);
  EXPECT_EQ(refused.get().error().code, Errc::kUnavailable);
  EXPECT_EQ(edit.get().error().code, Errc::kUnavailable);
  EXPECT_TRUE(rig.seen.empty());
  EXPECT_EQ(rig.append({"b"}).get().error().code, Errc::kUnavailable);
  rig.log.refuses = false;
  rig.upkeep.recovery = {};
  rig.clock.advance(std::chrono::milliseconds(400));
  EXPECT_EQ(rig.turns(), Micros(600'000)) << "not before the interval has passed";
  EXPECT_FALSE(rig.health.good());
  rig.clock.advance(std::chrono::milliseconds(600));
  rig.turns();
  EXPECT_TRUE(rig.health.good());
  auto taken = rig.append({"c"});
  rig.turns();
  EXPECT_TRUE(taken.get());
  EXPECT_EQ(rig.seen, Ids{"c"});
}

TEST(AppendQueue, AStoreThatFailsAgainAtOnceIsNotReopenedAllTheTime) {
  Rig rig;
  rig.log.refuses = true;
  auto first = rig.append({"a"});
  rig.turns();
  EXPECT_TRUE(rig.health.good()) << "reopened at once, the first time";
  auto second = rig.append({"b"});
  EXPECT_EQ(rig.turns(), WriterOptions().recover_interval);
  EXPECT_FALSE(rig.health.good());
  rig.clock.advance(WriterOptions().recover_interval);
  rig.turns();
  EXPECT_TRUE(rig.health.good());
  EXPECT_FALSE(first.get());
  EXPECT_FALSE(second.get());
}

TEST(AppendQueue, StopWritesWhatIsQueuedAndThenRefuses) {
  Rig rig;
  auto last = rig.append({"a"});
  rig.queue.stop();
  rig.poll();
  EXPECT_TRUE(last.get());
  EXPECT_EQ(rig.append({"b"}).get().error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.edit("new.test").get().error().code, Errc::kUnavailable);
}

TEST(AppendQueue, StopOfAFailedStoreAnswersAll) {
  Rig rig;
  rig.log.refuses = true;
  rig.upkeep.recovery = fail(Errc::kUnavailable, "still no space");
  auto last = rig.append({"a"});
  rig.queue.stop();
  rig.poll();
  EXPECT_EQ(last.get().error().code, Errc::kUnavailable);
}

}  // namespace
}  // namespace eventhorn::store
