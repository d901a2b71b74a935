// What counting costs in the embedded engine, and that counts survive what happens to an index.
#include "store/rocks/counts.h"

#include "store/rocks/rocks_store.h"
#include "store/rocks/tables/exception_table.h"
#include "store/rocks_test_support.h"
#include "store/store_test_support.h"
#include "store/writers_test_support.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>

namespace eventhorn::store {
namespace {

using Outcome = WriteSet::Append::Outcome;

LaneQuery normal_lane() {
  LaneQuery q;
  q.domain = kDomain;
  q.cls = webhook::Class::kNormal;
  q.since.fill(kNoPosition);
  return q;
}

// One event in 100 is `accepted`.
void append(Store& store, int count, int first = 0) {
  WriteSet set;
  for (int i = first; i < first + count; ++i) {
    auto e = make_event("e" + std::to_string(i), kBaseUs,
                        i % 100 == 0 ? event::Name::kAccepted : event::Name::kDelivered);
    set.appends.push_back({std::move(e), Outcome::kStored, nullptr});
  }
  ASSERT_TRUE(store.commit(set));
}

TEST(RunningCounts, CountingLooksAtFewRowsHoweverManyThereAre) {
  const TempDir dir;
  const FakeClock clock;
  const auto store = open_rocks(dir, clock);
  for (int i = 0; i < 40; ++i) append(*store, 1000, 1000 * i);  // a whole run, and a rest
  ASSERT_TRUE(store->index_now());
  auto q = normal_lane();
  for (const uint64_t after : {0, 100, 12'345, 32'700, 39'900}) {
    for (const uint64_t to : {50, 20'000, 32'768, 39'999, 40'000}) {
      q.after = {after};
      q.to = Position{to};
      const uint64_t before = store->rows_counted();
      const auto counted = store->count_lane(q);
      ASSERT_TRUE(counted);
      EXPECT_EQ(counted->events, to > after ? to - after : 0);
      EXPECT_LE(store->rows_counted() - before, 2 * RunningCounts::kMarkEvery);
    }
  }
  q.after = kNoPosition;
  q.to = std::nullopt;
  q.since.fill(std::nullopt);
  q.since[static_cast<size_t>(webhook::Hook::kAccepted)] = kNoPosition;
  q.since[static_cast<size_t>(webhook::Hook::kDelivered)] = Position{30'000};
  const uint64_t before = store->rows_counted();
  EXPECT_EQ(store->count_lane(q)->events, 400U + 9900U);
  EXPECT_LE(store->rows_counted() - before, 4 * RunningCounts::kMarkEvery)
      << "a rare hook costs no more than its class";
}

std::unique_ptr<rocksdb::DB> open_raw(const TempDir& dir,
                                      std::vector<rocksdb::ColumnFamilyHandle*>& families) {
  const auto descriptors = family_descriptors(nullptr);
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  rocksdb::DB* db = nullptr;
  const auto s =
      rocksdb::DB::Open(options, (dir.path() / "store").string(), descriptors, &families, &db);
  EXPECT_TRUE(s.ok()) << s.ToString();
  return std::unique_ptr<rocksdb::DB>(db);
}

void close_raw(std::unique_ptr<rocksdb::DB> db,
               const std::vector<rocksdb::ColumnFamilyHandle*>& families) {
  for (auto* f : families) db->DestroyColumnFamilyHandle(f);
}

// A crash between the entries of a run and the mark: the run, cut otherwise, is indexed once more.
TEST(RunningCounts, ARunThatIsIndexedTwiceIsCountedOnce) {
  const TempDir dir;
  const FakeClock clock;
  auto store = open_rocks(dir, clock);
  for (int i = 0; i < 7; ++i) {
    append(*store, 333, 333 * i);
    ASSERT_TRUE(store->index_now());
  }
  for (const uint64_t indexed_through : {0, 100, 1000}) {
    store.reset();
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    auto db = open_raw(dir, families);
    ASSERT_TRUE(db->Put({}, families[0], "i", format::u64_key(indexed_through)).ok());
    close_raw(std::move(db), families);
    store = open_rocks(dir, clock);
    ASSERT_TRUE(store->index_now());
    auto q = normal_lane();
    for (const uint64_t after : {0, 50, 99, 1000, 2330}) {
      q.after = {after};
      EXPECT_EQ(store->count_lane(q)->events, 7 * 333 - after);
    }
  }
}

// C5: index rows that a refused write or a power cut took away are written and counted anew.
TEST(RunningCounts, C5AFailedRunIsNotCounted) {
  WriterRig rig;
  rig.create();
  auto q = normal_lane();
  q.domain = rig.domain;
  uint64_t count = 0;
  const auto append_some = [&](int events) {
    for (int i = 0; i < events; ++i, ++count)
      EXPECT_TRUE(rig.append_when_good("e" + std::to_string(count)));
  };
  append_some(300);
  ASSERT_TRUE(rig.store->index_now());
  for (const bool cut : {false, true}) {
    append_some(20);
    if (!cut) rig.env.set_fault(FaultEnv::Fault::kNoSpace);
    EXPECT_EQ(rig.store->index_now().has_value(), cut);
    EXPECT_EQ(rig.store->count_lane(q)->events, count);
    rig.env.set_fault(FaultEnv::Fault::kNone);
    if (cut) rig.cut_power();
    append_some(1);
    EXPECT_EQ(rig.store->count_lane(q)->events, count);
    append_some(600);
    ASSERT_TRUE(rig.store->index_now());
    for (const uint64_t after : {rig.domain.value, rig.domain.value + 310}) {
      q.after = {after};
      LaneQuery read = q;
      read.max_events = 5000;
      EXPECT_EQ(rig.store->count_lane(q)->events, rig.store->read_lane(read)->events.size());
    }
    q.after = kNoPosition;
    EXPECT_EQ(rig.store->count_lane(q)->events, count);
  }
}

// C9: a store of the version before running counts, missed events and attempts by event.
TEST(RunningCounts, C9TheIndexOfVersion1IsCountedAndGoesOn) {
  const TempDir dir;
  const FakeClock clock;
  {
    auto store = open_rocks(dir, clock);
    append(*store, 600);
    ASSERT_TRUE(store->index_now());
  }
  // What the former version left: rows of a hook alone, no floor of counts, none of the families
  // that came later.
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  auto db = open_raw(dir, families);
  std::vector<std::pair<std::string, std::string>> rows;
  {
    const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}, families[4]));
    for (it->SeekToFirst(); it->Valid(); it->Next())
      rows.emplace_back(it->key().ToString(), it->value().ToString().substr(0, 1));
  }
  ASSERT_EQ(rows.size(), 600U);
  for (const auto& [key, value] : rows) ASSERT_TRUE(db->Put({}, families[4], key, value).ok());
  ASSERT_TRUE(db->Delete({}, families[0], "c").ok());
  // A missed event of the 101st position, which was `accepted`: its row has no hook.
  const std::string missed = ExceptionTable::encode({{5}, {101}, true, 8, {}, {}, 0, {}});
  ASSERT_TRUE(db->Put({}, families[0], format::meta_key('x', 5, 101),
                      '\1' + missed.substr(1, missed.size() - 3))
                  .ok());
  for (const auto later : {Family::kTries, Family::kTerms})
    ASSERT_TRUE(db->DropColumnFamily(families[static_cast<size_t>(later)]).ok());
  close_raw(std::move(db), families);

  auto store = open_rocks(dir, clock);
  const auto exceptions = store->read_exceptions({5}, kNoPosition, 9, true);
  ASSERT_TRUE(exceptions && exceptions->size() == 1);
  EXPECT_EQ(exceptions->front().hook, webhook::Hook::kAccepted);
  EXPECT_EQ(store->load_progress()->missed, 1U);
  auto q = normal_lane();
  EXPECT_EQ(store->count_lane(q)->events, 600U);
  append(*store, 600, 600);
  ASSERT_TRUE(store->index_now());
  for (const uint64_t after : {0, 300, 599, 600, 601, 1100}) {
    q.after = {after};
    EXPECT_EQ(store->count_lane(q)->events, 1200 - after);
  }
}

}  // namespace
}  // namespace eventhorn::store
