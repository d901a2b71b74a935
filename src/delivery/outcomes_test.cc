// What outcomes mean: replies are given, and time is moved, by hand. Transitions are seen here too,
// because outcomes cause them.
#include "delivery/outcomes.h"

#include "delivery/parts_test_support.h"

namespace eventhorn::delivery {
namespace {

using OutcomesTest = PartsTest;

TEST_F(OutcomesTest, ASuccessSettlesTheEvent) {
  send(1);
  reply(status(200));
  EXPECT_TRUE(lane_->settled());
  const auto rows = saved();
  ASSERT_EQ(rows.attempts.size(), 1U);
  EXPECT_EQ(rows.attempts[0].status, 200);
  EXPECT_TRUE(rows.exceptions.empty());
  EXPECT_TRUE(rows.ended_exceptions.empty());
  EXPECT_TRUE(endpoint()->health().well());
  EXPECT_TRUE(endpoint()->story().last_success);
  EXPECT_EQ(recent_.of("http://a/").size(), 1U);
}

TEST_F(OutcomesTest, ARejectionSettlesTheEventToo) {
  send(1);
  reply(status(406));
  EXPECT_TRUE(lane_->settled());
  EXPECT_TRUE(endpoint()->health().well());
  EXPECT_TRUE(recent_.of("http://a/").empty());
}

TEST_F(OutcomesTest, AFailureWaitsForItsRetryAndIsMissedAfterTheLast) {
  send(1);
  reply(status(500));
  auto rows = saved();
  ASSERT_EQ(rows.exceptions.size(), 1U);
  EXPECT_EQ(rows.exceptions[0].attempts, 1);
  EXPECT_FALSE(rows.exceptions[0].missed);
  EXPECT_EQ(rows.exceptions[0].last_status, 500);
  EXPECT_EQ(retries_.size(), 1U);
  const auto* waiting = lane_->retries().find({1});
  ASSERT_NE(waiting, nullptr);
  EXPECT_EQ(waiting->delay, 1min);
  EXPECT_TRUE(attempts_.empty());

  advance(1min);
  ASSERT_EQ(attempts_.size(), 1U);  // it is due
  attempts_.front().job().event = make_event(1);
  attempts_.front().job().attempt = 3;  // the last
  reply(status(500));
  rows = saved();
  ASSERT_EQ(rows.exceptions.size(), 1U);
  EXPECT_TRUE(rows.exceptions[0].missed);
  EXPECT_EQ(retries_.size(), 0U);
  const auto told = notices();
  EXPECT_EQ(std::ranges::count(told, NoticeKind::kMissed), 1);
}

TEST_F(OutcomesTest, AFaultOfOursCountsForNobody) {
  send(1);
  reply(failure(webhook::FailureKind::kLocal));
  EXPECT_TRUE(saved().attempts.empty());
  EXPECT_EQ(retries_.size(), 0U);
  EXPECT_EQ(endpoint()->health().failures_in_row(), 0U);
  EXPECT_EQ(endpoint()->story().reason, "no luck");
  EXPECT_TRUE(attempts_.empty());  // held for a second
  advance(1s);
  EXPECT_EQ(attempts_.size(), 1U);
}

TEST_F(OutcomesTest, AReceiverThatAsksForAPauseGetsIt) {
  send(1);
  auto asks = status(503);
  asks.result.retry_after = 1h;
  reply(asks);
  EXPECT_GE(endpoint()->health().ready_at(), clock_.steady_now() + 1h);
}

TEST_F(OutcomesTest, GoneGivesTheEventBackAndEndsAllSending) {
  send(1);
  reply(status(410));
  EXPECT_EQ(endpoint()->health().state(), Health::State::kGone);
  EXPECT_EQ(notices(), std::vector{NoticeKind::kGone});
  EXPECT_FALSE(lane_->settled());
  EXPECT_TRUE(lane_->segments().behind());  // what waited in memory is let go
  const auto rows = saved();
  ASSERT_EQ(rows.endpoints.size(), 1U);
  EXPECT_EQ(rows.endpoints[0].state, Health::State::kGone);
  EXPECT_TRUE(attempts_.empty());
}

TEST_F(OutcomesTest, FailuresParkAndASuccessReturns) {
  send(1);
  reply(status(500));
  advance(1s);
  send(2);
  advance(1s);
  reply(status(500));
  advance(1s);
  ASSERT_TRUE(endpoint()->health().parked());
  EXPECT_EQ(notices(), std::vector{NoticeKind::kParked});
  EXPECT_EQ(endpoint()->story().reason, "HTTP status 500");
  EXPECT_EQ(saved().endpoints.back().state, Health::State::kParked);
  (void)endpoint()->health().resume(clock_.steady_now());
  transitions_.on_change(endpoint(), Health::Change::kReturned, "resumed by its operator");
  EXPECT_EQ(notices(), (std::vector{NoticeKind::kParked, NoticeKind::kReturned}));
  EXPECT_TRUE(endpoint()->story().reason.empty());
}

TEST_F(OutcomesTest, WhatWasRemovedMeanwhileIsDroppedUnlessItGotThrough) {
  auto dropped = metrics::counter("eventhorn_dropped_total", "");
  const double before = dropped.value();
  send(1);
  send(2);
  ASSERT_EQ(attempts_.size(), 2U);
  lane_->subscribe({});
  reply(status(200));
  EXPECT_EQ(dropped.value(), before);
  reply(status(500));
  EXPECT_EQ(dropped.value(), before + 1);
  EXPECT_EQ(retries_.size(), 0U);
  EXPECT_TRUE(lane_->settled());
}

TEST_F(OutcomesTest, AnEventThatIsDamagedIsMissedAfterAFewReads) {
  wait_for_retry(1);
  for (int i = 0; i < 10; ++i) cannot_read(Errc::kUnavailable);
  EXPECT_EQ(retries_.size(), 1U);  // nothing is known of the event
  cannot_read(Errc::kCorruption);
  cannot_read(Errc::kCorruption);
  EXPECT_EQ(retries_.size(), 1U);
  (void)saved();
  cannot_read(Errc::kCorruption);
  EXPECT_EQ(retries_.size(), 0U);
  const auto rows = saved();
  ASSERT_EQ(rows.exceptions.size(), 1U);
  EXPECT_TRUE(rows.exceptions[0].missed);
  ASSERT_EQ(rows.attempts.size(), 1U);
  EXPECT_EQ(rows.attempts[0].failure, "unreadable");
  EXPECT_EQ(notices(), std::vector{NoticeKind::kMissed});
}

TEST_F(OutcomesTest, ARetryOfWhatRetentionDroppedIsToldAsExpired) {
  wait_for_retry(1);
  {
    auto attempt = take_first();
    outcomes_->on_unwanted(attempt.lane(), attempt.job());
  }
  EXPECT_EQ(retries_.size(), 0U);
  EXPECT_EQ(notices(), std::vector{NoticeKind::kExpired});
  EXPECT_EQ(saved().ended_exceptions.size(), 1U);
}

TEST_F(OutcomesTest, EventsOfSomeNamesAreAttemptedOnceWhereThatIsSet) {
  make({.retry_delivered = false});
  send(1);
  reply(status(500));
  EXPECT_EQ(retries_.size(), 0U);
  const auto rows = saved();
  ASSERT_EQ(rows.exceptions.size(), 1U);
  EXPECT_TRUE(rows.exceptions[0].missed);
}

}  // namespace
}  // namespace eventhorn::delivery
