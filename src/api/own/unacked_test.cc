#include "api/own/own_test_support.h"

#include <random>
#include <set>

namespace eventhorn::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kEvents = "/eventhorn/v1/example.org/events";
const std::string kUnacked = kEvents + "?unacked_by=https%3A%2F%2Fa.example%2Fhook";

TEST(Unacked, ListsSegmentsAndExceptionsInTheOrderOfTheLog) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  api.set_hook("opened", {kUrl});
  api.set_hook("complained", {kSecretUrl});
  const auto start = api.store->head();
  const auto a = api.add("a");
  const auto b = api.add("b");
  const auto c = api.add("c", event::Name::kOpened);
  api.add("d", event::Name::kComplained);
  api.add("e");
  const auto f = api.add("f");
  api.add("g", event::Name::kOpened);
  api.save_exception(kUrl, a, false);
  api.save_exception(kUrl, b, true);
  auto& lane = api.status(kUrl);
  lane.segments = {api.segment(webhook::Class::kNormal, start),
                   api.segment(webhook::Class::kBulk, c)};
  lane.segments[0].acked_through = b;
  lane.segments[0].settled = {{f, f}};
  const auto body = api.ok("GET", kUnacked);
  EXPECT_THAT(column(body, "id"), ElementsAre("a", "b", "e", "g"));
  EXPECT_THAT(column(body, "recipient"),
              ElementsAre("a@example.com", "b@example.com", "e@example.com", "g@example.com"));
  for (const auto* limit : {"1", "2", "3", "4", "5"})
    EXPECT_EQ(api.follow(kUnacked + "&limit=" + limit, "id"), (Texts{"a", "b", "e", "g"}));
}

TEST(Unacked, IsEmptyForALaneThatHasSettledAll) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  api.add("a");
  api.deliveries.through = api.store->head();
  EXPECT_THAT(column(api.ok("GET", kUnacked), "id"), IsEmpty());
}

// What was confirmed stays so while it is sent again.
TEST(Unacked, ReplaysTellNothing) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  const auto a = api.add("a");
  const auto b = api.add("b");
  api.save_exception(kUrl, b, true);
  auto& lane = api.status(kUrl);
  lane.segments = {api.segment(webhook::Class::kNormal), api.segment(webhook::Class::kNormal)};
  for (auto& segment : lane.segments) segment.replay = 7;
  lane.segments[1].source = store::SegmentRow::Source::kMissed;
  EXPECT_THAT(column(api.ok("GET", kUnacked), "id"), ElementsAre("b"));
  EXPECT_LT(a, b);
}

// An event that failed is an exception at once, and in its segment until that has moved on.
TEST(Unacked, NoEventComesTwice) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  const auto start = api.store->head();
  const auto a = api.add("a");
  const auto b = api.add("b");
  api.save_exception(kUrl, a, false);
  api.save_exception(kUrl, b, true);
  api.status(kUrl).segments = {api.segment(webhook::Class::kNormal, start)};
  EXPECT_THAT(column(api.ok("GET", kUnacked), "id"), ElementsAre("a", "b"));
  EXPECT_EQ(api.follow(kUnacked + "&limit=1", "id"), (Texts{"a", "b"}));
}

TEST(Unacked, EndsWhereTheFirstPageSaw) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  const auto start = api.store->head();
  api.add("a");
  const auto b = api.add("b");
  api.status(kUrl).segments = {api.segment(webhook::Class::kNormal, start)};
  const auto first = api.ok("GET", kUnacked + "&limit=1");
  EXPECT_THAT(column(first, "id"), ElementsAre("a"));
  const auto c = api.add("c");
  api.status(kUrl).through = c;
  api.save_exception(kUrl, c, true);
  const auto second = api.ok("GET", api.next(first));
  EXPECT_THAT(column(second, "id"), ElementsAre("b"));
  EXPECT_EQ(api.follow(api.next(second), "id"), Texts{});
  EXPECT_THAT(column(api.ok("GET", kUnacked), "id"), ElementsAre("a", "b", "c"));
  // What is confirmed between two pages is not shown any more.
  api.status(kUrl).segments[0].acked_through = b;
  EXPECT_THAT(column(api.ok("GET", api.next(first)), "id"), IsEmpty());
}

// Reading the log may be ahead of what delivery has taken up.
TEST(Unacked, SeesNothingBeyondWhatDeliveryHasSeen) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  const auto start = api.store->head();
  const auto a = api.add("a");
  auto& lane = api.status(kUrl);
  lane.segments = {api.segment(webhook::Class::kNormal, start)};
  api.add("b");
  EXPECT_EQ(lane.through, a);
  EXPECT_THAT(column(api.ok("GET", kUnacked), "id"), ElementsAre("a"));
}

TEST(Unacked, BeginsWithTheWebhook) {
  OwnApi api;
  api.set_hook("opened", {kUrl});
  const auto start = api.store->head();
  const auto a = api.add("a");
  api.add("b", event::Name::kOpened);
  api.set_hook("delivered", {kUrl});
  api.add("c");
  api.save_exception(kUrl, a, true);  // of a replay: the URL was not asked to confirm it
  api.status(kUrl).segments = {api.segment(webhook::Class::kNormal, start),
                               api.segment(webhook::Class::kBulk, start)};
  EXPECT_THAT(column(api.ok("GET", kUnacked), "id"), ElementsAre("b", "c"));
}

TEST(Unacked, SkipsWhatRetentionDropped) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  const auto start = api.store->head();
  const auto a = api.add("a");
  api.add("b");
  api.save_exception(kUrl, a, true);
  api.clock.advance(std::chrono::seconds(10));
  api.add("c");
  auto& lane = api.status(kUrl);
  lane.segments = {api.segment(webhook::Class::kNormal, start)};
  lane.segments[0].acked_through = a;
  api.drop_older_events();
  EXPECT_THAT(column(api.ok("GET", kUnacked), "id"), ElementsAre("c"));
}

TEST(Unacked, UnknownThings) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  EXPECT_EQ(api.ask("GET", "/eventhorn/v1/no.example/events?unacked_by=https://a.example/hook"),
            message(404, "Domain not found"));
  EXPECT_EQ(api.ask("GET", kEvents + "?unacked_by=https://no.example/"),
            message(404, "url: no webhook of the domain names it"));
  EXPECT_EQ(api.ask("GET", kEvents), message(400, "Missing parameter 'unacked_by'"));
  EXPECT_EQ(api.ask("GET", kUnacked + "&limit=301"),
            message(400, "limit: must be a number from 1 to 300"));
}

TEST(Unacked, TokensAreOfOneLifeOfAUrl) {
  OwnApi api;
  CHECK(api.send("POST", "/v3/domains", Pairs{{"name", "example.com"}}).status == 200);
  api.set_hook("delivered", {kUrl});
  api.add("a");
  api.save_exception(kUrl, api.store->head(), true);
  api.deliveries.through = api.store->head();
  const auto token = api.next(api.ok("GET", kUnacked)).substr(kEvents.size() + 1);
  EXPECT_EQ(api.ask("GET", kEvents + "/x" + token), message(400, "Invalid page token"));
  EXPECT_EQ(api.ask("GET", "/eventhorn/v1/example.com/events/" + token),
            message(400, "Invalid page token"));
  // A token of the Events API is none of these, and the other way round.
  EXPECT_EQ(api.send("DELETE", std::string(kHooks) + "/delivered").status, 200);
  api.set_hook("delivered", {kUrl});
  EXPECT_EQ(api.ask("GET", kEvents + "/" + token),
            message(404, "url: no webhook of the domain names it"));
}

// Any state of a lane, told by the rows alone, against what each event is known to be.
TEST(Unacked, IsExactForAnyState) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    std::mt19937 random(seed);
    OwnApi api;
    api.set_hook("delivered", {kUrl});
    api.set_hook("opened", {kUrl});
    const auto start = api.store->head();
    auto normal = api.segment(webhook::Class::kNormal, start);
    auto bulk = api.segment(webhook::Class::kBulk, start);
    normal.acked_through = bulk.acked_through = start;
    std::set<std::string> names;
    Texts expected;
    for (int i = 0; i < 150; ++i) {
      const bool opened = random() % 3 == 0;
      auto id = "e" + std::to_string(1000 + i);
      const auto position = api.add(id, opened ? event::Name::kOpened : event::Name::kDelivered);
      auto& segment = opened ? bulk : normal;
      const auto kind = random() % 4;  // 0: not settled, 1: confirmed, 2: waits, 3: missed
      if (kind != 1) expected.push_back(id);
      if (kind >= 2) {
        api.save_exception(kUrl, position, kind == 3,
                           opened ? webhook::Hook::kOpened : webhook::Hook::kDelivered);
      }
      if (kind != 0) segment.settled.push_back({position, position});
      if (i == 75) CHECK(api.store->index_now());
    }
    auto& lane = api.status(kUrl);
    lane.segments = {normal, bulk};
    lane.through = api.store->head();
    EXPECT_EQ(api.follow(kUnacked + "&limit=" + std::to_string(1 + random() % 40), "id"), expected)
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace eventhorn::api::testing
