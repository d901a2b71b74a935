#include "store/progress_saver.h"

#include "async/worker_test_support.h"
#include "store/upkeep_test_support.h"

#include <gtest/gtest.h>

#include <functional>
#include <utility>
#include <vector>

namespace eventhorn::store {
namespace {

using Lanes = std::vector<uint64_t>;

// Takes progress, and remembers the lanes that each save named.
class FakeStore final : public ProgressWriter, public FakeUpkeep {
 public:
  Result<SaveToken> save(std::span<const Progress* const> progress) override {
    if (before_save) std::exchange(before_save, nullptr)();
    if (refuses) return fail(Errc::kUnavailable, "no space");
    auto& lanes = saves.emplace_back();
    for (const auto* one : progress) lanes.push_back(one->settled_lanes.front().value);
    return SaveToken{opening, ++number};
  }

  bool durable(SaveToken token) const override {
    return token.opening == opening && token.number <= durable_through;
  }

  Status flush() override {
    ++flushes;
    if (refuses) return fail(Errc::kUnavailable, "no space");
    durable_through = number;
    return {};
  }

  Status recover() override {
    ++opening;
    return {};
  }

  std::function<void()> before_save;  // once
  bool refuses = false;
  uint64_t opening = 0;
  uint64_t number = 0;
  uint64_t durable_through = 0;
  int flushes = 0;
  std::vector<Lanes> saves;
};

// Not started yet.
struct Unstarted {
  void start() {
    health.start();
    saver.start();
  }

  static WriterOptions options() {
    WriterOptions out;
    out.durable_after = std::chrono::seconds(1);
    return out;
  }

  void save(uint64_t lane) {
    Progress progress;
    progress.settled_lanes.push_back({lane});
    saver.save(std::move(progress), [this, lane] { called.push_back(lane); });
  }

  void recover() {
    EXPECT_TRUE(health.recover([] { return Status(); }));
  }

  FakeStore store;
  FakeClock clock;
  HandWorkers hand;
  Lanes called;
  StoreHealth health{store, clock, options()};
  ProgressSaver saver{{store, health, clock, hand}, options()};
};

struct Rig : Unstarted {
  Rig() { start(); }
};

TEST(ProgressSaver, UntilTheStartSavesWait) {
  Unstarted rig;
  rig.save(1);
  EXPECT_EQ(rig.hand.run(), std::nullopt);
  EXPECT_TRUE(rig.store.saves.empty());
  rig.start();
  rig.hand.run();
  EXPECT_EQ(rig.called, Lanes{1});
}

TEST(ProgressSaver, WhatWaitsIsSavedTogetherAndCalledBackOnce) {
  Rig rig;
  rig.save(1);
  rig.save(2);
  EXPECT_TRUE(rig.hand.woken());
  rig.hand.run();
  EXPECT_EQ(rig.store.saves, (std::vector<Lanes>{{1, 2}}));
  EXPECT_EQ(rig.called, (Lanes{1, 2}));
  rig.hand.run();
  EXPECT_EQ(rig.store.saves.size(), 1U);
  EXPECT_EQ(rig.called.size(), 2U);
}

TEST(ProgressSaver, MakesDurableInTimeWhatNobodyElseDid) {
  Rig rig;
  rig.save(1);
  EXPECT_EQ(rig.hand.run(), Micros(1'000'000));
  rig.clock.advance(std::chrono::milliseconds(400));
  EXPECT_EQ(rig.hand.run(), Micros(600'000));
  EXPECT_EQ(rig.store.flushes, 0);
  rig.clock.advance(std::chrono::milliseconds(600));
  EXPECT_EQ(rig.hand.run(), std::nullopt) << "nothing waits any more";
  EXPECT_EQ(rig.store.flushes, 1);
}

TEST(ProgressSaver, WhatACommitMadeDurableNeedsNoFlush) {
  Rig rig;
  rig.save(1);
  rig.hand.run();
  rig.store.durable_through = 1;
  EXPECT_EQ(rig.hand.run(), std::nullopt);
  rig.clock.advance(std::chrono::seconds(2));
  EXPECT_EQ(rig.hand.run(), std::nullopt);
  EXPECT_EQ(rig.store.flushes, 0);
}

TEST(ProgressSaver, KeepsWhatTheStoreRefusesUntilItHasRecovered) {
  Rig rig;
  rig.store.refuses = true;
  rig.save(1);
  EXPECT_EQ(rig.hand.run(), std::nullopt) << "a failed store is not asked again and again";
  EXPECT_FALSE(rig.health.good());
  rig.save(2);
  EXPECT_EQ(rig.hand.run(), std::nullopt);
  EXPECT_TRUE(rig.called.empty());
  rig.store.refuses = false;
  rig.recover();
  EXPECT_TRUE(rig.hand.woken());
  rig.hand.run();
  EXPECT_EQ(rig.store.saves, (std::vector<Lanes>{{1, 2}}));
  EXPECT_EQ(rig.called, (Lanes{1, 2}));
}

TEST(ProgressSaver, SavesAgainWhatARecoveryMayHaveLostBeforeAnythingNewer) {
  Rig rig;
  rig.save(1);
  rig.hand.run();
  rig.save(2);
  rig.hand.run();
  rig.store.durable_through = 1;
  rig.hand.run();
  rig.health.failed(0, {Errc::kUnavailable, "a commit failed"});
  rig.save(3);
  rig.hand.run();
  rig.recover();
  rig.hand.run();
  EXPECT_EQ(rig.store.saves, (std::vector<Lanes>{{1}, {2}, {2, 3}})) << "1 was durable";
  EXPECT_EQ(rig.called, (Lanes{1, 2, 3}));
}

// The recovery comes between the saver's look at the store and its write.
TEST(ProgressSaver, ARecoveryJustBeforeAWriteBringsAllOfItAgain) {
  Rig rig;
  rig.save(1);
  rig.hand.run();
  rig.save(2);
  rig.store.before_save = [&] {
    rig.health.failed(0, {Errc::kUnavailable, "a commit failed"});
    rig.recover();
  };
  rig.hand.run();
  EXPECT_EQ(rig.store.saves, (std::vector<Lanes>{{1}, {2}, {1, 2}}));
  EXPECT_EQ(rig.called, (Lanes{1, 2}));
}

TEST(ProgressSaver, AFlushThatFailsLosesNothing) {
  Rig rig;
  rig.save(1);
  rig.hand.run();
  rig.store.refuses = true;
  rig.clock.advance(std::chrono::seconds(1));
  rig.hand.run();
  EXPECT_FALSE(rig.health.good());
  rig.store.refuses = false;
  rig.recover();
  rig.hand.run();
  EXPECT_EQ(rig.store.saves, (std::vector<Lanes>{{1}, {1}}));
  rig.clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(rig.hand.run(), std::nullopt);
}

TEST(ProgressSaver, StopSavesWhatIsQueuedAndMakesItDurable) {
  Rig rig;
  rig.save(1);
  rig.saver.stop();
  EXPECT_EQ(rig.store.saves, (std::vector<Lanes>{{1}}));
  EXPECT_EQ(rig.store.durable_through, 1U);
}

}  // namespace
}  // namespace eventhorn::store
