#include "api/mailgun/events_test_support.h"
#include "base/dates.h"
#include "json/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace eventhorn::api::events_testing {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr char kOther[] = "other.example.org";
constexpr char kThird[] = "third.example.com";
// All of a test's events, and none of the clock's default range of a day.
constexpr char kRange[] =
    R"("start":"Wed, 11 Mar 2026 08:00:00 +0000","end":"Wed, 11 Mar 2026 09:30:00 GMT")";

class Logs : public EventsApi {
 protected:
  Logs() {
    add_domain(kOther);
    add_domain(kThird);
  }

  http::Response post(std::string body) {
    http::Request request;
    request.method = "POST";
    request.target = request.path = "/v1/analytics/logs";
    request.fields.add("Authorization", "Basic " + base64url_encode("api:test-key"));
    request.fields.add("Content-Type", "application/json");
    request.body = std::move(body);
    request.remote_address = "127.0.0.1";
    request.base = kBase;
    return run(eventhorn::api::answer(admission_, request, Deadline::max(), nullptr));
  }

  json::Value ask(const std::string& members) {
    const auto response = post("{" + members + "}");
    EXPECT_EQ(response.status, 200) << response.body;
    return expect(json::parse(response.body));
  }

  std::string refused(const std::string& body) {
    const auto response = post(body);
    const auto value = json::parse(response.body);
    return fmt::format("{} {}", response.status,
                       value && value->find("message") ? *value->find("message")->as_string() : "");
  }

  static Ids ids(const json::Value& page) {
    Ids out;
    for (const auto& item : *page.find("items")->as_array())
      out.push_back(*item.find("id")->as_string());
    return out;
  }

  static std::string token(const json::Value& page, const std::string& name) {
    return *page.find("pagination")->find(name)->as_string();
  }

  // All ids along the tokens of that name, until a page is empty.
  Ids walk(const std::string& members, const std::string& name = "next") {
    Ids out;
    for (auto page = ask(members);;) {
      const auto of_page = ids(page);
      if (of_page.empty()) return out;
      out.insert(name == "next" ? out.end() : out.begin(), of_page.begin(), of_page.end());
      page = ask(fmt::format(R"("pagination":{{"token":"{}"}})", token(page, name)));
    }
  }

  // n-th of `count` events, of the domains in turn, three of a timestamp.
  static store::NewEvent nth(size_t n, std::string_view more = "") {
    return make_event(fmt::format("e{:03}", n),
                      kStartUs + static_cast<int64_t>(n / 3) * kSecondUs + 1,
                      n % 2 == 0 ? event::Name::kDelivered : event::Name::kOpened, more);
  }

  static std::string name_of(size_t n) {
    const char* const names[] = {kDomain, kOther, kThird};
    return names[n % 3];
  }
};

std::string condition(std::string_view attribute, std::string_view comparator,
                      std::string_view value) {
  return fmt::format(
      R"("filter":{{"AND":[{{"attribute":"{}","comparator":"{}","values":[{{"label":"l","value":"{}"}}]}}]}})",
      attribute, comparator, value);
}

TEST_F(Logs, PagesOverAllDomainsByTokens) {
  Ids all;
  for (size_t n = 0; n < 100; ++n) {
    add({nth(n)}, name_of(n));
    all.push_back(fmt::format("e{:03}", n));
    if (n == 50) ASSERT_TRUE(store_->index_now());
  }
  const std::string up =
      kRange + std::string(R"(,"pagination":{"sort":"timestamp:asc","limit":7})");
  EXPECT_EQ(walk(up), all);
  const auto first = ask(up);
  EXPECT_EQ(token(first, "previous"), "");
  const auto page_of = [&](const std::string& of) {
    return ask(fmt::format(R"("pagination":{{"token":"{}"}})", of));
  };
  const auto second = page_of(token(first, "next"));
  EXPECT_EQ(ids(page_of(token(second, "previous"))), ids(first));
  EXPECT_EQ(ids(page_of(token(second, "first"))), ids(first));
  const auto last = page_of(token(second, "last"));
  EXPECT_EQ(ids(last), Ids(all.end() - 7, all.end()));
  const auto behind = page_of(token(last, "next"));
  EXPECT_THAT(ids(behind), IsEmpty());
  EXPECT_EQ(token(behind, "next"), "");
  EXPECT_EQ(
      walk(fmt::format(R"("pagination":{{"token":"{}"}})", token(last, "previous")), "previous"),
      Ids(all.begin(), all.end() - 7));
  std::ranges::reverse(all);
  EXPECT_EQ(walk(kRange + std::string(R"(,"pagination":{"limit":7})")), all);
  EXPECT_EQ(ids(ask(kRange)).size(), 100U);
}

TEST_F(Logs, TheSameBodyMayComeBesideTheToken) {
  for (size_t n = 0; n < 9; ++n) add({nth(n)}, name_of(n));
  const auto body = [](std::string_view filter, std::string_view of, int limit) {
    return fmt::format(R"({},{},"pagination":{{"sort":"timestamp:desc","limit":{},"token":"{}"}})",
                       kRange, filter, limit, of);
  };
  const auto filter = condition("event", "=", "delivered");
  const auto first = ask(body(filter, "", 2));
  EXPECT_THAT(ids(first), ElementsAre("e008", "e006"));
  const auto next = token(first, "next");
  EXPECT_THAT(ids(ask(body(filter, next, 2))), ElementsAre("e004", "e002"));
  EXPECT_THAT(ids(ask(body(filter, next, 1))), ElementsAre("e004"));
  EXPECT_THAT(refused("{" + body(condition("event", "=", "opened"), next, 2) + "}"),
              StartsWith("400 pagination.token: is of a query with other filters"));
  EXPECT_EQ(
      refused(fmt::format(R"({{"pagination":{{"sort":"timestamp:asc","token":"{}"}}}})", next)),
      "400 pagination.sort: must be that of the query that the token is of");
  EXPECT_EQ(refused(R"({"pagination":{"token":"bm9uZQ"}})"), "400 Invalid page token");
  const auto of_events = get("/v3/events?limit=2").urls.at("next");
  EXPECT_EQ(refused(fmt::format(R"({{"pagination":{{"token":"{}"}}}})",
                                of_events.substr(of_events.find('=') + 1))),
            "400 Invalid page token");
}

TEST_F(Logs, TheRangeIsTheLastDayUnlessGiven) {
  const int64_t now = to_micros(clock_.now());
  add({make_event("new", now - kSecondUs), make_event("hour", now - 3601 * kSecondUs)});
  add({make_event("day", now - 24 * 3600 * kSecondUs + 5),
       make_event("old", now - 24 * 3600 * kSecondUs - 5)},
      kOther);
  EXPECT_THAT(ids(ask("")), ElementsAre("new", "hour", "day"));
  EXPECT_THAT(ids(expect(json::parse(post("").body))), ElementsAre("new", "hour", "day"));
  EXPECT_THAT(ids(ask(R"("duration":"1h")")), ElementsAre("new"));
  EXPECT_THAT(ids(ask(R"("duration":"2d","start":"Wed, 11 Mar 2026 08:00:00 GMT")")),
              ElementsAre("new", "hour", "day", "old"));
  const auto end = format_http_date(from_micros(now - 1800 * kSecondUs));
  const auto before = ask(fmt::format(R"("end":"{}")", end));
  EXPECT_THAT(ids(before), ElementsAre("hour", "day", "old"));
  EXPECT_EQ(*before.find("end")->as_string(), end.substr(0, end.size() - 3) + "+0000");
}

TEST_F(Logs, FiltersByEventsMetricsAndConditions) {
  auto soft = make_event("soft", kStartUs + 1, event::Name::kFailed,
                         R"(,"severity":"temporary","recipient":"a@x.example","tags":["t"])");
  soft.event.severity = event::Severity::kTemporary;
  auto hard = make_event("hard", kStartUs + 2, event::Name::kFailed,
                         R"(,"severity":"permanent","reason":"bounce","recipient":"b@y.example")");
  hard.event.severity = event::Severity::kPermanent;
  add({soft});
  add({hard,
       make_event("open", kStartUs + 3, event::Name::kOpened, R"(,"recipient":"a@x.example")")},
      kOther);
  const auto find = [&](const std::string& members) { return ids(ask(kRange + ("," + members))); };
  for (const bool indexed : {false, true}) {
    if (indexed) ASSERT_TRUE(store_->index_now());
    EXPECT_THAT(find(R"("events":["failed"])"), ElementsAre("hard", "soft"));
    EXPECT_THAT(find(R"("events":["opened"],"metric_events":["bounced"])"),
                ElementsAre("open", "hard"));
    EXPECT_THAT(find(R"("metric_events":["temporary_failed"])"), ElementsAre("soft"));
    EXPECT_THAT(find(condition("recipient", "=", "A@x.example")), ElementsAre("open", "soft"));
    EXPECT_THAT(find(condition("recipient_domain", "!=", "x.example")), ElementsAre("hard"));
    EXPECT_THAT(find(condition("tag", "contains", "T")), ElementsAre("soft"));
    EXPECT_THAT(find(condition("domain", "=", "Other.example.org")), ElementsAre("open", "hard"));
    EXPECT_THAT(find(condition("domain", "!=", kOther)), ElementsAre("soft"));
    EXPECT_THAT(find(condition("domain", "contains", "example.org")),
                ElementsAre("open", "hard", "soft"));
    EXPECT_THAT(find(condition("domain", "=", "nobody.example")), IsEmpty());
    EXPECT_THAT(find(R"("events":["failed"],)" + condition("recipient", "=", "a@x.example")),
                ElementsAre("soft"));
  }
}

TEST_F(Logs, TotalsAreGivenWhereTheyAreKnown) {
  for (size_t n = 0; n < 5; ++n) add({nth(n)}, name_of(n));
  const auto body = [](int limit, bool totals) {
    return fmt::format(R"({},"include_totals":{},"pagination":{{"limit":{}}})", kRange, totals,
                       limit);
  };
  const auto whole = ask(body(10, true));
  EXPECT_EQ(whole.find("pagination")->find("total")->as_int(), 5);
  EXPECT_EQ(whole.find("aggregates")->find("all")->as_int(), 5);
  EXPECT_EQ(whole.find("aggregates")->find("metrics")->find("delivered")->as_int(), 3);
  EXPECT_EQ(whole.find("aggregates")->find("metrics")->find("opened")->as_int(), 2);
  for (const auto& page : {ask(body(3, true)), ask(body(10, false))}) {
    EXPECT_EQ(page.find("pagination")->find("total"), nullptr);
    EXPECT_EQ(page.find("aggregates")->as_object()->size(), 0U);
  }
  EXPECT_EQ(
      ask(body(10, true) + R"(,"events":["failed"])").find("aggregates")->find("all")->as_int(), 0);
}

TEST_F(Logs, ItemsHaveTheFormOfLogs) {
  add({make_event("a", kStartUs + 330'000, event::Name::kDelivered,
                  R"(,"user-variables":{"k":1},"account":{"id":"5f"})")},
      kOther);
  const auto page = ask(kRange);
  const auto& item = (*page.find("items")->as_array())[0];
  EXPECT_EQ(item.find("timestamp"), nullptr);
  EXPECT_EQ(*item.find("@timestamp")->as_string(), "2026-03-11T08:40:00.330Z");
  EXPECT_EQ(*item.find("user-variables")->as_string(), R"({"k":1})");
  EXPECT_EQ(*item.find("account")->find("parent-id")->as_string(), "");
  EXPECT_EQ(item.find("flags")->as_object()->size(), 6U);
}

TEST_F(Logs, A13WhatIsNotUnderstoodIsRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> refusals = {
      {"[]", "the body must be a JSON object"},
      {"{", "invalid json at byte 1"},
      {R"({"foo":1})", "foo: is not known here: may be start, end"},
      {R"({"start":"yesterday"})", "start: must be an RFC 2822 date"},
      {R"({"start":5})", "start: must be a text"},
      {R"({"end":"Wed, 11 Mar 2199 09:00:00 GMT"})", "end: must be an RFC 2822 date"},
      {R"({"start":"Wed, 11 Mar 2026 09:00:00 GMT","end":"Wed, 11 Mar 2026 09:00:00 GMT"})",
       "start: must be before end"},
      {R"({"duration":"1m"})", "duration: must be a number of hours or days, as 12h or 7d"},
      {R"({"duration":"0d"})", "duration: must be a number"},
      {R"({"duration":"99999999999d"})", "duration: must be a number"},
      {R"({"duration":"d"})", "duration: must be a number"},
      {R"({"events":"failed"})", "events: must be a list of texts"},
      {R"({"events":["lost"]})", "events: \"lost\" is not one of accepted"},
      {R"({"events":["unique_opened"]})", "events: \"unique_opened\" needs counts"},
      {R"({"metric_events":["unique_clicked"]})",
       "metric_events: \"unique_clicked\" cannot be told by one event"},
      {R"({"metric_events":[1]})", "metric_events: must be a list of texts"},
      {R"({"filter":[]})", "filter: must be an object"},
      {R"({"filter":{"OR":[]}})", "filter.OR: is not known here: may be AND"},
      {R"({"filter":{"AND":{}}})", "filter.AND: must be a list of conditions"},
      {R"({"filter":{"AND":[1]}})", "filter.AND[0]: must be an object"},
      {R"({"filter":{"AND":[{"attribute":"tag","values":[{"value":"a"}]}]}})",
       "filter.AND[0].comparator: is missing"},
      {R"({"filter":{"AND":[{"attribute":"tag","comparator":"="}]}})",
       "filter.AND[0].values: is missing"},
      {R"({"filter":{"AND":[{"attribute":"tag","comparator":"=","values":[]}]}})",
       "filter.AND[0].values: must be a list of one or more"},
      {R"({"filter":{"AND":[{"attribute":"tag","comparator":"=","values":[{"label":"a"}]}]}})",
       "filter.AND[0].values: each must be an object"},
      {"{" + condition("tag", "like", "a") + "}", "filter.AND[0].comparator: must be =, !="},
      {"{" + condition("colour", "=", "a") + "}",
       "filter.AND[0]: \"colour\" cannot be filtered by; may be domain, event"},
      {"{" + condition("tag", "=", "") + "}", "filter.AND[0].values: each must be"},
      {"{" + condition("tag", "=", std::string(4096, 'x')) + "}",
       "filter: must not be longer than 4096 bytes"},
      {R"({"include_totals":"yes"})", "include_totals: must be true or false"},
      {R"({"include_subaccounts":1})", "include_subaccounts: must be true or false"},
      {R"({"pagination":[]})", "pagination: must be an object"},
      {R"({"pagination":{"skip":1}})", "pagination.skip: is not known here: may be sort"},
      {R"({"pagination":{"sort":"event:asc"}})", "pagination.sort: must be timestamp:asc"},
      {R"({"pagination":{"limit":0}})", "pagination.limit: must be a whole number from 1 to 100"},
      {R"({"pagination":{"limit":1.5}})", "pagination.limit: must be a whole number"},
      {R"({"pagination":{"token":1}})", "pagination.token: must be a text"},
  };
  for (const auto& [body, message] : refusals)
    EXPECT_THAT(refused(body), StartsWith("400 " + message)) << body;
  std::string many = R"({"events":["failed")";
  for (int i = 0; i < 100; ++i) many += R"(,"failed")";
  EXPECT_THAT(refused(many + "]}"), StartsWith("400 filter: must have no more than 100 values"));
  EXPECT_EQ(ids(ask(R"("pagination":{"limit":5000},"filter":null,"events":[])")), Ids());
}

// Against a look at every event, over domains that come and go and pages of every size.
TEST_F(Logs, AWalkFindsWhatALookAtEveryEventFinds) {
  std::mt19937 random(1128);
  std::vector<std::pair<store::NewEvent, size_t>> events;
  for (size_t n = 0; n < 120; ++n) {
    auto e = nth(random() % 60 * 3, fmt::format(R"(,"recipient":"r{}@x.example","tags":["t{}"])",
                                                random() % 5, random() % 3));
    e.event.id = fmt::format("e{:03}", n);
    e.event.bytes.replace(e.event.bytes.find(R"("id":")") + 6, 4, e.event.id);
    events.emplace_back(e, random() % 3);
    add({e}, name_of(events.back().second));
    if (n == 70) ASSERT_TRUE(store_->index_now());
  }
  for (int round = 0; round < 30; ++round) {
    const auto tag = fmt::format("t{}", random() % 4);
    const bool by_domain = random() % 2 == 0;
    const bool ascending = random() % 2 == 0;
    std::vector<std::pair<int64_t, std::string>> found;
    for (const auto& [e, domain] : events) {
      const bool in = by_domain ? domain == 1 : true;
      if (in && e.event.bytes.find('"' + tag + '"') != std::string::npos)
        found.emplace_back(e.event.timestamp_us, e.event.id);  // they arrive by id
    }
    std::ranges::sort(found);
    if (!ascending) std::ranges::reverse(found);
    Ids expected;
    for (const auto& [us, id] : found) expected.push_back(id);
    const auto other = fmt::format(
        R"({{"attribute":"domain","comparator":"=","values":[{{"value":"{}"}}]}},)", kOther);
    const auto members = fmt::format(
        R"({},"filter":{{"AND":[{}{{"attribute":"tag","comparator":"=","values":[{{"value":"{}"}}]}}]}},"pagination":{{"sort":"timestamp:{}","limit":{}}})",
        kRange, by_domain ? other : "", tag, ascending ? "asc" : "desc", 1 + random() % 9);
    ASSERT_EQ(walk(members), expected) << members;
  }
}

}  // namespace
}  // namespace eventhorn::api::events_testing
