#include "store/rocks/tables/log_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

using Ids = std::vector<std::string>;

SystemTime at(int64_t second) {
  return from_micros(kBaseUs + second * 1'000'000);
}

class LogTableTest : public TableTest {
 protected:
  void put_event(uint64_t position, const std::string& id, SystemTime committed = at(0)) {
    write([&](rocksdb::WriteBatch& batch) {
      EXPECT_TRUE(table.put({position}, make_event(id), committed, batch));
    });
  }

  Ids read(const std::vector<Position>& positions, size_t max_bytes = LogTable::kAllBytes) {
    std::vector<EventPtr> out;
    EXPECT_TRUE(table.read(positions, max_bytes, out));
    return ids_of(out);
  }

  LogTable table{database};
};

TEST_F(LogTableTest, KeepsAllOfAnEvent) {
  auto event = make_event("a", kBaseUs, event::Name::kFailed);
  event.push = false;
  write([&](auto& batch) { EXPECT_TRUE(table.put({7}, event, at(3), batch)); });
  ASSERT_TRUE(raw(Family::kLog).contains(big_endian(7)));
  EXPECT_TRUE(raw(Family::kLog)[big_endian(7)].ends_with(event.event.bytes));
  std::vector<EventPtr> out;
  ASSERT_TRUE(table.read({{7}}, LogTable::kAllBytes, out));
  const auto& got = *out.front();
  EXPECT_EQ(got.position, Position{7});
  EXPECT_EQ(got.domain, event.domain);
  EXPECT_EQ(got.shard, event.shard);
  EXPECT_FALSE(got.push);
  EXPECT_EQ(got.committed, at(3));
  EXPECT_EQ(got.event.id, "a");
  EXPECT_EQ(got.event.timestamp_us, kBaseUs);
  EXPECT_EQ(got.event.name, event::Name::kFailed);
  EXPECT_EQ(got.event.severity, event::Severity::kTemporary);
  EXPECT_EQ(got.event.order_key, event.event.order_key);
  EXPECT_EQ(got.event.bytes, event.event.bytes);
  const auto head = table.find_head({7});
  ASSERT_TRUE(head && *head);
  EXPECT_FALSE((*head)->push);
  EXPECT_EQ((*head)->name, event::Name::kFailed);
  EXPECT_EQ(*table.find_head({8}), std::nullopt);
}

TEST_F(LogTableTest, ReadsPositionsNearAndFar) {
  std::vector<Position> dense;
  std::vector<Position> sparse;
  Ids want;
  for (uint64_t i = 1; i <= 40; ++i) {
    put_event(i, "e" + std::to_string(i));
    put_event(1000 * i, "e" + std::to_string(i));
    dense.push_back({i});
    sparse.push_back({1000 * i});
    want.push_back("e" + std::to_string(i));
  }
  EXPECT_EQ(read(dense), want);
  EXPECT_EQ(read(sparse), want);
  EXPECT_EQ(read({{3}, {41}, {2}}), (Ids{"e3", "null", "e2"}));
  dense.push_back({41});
  want.push_back("null");
  EXPECT_EQ(read(dense), want);
  EXPECT_EQ(read({}), Ids{});
}

TEST_F(LogTableTest, EndsEarlyBeyondItsBytes) {
  for (uint64_t i = 1; i <= 20; ++i) put_event(100 * i, "e");
  std::vector<Position> positions;
  for (uint64_t i = 1; i <= 20; ++i) positions.push_back({100 * i});
  const size_t one = make_event("e").event.bytes.size();
  const size_t got = read(positions, 5 * one).size();
  EXPECT_GT(got, 5U);
  EXPECT_LT(got, 20U);
}

TEST_F(LogTableTest, ADamagedRecordCostsItselfAlone) {
  put_event(1, "a");
  put(Family::kLog, big_endian(2), "\x63");
  put_event(3, "c");
  std::vector<EventPtr> out;
  EXPECT_EQ(table.read({{1}, {2}, {3}}, LogTable::kAllBytes, out).error().code, Errc::kCorruption);
  const auto statuses = table.read_each({{1}, {2}, {3}}, LogTable::kAllBytes, out);
  EXPECT_EQ(ids_of(out), (Ids{"a", "null", "c"}));
  EXPECT_TRUE(statuses[0]);
  EXPECT_FALSE(statuses[1]);
  EXPECT_TRUE(statuses[2]);
}

TEST_F(LogTableTest, ScansAndTellsItsEnd) {
  EXPECT_EQ(*table.last(), std::nullopt);
  for (uint64_t i = 1; i <= 5; ++i) put_event(i, "e" + std::to_string(i));
  EXPECT_EQ(*table.last(), Position{5});
  Ids seen;
  EXPECT_TRUE(table.scan({3}, [&](const EventPtr& event) { seen.push_back(event->event.id); }));
  EXPECT_EQ(seen, (Ids{"e4", "e5"}));
  const auto heads = table.read_heads({1}, {4}, 2);
  ASSERT_EQ(heads->size(), 2U);
  EXPECT_EQ(heads->front().position, Position{2});
  EXPECT_EQ(table.read_heads({1}, {4}, 9)->size(), 3U) << "nothing beyond what is visible";
}

TEST_F(LogTableTest, FindsWhatWasCommittedSince) {
  for (const uint64_t i : {1, 2, 40, 41, 80}) put_event(i, "e", at(static_cast<int64_t>(i)));
  const auto since = [&](int64_t second, uint64_t begin = 0) {
    return table.first_committed_since(at(second), {begin}, {81})->value;
  };
  EXPECT_EQ(since(0), 0U);
  EXPECT_EQ(since(2), 2U);
  EXPECT_EQ(since(3), 3U) << "there may be no event";
  EXPECT_EQ(since(41), 41U);
  EXPECT_EQ(since(90), 81U);
  EXPECT_EQ(since(2, 40), 40U);
  const auto visible = *table.first_committed_since(at(90), {0}, {60});
  EXPECT_GT(visible, Position{41});
  EXPECT_LE(visible, Position{60}) << "what comes behind the end is not looked at";
}

TEST_F(LogTableTest, DropsRangesWhole) {
  for (uint64_t i = 1; i <= 5; ++i) put_event(i, "e" + std::to_string(i));
  compact(Family::kLog);  // files of level 0 stay
  put_event(6, "e6");
  write([&](auto& batch) { table.drop_before({6}, batch); });
  EXPECT_EQ(read({{5}, {6}}), (Ids{"null", "e6"}));
  EXPECT_TRUE(table.drop_files_before({6}));
  std::vector<rocksdb::LiveFileMetaData> files;
  database->GetLiveFilesMetaData(&files);
  EXPECT_EQ(files.size(), 0U);
  EXPECT_EQ(read({{5}, {6}}), (Ids{"null", "e6"}));
}

}  // namespace
}  // namespace eventhorn::store
