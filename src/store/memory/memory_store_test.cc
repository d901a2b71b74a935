// What the contract suite cannot ask of every engine: faults by operation, a torn end, a kill.
#include "store/memory/memory_store.h"

#include "base/test_support.h"
#include "store/store_test_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::store {
namespace {

using Ids = std::vector<std::string>;
using Operation = MemoryFaults::Operation;
using Outcome = WriteSet::Append::Outcome;

struct Faults final : MemoryFaults {
  Status on(Operation operation) override {
    asked.push_back(operation);
    if (operation == failing) return fail(code, "fault");
    return {};
  }

  Status on_record(Position position) override {
    if (position == bad_record) return fail(code, "fault");
    return {};
  }

  Status on_id(DomainUid, std::string_view id) override {
    if (id == bad_id) return fail(code, "fault");
    return {};
  }

  size_t found_by_recovery(size_t unsynced) override { return std::min(unsynced, found); }

  Status may_append() override { return room; }

  uint64_t free_bytes() override { return free; }

  std::optional<Operation> failing;
  Errc code = Errc::kUnavailable;
  std::optional<Position> bad_record;
  std::string bad_id;
  size_t found = SIZE_MAX;
  Status room;
  uint64_t free = 77;
  std::vector<Operation> asked;
};

class MemoryStoreTest : public testing::Test {
 protected:
  MemoryStoreTest() { open(); }

  void open() { store_ = expect(MemoryStore::open(disk_, clock_, {&faults_})); }

  Result<std::vector<Outcome>> append(const Ids& ids) {
    WriteSet set;
    for (const auto& id : ids) set.appends.push_back({make_event(id), Outcome::kStored, nullptr});
    TRY_STATUS(store_->commit(set));
    std::vector<Outcome> out;
    for (const auto& a : set.appends) out.push_back(a.outcome);
    return out;
  }

  Result<SaveToken> save(uint64_t lane) {
    Progress p;
    p.lanes = {{{lane}, kDomain, {}}};
    const Progress* const one[] = {&p};
    return store_->save(one);
  }

  std::vector<uint64_t> lanes() {
    std::vector<uint64_t> out;
    const auto loaded = store_->load_progress();
    for (const auto& row : loaded->lanes) out.push_back(row.lane.value);
    return out;
  }

  Ids stored() {
    std::vector<Position> positions;
    const auto heads = store_->read_heads(kNoPosition, SIZE_MAX);
    for (const auto& h : *heads) positions.push_back(h.position);
    return ids_of(*store_->read_events(positions));
  }

  static LaneQuery lane() {
    LaneQuery q;
    q.domain = kDomain;
    q.cls = webhook::Class::kNormal;
    q.since.fill(kNoPosition);
    return q;
  }

  static PageQuery page() {
    PageQuery q;
    q.domain = kDomain;
    q.last_us = INT64_MAX;
    return q;
  }

  MemoryDisk disk_;
  FakeClock clock_;
  Faults faults_;
  std::unique_ptr<MemoryStore> store_;
};

TEST_F(MemoryStoreTest, OneProcessHasTheDisk) {
  const auto second = MemoryStore::open(disk_, clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kConflict);
  store_.reset();
  faults_.failing = Operation::kOpen;
  EXPECT_FALSE(MemoryStore::open(disk_, clock_, {&faults_}));
  faults_.failing.reset();
  EXPECT_TRUE(MemoryStore::open(disk_, clock_, {&faults_})) << "a failed opening holds nothing";
}

TEST_F(MemoryStoreTest, AKilledProcessDoesNothingMore) {
  ASSERT_TRUE(append({"a"}));
  ASSERT_TRUE(save(5));
  disk_.kill();
  const auto dead = std::move(store_);
  open();
  EXPECT_FALSE(dead->load_progress());
  EXPECT_FALSE(dead->read_page(page()));
  EXPECT_FALSE(dead->flush());
  EXPECT_FALSE(dead->save_value("k", "v"));
  EXPECT_FALSE(dead->recover());
  EXPECT_EQ(stored(), Ids{"a"});
  EXPECT_EQ(lanes(), std::vector<uint64_t>{5});
  EXPECT_TRUE(append({"b"}));
}

// A commit whose sync failed may be found or not, and so may what was saved before it.
TEST_F(MemoryStoreTest, ARecoveryFindsABeginningOfWhatWasNotSynced) {
  uint64_t round = 0;
  for (const size_t found : {0, 1, 2, 3}) {
    const auto lanes_before = lanes();
    const auto stored_before = stored();
    const std::string id = "e" + std::to_string(++round);
    const auto first = save(10 * round);
    const auto second = save(10 * round + 1);
    faults_.failing = Operation::kSync;
    const Position head = store_->head();
    EXPECT_FALSE(append({id}));
    EXPECT_EQ(store_->head(), head);
    faults_.failing.reset();
    faults_.found = found;
    ASSERT_TRUE(store_->recover());
    EXPECT_FALSE(store_->durable(*first));
    EXPECT_FALSE(store_->durable(*second));
    EXPECT_EQ(lanes().size(), lanes_before.size() + std::min<size_t>(found, 2));
    EXPECT_EQ(stored().size(), stored_before.size() + (found == 3 ? 1 : 0));
    EXPECT_EQ(store_->head() > head, found == 3);
    disk_.power_cut();
    open();
    EXPECT_EQ(lanes().size(), lanes_before.size() + std::min<size_t>(found, 2));
    EXPECT_EQ(append({id}), (std::vector{found == 3 ? Outcome::kDuplicate : Outcome::kStored}));
    disk_.check_invariants();
  }
}

TEST_F(MemoryStoreTest, EveryWriteAndSyncCanFail) {
  const std::pair<Operation, std::function<bool()>> writes[] = {
      {Operation::kCommit, [&] { return append({"x"}).has_value(); }},
      {Operation::kSync, [&] { return append({"y"}).has_value(); }},
      {Operation::kSaveProgress, [&] { return save(5).has_value(); }},
      {Operation::kFlush, [&] { return store_->flush().has_value(); }},
      {Operation::kSaveMarks, [&] { return store_->replace_marks({}).has_value(); }},
      {Operation::kSaveValues, [&] { return store_->save_value("k", "v").has_value(); }},
      {Operation::kSaveValues, [&] { return store_->save_values({{"k", "v"}}).has_value(); }},
      {Operation::kSaveValues, [&] { return store_->remove_value("k").has_value(); }},
      {Operation::kExpire, [&] { return store_->expire({}, {}).has_value(); }},
  };
  for (const auto& [operation, write] : writes) {
    faults_.failing = operation;
    EXPECT_FALSE(write());
    EXPECT_TRUE(store_->failed());
    faults_.failing.reset();
    EXPECT_FALSE(write());
    ASSERT_TRUE(store_->recover());
    EXPECT_TRUE(write());
  }
}

TEST_F(MemoryStoreTest, EveryReadCanFail) {
  ASSERT_TRUE(append({"a"}));
  const std::pair<Operation, std::function<bool()>> reads[] = {
      {Operation::kLoadDomains, [&] { return store_->load_domains().has_value(); }},
      {Operation::kLoadProgress, [&] { return store_->load_progress().has_value(); }},
      {Operation::kLoadValues, [&] { return store_->load_value("k").has_value(); }},
      {Operation::kLoadValues, [&] { return store_->load_values("k").has_value(); }},
      {Operation::kReadHeads, [&] { return store_->read_heads({}, 1).has_value(); }},
      {Operation::kReadEvents, [&] { return store_->read_events({{1}}).has_value(); }},
      {Operation::kFindEvents, [&] { return store_->find_events(kDomain, {"a"}).has_value(); }},
      {Operation::kFindByTime, [&] { return store_->position_before({}).has_value(); }},
      {Operation::kReadLane, [&] { return store_->read_lane(lane()).has_value(); }},
      {Operation::kCountLane, [&] { return store_->count_lane(lane()).has_value(); }},
      {Operation::kReadPage, [&] { return store_->read_page(page()).has_value(); }},
      {Operation::kReadOrder, [&] { return store_->read_order({}).has_value(); }},
      {Operation::kReadExceptions,
       [&] { return store_->read_exceptions({5}, {}, 1, false).has_value(); }},
      {Operation::kReadAttempts, [&] { return store_->read_attempts({5}, {}, {}, 1).has_value(); }},
      {Operation::kReadAttempts, [&] { return store_->last_attempts({5}, {}, 1).has_value(); }},
  };
  for (const auto& [operation, read] : reads) {
    EXPECT_TRUE(read());
    faults_.failing = operation;
    EXPECT_FALSE(read());
    EXPECT_FALSE(store_->failed()) << "a read that fails stops no write";
    faults_.failing.reset();
  }
  faults_.failing = Operation::kRecover;
  EXPECT_FALSE(store_->recover());
  EXPECT_TRUE(store_->failed());
  for (const auto& [operation, read] : reads) EXPECT_FALSE(read()) << "the store is closed";
  faults_.failing.reset();
  EXPECT_TRUE(store_->recover());
  for (const auto& [operation, read] : reads) EXPECT_TRUE(read());
}

TEST_F(MemoryStoreTest, ARecordThatCannotBeReadCostsItselfAlone) {
  ASSERT_TRUE(append({"a", "b", "c"}));
  faults_.bad_record = (*store_->find_events(kDomain, {"b"})).front();
  for (const Errc code : {Errc::kUnavailable, Errc::kCorruption}) {
    faults_.code = code;
    const auto slice = store_->read_lane(lane());
    ASSERT_TRUE(slice);
    EXPECT_EQ(ids_of(slice->events), (Ids{"a", "c"}));
    ASSERT_EQ(slice->unreadable.size(), 1U);
    EXPECT_EQ(slice->unreadable.front().position, *faults_.bad_record);
    EXPECT_EQ(store_->read_events({*faults_.bad_record}).error().code, code);
    EXPECT_EQ(store_->read_heads({}, 9).error().code, code);
    const auto events = store_->read_page(page());
    EXPECT_EQ(events.has_value(), code == Errc::kCorruption);
    if (events) EXPECT_EQ(ids_of(events->events), (Ids{"a", "c"}));
    if (events) EXPECT_EQ(events->damaged, Ids{"b"});
  }
}

TEST_F(MemoryStoreTest, AnIdThatCannotBeReadCostsItsAppendAlone) {
  ASSERT_TRUE(append({"a"}));
  faults_.bad_id = "a";
  EXPECT_EQ(append({"a", "b", "a"}),
            (std::vector{Outcome::kUnreadable, Outcome::kStored, Outcome::kUnreadable}));
  EXPECT_FALSE(store_->find_events(kDomain, {"b", "a"}));
  EXPECT_FALSE(store_->failed());
  faults_.bad_id.clear();
  EXPECT_EQ(stored(), (Ids{"a", "b"}));
}

TEST_F(MemoryStoreTest, RoomIsWhatTheFaultsSay) {
  EXPECT_TRUE(store_->may_append());
  EXPECT_EQ(store_->free_bytes(), 77U);
  faults_.room = fail(Errc::kUnavailable, "indexes");
  EXPECT_FALSE(store_->may_append());
}

// What is in the store does not count as held by lanes.
TEST_F(MemoryStoreTest, OnlyEventsThatWereReadAreAlive) {
  const size_t before = live_event_bytes();
  ASSERT_TRUE(append({"a", "b"}));
  EXPECT_EQ(live_event_bytes(), before);
  const auto slice = store_->read_lane(lane());
  EXPECT_GT(live_event_bytes(), before);
}

}  // namespace
}  // namespace eventhorn::store
