#include "delivery/router.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace eventhorn::delivery {
namespace {

using webhook::Hook;

store::DomainPtr domain_with(uint64_t uid, Hook hook, const std::vector<std::string>& urls,
                             Position at, const store::DomainPtr& before = nullptr) {
  auto domain =
      before ? std::make_shared<store::Domain>(*before) : std::make_shared<store::Domain>();
  domain->uid = {uid};
  domain->name = "d" + std::to_string(uid);
  store::set_hook_urls(*domain, hook, urls, at);
  return domain;
}

std::vector<std::string> urls_of(const Router::Match& match) {
  std::vector<std::string> out;
  for (const auto& route : match.routes) out.push_back(*route.url);
  return out;
}

std::vector<LaneId> ended_of(const std::vector<Router::LaneChange>& changes) {
  std::vector<LaneId> out;
  for (const auto& change : changes) {
    if (change.ended) out.push_back(change.lane);
  }
  return out;
}

TEST(Router, FindsTheLanesOfAHook) {
  Router router(store::SlotSet::all());
  const auto first = domain_with(1, Hook::kDelivered, {"http://a/", "http://b/"}, {10});
  const auto domain = domain_with(1, Hook::kOpened, {"http://a/"}, {20}, first);
  router.add(domain);
  router.check_invariants();
  const auto match = router.match({1}, Hook::kDelivered);
  EXPECT_EQ(match.domain, domain.get());
  EXPECT_EQ(urls_of(match), (std::vector<std::string>{"http://a/", "http://b/"}));
  EXPECT_EQ(match.routes[0].since, Position{10});
  const auto opened = router.match({1}, Hook::kOpened);
  ASSERT_EQ(opened.routes.size(), 1U);
  EXPECT_EQ(opened.routes[0].since, Position{20});
  EXPECT_EQ(opened.routes[0].lane, match.routes[0].lane);  // a URL of a domain is one lane
  EXPECT_TRUE(router.match({1}, Hook::kClicked).routes.empty());
  EXPECT_EQ(router.match({2}, Hook::kDelivered).domain, nullptr);
}

TEST(Router, CoresShareOutTheUrls) {
  std::vector<std::string> urls;
  for (int i = 0; i < 64; ++i) urls.push_back("http://host" + std::to_string(i) + "/");
  const auto domain = domain_with(1, Hook::kDelivered, urls, {1});
  std::vector<std::string> found;
  for (uint32_t core = 0; core < 3; ++core) {
    Router router(store::SlotSet::of_core(core, 3));
    router.add(domain);
    router.check_invariants();
    const auto mine = urls_of(router.match({1}, Hook::kDelivered));
    EXPECT_FALSE(mine.empty());
    for (const auto& url : mine) EXPECT_TRUE(router.owns(url));
    found.insert(found.end(), mine.begin(), mine.end());
  }
  std::ranges::sort(found);
  std::ranges::sort(urls);
  EXPECT_EQ(found, urls);
}

TEST(Router, ADomainOfOtherCoresAloneIsNotKept) {
  Router all(store::SlotSet::all());
  const std::string url = "http://a/";
  const uint32_t other = 1 - store::core_of(url, 2);
  Router router(store::SlotSet::of_core(other, 2));
  const auto domain = domain_with(1, Hook::kDelivered, {url}, {1});
  router.add(domain);
  all.add(domain);
  EXPECT_EQ(router.find({1}), nullptr);
  EXPECT_FALSE(router.names(url));
  EXPECT_EQ(router.url_of({1}, domain->lanes[0].id), nullptr);
  EXPECT_EQ(all.find({1}), domain.get());
  EXPECT_TRUE(all.names(url));
  EXPECT_EQ(*all.url_of({1}, domain->lanes[0].id), url);
}

TEST(Router, AChangeNamesTheLanesThatItTouches) {
  Router router(store::SlotSet::all());
  const auto before = domain_with(1, Hook::kDelivered, {"http://a/", "http://b/"}, {10});
  EXPECT_TRUE(router.apply({{10}, nullptr, before}).empty());  // none was there before
  const auto after = domain_with(1, Hook::kDelivered, {"http://b/", "http://c/"}, {20}, before);
  const auto changes = router.apply({{20}, before, after});
  router.check_invariants();
  EXPECT_EQ(changes.size(), 2U);
  EXPECT_EQ(ended_of(changes), std::vector<LaneId>{before->lanes[0].id});
  EXPECT_EQ(urls_of(router.match({1}, Hook::kDelivered)),
            (std::vector<std::string>{"http://b/", "http://c/"}));
  EXPECT_FALSE(router.names("http://a/"));
  const auto since = after->since(before->lanes[1].id);
  EXPECT_EQ(since[static_cast<size_t>(Hook::kDelivered)], Position{10});  // it stays
  EXPECT_FALSE(since[static_cast<size_t>(Hook::kOpened)]);
}

TEST(Router, ADomainThatIsMadeAgainIsAnother) {
  Router router(store::SlotSet::all());
  const auto before = domain_with(1, Hook::kDelivered, {"http://a/"}, {10});
  router.apply({{10}, nullptr, before});
  const auto after = domain_with(2, Hook::kDelivered, {"http://a/"}, {20});
  const auto changes = router.apply({{20}, before, after});
  router.check_invariants();
  EXPECT_EQ(ended_of(changes), std::vector<LaneId>{before->lanes[0].id});
  EXPECT_EQ(router.find({1}), nullptr);
  EXPECT_EQ(router.find({2}), after.get());
}

TEST(Router, ADomainThatIsDeletedEndsItsLanes) {
  Router router(store::SlotSet::all());
  const auto before = domain_with(1, Hook::kDelivered, {"http://a/"}, {10});
  router.apply({{10}, nullptr, before});
  EXPECT_EQ(ended_of(router.apply({{20}, before, nullptr})).size(), 1U);
  EXPECT_EQ(router.match({1}, Hook::kDelivered).domain, nullptr);
  EXPECT_FALSE(router.names("http://a/"));
}

TEST(RouterDeathTest, WhatWasHandedOverStaysSo) {
  Router router(store::SlotSet::all());
  router.handed_over({5});
  router.handed_over({5});
  EXPECT_EQ(router.through(), Position{5});
  EXPECT_DEATH(router.handed_over({4}), "through >= through_");
}

}  // namespace
}  // namespace eventhorn::delivery
