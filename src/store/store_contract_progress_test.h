// Part of store_contract_test.h: replays, endpoints, exceptions, attempts, values.
#pragma once

#include "store/store_contract_test.h"

namespace eventhorn::store {

// What happened last to an exception row within one save is what holds.
TEST_P(StoreContract, TheLastWordOnAnExceptionHolds) {
  Progress p;
  p.exceptions.push_back(exception_row({5}, {1}, false));
  p.end_exception({5}, {1});
  p.end_exception({5}, {2});
  p.exceptions.push_back(exception_row({5}, {2}, false));
  p.exceptions.push_back(exception_row({5}, {3}, false));
  p.end_exception({5}, {3});
  p.exceptions.push_back(exception_row({5}, {3}, true));
  save(p);
  const auto rows = store().read_exceptions({5}, kNoPosition, 10, false);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ(rows->at(0).position, Position{2});
  EXPECT_EQ(rows->at(1).position, Position{3});
  EXPECT_TRUE(rows->at(1).missed);
}

TEST_P(StoreContract, ReplaysComeBack) {
  SegmentRow replay{webhook::Class::kUrgent, {3}, Position{90}, {9}, {}};
  replay.source = SegmentRow::Source::kMissed;
  replay.replay = 77;
  replay.paused = true;
  const SegmentRow own{webhook::Class::kUrgent, {90}, std::nullopt, {90}, {{{92}, {93}}}};
  Progress p;
  p.lanes = {{{5}, kDomain, {replay, own}}};
  save(p);
  engine_->reopen();
  ASSERT_EQ(load().lanes.size(), 1U);
  EXPECT_EQ(load().lanes[0].segments, (std::vector{replay, own}));
}

TEST_P(StoreContract, EndpointsThatAreNotWellComeBack) {
  EndpointRow parked{.url = "http://a/",
                     .state = EndpointRow::State::kParked,
                     .since = from_micros(kBaseUs),
                     .last_success = from_micros(kBaseUs - 5),
                     .last_failure = from_micros(kBaseUs - 1),
                     .failures = 27,
                     .probes = 3,
                     .healthy_peak = 40,
                     .reason = "no answer in 10 s"};
  EndpointRow gone;
  gone.url = "http://b/?q=%00";
  gone.state = EndpointRow::State::kGone;
  Progress p;
  p.endpoints = {parked, gone};
  save(p);
  for (const bool reopened : {false, true}) {
    if (reopened) engine_->reopen();
    EXPECT_EQ(load().endpoints, (std::vector{parked, gone}));
  }
  parked.state = EndpointRow::State::kPaused;
  Progress next;
  next.endpoints = {parked};
  next.well_endpoints = {gone.url, "http://never-seen/"};
  save(next);
  EXPECT_EQ(load().endpoints, std::vector{parked});
}

TEST_P(StoreContract, ADomainKeepsItsRetrySchedule) {
  using Schedule = std::optional<std::vector<std::chrono::milliseconds>>;
  const std::vector<Schedule> schedules = {
      std::nullopt, Schedule(std::in_place),
      Schedule({std::chrono::milliseconds(1500), std::chrono::hours(4)})};
  for (const auto& schedule : schedules) {
    ASSERT_TRUE(edit("a.test", [&](const DomainPtr& current, Position at) -> Result<DomainPtr> {
      auto d = current ? std::make_shared<Domain>(*current) : std::make_shared<Domain>();
      d->uid = {at.value};
      d->name = "a.test";
      d->retry_schedule = schedule;
      return DomainPtr(d);
    }));
    engine_->reopen();
    EXPECT_EQ(store().load_domains()->at(0)->retry_schedule, schedule);
  }
}

TEST_P(StoreContract, ValuesAreRemovedAndListed) {
  const auto keys = [&](const std::string& prefix) {
    Ids out;
    const auto values = store().load_values(prefix);
    EXPECT_TRUE(values);
    for (const auto& [key, value] : *values) out.push_back(key + "=" + value);
    return out;
  };
  EXPECT_EQ(keys(""), Ids{});
  ASSERT_TRUE(store().save_value("b/2", "two"));
  ASSERT_TRUE(store().save_value("b/1", "one"));
  ASSERT_TRUE(store().save_value("b", "bare"));
  ASSERT_TRUE(store().save_value("c", ""));
  EXPECT_EQ(keys(""), (Ids{"b=bare", "b/1=one", "b/2=two", "c="}));
  EXPECT_EQ(keys("b/"), (Ids{"b/1=one", "b/2=two"}));
  EXPECT_EQ(keys("bb"), Ids{});
  ASSERT_TRUE(store().remove_value("b/1"));
  ASSERT_TRUE(store().remove_value("b/1")) << "none is no error";
  engine_->reopen();
  EXPECT_EQ(keys("b"), (Ids{"b=bare", "b/2=two"}));
  EXPECT_EQ(*store().load_value("b/1"), std::nullopt);
}

}  // namespace eventhorn::store
