#include "api/mailgun/events_test_support.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>

namespace eventhorn::api::events_testing {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST_F(EventsApi, PagesToTheEndInBothDirections) {
  auto ids = add_many(1000);
  const auto up =
      query(fmt::format("begin={}&ascending=yes&limit=70&pretty=no", kStartUs / kSecondUs));
  EXPECT_EQ(up.ids, Ids(ids.begin(), ids.begin() + 70));
  EXPECT_EQ(follow(up, "next"), ids);
  std::reverse(ids.begin(), ids.end());
  const auto down = query("limit=70");
  EXPECT_EQ(down.ids, Ids(ids.begin(), ids.begin() + 70));
  EXPECT_EQ(follow(down, "next"), ids);
}

TEST_F(EventsApi, PagesBackFromTheEnd) {
  auto ids = add_many(200);
  for (const auto* range : {"begin=1773218400&ascending=yes&limit=30", "limit=30"}) {
    auto page = query(range);
    EXPECT_THAT(get(page.urls["previous"]).ids, IsEmpty());
    const auto second = get(page.urls["next"]);
    EXPECT_EQ(get(second.urls.at("previous")).ids, page.ids);
    EXPECT_EQ(get(get(second.urls.at("previous")).urls["next"]).ids, second.ids);
    while (!page.ids.empty()) page = get(page.urls["next"]);
    EXPECT_EQ(follow(get(page.urls["previous"]), "previous", true), ids) << range;
    std::reverse(ids.begin(), ids.end());
  }
}

TEST_F(EventsApi, LinksTheFirstAndTheLastPage) {
  const auto ids = add_many(100);
  const auto second = get(query("begin=1773218400&ascending=yes&limit=30").urls["next"]);
  EXPECT_EQ(get(second.urls.at("first")).ids, Ids(ids.begin(), ids.begin() + 30));
  const auto last = get(second.urls.at("last"));
  EXPECT_EQ(last.ids, Ids(ids.end() - 30, ids.end()));
  EXPECT_THAT(get(last.urls.at("next")).ids, IsEmpty());
  EXPECT_EQ(get(last.urls.at("previous")).ids, Ids(ids.end() - 60, ids.end() - 30));
}

TEST_F(EventsApi, TakesRangesHalfOpen) {
  add({make_event("a", kStartUs), make_event("b", kStartUs + 1), make_event("c", kStartUs + 2)});
  EXPECT_THAT(query("begin=1773218400&end=1773218400.000002").ids, ElementsAre("a", "b"));
  EXPECT_THAT(query("begin=1773218400.000002&end=1773218400").ids, ElementsAre("c", "b"));
  EXPECT_THAT(query("begin=1773218400.000001").ids, ElementsAre("b", "a"));
}

TEST_F(EventsApi, ShowsALateEventOnItsPage) {
  add({make_event("a", kStartUs + 10), make_event("c", kStartUs + 30),
       make_event("d", kStartUs + 40)});
  const auto first = query("begin=1773218400&ascending=yes&limit=2");
  const auto second = get(first.urls.at("next"));
  EXPECT_THAT(second.ids, ElementsAre("d"));
  add({make_event("b", kStartUs + 20), make_event("cc", kStartUs + 35)});
  EXPECT_THAT(get(second.urls.at("first")).ids, ElementsAre("a", "b"));
  EXPECT_THAT(get(first.urls.at("next")).ids, ElementsAre("cc", "d"));
}

TEST_F(EventsApi, PollsOnTheSameUrl) {
  const auto empty = query("begin=1773218400&ascending=yes");
  EXPECT_THAT(empty.ids, IsEmpty());
  EXPECT_THAT(get(empty.urls.at("last")).ids, IsEmpty());
  add({make_event("a", kStartUs + 10), make_event("b", kStartUs + 20)});
  const auto handle = get(empty.urls.at("next"));
  EXPECT_THAT(handle.ids, ElementsAre("a", "b"));

  const auto url = handle.urls.at("next");
  const auto waiting = get(url);
  EXPECT_THAT(waiting.ids, IsEmpty());
  EXPECT_EQ(waiting.urls.at("next"), url);
  add({make_event("c", kStartUs + 30)});
  EXPECT_THAT(get(url).ids, ElementsAre("c"));
  EXPECT_THAT(get(get(handle.urls.at("last")).urls["next"]).ids, IsEmpty());
  EXPECT_THAT(get(get(handle.urls.at("last")).urls["previous"]).ids, IsEmpty());
}

TEST_F(EventsApi, ShowsWhatArrivedWithinThisSecond) {
  add({make_event("now", to_micros(clock_.now()) + 999'999),
       make_event("later", to_micros(clock_.now()) + kSecondUs)});
  EXPECT_THAT(query("").ids, ElementsAre("now"));
}

TEST_F(EventsApi, FiltersOnEveryPage) {
  std::vector<store::NewEvent> events;
  for (int i = 0; i < 300; ++i) {
    const auto name = i % 3 == 0   ? event::Name::kOpened
                      : i % 3 == 1 ? event::Name::kClicked
                                   : event::Name::kDelivered;
    events.push_back(make_event(
        fmt::format("e{:03}", i), kStartUs + i, name,
        fmt::format(R"(,"tags":["t{}","all"],"recipient":"r{}@example.com")", i % 5, i % 2)));
  }
  add(std::move(events));
  Ids expected;
  for (int i = 0; i < 300; ++i) {
    if (i % 3 != 2 && i % 5 == 1 && i % 2 == 0) expected.push_back(fmt::format("e{:03}", i));
  }
  const auto page = query(
      "begin=1773218400&ascending=yes&limit=7&event=opened+OR+clicked&tags=all&tags[]=t1&recipient="
      "r0%40example.com");
  EXPECT_EQ(follow(page, "next"), expected);
  EXPECT_EQ(follow(get(page.urls.at("last")), "previous", true), expected);
  EXPECT_THAT(query("event=&tags=nobody").ids, IsEmpty());
}

TEST_F(EventsApi, FindsLateEventsBehindTheLastMatch) {
  add({make_event("a", kStartUs, event::Name::kOpened), make_event("z", kStartUs + 50)});
  const auto page = query("begin=1773218400&ascending=yes&event=opened");
  EXPECT_THAT(page.ids, ElementsAre("a"));
  add({make_event("b", kStartUs + 20, event::Name::kOpened)});
  EXPECT_THAT(get(page.urls.at("next")).ids, ElementsAre("b"));
}

// The index of terms does not help with a NOT.
TEST_F(EventsApi, GivesUpALongSearchAtTheDeadline) {
  std::vector<store::NewEvent> events;
  for (int i = 0; i < 4200; ++i) {
    const bool wanted = i == 50 || i == 4150;
    events.push_back(make_event(fmt::format("e{:04}", i), kStartUs + i,
                                wanted ? event::Name::kOpened : event::Name::kDelivered));
  }
  add(std::move(events));
  const std::string wanted = "begin=1773218400&ascending=yes&event=NOT+delivered";
  const Deadline past = clock_.steady_now();
  auto page = query(wanted, past);
  EXPECT_THAT(page.ids, ElementsAre("e0050"));
  // The next page goes on where the search stopped, which is nearer to the end than one slice.
  page = get(page.urls["next"], past);
  EXPECT_THAT(page.ids, ElementsAre("e4150"));
  page = get(page.urls["last"], past);
  EXPECT_THAT(page.ids, ElementsAre("e4150"));
  EXPECT_THAT(get(page.urls["previous"], past).ids, ElementsAre("e0050"));
  EXPECT_THAT(query(wanted).ids, ElementsAre("e0050", "e4150"));

  const auto response =
      answer(std::string("/v3/") + kDomain + "/events?event=NOT+(delivered+OR+opened)", past);
  // Nothing that clients repeat by themselves.
  EXPECT_EQ(response.status, 400);
  EXPECT_FALSE(response.fields.has("Retry-After"));
  EXPECT_THAT(response.body, HasSubstr("narrow the range with begin and end, or add a filter on"));
  EXPECT_THAT(query("event=NOT+(delivered+OR+opened)").ids, IsEmpty());

  // However long the request itself may take.
  options_.query_timeout = std::chrono::milliseconds(0);
  EXPECT_EQ(
      answer(std::string("/v3/") + kDomain + "/events?event=NOT+(delivered+OR+opened)").status,
      400);

  // Who is gone waits for no search to end.
  class Gone final : public http::Peer {
   public:
    bool gone() const override { return true; }
  };

  const Gone peer;
  const auto url = std::string("/v3/") + kDomain + "/events?event=NOT+(delivered+OR+opened)";
  EXPECT_EQ(answer(url, Deadline::max(), &peer).status, 503);
}

TEST_F(EventsApi, SearchesHoldNobodyElse) {
  add({make_event("a", kStartUs)});
  std::promise<void> end;
  asio::post(searchers_.executor(), [held = end.get_future().share()] { held.wait(); });
  EXPECT_THAT(query("").ids, ElementsAre("a"));
  end.set_value();
  EXPECT_THAT(query("event=delivered").ids, ElementsAre("a"));
}

TEST_F(EventsApi, ListsMayBeNumbered) {
  add({make_event("a", kStartUs, event::Name::kDelivered, R"(,"tags":["x","y"])"),
       make_event("b", kStartUs + 1, event::Name::kDelivered, R"(,"tags":["x"])")});
  EXPECT_THAT(query("tags%5B0%5D=x&tags%5B1%5D=y").ids, ElementsAre("a"));
  EXPECT_THAT(query("tags[]=x&tags[7]=y&limit[0]=1").ids, ElementsAre("a"));
  for (const auto* name : {"tags[a]", "tags[0][1]", "event[", "begin[x]", "ascending[]x"}) {
    EXPECT_EQ(
        query_refusal(std::string(name) + "=1"),
        "400 {\"message\":\"" + std::string(name) + ": brackets must be empty or hold a number\"}");
  }
  EXPECT_EQ(query("other[a]=1").ids.size(), 2U);
}

TEST_F(EventsApi, EndsAPageOfLargeEventsEarly) {
  std::vector<store::NewEvent> events;
  const auto more = R"(,"x":")" + std::string(100'000, 'x') + '"';
  for (int i = 0; i < 120; ++i)
    events.push_back(
        make_event(fmt::format("e{:03}", i), kStartUs + i, event::Name::kDelivered, more));
  add(std::move(events));
  const auto page = query("limit=120&pretty=no");
  EXPECT_EQ(page.ids.size(), 84U) << "8 MiB";
  EXPECT_EQ(follow(page, "next").size(), 120U);
}

TEST_F(EventsApi, LimitsPages) {
  add_many(350);
  EXPECT_EQ(query("").ids.size(), 100U);
  EXPECT_EQ(query("limit=299").ids.size(), 299U);
  const auto page = query("limit=1000");
  EXPECT_EQ(page.ids.size(), 300U);
  EXPECT_EQ(get(page.urls.at("next")).ids.size(), 50U);
  for (const auto* limit : {"0", "-1", "ten", "1.5"}) {
    EXPECT_EQ(query_refusal(std::string("limit=") + limit),
              R"(400 {"message":"limit must be a whole number from 1 to 300"})");
  }
}

TEST_F(EventsApi, WritesPagesAsDocumented) {
  add({make_event("a", kStartUs + 250'000)});
  const auto item = R"({"event":"delivered","id":"a","timestamp":1773218400.250000})";
  auto page = query("pretty=no&ascending=no");
  EXPECT_THAT(page.body,
              StartsWith(std::string(R"({"items":[)") + item +
                         R"(],"paging":{"next":"http://mail.test:8480/v3/mg.example.org/events/)"));
  EXPECT_EQ(page.body.find('\n'), page.body.size() - 1);
  EXPECT_EQ(get(page.urls["next"]).body.find("\n "), std::string::npos);

  const auto* const indented =
      "{\n  \"items\": [\n    {\n      \"event\": \"delivered\",\n      \"id\": \"a\",\n"
      "      \"timestamp\": 1773218400.250000\n    }\n  ],\n  \"paging\": {\n    \"next\": "
      "\"http://";
  EXPECT_THAT(query("").body, StartsWith(indented));
  page = query("pretty=yes");
  EXPECT_THAT(get(page.urls["next"]).body,
              StartsWith("{\n  \"items\": [],\n  \"paging\": {\n    \"next\": \"http://"));
  EXPECT_EQ(query_refusal("pretty=2"), R"(400 {"message":"pretty: must be yes or no"})");
}

TEST_F(EventsApi, RefusesBadQueries) {
  EXPECT_EQ(
      query_refusal("begin=soon"),
      R"(400 {"message":"Invalid date: begin must be an RFC 2822 date or seconds since the epoch, from 1970 to 2100"})");
  EXPECT_EQ(
      query_refusal("begin=Fri,+13+Nov+2015+15:11:49+UTC&end=1447427509&ascending=yes"),
      R"(400 {"message":"Inconsistent range: begin=2015-11-13 15:11:49+00:00, end=2015-11-13 15:11:49+00:00, ascending=True"})");
  EXPECT_THAT(query_refusal("subject=(a+OR"), StartsWith(R"(400 {"message":"subject: )"));
  EXPECT_EQ(query_refusal("subject=" + std::string(2100, 'x') + "&from=" + std::string(2100, 'x')),
            R"(400 {"message":"the filters must not be longer than 4096 bytes together"})");
  EXPECT_THAT(query_refusal("begin=%zz"), StartsWith("400 "));
  EXPECT_EQ(refusal("/v3/other.example.org/events"), R"(404 {"message":"Domain not found"})");
}

TEST_F(EventsApi, NeedsTheKey) {
  for (const auto* path : {"/v3/mg.example.org/events", "/v3/mg.example.org/events/AQ"}) {
    http::Request request;
    request.method = "GET";
    request.path = path;
    request.remote_address = "127.0.0.1";
    EXPECT_EQ(run(eventhorn::api::answer(admission_, request, Deadline::max())).status, 401)
        << path;
  }
}

TEST_F(EventsApi, RefusesForeignTokens) {
  const std::string refused = R"(400 {"message":"Invalid page token"})";
  auto token = query("").urls["next"];
  token.erase(0, token.rfind('=') + 1);
  EXPECT_THAT(get("/v3/mg.example.org/events/" + token).ids, IsEmpty());
  add_domain("other.example.org");
  EXPECT_EQ(refusal("/v3/other.example.org/events/" + token), refused);
  EXPECT_EQ(query_refusal("page=x" + token), refused);
  token[5] = token[5] == 'A' ? 'B' : 'A';
  EXPECT_EQ(refusal("/v3/mg.example.org/events/" + token), refused);
  EXPECT_EQ(refusal("/v3/mg.example.org/events/%3Fpage=" + token), refused);
}

TEST_F(EventsApi, EndsTokensAndPagesWithTheirDomain) {
  add({make_event("a", kStartUs)});
  const auto page = query("");
  EXPECT_THAT(page.ids, ElementsAre("a"));
  const auto remove = [](const store::DomainPtr&, Position) -> Result<store::DomainPtr> {
    return store::DomainPtr();
  };
  ASSERT_TRUE(run(writers_.appends.edit(kDomain, remove)));
  EXPECT_THAT(refusal(page.urls.at("first")), StartsWith("404 "));
  add_domain(kDomain);
  EXPECT_THAT(query("").ids, IsEmpty());
  EXPECT_THAT(refusal(page.urls.at("first")), StartsWith("400 "));
}

TEST_F(EventsApi, TakesTokensAsClientsSendThem) {
  const auto ids = add_many(10);
  const auto first = query("begin=1773218400&ascending=yes&limit=4");
  const auto next = first.urls.at("next");
  const auto token = next.substr(next.rfind('=') + 1);
  EXPECT_EQ(next, std::string(kBase) + "/v3/mg.example.org/events/" + token + "?page=" + token);
  const Ids second(ids.begin() + 4, ids.begin() + 8);
  const std::string path = "/v3/mg.example.org/events";
  const auto other = first.urls.at("last").substr(first.urls.at("last").rfind('=') + 1);
  for (const auto& url :
       {path + "/" + token,
        path + "/" + token + "?page=" + token + "&limit=2&begin=soon&event=failed",  // mailgun.js
        path + "?begin=1773218400&limit=4&page=" + token,  // mailgun-python
        path + "/" + token + "%3Fpage=" + token,           // Java
        path + "/" + token + "?page=" + other,             // the path wins
        path + "/" + token + "?%zz"}) {
    EXPECT_EQ(get(url).ids, second) << url;
  }
  EXPECT_EQ(query("begin=1773218400&ascending=yes&limit=4&page=").ids, first.ids);
  // The links keep the name as the client wrote it.
  EXPECT_THAT(get("/v3/MG.Example.org/events").urls["next"],
              StartsWith(std::string(kBase) + "/v3/MG.Example.org/events/"));
}

}  // namespace
}  // namespace eventhorn::api::events_testing
