// What is judged of pages and lists, over a model that a test tells the truth.
#include "simulation/backlog.h"
#include "simulation/page_walk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace eventhorn::simulation {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using webhook::Hook;

constexpr const char* kUrl = "http://a.test/";

ModelOptions options() {
  ModelOptions out;
  out.max_in_flight = out.max_concurrency = 4;
  out.max_exceptions = 5;
  out.retention = 24h;
  return out;
}

class ReadersTest : public ::testing::Test {
 protected:
  ReadersTest() {
    auto domain = std::make_shared<store::Domain>();
    domain->uid = {1};
    store::set_hook_urls(*domain, Hook::kDelivered, {kUrl}, {1});
    domain_ = domain;
    store::CommittedBatch batch;
    batch.changes.push_back({{1}, nullptr, domain_});
    batch.head = {1};
    model_.on_boot(1);
    model_.on_batch(batch);
  }

  /// An event whose id is its time, and its bytes.
  store::EventPtr commit(int64_t time) {
    auto event = std::make_shared<store::StoredEvent>();
    event->position = head_ = {head_.value + 10};
    event->domain = {1};
    event->event.id = event->event.bytes = std::to_string(time);
    event->event.timestamp_us = time;
    event->event.name = event::Name::kDelivered;
    store::CommittedBatch batch;
    batch.events.push_back(event);
    batch.head = head_;
    model_.on_batch(batch);
    return event;
  }

  PageWalk walk() {
    store::PageQuery query;
    query.domain = {1};
    query.last_us = std::numeric_limits<int64_t>::max();
    return {model_, query};
  }

  store::PageSlice page(std::vector<store::EventPtr> events, bool at_end) const {
    store::PageSlice out;
    out.at_end = at_end;
    if (!events.empty()) out.reached = {events.back()->event.timestamp_us, events.back()->event.id};
    out.events = std::move(events);
    return out;
  }

  control::LaneStatus status() const {
    control::LaneStatus out;
    out.through = head_;
    return out;
  }

  LaneView view() const { return {model_, domain_, domain_->lanes.front()}; }

  void settle(const char* bytes) {
    model_.on_attempt(kUrl, bytes);
    model_.on_answer(kUrl, bytes, {.status = 200});
    world_.clock().advance(1s);
  }

  Trace trace_;
  World world_{1, trace_};
  Model model_{world_, options()};
  store::DomainPtr domain_;
  Position head_{40};
};

TEST_F(ReadersTest, AWalkThatGivesEachEventOnceIsWell) {
  const auto a = commit(1), b = commit(2);
  auto walk = this->walk();
  EXPECT_EQ(walk.on_page(page({a}, false)), std::nullopt);
  const auto later = commit(3);
  EXPECT_EQ(walk.on_page(page({b, later}, true)), std::nullopt);
  EXPECT_TRUE(walk.at_end());
}

TEST_F(ReadersTest, AWalkLeavesNothingOut) {
  const auto a = commit(1);
  commit(2);
  auto walk = this->walk();
  EXPECT_THAT(walk.on_page(page({a}, true)).value_or(""), HasSubstr("left out 2"));
  world_.clock().advance(24h);
  EXPECT_EQ(walk.on_page(page({}, true)), std::nullopt) << "retention may have taken it";
}

TEST_F(ReadersTest, AWalkGivesNothingTwiceAndKeepsTheOrder) {
  const auto a = commit(1), b = commit(2);
  auto twice = walk();
  EXPECT_THAT(twice.on_page(page({a, a}, false)).value_or(""), HasSubstr("not behind"));
  auto turned = walk();
  EXPECT_THAT(turned.on_page(page({b, a}, false)).value_or(""), HasSubstr("not behind"));
}

TEST_F(ReadersTest, AWalkStaysInItsDomainAndTime) {
  const auto a = commit(1);
  store::PageQuery query;
  query.domain = {2};
  query.last_us = 10;
  EXPECT_THAT(PageWalk(model_, query).on_page(page({a}, true)).value_or(""),
              HasSubstr("another domain"));
  query.domain = {1};
  query.first_us = 2;
  EXPECT_THAT(PageWalk(model_, query).on_page(page({a}, true)).value_or(""),
              HasSubstr("another time"));
}

TEST_F(ReadersTest, CountsAreThoseOfTheLog) {
  const auto a = commit(10);
  commit(20);
  store::LaneQuery query;
  query.domain = {1};
  query.cls = webhook::Class::kNormal;
  query.since = domain_->since(domain_->lanes.front().id);
  query.to = head_;
  EXPECT_EQ(check_count(model_, query, {2, 4}), std::nullopt);
  EXPECT_THAT(check_count(model_, query, {1, 2}).value_or(""), HasSubstr("in place of 2"));
  query.to = a->position;
  EXPECT_EQ(check_count(model_, query, {1, 2}), std::nullopt);
  world_.clock().advance(24h * 9);
  EXPECT_EQ(check_count(model_, query, {0, 0}), std::nullopt) << "counts end, too";
}

TEST_F(ReadersTest, WhatIsUnsettledIsListed) {
  const auto a = commit(1);
  EXPECT_THAT(view().check(status(), {}).value_or(""), HasSubstr("listed as settled"));
  EXPECT_EQ(view().check(status(), {a->position}), std::nullopt) << "it waits";
  auto behind = status();
  behind.segments.push_back({webhook::Class::kNormal, {1}, std::nullopt, {1}, {}});
  EXPECT_EQ(view().check(behind, {}), std::nullopt);
  behind.segments.front().settled.push_back({a->position, a->position});
  EXPECT_THAT(view().check(behind, {}).value_or(""), HasSubstr("listed as settled"));
}

TEST_F(ReadersTest, WhatIsSettledIsNotListed) {
  const auto a = commit(1);
  settle("1");
  EXPECT_EQ(view().check(status(), {}), std::nullopt);
  EXPECT_THAT(view().check(status(), {a->position}).value_or(""), HasSubstr("listed as unsettled"));
}

TEST_F(ReadersTest, NoMoreWaitThanMay) {
  auto full = status();
  full.waiting = 9;
  EXPECT_EQ(view().check(full, {}), std::nullopt) << "attempts were under way";
  full.waiting = 10;
  EXPECT_THAT(view().check(full, {}).value_or(""), HasSubstr("too many"));
}

TEST_F(ReadersTest, APausedEndpointIsListedSo) {
  model_.on_paused(kUrl, model_.on_pause(kUrl));
  control::EndpointStatus endpoint;
  endpoint.url = kUrl;
  EXPECT_THAT(check_endpoint(model_, endpoint, model_.paused_since(kUrl)).value_or(""),
              HasSubstr("not paused"));
  endpoint.state = control::EndpointState::kPaused;
  EXPECT_EQ(check_endpoint(model_, endpoint, model_.paused_since(kUrl)), std::nullopt);
}

}  // namespace
}  // namespace eventhorn::simulation
