#include "api/mailgun/events_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace eventhorn::api::events_testing {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr char kOther[] = "other.example.org";
constexpr char kThird[] = "third.example.org";

class AccountEvents : public EventsApi {
 protected:
  AccountEvents() {
    add_domain(kOther);
    add_domain(kThird);
  }

  Page account(const std::string& text) { return get("/v3/events?" + text); }

  // Of three domains; three of each timestamp, in no order of time. Returns the ids in the order of
  // (timestamp, arrival).
  Ids add_to_all(size_t count) {
    const std::string domains[] = {kDomain, kOther, kThird};
    std::vector<std::pair<int64_t, size_t>> order;
    std::vector<std::string> ids;
    for (size_t i = 0; i < count; ++i) {
      const size_t n = i * 7919 % count;
      const int64_t us = kStartUs + static_cast<int64_t>(n / 3) * kSecondUs + 1;
      ids.push_back(fmt::format("e{}", n));
      add({make_event(ids.back(), us)}, domains[i % 3]);
      order.emplace_back(us, i);
      if (i == count / 2) EXPECT_TRUE(store_->index_now());
    }
    std::ranges::sort(order);
    Ids out;
    for (const auto& [us, i] : order) out.push_back(ids[i]);
    return out;
  }
};

TEST_F(AccountEvents, PagesOverAllDomainsToTheEndInBothDirections) {
  auto ids = add_to_all(200);
  const auto up = account("begin=1773218400&ascending=yes&limit=30&pretty=no");
  EXPECT_EQ(up.ids, Ids(ids.begin(), ids.begin() + 30));
  EXPECT_THAT(up.urls.at("next"), StartsWith(std::string(kBase) + "/v3/events/"));
  EXPECT_EQ(follow(up, "next"), ids);
  auto page = up;
  while (!page.ids.empty()) page = get(page.urls["next"]);
  EXPECT_EQ(follow(get(page.urls["previous"]), "previous", true), ids);
  const auto second = get(up.urls.at("next"));
  EXPECT_EQ(get(second.urls.at("first")).ids, up.ids);
  EXPECT_EQ(get(second.urls.at("last")).ids, Ids(ids.end() - 30, ids.end()));
  EXPECT_EQ(
      get("/v3/events?page=" + up.urls.at("next").substr(up.urls.at("next").find('=') + 1)).ids,
      second.ids);
  std::ranges::reverse(ids);
  EXPECT_EQ(follow(account("limit=70"), "next"), ids);
}

// Ids are unique within a domain; some of it come late.
TEST_F(AccountEvents, ShowsTheSameIdOfTwoDomainsAndLateEventsInTheirPlace) {
  add({make_event("a", kStartUs), make_event("b", kStartUs + 20)});
  add({make_event("a", kStartUs)}, kOther);
  const auto first = account("begin=1773218400&ascending=yes&limit=2");
  EXPECT_THAT(first.ids, ElementsAre("a", "a"));
  EXPECT_THAT(get(first.urls.at("next")).ids, ElementsAre("b"));
  add({make_event("late", kStartUs + 10)}, kThird);
  EXPECT_THAT(get(first.urls.at("next")).ids, ElementsAre("late", "b"));
  add({make_event("a", kStartUs)}, kThird);
  EXPECT_THAT(get(first.urls.at("next")).ids, ElementsAre("a", "late"))
      << "one more of the last timestamp, which came later";
}

TEST_F(AccountEvents, Filters) {
  for (const auto* domain : {kDomain, kOther}) {
    add({make_event("o", kStartUs, event::Name::kOpened, R"(,"recipient":"a@x.example")"),
         make_event("d", kStartUs + 1, event::Name::kDelivered, R"(,"recipient":"a@x.example")"),
         make_event("n", kStartUs + 2, event::Name::kDelivered, R"(,"recipient":"b@x.example")")},
        domain);
  }
  for (const bool indexed : {false, true}) {
    if (indexed) ASSERT_TRUE(store_->index_now());
    EXPECT_THAT(account("recipient=a@x.example").ids, ElementsAre("d", "d", "o", "o"));
    EXPECT_THAT(account("recipient=a@x.example&event=opened").ids, ElementsAre("o", "o"));
    EXPECT_THAT(account("recipient=nobody@x.example").ids, IsEmpty());
    EXPECT_THAT(account("event=delivered&recipient=NOT+a@x.example").ids, ElementsAre("n", "n"));
  }
}

// As in the domain's own list: nothing of a deleted domain shows, nor in the next of that name.
TEST_F(AccountEvents, OfADeletedDomainNothingShows) {
  add({make_event("a", kStartUs)});
  add({make_event("b", kStartUs + 1)}, kOther);
  ASSERT_TRUE(store_->index_now());
  EXPECT_THAT(account("").ids, ElementsAre("b", "a"));
  store::DomainEdit remove = [](const store::DomainPtr&, Position) -> Result<store::DomainPtr> {
    return store::DomainPtr();
  };
  ASSERT_TRUE(run(services_.appends.edit(kOther, std::move(remove))));
  EXPECT_THAT(account("").ids, ElementsAre("a"));
  add_domain(kOther);
  EXPECT_THAT(account("").ids, ElementsAre("a"));
}

TEST_F(AccountEvents, TokensAreOfTheAccountOrOfADomain) {
  add_to_all(20);
  const auto token_of = [](const Page& page) {
    return page.urls.at("next").substr(page.urls.at("next").find('=') + 1);
  };
  const auto of_account = token_of(account("limit=3"));
  const auto of_domain = token_of(query("limit=3"));
  EXPECT_EQ(answer("/v3/events/" + of_account).status, 200);
  EXPECT_THAT(refusal("/v3/events/" + of_domain),
              HasSubstr("400 {\"message\":\"Invalid page token"));
  EXPECT_THAT(refusal("/v3/events?page=" + of_domain), HasSubstr("Invalid page token"));
  EXPECT_THAT(refusal(std::string("/v3/") + kDomain + "/events/" + of_account),
              HasSubstr("Invalid page token"));
}

TEST_F(AccountEvents, TellsUpToWhereItLooked) {
  add({make_event("a", kStartUs)}, kOther);
  const auto of_account = answer("/v3/events");
  const auto of_domain = answer(std::string("/v3/") + kOther + "/events");
  EXPECT_EQ(of_account.fields.get("X-Eventhorn-Position"),
            of_domain.fields.get("X-Eventhorn-Position"));
  EXPECT_FALSE(of_account.fields.get("X-Eventhorn-Complete-Until").empty());
}

TEST_F(AccountEvents, RefusesWhatADomainsListRefuses) {
  EXPECT_THAT(refusal("/v3/events?limit=0"), HasSubstr("limit must be a whole number"));
  EXPECT_THAT(refusal("/v3/events?begin=yesterday"), HasSubstr("Invalid date: begin"));
  EXPECT_THAT(refusal("/v3/events?event=lost"), HasSubstr("event: \\\"lost\\\" is not one of"));
}

}  // namespace
}  // namespace eventhorn::api::events_testing
