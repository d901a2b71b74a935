#include "store/rocks/tables/class_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

constexpr auto kNormal = webhook::Class::kNormal;

class ClassTableTest : public TableTest {
 protected:
  void put_row(uint64_t position, uint32_t bytes = 10, const ClassTotals* totals = nullptr,
               DomainUid domain = kDomain) {
    put(Family::kClasses, ClassTable::key(domain, kNormal, {position}),
        ClassTable::encode(webhook::Hook::kDelivered, bytes, totals));
  }

  std::vector<uint64_t> scan(uint64_t after, uint64_t to, size_t max = 99) {
    std::vector<uint64_t> out;
    EXPECT_TRUE(table.scan(
        kDomain, kNormal, {after}, {to}, [&] { return out.size() < max; },
        [&](Position position, webhook::Hook) { out.push_back(position.value); }));
    return out;
  }

  EventCount count(uint64_t after, uint64_t to) {
    const auto rows = table.rows();
    ClassTable::Walk walk(*rows, kDomain, kNormal);
    looked_at = 0;
    const auto totals = walk.count({after}, {to}, looked_at);
    EXPECT_TRUE(totals);
    return (*totals)[class_slot(webhook::Hook::kDelivered)];
  }

  ClassTable table{database};
  uint64_t looked_at = 0;
};

TEST_F(ClassTableTest, HasRowsWithAndWithoutTotals) {
  const std::string hook(1, static_cast<char>(webhook::Hook::kDelivered));
  EXPECT_EQ(ClassTable::key(kDomain, kNormal, {5}),
            big_endian(kDomain.value) + static_cast<char>(kNormal) + big_endian(5));
  EXPECT_EQ(ClassTable::encode(webhook::Hook::kDelivered, 300, nullptr), hook + big_endian(300, 4));
  const ClassTotals totals{{{1, 2}, {3, 4}, {5, 6}}};
  const auto value = ClassTable::encode(webhook::Hook::kDelivered, 300, &totals);
  EXPECT_EQ(value, hook + big_endian(300, 4) + big_endian(1) + big_endian(2) + big_endian(3) +
                       big_endian(4) + big_endian(5) + big_endian(6));
  const auto row = ClassTable::decode(value);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->bytes, 300U);
  ASSERT_TRUE(row->totals);
  EXPECT_EQ((*row->totals)[2].bytes, 6U);
  EXPECT_EQ(ClassTable::decode(hook)->bytes, 0U) << "version 1 wrote no bytes";
  for (const auto& damaged : {std::string(), hook + "a", value + "a", std::string(5, '\x7f')})
    EXPECT_FALSE(ClassTable::decode(damaged));
}

TEST_F(ClassTableTest, ARowTellsTheKindOfItsEvent) {
  const auto unseen = ClassTable::encode_unseen({event::Name::kFailed, event::Severity::kNone});
  EXPECT_EQ(unseen, std::string("\x04\x00", 2));
  EXPECT_EQ(ClassTable::key(kDomain, kUnseen, {5}),
            big_endian(kDomain.value) + '\x03' + big_endian(5));
  EXPECT_EQ(expect(ClassTable::decode_event(kUnseen, unseen)).name, event::Name::kFailed);
  for (const auto hook : webhook::kAllHooks) {
    const auto event = expect(
        ClassTable::decode_event(webhook::class_of(hook), ClassTable::encode(hook, 300, nullptr)));
    EXPECT_EQ(webhook::hook_for(event.name, event.severity), hook);
  }
  EXPECT_FALSE(ClassTable::decode_event(kUnseen, "a"));
  EXPECT_FALSE(ClassTable::decode_event(kNormal, unseen));
}

TEST_F(ClassTableTest, ScansOneClassOfOneDomain) {
  for (const uint64_t i : {1, 2, 3, 4}) put_row(i);
  put_row(2, 10, nullptr, kOtherDomain);
  put(Family::kClasses, ClassTable::key(kDomain, webhook::Class::kBulk, {3}), "");
  EXPECT_EQ(scan(0, 9), (std::vector<uint64_t>{1, 2, 3, 4}));
  EXPECT_EQ(scan(1, 3), (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(scan(0, 9, 1), std::vector<uint64_t>{1});
  put(Family::kClasses, ClassTable::key(kDomain, kNormal, {5}), "");
  EXPECT_EQ(scan(0, 4).size(), 4U) << "damage beyond the range does not matter";
  EXPECT_EQ(scan(0, 9, 4).size(), 4U) << "nor does that of a row that is not come to";
  EXPECT_FALSE(
      table.scan(kDomain, kNormal, {0}, {9}, [] { return true; }, [](Position, webhook::Hook) {}));
}

TEST_F(ClassTableTest, CountsARangeByFewRows) {
  const size_t slot = class_slot(webhook::Hook::kDelivered);
  ClassTotals totals{};
  for (uint64_t i = 1; i <= 1000; ++i) {
    add_event(totals[slot], 10);
    put_row(i, 10, i % 100 == 0 ? &totals : nullptr);
  }
  for (const uint64_t after : {0, 99, 100, 550, 990}) {
    for (const uint64_t to : {50, 100, 600, 1000}) {
      const auto got = count(after, to);
      EXPECT_EQ(got.events, to > after ? to - after : 0) << after << " " << to;
      EXPECT_EQ(got.bytes, 10 * got.events);
      EXPECT_LE(looked_at, 201U);
    }
  }
}

TEST_F(ClassTableTest, FindsOneRow) {
  put_row(5, 44);
  EXPECT_EQ((*table.find(kDomain, kNormal, {5}))->bytes, 44U);
  EXPECT_FALSE(*table.find(kDomain, kNormal, {6}));
}

TEST_F(ClassTableTest, RowsExpireByTheFloorOfClasses) {
  for (const uint64_t i : {1, 2, 3}) put_row(i);
  floors->events = 100;
  floors->classes = 3;
  compact(Family::kClasses);
  EXPECT_EQ(scan(0, 9), std::vector<uint64_t>{3});
}

}  // namespace
}  // namespace eventhorn::store
