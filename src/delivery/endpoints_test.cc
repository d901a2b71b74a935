#include "delivery/endpoints.h"

#include "delivery/lanes.h"

#include <gtest/gtest.h>

namespace eventhorn::delivery {
namespace {

using namespace std::chrono_literals;

// Opens targets, and posts nothing.
class NoSender final : public Sender {
 public:
  std::shared_ptr<Target> open(const std::string&,
                               const store::EndpointSettings& settings) override {
    rates_opened.push_back(settings.rate_limit);
    return std::make_shared<Target>();
  }

  Task<SendReply> post(Target&, Message, Deadline) override {
    ADD_FAILURE();
    co_return SendReply{};
  }

  std::vector<double> rates_opened;
};

class EndpointsTest : public ::testing::Test {
 protected:
  std::vector<std::string> urls() const {
    std::vector<std::string> out;
    std::optional<store::EndpointId> after;
    while (const auto* next = endpoints_.next(after)) {
      out.push_back((*next)->url());
      after = (*next)->id();
    }
    return out;
  }

  static store::EndpointSettings with_rate(double rate) {
    store::EndpointSettings settings;
    settings.rate_limit = rate;
    return settings;
  }

  FakeClock clock_;
  NoSender sender_;
  Endpoints endpoints_{{}, clock_, sender_};
};

TEST_F(EndpointsTest, AUrlIsOneEndpoint) {
  const auto a = endpoints_.of("http://a/");
  EXPECT_EQ(endpoints_.of("http://a/"), a);
  EXPECT_EQ(endpoints_.find("http://a/"), a);
  EXPECT_EQ(endpoints_.find("http://b/"), nullptr);
  EXPECT_EQ(endpoints_.size(), 1U);
  EXPECT_FALSE(a->idle_since(clock_.steady_now()));
  EXPECT_EQ(a->story().since, clock_.now());
}

TEST_F(EndpointsTest, AreListedByIdAndForgotten) {
  for (const auto* url : {"http://a/", "http://b/", "http://c/"}) endpoints_.of(url);
  EXPECT_EQ(urls().size(), 3U);
  const auto first = urls().front();
  endpoints_.forget(*endpoints_.next({}));
  EXPECT_EQ(endpoints_.find(first), nullptr);
  EXPECT_EQ(urls().size(), 2U);
  endpoints_.check_invariants();
}

TEST_F(EndpointsTest, UrlsOfOneHostAndPortShareItsPlaces) {
  const auto a = endpoints_.of("http://h/a");
  const auto b = endpoints_.of("http://h:80/b");
  const auto other = endpoints_.of("http://h:81/a");
  EXPECT_EQ(&a->host(), &b->host());
  EXPECT_NE(&a->host(), &other->host());
  endpoints_.forget(other);
  endpoints_.forget_hosts();
  EXPECT_EQ(&endpoints_.of("http://h/c")->host(), &a->host());
}

TEST_F(EndpointsTest, SettingsCountForEndpointsOfNowAndLater) {
  endpoints_.load_settings("http://a/", with_rate(1));
  endpoints_.of("http://a/");
  EXPECT_EQ(sender_.rates_opened, std::vector<double>{1});
  EXPECT_EQ(endpoints_.set("http://b/", with_rate(2), 1), nullptr);  // nobody to tell
  endpoints_.of("http://b/");
  EXPECT_EQ(sender_.rates_opened.back(), 2);
  EXPECT_EQ(endpoints_.set("http://b/", {}, 2), endpoints_.find("http://b/"));
  EXPECT_EQ(sender_.rates_opened.back(), 0);
}

TEST_F(EndpointsTest, SettingsThatAreOvertakenChangeNothing) {
  endpoints_.of("http://a/");
  EXPECT_NE(endpoints_.set("http://a/", with_rate(2), 5), nullptr);
  EXPECT_EQ(endpoints_.set("http://a/", with_rate(1), 4), nullptr);
  EXPECT_EQ(sender_.rates_opened.back(), 2);
}

TEST_F(EndpointsTest, ALaneStandsWithItsEndpointUntilItIsForgotten) {
  Router router(store::SlotSet::all());
  Lanes lanes(router, endpoints_);
  auto domain = std::make_shared<store::Domain>();
  domain->uid = {1};
  store::set_hook_urls(*domain, webhook::Hook::kDelivered, {"http://a/"}, {10});
  router.add(domain);
  const auto id = domain->lanes[0].id;
  EXPECT_EQ(lanes.find(id), nullptr);
  const auto lane = lanes.find_or_make(id, {1});
  ASSERT_TRUE(lane);
  EXPECT_EQ(lanes.of(*domain, id, "http://a/"), lane);
  EXPECT_TRUE(lane->wants(nullptr, webhook::Hook::kDelivered, {11}));
  EXPECT_FALSE(lane->wants(nullptr, webhook::Hook::kOpened, {11}));
  EXPECT_TRUE(endpoints_.of("http://a/")->lanes().contains(id));
  EXPECT_EQ(lanes.all().size(), 1U);
  lanes.check_invariants();
  lanes.forget(lane);
  EXPECT_TRUE(lane->ended);
  EXPECT_EQ(lanes.find(id), nullptr);
  EXPECT_TRUE(endpoints_.of("http://a/")->lanes().empty());
  EXPECT_EQ(lanes.find_or_make({999}, {1}), nullptr);  // its webhook was removed
  EXPECT_NE(lanes.find_or_make(id, {1}), lane);        // its next life
}

TEST_F(EndpointsTest, ALaneReplaysUntilItsReplayIsDone) {
  Router router(store::SlotSet::all());
  Lanes lanes(router, endpoints_);
  auto domain = std::make_shared<store::Domain>();
  domain->uid = {1};
  store::set_hook_urls(*domain, webhook::Hook::kDelivered, {"http://a/"}, {10});
  router.add(domain);
  const auto lane = lanes.find_or_make(domain->lanes[0].id, {1});
  lanes.begin_replay(lane->id());
  EXPECT_TRUE(lanes.replaying().empty());  // nothing of it is left to do
  store::SegmentRow row;
  row.cls = webhook::class_of(webhook::Hook::kDelivered);
  row.to = Position{5};
  row.replay = 7;
  lane->segments().add(row);
  lanes.begin_replay(lane->id());
  EXPECT_EQ(lanes.replaying(), std::vector<LanePtr>{lane});
  (void)lane->cancel_replay(7);
  EXPECT_TRUE(lanes.replaying().empty());
}

}  // namespace
}  // namespace eventhorn::delivery
