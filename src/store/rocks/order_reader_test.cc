#include "store/rocks/order_reader.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace eventhorn::store {
namespace {

using Ids = std::vector<std::string>;

constexpr Position kHead{50};

class OrderReaderTest : public TableTest {
 protected:
  enum class In { kIndex, kTail, kBoth };

  void put_event(uint64_t position, In in, event::Name name = event::Name::kDelivered,
                 DomainUid domain = kDomain) {
    const auto event = make_event("e" + std::to_string(position), kBaseUs, name, domain);
    write([&](auto& batch) { EXPECT_TRUE(log.put({position}, event, {}, batch)); });
    const auto hook = webhook::hook_for(name, event.event.severity);
    if (in != In::kTail && hook) {
      put(Family::kClasses, ClassTable::key(domain, webhook::class_of(*hook), {position}),
          ClassTable::encode(*hook, 10, nullptr));
    } else if (in != In::kTail) {
      put(Family::kClasses, ClassTable::key(domain, kUnseen, {position}),
          ClassTable::encode_unseen({name, event.event.severity}));
    }
    if (in == In::kIndex) return;
    StoredEvent stored;
    stored.position = {position};
    stored.domain = domain;
    stored.event = event.event;
    tail.append(TailEntry::of(stored));
  }

  static OrderQuery query(uint64_t after = 0, std::optional<DomainUid> domain = kDomain) {
    OrderQuery out;
    out.domain = domain;
    out.after = {after};
    return out;
  }

  OrderSlice read(const OrderQuery& q, Position head = kHead) {
    return expect(reader.read(q, head));
  }

  /// The rows up to this one may be missing in the index.
  void set_mark(uint64_t position) {
    write([&](auto& batch) { numbers.put(NumberTable::kOrderedAfter, position, batch); });
    ASSERT_TRUE(fill.load({}));
  }

  Tail tail;
  ClassTable classes{database};
  LogTable log{database};
  NumberTable numbers{database};
  FloorTable dropped{database};
  OrderFill fill{{database, log, numbers, *floors}};
  OrderReader reader{{tail, classes, log, fill, dropped, *floors}};
};

TEST_F(OrderReaderTest, MergesTheClassesAndTheTail) {
  put_event(1, In::kIndex, event::Name::kOpened);
  put_event(2, In::kIndex, event::Name::kStored);
  put_event(3, In::kIndex, event::Name::kComplained);
  put_event(4, In::kIndex, event::Name::kDelivered, kOtherDomain);
  put_event(5, In::kBoth, event::Name::kDelivered);
  put_event(6, In::kBoth, event::Name::kStored);
  put_event(7, In::kTail, event::Name::kOpened);
  put_event(8, In::kTail, event::Name::kOpened, kOtherDomain);
  const Ids all = {"e1", "e2", "e3", "e5", "e6", "e7"};
  EXPECT_EQ(ids_of(read(query()).events), all);
  EXPECT_EQ(ids_of(read(query(2)).events), Ids(all.begin() + 2, all.end()));
  EXPECT_EQ(ids_of(read(query(), {5}).events), Ids(all.begin(), all.begin() + 4))
      << "up to the head";
  auto some = query();
  some.max_events = 4;
  const auto slice = read(some);
  EXPECT_EQ(slice.reached, Position{5});
  EXPECT_FALSE(slice.at_end);
  EXPECT_EQ(ids_of(read(query(0, std::nullopt)).events),
            (Ids{"e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8"}));
}

TEST_F(OrderReaderTest, ReadsTheLogBeforeTheMark) {
  for (uint64_t i = 1; i <= 6; ++i)
    put_event(i, i < 4 ? In::kTail : In::kIndex, event::Name::kStored);
  tail.clear();  // the first ones are in no index, as in a store of an older version
  put_event(2, In::kIndex, event::Name::kStored, kOtherDomain);
  EXPECT_EQ(ids_of(read(query()).events), (Ids{"e4", "e5", "e6"}))
      << "the fault that the mark mends";
  set_mark(3);
  auto slice = read(query());
  EXPECT_EQ(ids_of(slice.events), (Ids{"e1", "e3"}));
  EXPECT_EQ(slice.reached, Position{3});
  EXPECT_FALSE(slice.at_end);
  slice = read(query(3));
  EXPECT_EQ(ids_of(slice.events), (Ids{"e4", "e5", "e6"}));
  EXPECT_TRUE(slice.at_end);
}

TEST_F(OrderReaderTest, NamesWhatIsDamaged) {
  for (uint64_t i = 1; i <= 4; ++i) put_event(i, In::kIndex);
  put(Family::kLog, LogTable::key({3}), "damaged");
  for (const auto domain : {std::optional(kDomain), std::optional<DomainUid>()}) {
    const auto slice = read(query(0, domain));
    EXPECT_EQ(ids_of(slice.events), (Ids{"e1", "e2", "e4"}));
    EXPECT_EQ(slice.damaged, std::vector<Position>{Position{3}});
    EXPECT_TRUE(slice.at_end);
  }
  auto two = query(0, std::nullopt);
  two.max_events = 2;
  EXPECT_TRUE(read(two).damaged.empty()) << "it lies beyond what was reached";
}

// The events are gone from the log before the floor says so; the row that was written with it does.
TEST_F(OrderReaderTest, AGapIsToldWhileRetentionIsAtWork) {
  for (uint64_t i = 1; i <= 4; ++i) put_event(i, In::kIndex);
  write([&](auto& batch) {
    log.drop_before({3}, batch);
    dropped.put(from_micros(kBaseUs), {3}, batch);
  });
  for (const auto domain : {std::optional(kDomain), std::optional<DomainUid>()}) {
    const auto slice = read(query(0, domain));
    EXPECT_TRUE(slice.events.empty());
    EXPECT_EQ(slice.gone_through, Position{2});
    EXPECT_EQ(slice.reached, kNoPosition);
    EXPECT_EQ(ids_of(read(query(2, domain)).events), (Ids{"e3", "e4"}));
  }
}

TEST_F(OrderReaderTest, AnIndexThatCannotBeReadIsAnError) {
  put_event(1, In::kIndex);
  put_event(3, In::kTail);
  put(Family::kClasses, ClassTable::key(kDomain, kUnseen, {2}), "damaged");
  EXPECT_FALSE(reader.read(query(), kHead));
}

}  // namespace
}  // namespace eventhorn::store
