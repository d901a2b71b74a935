#include "store/rocks/attempt_records.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

constexpr LaneId kLane{5};

class AttemptRecordsTest : public TableTest {
 protected:
  static AttemptRow attempt(uint64_t position, int number, int64_t us, std::string failure = {}) {
    AttemptRow out;
    out.lane = kLane;
    out.position = {position};
    out.attempt = number;
    out.at = from_micros(kBaseUs + us);
    out.written = out.at;
    out.failure = std::move(failure);
    return out;
  }

  void put_rows(const std::vector<AttemptRow>& rows) {
    write([&](auto& batch) { records.put(rows, batch); });
  }

  std::vector<int> numbers(uint64_t position, size_t max = 9) {
    std::vector<int> out;
    const auto rows = records.read(kLane, {position}, from_micros(kBaseUs), max);
    for (const auto& row : *rows) out.push_back(row.attempt);
    return out;
  }

  AttemptTable attempts{database};
  TryTable tries{database};
  AttemptRecords records{attempts, tries};
};

TEST_F(AttemptRecordsTest, SuccessesAtTheFirstTryArePacked) {
  put_rows({attempt(1, 1, 1), attempt(2, 1, 2), attempt(3, 1, 3, "status"), attempt(4, 2, 4)});
  EXPECT_EQ(count(Family::kAttempts), 3U);
  EXPECT_EQ(count(Family::kTries), 2U);
  for (const uint64_t position : {1, 2, 3}) EXPECT_EQ(numbers(position), std::vector<int>{1});
  EXPECT_EQ(numbers(4), std::vector<int>{2});
  EXPECT_EQ(numbers(5), std::vector<int>{});
}

TEST_F(AttemptRecordsTest, AnEventHasAllItsAttemptsOldestFirst) {
  put_rows({attempt(1, 1, 1, "status"), attempt(2, 1, 1)});
  put_rows({attempt(1, 2, 10, "status")});
  put_rows({attempt(1, 1, 20), attempt(3, 1, 20)});  // after a replay
  EXPECT_EQ(numbers(1), (std::vector<int>{1, 2, 1}));
  EXPECT_EQ(numbers(1, 2), (std::vector<int>{1, 2}));
}

TEST_F(AttemptRecordsTest, WrittenAgainTheyLeaveNoSecondRecord) {
  const std::vector<AttemptRow> rows = {attempt(1, 1, 1), attempt(2, 1, 2, "status")};
  put_rows(rows);
  const auto once = raw(Family::kAttempts);
  put_rows(rows);
  EXPECT_EQ(raw(Family::kAttempts), once);
  EXPECT_EQ(count(Family::kTries), 1U);
}

}  // namespace
}  // namespace eventhorn::store
