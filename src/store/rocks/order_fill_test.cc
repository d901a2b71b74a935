#include "store/rocks/order_fill.h"

#include "store/rocks/table_test_support.h"
#include "store/rocks/tables/class_table.h"
#include "store/rocks_test_support.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace eventhorn::store {
namespace {

class OrderFillTest : public TableTest {
 protected:
  void put_event(uint64_t position, event::Name name, bool push = true) {
    auto event = make_event("e" + std::to_string(position), kBaseUs, name);
    event.push = push;
    write([&](auto& batch) { EXPECT_TRUE(log.put({position}, event, {}, batch)); });
  }

  bool has_row(uint64_t position) {
    return raw(Family::kClasses).contains(ClassTable::key(kDomain, kUnseen, {position}));
  }

  LogTable log{database};
  NumberTable numbers{database};
  OrderFill fill{{database, log, numbers, *floors}};
};

TEST_F(OrderFillTest, ANewStoreIsComplete) {
  ASSERT_TRUE(fill.load(kNoPosition));
  EXPECT_EQ(fill.complete_after(), kNoPosition);
  ASSERT_TRUE(fill.load({7})) << "once it was loaded, what is indexed later is complete";
  EXPECT_EQ(fill.complete_after(), kNoPosition);
}

TEST_F(OrderFillTest, AnOlderStoreIsCompletedStepByStep) {
  constexpr uint64_t kEvents = OrderFill::kStep + 10;
  for (uint64_t i = 1; i <= kEvents; ++i)
    put_event(i, i % 2 == 0 ? event::Name::kStored : event::Name::kDelivered, i != 5);
  put_event(kEvents + 1, event::Name::kStored);  // not indexed yet
  ASSERT_TRUE(fill.load({kEvents}));
  EXPECT_EQ(fill.complete_after(), Position{kEvents});
  fill.step();
  EXPECT_EQ(fill.complete_after(), Position{10});
  EXPECT_TRUE(has_row(12));
  EXPECT_FALSE(has_row(13)) << "it has a hook";
  EXPECT_FALSE(has_row(10));
  EXPECT_FALSE(has_row(kEvents + 1));
  // A restart goes on where it was.
  OrderFill again{{database, log, numbers, *floors}};
  ASSERT_TRUE(again.load({kEvents + 1}));
  EXPECT_EQ(again.complete_after(), Position{10});
  again.step();
  EXPECT_EQ(again.complete_after(), kNoPosition);
  EXPECT_TRUE(has_row(2));
  EXPECT_TRUE(has_row(5)) << "it is not pushed";
  EXPECT_FALSE(has_row(1));
  EXPECT_EQ(count(Family::kClasses), kEvents / 2 + 1);
}

TEST_F(OrderFillTest, WhatRetentionDroppedNeedsNoRows) {
  for (uint64_t i = 1; i <= 2 * OrderFill::kStep; ++i) put_event(i, event::Name::kStored);
  floors->events = OrderFill::kStep + 2;
  ASSERT_TRUE(fill.load({2 * OrderFill::kStep}));
  fill.step();
  EXPECT_EQ(fill.complete_after(), kNoPosition);
}

TEST_F(OrderFillTest, ADamagedRecordCostsItselfAlone) {
  for (uint64_t i = 1; i <= 4; ++i) put_event(i, event::Name::kStored);
  put(Family::kLog, LogTable::key({3}), "damaged");
  ASSERT_TRUE(fill.load({4}));
  fill.step();
  EXPECT_EQ(fill.complete_after(), kNoPosition);
  for (const uint64_t i : {1, 2, 4}) EXPECT_TRUE(has_row(i));
  EXPECT_FALSE(has_row(3));
}

// C9: a store of before there were such rows is read whole, while and after it is completed.
TEST_F(OrderFillTest, C9AnOlderStoreIsReadWholeFromTheStart) {
  const TempDir data;
  const FakeClock clock;
  std::vector<std::string> all;
  auto store = open_rocks(data, clock);
  const auto append = [&] {
    WriteSet set;
    for (int i = 0; i < 20; ++i) {
      all.push_back("e" + std::to_string(all.size()));
      const auto name = i % 2 == 0 ? event::Name::kStored : event::Name::kDelivered;
      set.appends.push_back({make_event(all.back(), kBaseUs, name), {}, nullptr});
    }
    ASSERT_TRUE(store->commit(set));
  };
  const auto read = [&] {
    std::vector<std::string> out;
    OrderQuery q;
    q.domain = kDomain;
    for (bool more = true; more;) {
      const auto slice = expect(store->read_order(q));
      for (const auto& id : ids_of(slice.events)) out.push_back(id);
      q.after = slice.reached;
      more = !slice.at_end;
    }
    return out;
  };
  append();
  ASSERT_TRUE(store->index_now());
  store.reset();
  {
    Database old;
    const auto opened = old.open(db_options(nullptr), (data.path() / "store").string(),
                                 family_descriptors(nullptr), Database::Access::kReadAndWrite);
    ASSERT_TRUE(opened.ok()) << opened.ToString();
    rocksdb::WriteBatch batch;
    batch.Delete(old.family(Family::kMeta), "o");
    for (uint64_t i = 1; i <= all.size(); ++i)
      batch.Delete(old.family(Family::kClasses), ClassTable::key(kDomain, kUnseen, {i}));
    ASSERT_TRUE(old.write(batch, "making it older"));
  }
  store = open_rocks(data, clock);
  EXPECT_EQ(read(), all);
  append();
  EXPECT_EQ(read(), all);
  ASSERT_TRUE(store->index_now());  // a turn of the indexer is a step
  EXPECT_EQ(read(), all);
  store.reset();
  store = open_rocks(data, clock);
  EXPECT_EQ(read(), all);
}

}  // namespace
}  // namespace eventhorn::store
