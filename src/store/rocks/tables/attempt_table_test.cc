#include "store/rocks/tables/attempt_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

constexpr LaneId kLane{5};

SystemTime at(int64_t us) {
  return from_micros(kBaseUs + us);
}

AttemptRow attempt(Position position, SystemTime written, std::string failure = {}) {
  AttemptRow out;
  out.lane = kLane;
  out.position = position;
  out.at = written;
  out.written = written;
  out.status = failure.empty() ? 200 : 503;
  out.took = std::chrono::milliseconds(12);
  out.failure = std::move(failure);
  return out;
}

class AttemptTableTest : public TableTest {
 protected:
  void put_full(const AttemptRow& row) {
    write([&](auto& batch) { table.put(row, batch); });
  }

  void put_packed(const std::vector<AttemptRow>& rows) {
    std::vector<const AttemptRow*> pointers;
    for (const auto& row : rows) pointers.push_back(&row);
    write([&](auto& batch) { table.put_packed(pointers, batch); });
  }

  AttemptTable table{database};
};

TEST_F(AttemptTableTest, KeepsAllOfARecord) {
  auto row = attempt({7}, at(1), "status");
  row.attempt = 3;
  row.error = "bad gateway";
  row.response = "sorry";
  row.phases = webhook::Phases{};
  row.phases->dns = std::chrono::microseconds(4);
  row.phases->whole_answer = true;
  put_full(row);
  EXPECT_TRUE(raw(Family::kAttempts)
                  .contains(big_endian(5) + big_endian(static_cast<uint64_t>(kBaseUs) + 1) +
                            big_endian(7)));
  std::vector<AttemptRow> got;
  ASSERT_TRUE(table.read(kLane, at(1), {7}, got));
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].written, at(1));
  EXPECT_EQ(got[0].attempt, 3);
  EXPECT_EQ(got[0].failure, "status");
  EXPECT_EQ(got[0].error, "bad gateway");
  EXPECT_EQ(got[0].response, "sorry");
  ASSERT_TRUE(got[0].phases);
  EXPECT_EQ(got[0].phases->dns.count(), 4);
  EXPECT_TRUE(got[0].phases->whole_answer);
  ASSERT_TRUE(table.read(kLane, at(2), {7}, got));
  EXPECT_EQ(got.size(), 1U) << "there is none at that time";
}

TEST_F(AttemptTableTest, PacksSuccessesUnderTheLastTimeAndTheFirstPosition) {
  put_packed({attempt({7}, at(1)), attempt({8}, at(3)), attempt({9}, at(2))});
  const auto rows = raw(Family::kAttempts);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows.begin()->first,
            big_endian(5) + big_endian(static_cast<uint64_t>(kBaseUs) + 3) + big_endian(7));
  EXPECT_EQ(rows.begin()->second.size(), 1U + 3 * 20);
  std::vector<AttemptRow> got;
  ASSERT_TRUE(table.find_success(kLane, {9}, at(0), 9, got));
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].at, at(2));
  EXPECT_EQ(got[0].written, at(3));
  EXPECT_EQ(got[0].status, 200);
  EXPECT_EQ(got[0].took.count(), 12);
}

TEST_F(AttemptTableTest, APackHasAnEventTwiceWhenItWasReplayedWithinIt) {
  put_packed({attempt({7}, at(1)), attempt({7}, at(2))});
  std::vector<AttemptRow> got;
  ASSERT_TRUE(table.find_success(kLane, {7}, at(0), 9, got));
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].at, at(1));
}

TEST_F(AttemptTableTest, FindsNoSuccessOfAnotherTimeOrLane) {
  put_packed({attempt({7}, at(1))});
  std::vector<AttemptRow> got;
  EXPECT_TRUE(table.find_success(kLane, {7}, at(2), 9, got));
  EXPECT_TRUE(table.find_success({kLane.value + 1}, {7}, at(0), 9, got));
  EXPECT_TRUE(table.find_success(kLane, {8}, at(0), 9, got));
  EXPECT_TRUE(got.empty());
}

TEST_F(AttemptTableTest, ReadsBackFromTheNewest) {
  put_full(attempt({1}, at(1), "status"));
  put_packed({attempt({2}, at(2)), attempt({3}, at(2))});
  put_full(attempt({4}, at(3), "status"));
  const auto positions = [&](SystemTime before, size_t max) {
    std::vector<uint64_t> out;
    const auto rows = table.read_back(kLane, before, max);
    for (const auto& row : *rows) out.push_back(row.position.value);
    return out;
  };
  EXPECT_EQ(positions(at(9), 9), (std::vector<uint64_t>{4, 3, 2, 1}));
  EXPECT_EQ(positions(at(9), 2), (std::vector<uint64_t>{4, 3, 2})) << "one moment is not split";
  EXPECT_EQ(positions(at(2), 9), std::vector<uint64_t>{1});
}

TEST_F(AttemptTableTest, DamageIsAnError) {
  put(Family::kAttempts, AttemptTable::key(kLane, at(1), {7}), "\x09");
  std::vector<AttemptRow> got;
  EXPECT_EQ(table.read(kLane, at(1), {7}, got).error().code, Errc::kCorruption);
  EXPECT_FALSE(table.find_success(kLane, {7}, at(0), 9, got));
  EXPECT_FALSE(table.read_back(kLane, at(9), 9));
}

TEST_F(AttemptTableTest, RowsExpireByTheTimeOfTheAttempt) {
  put_full(attempt({9}, at(1), "status"));
  put_full(attempt({1}, at(2), "status"));
  floors->attempts_us = kBaseUs + 2;
  compact(Family::kAttempts);
  EXPECT_EQ(table.read_back(kLane, at(9), 9)->size(), 1U);
  EXPECT_EQ(table.read_back(kLane, at(9), 9)->front().position, Position{1});
}

}  // namespace
}  // namespace eventhorn::store
