#include "store/rocks/lane_reader.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

using Ids = std::vector<std::string>;

constexpr Position kHead{1000};

class LaneReaderTest : public TableTest {
 protected:
  enum class In { kIndex, kTail, kBoth };

  void put_event(uint64_t position, In in, event::Name name = event::Name::kDelivered,
                 DomainUid domain = kDomain) {
    const auto event = make_event("e" + std::to_string(position), kBaseUs, name, domain);
    write([&](auto& batch) { EXPECT_TRUE(log.put({position}, event, {}, batch)); });
    const auto hook = *webhook::hook_for(name, event.event.severity);
    if (in != In::kTail) {
      put(Family::kClasses, ClassTable::key(domain, webhook::class_of(hook), {position}),
          ClassTable::encode(hook, static_cast<uint32_t>(event.event.bytes.size()), nullptr));
    }
    if (in == In::kIndex) return;
    StoredEvent stored;
    stored.position = {position};
    stored.domain = domain;
    stored.event = event.event;
    tail.append(TailEntry::of(stored));
  }

  static LaneQuery query(uint64_t after = 0) {
    LaneQuery out;
    out.domain = kDomain;
    out.cls = webhook::Class::kNormal;
    out.after = {after};
    out.since.fill(kNoPosition);
    return out;
  }

  LaneSlice read(const LaneQuery& q, Position head = kHead) { return expect(reader.read(q, head)); }

  EventCount count_events(const LaneQuery& q) { return expect(reader.count(q, kHead)); }

  Tail tail;
  ClassTable classes{database};
  ExceptionTable table{database};
  LogTable log{database};
  ExceptionReader exceptions{table, log};
  FloorTable dropped{database};
  LaneReader reader{{tail, classes, exceptions, log, dropped, *floors}};
};

TEST_F(LaneReaderTest, ReadsTheIndexAndThenTheTail) {
  put_event(1, In::kIndex);
  put_event(2, In::kIndex);
  put_event(3, In::kBoth);
  put_event(4, In::kTail);
  put_event(5, In::kTail, event::Name::kDelivered, kOtherDomain);
  auto slice = read(query());
  EXPECT_EQ(ids_of(slice.events), (Ids{"e1", "e2", "e3", "e4"}));
  EXPECT_EQ(slice.through, kHead);
  EXPECT_TRUE(slice.at_end);
  EXPECT_EQ(count_events(query()).events, 4U);
  EXPECT_EQ(ids_of(read(query(), {3}).events), (Ids{"e1", "e2", "e3"})) << "up to the head";
  auto some = query(1);
  some.max_events = 1;
  slice = read(some);
  EXPECT_EQ(ids_of(slice.events), Ids{"e2"});
  EXPECT_EQ(slice.through, Position{2});
  EXPECT_FALSE(slice.at_end);
}

TEST_F(LaneReaderTest, AHookCountsSinceItWasConfigured) {
  put_event(1, In::kIndex);
  put_event(2, In::kTail);
  auto q = query();
  q.since[static_cast<size_t>(webhook::Hook::kDelivered)] = Position{1};
  EXPECT_EQ(ids_of(read(q).events), Ids{"e2"});
  EXPECT_EQ(count_events(q).events, 1U);
}

TEST_F(LaneReaderTest, WhatIsGoneIsCountedAndWhatIsDamagedNamed) {
  for (uint64_t i = 1; i <= 4; ++i) put_event(i, In::kIndex);
  put(Family::kLog, LogTable::key({3}), "damaged");
  floors->events = 2;
  const auto slice = read(query());
  EXPECT_EQ(slice.expired, 1U);
  EXPECT_EQ(ids_of(slice.events), (Ids{"e2", "e4"}));
  ASSERT_EQ(slice.unreadable.size(), 1U);
  EXPECT_EQ(slice.unreadable[0].position, Position{3});
}

TEST_F(LaneReaderTest, ReadsAndCountsWhatWasMissed) {
  for (uint64_t i = 1; i <= 3; ++i) put_event(i, In::kIndex);
  write([&](auto& batch) {
    table.put(exception_row({5}, {1}, true), batch);
    table.put(exception_row({5}, {2}, false), batch);
    table.put(exception_row({5}, {3}, true), batch);
    table.put(exception_row({6}, {2}, true), batch);
  });
  auto q = query();
  q.source = SegmentRow::Source::kMissed;
  q.lane = {5};
  EXPECT_EQ(ids_of(read(q).events), (Ids{"e1", "e3"}));
  const auto counted = count_events(q);
  EXPECT_EQ(counted.events, 2U);
  EXPECT_EQ(counted.bytes, 2 * make_event("e1").event.bytes.size());
}

TEST_F(LaneReaderTest, EndsASliceByItsBytes) {
  for (uint64_t i = 1; i <= 3; ++i) put_event(i, In::kIndex);
  auto q = query();
  q.max_bytes = make_event("e1").event.bytes.size();
  const auto slice = read(q);
  EXPECT_EQ(ids_of(slice.events), Ids{"e1"});
  EXPECT_EQ(slice.through, Position{1});
  EXPECT_FALSE(slice.at_end);
}

}  // namespace
}  // namespace eventhorn::store
