#include "base/log.h"

#include "base/log_output.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace eventhorn {
namespace {

using namespace std::chrono_literals;

class LogOutputTest : public ::testing::Test {
 protected:
  static constexpr size_t kQueue = 50'000;

  LogOutputTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    read_end_ = ends[0];
    // It and its end of the pipe stay: its thread may use them.
    static auto& outputs = *new std::vector<LogOutput*>;
    output_ = outputs.emplace_back(new LogOutput(ends[1], kQueue));
  }

  ~LogOutputTest() override { ::close(read_end_); }

  static std::string line(int n) {
    std::string out = std::to_string(n) + " ";
    out.resize(99, 'x');
    return out + "\n";
  }

  // What is in the pipe now.
  std::string read_some() const {
    std::string out(1 << 16, '\0');
    const auto count = ::read(read_end_, out.data(), out.size());
    out.resize(static_cast<size_t>(std::max<ssize_t>(0, count)));
    return out;
  }

  int read_end_ = -1;
  LogOutput* output_ = nullptr;
};

TEST_F(LogOutputTest, ALineThatIsTakenGoesOutAtOnce) {
  output_->write("one\n");
  EXPECT_EQ(read_some(), "one\n");
}

// Reliability C16: thousands of lines that nobody reads hold nobody; when somebody does, those that
// had room come in order, and each gap says how many are lost.
TEST_F(LogOutputTest, C16NobodyWaitsForTheReader) {
  constexpr int kLines = 5000;
  for (int i = 0; i < kLines; ++i) output_->write(line(i));
  EXPECT_FALSE(output_->flush(10ms));
  std::string read;
  while (!output_->flush(0ms)) read += read_some();
  output_->write("after\n");
  while (!read.ends_with("after\n")) read += read_some();
  std::istringstream lines(read);
  int next = 0;
  size_t kept = 0;
  for (std::string each; std::getline(lines, each);) {
    if (each == "after") break;
    const int number = std::stoi(each);
    if (each.find(" lines of log are lost here: ") != std::string::npos) {
      next += number;
      continue;
    }
    ASSERT_EQ(number, next++);
    ++kept;
  }
  EXPECT_EQ(next, kLines);
  EXPECT_GT(kept * line(0).size(), kQueue);
}

TEST_F(LogOutputTest, ALineLongerThanThePipeTakesAtOnceIsWritten) {
  output_->write(line(1));
  output_->write(std::string(30'000, 'y') + "\n");
  output_->write(line(2));
  std::string read;
  while (!read.ends_with(line(2))) read += read_some();
  EXPECT_EQ(read, line(1) + std::string(30'000, 'y') + "\n" + line(2));
}

TEST(LogLimit, LetsSoManyThroughInASecondAndCountsTheRest) {
  LogLimit limit;
  const SteadyTime now{std::chrono::hours(1)};
  for (unsigned i = 0; i < LogLimit::kLines; ++i) EXPECT_TRUE(limit.allow(now));
  EXPECT_FALSE(limit.allow(now));
  EXPECT_FALSE(limit.allow(now + 900ms));
  EXPECT_TRUE(limit.allow(now + LogLimit::kPer));
  EXPECT_EQ(limit.left_out(), 2U);
  EXPECT_EQ(limit.left_out(), 0U);
}

}  // namespace
}  // namespace eventhorn
