#include "store/writers.h"

#include "store/writers_test_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

namespace eventhorn::store {
namespace {

using Ids = std::vector<std::string>;
using Outcome = AppendQueue::Outcome;

bool ready(const auto& future) {
  return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

Result<DomainPtr> remove_domain(const DomainPtr&, Position) {
  return DomainPtr();
}

TEST(Writers, ConcurrentAppendersShareACommit) {
  WriterRig rig;
  rig.create();
  rig.env.hold_syncs();
  auto first = rig.submit("first");
  rig.env.wait_for_held_sync();
  std::vector<std::future<WriterRig::Outcomes>> others;
  for (int i = 0; i < 50; ++i) others.push_back(rig.submit("e" + std::to_string(i)));
  const int before = rig.env.syncs();
  rig.env.release_syncs();
  rig.run();
  EXPECT_TRUE(first.get());
  for (auto& o : others) EXPECT_EQ(*o.get(), std::vector{Outcome::kStored});
  EXPECT_EQ(rig.env.syncs(), before + 2);
  const auto batches = rig.batches();
  ASSERT_EQ(batches.size(), 3U) << "the domain, the first, the others";
  EXPECT_EQ(batches[2]->events.size(), 50U);
}

TEST(Writers, ABatchIsBounded) {
  auto options = WriterRig::quick();
  options.max_batch_events = 10;
  WriterRig rig(options);
  rig.create();
  rig.env.hold_syncs();
  auto first = rig.submit("first");
  rig.env.wait_for_held_sync();
  std::vector<std::future<WriterRig::Outcomes>> others;
  for (int i = 0; i < 25; ++i) others.push_back(rig.submit("e" + std::to_string(i)));
  std::vector<NewEvent> large;
  for (int i = 0; i < 30; ++i) large.push_back(rig.event("l" + std::to_string(i)));
  others.push_back(rig.submit(std::move(large)));
  rig.env.release_syncs();
  rig.run();
  std::vector<size_t> sizes;
  for (const auto& b : rig.batches()) sizes.push_back(b->events.size());
  EXPECT_EQ(sizes, (std::vector<size_t>{0, 1, 10, 10, 5, 30})) << "one request is never split";
}

// L8: the same event from 100 connections at once.
TEST(Writers, L8TheSameEventFromHundredConnectionsIsStoredOnce) {
  WriterRig rig;
  rig.create();
  std::vector<std::future<WriterRig::Outcomes>> answers;
  for (int i = 0; i < 100; ++i) answers.push_back(rig.submit("a"));
  rig.run();
  int stored = 0;
  for (auto& a : answers) stored += a.get()->at(0) == Outcome::kStored ? 1 : 0;
  EXPECT_EQ(stored, 1);
  EXPECT_EQ(rig.stored(), Ids{"a"});
  EXPECT_EQ(rig.seen(), Ids{"a"});
}

// L11, C11: while the disk is slow only so much waits; more is refused at once, and what waits is
// stored.
TEST(Writers, L11C11AFullQueueRefuses) {
  auto options = WriterRig::quick();
  options.max_queued_bytes = 1000;
  WriterRig rig(options);
  rig.create();
  rig.env.hold_syncs();
  auto held = rig.submit("held");
  rig.env.wait_for_held_sync();
  auto large = rig.event("large");
  large.event.bytes = std::string(5000, ' ');
  auto fits = rig.submit(std::vector{large});
  auto refused = rig.submit("refused");
  ASSERT_TRUE(ready(refused)) << "a refusal does not wait for the disk";
  EXPECT_EQ(refused.get().error().code, Errc::kRateLimited);
  EXPECT_FALSE(ready(fits)) << "an empty queue takes a request of any size";
  rig.env.release_syncs();
  rig.run();
  EXPECT_TRUE(held.get());
  EXPECT_TRUE(fits.get());
  EXPECT_EQ(*rig.append("refused"), std::vector{Outcome::kStored}) << "room again";
}

TEST(Writers, EventsOfADeletedDomainAreNotFound) {
  WriterRig rig;
  const DomainUid other = rig.create("b.test");
  rig.create("a.test");
  auto foreign = rig.event("b");
  foreign.domain = other;
  EXPECT_TRUE(rig.append("before"));
  rig.env.hold_syncs();
  auto deleted = rig.submit_edit("a.test", remove_domain);
  rig.env.wait_for_held_sync();
  auto after = rig.submit("after");
  auto mixed = rig.submit(std::vector{foreign, rig.event("mixed")});
  auto mate = rig.submit(std::vector{foreign});
  rig.env.release_syncs();
  rig.run();
  const auto change = deleted.get();
  ASSERT_TRUE(change);
  EXPECT_NE(change->before, nullptr);
  EXPECT_EQ(after.get().error().code, Errc::kNotFound);
  EXPECT_EQ(mixed.get().error().code, Errc::kNotFound);
  EXPECT_EQ(*mate.get(), std::vector{Outcome::kStored}) << "another request of the same batch";
  EXPECT_EQ(rig.stored(), (Ids{"before", "b"}));
}

// L13: what waits for the disk when an edit comes shares its commit; in the log, and for lanes, it
// is before the edit.
TEST(Writers, L13EditsAndAppendsShareACommit) {
  WriterRig rig;
  rig.create();
  rig.env.hold_syncs();
  auto held = rig.submit("held");
  rig.env.wait_for_held_sync();
  auto first = rig.submit("first");
  auto deleted = rig.submit_edit("a.test", remove_domain);
  auto second = rig.submit("second");
  const int before = rig.env.syncs();
  rig.env.release_syncs();
  rig.run();
  EXPECT_EQ(rig.env.syncs(), before + 2);
  EXPECT_TRUE(held.get());
  EXPECT_EQ(*first.get(), std::vector{Outcome::kStored});
  EXPECT_EQ(*second.get(), std::vector{Outcome::kStored}) << "nobody was told of the edit yet";
  const auto change = deleted.get();
  ASSERT_TRUE(change);
  const auto batches = rig.batches();
  ASSERT_EQ(batches.size(), 4U) << "the domain, the first, the others, their change";
  ASSERT_EQ(batches[2]->events.size(), 2U);
  EXPECT_EQ(batches[2]->events[1]->event.id, "second");
  EXPECT_EQ(batches[2]->head, batches[2]->events[1]->position);
  EXPECT_TRUE(batches[2]->changes.empty());
  EXPECT_TRUE(batches[3]->events.empty());
  ASSERT_EQ(batches[3]->changes.size(), 1U);
  EXPECT_GT(change->at, batches[2]->head);
  EXPECT_EQ(batches[3]->head, rig.store->head());
}

// L13: an event that was queued before an edit comes before it, even when many turns are between.
TEST(Writers, L13AnEditWaitsForTheAppendsBeforeIt) {
  auto options = WriterRig::quick();
  options.max_batch_events = 10;
  WriterRig rig(options);
  rig.create();
  rig.env.hold_syncs();
  auto held = rig.submit("held");
  rig.env.wait_for_held_sync();
  std::vector<std::future<WriterRig::Outcomes>> earlier, later;
  for (int i = 0; i < 25; ++i) earlier.push_back(rig.submit("e" + std::to_string(i)));
  auto deleted = rig.submit_edit("a.test", remove_domain);
  for (int i = 0; i < 25; ++i) later.push_back(rig.submit("l" + std::to_string(i)));
  rig.env.release_syncs();
  rig.run();
  EXPECT_TRUE(held.get());
  for (auto& e : earlier) EXPECT_EQ(*e.get(), std::vector{Outcome::kStored});
  size_t gone = 0;
  for (auto& l : later) {
    const auto answer = l.get();
    gone += answer ? 0 : 1;
    if (!answer) EXPECT_EQ(answer.error().code, Errc::kNotFound);
  }
  EXPECT_EQ(gone, 20U) << "the last five of three turns of ten go beside the edit";
}

TEST(Writers, SubscribersSeeBatchesInOrderAndBeforeTheAnswer) {
  WriterRig rig;
  rig.create();
  std::future<WriterRig::Outcomes> answer;
  std::atomic<int> early{0};
  std::vector<Position> heads;
  for (int i = 0; i < 20; ++i) {
    rig.env.hold_syncs();
    answer = rig.submit(
        std::vector{rig.event("a" + std::to_string(i)), rig.event("b" + std::to_string(i))});
    rig.env.wait_for_held_sync();
    rig.on_batch = [&] { early += ready(answer) ? 1 : 0; };
    rig.env.release_syncs();
    rig.run();
    EXPECT_TRUE(answer.get());
    EXPECT_EQ(rig.seen().size(), 2U * (static_cast<size_t>(i) + 1)) << "seen before it is answered";
    rig.on_batch = nullptr;
  }
  EXPECT_EQ(early, 0);
  Position last = kNoPosition;
  for (const auto& batch : rig.batches()) {
    for (const auto& change : batch->changes) EXPECT_GT(change.at, last);
    for (const auto& e : batch->events) {
      EXPECT_GT(e->position, last);
      last = e->position;
    }
    EXPECT_GE(batch->head, last);
    last = batch->head;
  }
}

TEST(Writers, AnEditIsInTheDirectoryWhenItIsAnswered) {
  WriterRig rig;
  rig.create();
  EXPECT_EQ(rig.directory->find("a.test")->uid, rig.domain);
  const auto refused = rig.edit("a.test", [](const DomainPtr&, Position) -> Result<DomainPtr> {
    return fail(Errc::kConflict, "no");
  });
  EXPECT_EQ(refused.error().code, Errc::kConflict);
  EXPECT_TRUE(rig.directory->has(rig.domain));
  EXPECT_TRUE(rig.append("a"));
  const auto deleted = rig.edit("a.test", remove_domain);
  ASSERT_TRUE(deleted);
  EXPECT_GT(deleted->at, rig.batches()[rig.batches().size() - 2]->events.front()->position);
  EXPECT_EQ(rig.directory->find("a.test"), nullptr);
  EXPECT_EQ(rig.append("b").error().code, Errc::kNotFound);
}

TEST(Writers, ARequestWithoutEventsIsAnswered) {
  WriterRig rig;
  const auto answer = rig.append(std::vector<NewEvent>{});
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->empty());
}

TEST(Writers, StopWritesWhatIsQueuedAndThenRefuses) {
  WriterRig rig;
  rig.create();
  rig.env.hold_syncs();
  auto first = rig.submit("a");
  rig.env.wait_for_held_sync();
  auto second = rig.submit("b");
  auto third = rig.submit("c");
  std::thread stopper([&] { rig.writers->stop(); });
  rig.env.release_syncs();
  stopper.join();
  rig.run();
  for (auto* answer : {&first, &second, &third}) EXPECT_TRUE(answer->get());
  EXPECT_EQ(rig.append("d").error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.edit("a.test", remove_domain).error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.stored(), (Ids{"a", "b", "c"}));
}

// Lanes may only have so many outcomes unsaved, so saving must not wait behind an fsync.
TEST(Writers, ProgressIsSavedWhileAnFsyncIsUnderWay) {
  WriterRig rig;
  rig.create();
  rig.env.hold_syncs();
  auto held = rig.submit("a");
  rig.env.wait_for_held_sync();
  std::promise<void> saved;
  Progress p;
  p.lanes.push_back({{5}, rig.domain, {}});
  rig.writers->progress.save(std::move(p), [&] { saved.set_value(); });
  saved.get_future().wait();
  EXPECT_FALSE(ready(held));
  rig.env.release_syncs();
  rig.run();
  EXPECT_EQ(rig.store->load_progress()->lanes.size(), 1U);
}

TEST(Writers, ProgressIsSyncedWithoutAnyAppend) {
  auto options = WriterRig::quick();
  options.durable_after = std::chrono::milliseconds(1);
  WriterRig rig(options);
  const int before = rig.env.syncs();
  Progress p;
  p.lanes.push_back({{5}, {1}, {}});
  rig.writers->progress.save(std::move(p), nullptr);
  while (rig.env.syncs() == before) std::this_thread::yield();
  rig.cut_power();
  EXPECT_EQ(rig.store->load_progress()->lanes.size(), 1U);
}

// C5: ingest is refused before the disk is full, and taken again when there is room, without any
// help.
TEST(Writers, C5ANearlyFullDiskRefusesUntilThereIsRoom) {
  std::atomic<uint64_t> free{UINT64_MAX};
  auto options = WriterRig::quick();
  options.min_free_bytes = 1000;
  WriterRig rig(options,
                [&](RocksOptions& rocks) { rocks.free_bytes = [&] { return free.load(); }; });
  rig.create();
  EXPECT_TRUE(rig.append("a"));
  free = 999;
  for (int i = 0; rig.writers->health.status(); ++i) (void)rig.append("b" + std::to_string(i));
  EXPECT_EQ(rig.append("c").error().code, Errc::kUnavailable);
  free = 1000;
  while (!rig.writers->health.status()) std::this_thread::yield();
  EXPECT_TRUE(rig.append("c"));
}

}  // namespace
}  // namespace eventhorn::store
