#include "selftest/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eventhorn::selftest {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Report passed() {
  Report report;
  report.receivers = {{.name = "good",
                       .good = true,
                       .sent = 100,
                       .confirmed = 100,
                       .repeated = 20,
                       .p99 = microseconds(8400),
                       .state = "active"},
                      {.name = "never answers",
                       .sent = 100,
                       .confirmed = 100,
                       .p99 = std::nullopt,
                       .state = "parked"}};
  report.kills = 2;
  report.repeats_per_kill = 10;
  report.p99_limit = milliseconds(1000);
  return report;
}

TEST(SelftestReport, PassesWhenNothingIsLost) {
  EXPECT_THAT(find_failures(passed()), IsEmpty());
  const std::string text = render(passed());
  EXPECT_THAT(text, HasSubstr("good                   100       100      0         20     8.4 ms  "
                              "active\n"));
  EXPECT_THAT(text, HasSubstr("\nverdict: passed (2 kills)\n"));
}

TEST(SelftestReport, FailsWhenEventsAreLost) {
  Report report = passed();
  report.receivers[1].confirmed = 97;
  EXPECT_THAT(find_failures(report), ElementsAre("never answers: 3 of 100 events lost"));
  EXPECT_THAT(render(report), HasSubstr("failed: never answers: 3 of 100 events lost\n"
                                        "verdict: FAILED (2 kills)\n"));
}

TEST(SelftestReport, FailsWhenMoreIsRepeatedThanTheKillsExplain) {
  Report report = passed();
  report.receivers[1].repeated = 1;
  EXPECT_THAT(find_failures(report),
              ElementsAre("21 events sent again, more than the 20 that 2 kills explain"));
}

TEST(SelftestReport, FailsWhenTheGoodReceiverWaits) {
  Report report = passed();
  report.receivers[0].p99 = report.p99_limit;
  EXPECT_THAT(find_failures(report), ElementsAre("good: p99 1000.0 ms is not under 1000.0 ms"));
}

TEST(SelftestReport, FailsForProblems) {
  Report report = passed();
  report.problems = {"the server did not start"};
  EXPECT_THAT(find_failures(report), ElementsAre("the server did not start"));
}

}  // namespace
}  // namespace eventhorn::selftest
