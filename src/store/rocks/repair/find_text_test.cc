#include "store/rocks/repair/find_text.h"

#include "store/writers_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

namespace eventhorn::store {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FindTextTest : public testing::Test {
 protected:
  FindTextTest() { rig.create(); }

  std::vector<std::string> files_with(const std::string& text) {
    const auto found = find_text(rig.dir.path(), text);
    EXPECT_TRUE(found) << found.error().message;
    std::vector<std::string> out;
    for (const auto& file : *found)
      out.push_back(file.file.string() + " " + std::to_string(file.times));
    return out;
  }

  WriterRig rig;
};

TEST_F(FindTextTest, LooksIntoLogsAndTables) {
  // Longer than a block of a log, so that it stands across two of its records.
  const std::string long_text = std::string(40'000, 'p') + "q";
  for (int i = 0; i < 50; ++i) {
    auto e = rig.event("e" + std::to_string(i));
    e.event.bytes = "{\"x\":\"Need-Le\"}";
    if (i == 7) e.event.bytes = "{\"x\":\"" + long_text + "Need-Le\"}";
    ASSERT_TRUE(rig.append({e}));
  }
  rig.close();
  EXPECT_THAT(files_with("need-le"), ElementsAre(HasSubstr(".log 50")));
  EXPECT_THAT(files_with("needle"), IsEmpty());
  EXPECT_THAT(files_with(long_text), ElementsAre(HasSubstr(".log 1")));
  rig.open();
  ASSERT_TRUE(rig.store->index_now());
  ASSERT_TRUE(rig.store->compact_now());
  rig.close();
  EXPECT_THAT(files_with("NEED-LE"), ElementsAre(HasSubstr(".sst 50")));
  EXPECT_THAT(files_with(long_text), ElementsAre(HasSubstr(".sst 1")));
}

TEST_F(FindTextTest, LooksIntoEveryFile) {
  rig.close();
  std::filesystem::create_directory(rig.dir.path() / "quarantine-1");
  std::ofstream(rig.dir.path() / "quarantine-1" / "lost.ndjson")
      << std::string((1 << 20) - 3, ' ') << "needle needle";
  EXPECT_THAT(files_with("needle"), ElementsAre("quarantine-1/lost.ndjson 2"));
}

TEST_F(FindTextTest, RefusesWhatItCannotDo) {
  EXPECT_EQ(find_text(rig.dir.path(), "x").error().code, Errc::kConflict) << "it is in use";
  rig.close();
  EXPECT_EQ(find_text(rig.dir.path(), "").error().code, Errc::kInvalidArgument);
  EXPECT_EQ(find_text(rig.dir.path() / "none", "x").error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace eventhorn::store
