// C4: stores whose write-ahead logs are damaged, missing or copied, and what is made of them.
#include "store/rocks/repair/repair_test_support.h"
#include "store/rocks/repair/wal_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace eventhorn::store {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::SizeIs;

TEST_F(RepairTest, C4DamageOfTheLogIsNamedAndPassed) {
  const auto all = add_events("a", 400);
  const Position head = rig.store->head();
  rig.close();
  const auto path = largest_file(rig.dir, ".log");
  flip_bit(path, fs::file_size(path) / 2);
  const auto damage = find_damage(rig.dir.path());
  ASSERT_THAT(*damage, SizeIs(1));
  EXPECT_THAT(damage->front(), HasSubstr(path.string() + " at offset "));

  const auto report = repaired();
  EXPECT_THAT(report.damage, testing::ElementsAreArray(*damage));
  const uint64_t lost = all.size() - report.events_kept;
  EXPECT_GT(lost, 0U);
  EXPECT_LT(lost, 60U) << "no more than a block, and what reached into it";
  EXPECT_GE(report.positions_lost, lost);
  EXPECT_TRUE(fs::exists(report.quarantine / "store" / path.filename())) << "as it was";
  const auto lines = lost_lines(report);
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.starts_with(R"({"from_position":)") &&
           line.find(R"("committed_before":"20)") != std::string::npos;
  }));
  rig.open();
  EXPECT_GT(rig.store->head(), head) << "positions do not come again";
  const auto kept = rig.stored();
  EXPECT_EQ(kept.front(), all.front());
  EXPECT_EQ(kept.back(), all.back()) << "what follows the damage is there";
  rig.close();
  expect_whole(all, kept);
}

TEST_F(RepairTest, C4AMissingLogFileIsFound) {
  const auto all = add_events("a", 30);
  rig.restart();
  add_events("b", 30);
  const Position head = rig.store->head();
  rig.close();
  fs::remove(largest_file(rig.dir, ".log"));
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("has no log file"));
  const auto report = repaired();
  EXPECT_EQ(report.events_kept, all.size());
  EXPECT_THAT(lost_lines(report).back(), HasSubstr("committed_after")) << "without an end";
  EXPECT_THAT(lost_lines(report).back(), Not(HasSubstr("to_position")));
  rig.open();
  EXPECT_GT(rig.store->head(), head) << "positions do not come again";
  EXPECT_EQ(rig.stored(), all);
}

// A page of zeros, and whole records behind it.
TEST_F(RepairTest, C4ZerosAtABoundaryAreFound) {
  for (const bool all_of_it : {false, true}) {
    const auto all = add_events(all_of_it ? "a" : "b", 12);
    rig.close();
    const auto path = largest_file(rig.dir, ".log");
    std::string bytes(fs::file_size(path), '\0');
    std::ifstream(path, std::ios::binary)
        .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const auto write = [&](const std::string& content) {
      std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    };
    auto zeroed = bytes;
    std::fill_n(zeroed.begin(), all_of_it ? 4096 : 7, '\0');
    write(zeroed);
    const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message, HasSubstr(path.string() + " at offset 0"));
    EXPECT_THAT(*find_damage(rig.dir.path()), testing::Not(IsEmpty()));
    write(bytes);
    rig.open();
    EXPECT_THAT(rig.stored(), IsSupersetOf(all));
  }
}

// The last record of all, whole but for its length, is none that was torn.
TEST_F(RepairTest, C4ADamagedLengthOfTheLastRecordIsFound) {
  const auto all = add_events("a", 5);
  rig.close();
  const auto path = largest_file(rig.dir, ".log");
  std::string bytes(fs::file_size(path), '\0');
  std::ifstream(path, std::ios::binary)
      .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  size_t at = 0;
  for (size_t next = 0; next < bytes.size();) {
    at = next;
    next +=
        7U + static_cast<uint8_t>(bytes[next + 4]) + 256U * static_cast<uint8_t>(bytes[next + 5]);
  }
  flip_bit(path, at + 5);
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("at offset " + std::to_string(at)));
  flip_bit(path, at + 5);
  rig.open();
  EXPECT_EQ(rig.stored(), all);
}

// A file under a second number, as a careless restore may leave.
TEST_F(RepairTest, C4CopiesOfFiles) {
  auto all = add_events("a", 100);
  EXPECT_TRUE(rig.store->index_now());
  rig.restart();
  rig.close();
  const auto store = rig.dir.path() / "store";
  fs::copy_file(largest_file(rig.dir, ".sst"), store / "000900.sst");
  rig.open();
  EXPECT_EQ(rig.stored(), all) << "a table that is not on the list is of no account";
  const auto more = add_events("b", 100);
  all.insert(all.end(), more.begin(), more.end());
  rig.close();
  const auto copy = store / "009999.log";
  fs::copy_file(largest_file(rig.dir, ".log"), copy);
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr(copy.string()));
  const auto report = repaired();
  EXPECT_THAT(report.damage, SizeIs(1));
  EXPECT_EQ(report.events_lost, 0U);
  expect_whole(all, all);
}

// What is torn begins no log, but what is damaged does.
TEST_F(RepairTest, C4ACopyIsFoundBesideADamagedOriginal) {
  add_events("a", 100);
  add_events("b", 100);
  rig.close();
  const auto store = rig.dir.path() / "store";
  const auto original = largest_file(rig.dir, ".log");
  fs::copy_file(original, store / "009999.log");
  EXPECT_THAT(*find_repeated_logs(store), SizeIs(1));
  flip_bit(original, 100);
  EXPECT_THAT(*find_repeated_logs(store), SizeIs(1));
}

TEST_F(RepairTest, C1AFirstStartThatWasCutShortIsNoDamage) {
  TempDir dir;
  ASSERT_TRUE(open_rocks(dir, rig.clock));
  fs::remove(largest_file(dir, ".log"));
  EXPECT_TRUE(open_rocks(dir, rig.clock));
}

// Also those of events in the middle of the log that power loss, or a bad disk, made zeros of.
TEST_F(RepairTest, C4ZerosInTheMiddleOfTheLogAreFound) {
  add_events("a", 400);
  rig.close();
  const auto path = largest_file(rig.dir, ".log");
  const uint64_t size = fs::file_size(path);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(size / 2 / 4096 * 4096));
    file.write(std::string(8192, '\0').data(), 8192);
  }
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr(path.string() + " at offset"));
}

}  // namespace
}  // namespace eventhorn::store
