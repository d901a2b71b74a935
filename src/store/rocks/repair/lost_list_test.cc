#include "store/rocks/repair/lost_list.h"

#include "base/test_support.h"

#include <gtest/gtest.h>

#include <sstream>

namespace eventhorn::store {
namespace {

TEST(LostList, HasALineForEachLoss) {
  const TempDir dir;
  const auto file = dir.path() / "lost.ndjson";
  LostList list;
  ASSERT_TRUE(list.open(file));
  list.add_event(7, "a.test", "id\"");
  list.add_range({3, 9, "after", "before"});
  list.add_range({10, std::nullopt, "after", "not said"});
  list.add_rows(Family::kMeta, {std::string("l\0", 2), "\xff"});
  list.add_lane({5}, "a.test", "http://user:secret@a/");
  ASSERT_TRUE(list.close());
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  EXPECT_EQ(line, R"({"position":7,"domain":"a.test","id":"id\""})");
  std::getline(in, line);
  EXPECT_EQ(
      line,
      R"({"from_position":3,"to_position":9,"committed_after":"after","committed_before":"before"})");
  std::getline(in, line);
  EXPECT_EQ(line, R"({"from_position":10,"committed_after":"after"})");
  std::getline(in, line);
  EXPECT_EQ(line, R"({"family":"default","after_key":"6c00","before_key":"ff"})");
  std::getline(in, line);
  EXPECT_TRUE(line.starts_with(R"({"lane":5,"domain":"a.test","url":"http://)")) << line;
  EXPECT_EQ(line.find("secret"), std::string::npos);
  EXPECT_FALSE(std::getline(in, line));
}

TEST(LostList, AFileThatCannotBeMadeIsAnError) {
  const TempDir dir;
  LostList list;
  EXPECT_EQ(list.open(dir.path() / "missing" / "lost.ndjson").error().code, Errc::kUnavailable);
}

}  // namespace
}  // namespace eventhorn::store
