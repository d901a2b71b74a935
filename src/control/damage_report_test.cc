#include "control/damage_report.h"

#include <gtest/gtest.h>

namespace eventhorn::control {
namespace {

struct DamageReportTest : testing::Test {
  std::vector<Notice> notices() const { return board.newest(NoticeBoard::kKeep); }

  FakeClock clock;
  NoticeBoard board{clock.now()};
  DamageReport report{board, clock};
};

TEST_F(DamageReportTest, AnEventIsToldOnce) {
  report.add("a.test", {"e1", "e2"});
  report.add("a.test", {"e1"});
  report.add("b.test", {"e1"});
  ASSERT_EQ(notices().size(), 3U);
  const auto newest = notices().back();
  EXPECT_EQ(newest.kind, NoticeKind::kDamaged);
  EXPECT_EQ(newest.domain, "b.test");
  EXPECT_EQ(newest.event, "e1");
}

TEST_F(DamageReportTest, WhatIsToldIsBounded) {
  const auto notices = metrics::counter("eventhorn_notices_total", "", {{"kind", "event.damaged"}});
  const double before = notices.value();
  for (size_t i = 0; i <= DamageReport::kMaxEvents; ++i) report.add("a.test", {std::to_string(i)});
  EXPECT_EQ(notices.value() - before, DamageReport::kMaxEvents);
}

}  // namespace
}  // namespace eventhorn::control
