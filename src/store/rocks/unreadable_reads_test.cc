#include "store/rocks/unreadable_reads.h"

#include <gtest/gtest.h>

#include <string>

namespace eventhorn::store {
namespace {

using namespace std::chrono_literals;

class UnreadableReadsTest : public testing::Test {
 protected:
  /// What is logged of a read.
  std::string note(const char* what) {
    testing::internal::CaptureStderr();
    reads_.note(what, "input/output error");
    return testing::internal::GetCapturedStderr();
  }

  FakeClock clock_;
  UnreadableReads reads_{"/data", clock_};
  metrics::Counter counted_ = metrics::counter("eventhorn_store_unreadable_total", "");
};

TEST_F(UnreadableReadsTest, AllAreCountedAndFewAreTold) {
  const double before = counted_.value();
  const std::string first = note("an event id");
  EXPECT_NE(first.find("cannot read an event id"), std::string::npos) << first;
  EXPECT_NE(first.find("eventhorn repair --data /data"), std::string::npos) << first;
  clock_.advance(9s);
  EXPECT_EQ(note("a page"), "");
  clock_.advance(1s);
  EXPECT_NE(note("a lane").find("cannot read a lane"), std::string::npos);
  EXPECT_EQ(counted_.value() - before, 3);
}

}  // namespace
}  // namespace eventhorn::store
