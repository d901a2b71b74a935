#include "store/model.h"

#include <gtest/gtest.h>

#include <set>

namespace eventhorn::store {
namespace {

using webhook::Hook;

const std::vector<Subscription>& subs(const Domain& d, Hook hook) {
  return d.hooks[static_cast<size_t>(hook)];
}

TEST(SetHookUrls, AUrlThatStaysKeepsItsLaneAndItsStart) {
  Domain d;
  set_hook_urls(d, Hook::kOpened, {"http://a/", "http://b/"}, {10});
  const auto before = subs(d, Hook::kOpened);
  set_hook_urls(d, Hook::kOpened, {"http://c/", "http://b/"}, {50});
  const auto& after = subs(d, Hook::kOpened);
  ASSERT_EQ(after.size(), 2U);
  EXPECT_EQ(d.urls(Hook::kOpened), (std::vector<std::string>{"http://c/", "http://b/"}));
  EXPECT_EQ(after[0].since, Position{50});
  EXPECT_EQ(after[1].since, Position{10});
  EXPECT_EQ(after[1].lane, before[1].lane);
  EXPECT_EQ(d.find_lane(before[0].lane), nullptr) << "a lane that no hook names is gone";
  EXPECT_EQ(d.lanes.size(), 2U);
}

TEST(SetHookUrls, HooksShareTheLaneOfAUrl) {
  Domain d;
  set_hook_urls(d, Hook::kOpened, {"http://a/"}, {10});
  set_hook_urls(d, Hook::kClicked, {"http://a/"}, {50});
  EXPECT_EQ(d.lanes.size(), 1U);
  EXPECT_EQ(subs(d, Hook::kOpened)[0].since, Position{10});
  EXPECT_EQ(subs(d, Hook::kClicked)[0].since, Position{50});
  set_hook_urls(d, Hook::kOpened, {}, {90});
  EXPECT_EQ(d.lanes.size(), 1U) << "the other hook still has it";
  set_hook_urls(d, Hook::kClicked, {}, {130});
  EXPECT_EQ(d.lanes.size(), 0U);
}

TEST(SetHookUrls, AUrlThatComesBackStartsAnew) {
  Domain d;
  set_hook_urls(d, Hook::kOpened, {"http://a/"}, {10});
  const LaneId first = d.lanes[0].id;
  set_hook_urls(d, Hook::kOpened, {}, {50});
  set_hook_urls(d, Hook::kOpened, {"http://a/"}, {90});
  EXPECT_NE(d.lanes[0].id, first);
  EXPECT_EQ(subs(d, Hook::kOpened)[0].since, Position{90});
}

// One edit may set several hooks: two lanes under one id would send a URL the other's events.
TEST(SetHookUrls, LanesOfOneEditHaveIdsOfTheirOwn) {
  Domain d;
  set_hook_urls(d, Hook::kAccepted, {"http://old/"}, {10});
  for (const Hook hook : webhook::kAllHooks) {
    const std::string name(to_string(hook));
    set_hook_urls(d, hook, {"http://a/" + name, "http://b/" + name, "http://c/" + name}, {64});
  }
  std::set<LaneId> ids;
  for (const auto& lane : d.lanes) ids.insert(lane.id);
  EXPECT_EQ(ids.size(), 24U);
  EXPECT_GE(ids.begin()->value, 64U);
  EXPECT_LT(ids.rbegin()->value, 96U) << "beyond the positions of the edit";
}

}  // namespace
}  // namespace eventhorn::store
