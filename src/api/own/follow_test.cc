#include "api/own/own_test_support.h"
#include "api/positions.h"

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <chrono>
#include <future>

namespace eventhorn::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const std::string kEvents = "/eventhorn/v1/example.org/events";
const std::string kStream = "/eventhorn/v1/example.org/stream";
const std::string kAccountStream = "/eventhorn/v1/stream";

std::string position_of(const std::string& body) {
  return text_at(parsed(body), "position");
}

std::string after(const std::string& position, const std::string& more = "") {
  return kEvents + "?after=" + position + more;
}

std::string text_of(const TestApi& api, Position position) {
  return format_position({api.store->generation(), position});
}

// Does it on the core of all connections.
template <class F>
void on_core(TestApi& api, F f) {
  std::promise<void> done;
  asio::post(api.cores.at(0), [&] {
    f();
    done.set_value();
  });
  done.get_future().wait();
}

TEST(EventsAfter, EachEventComesOnceInTheOrderOfTheCommits) {
  OwnApi api;
  Texts all;
  for (const auto name : {event::Name::kStored, event::Name::kDelivered, event::Name::kOpened,
                          event::Name::kComplained, event::Name::kRejected}) {
    for (int i = 0; i < 3; ++i) {
      all.push_back("e" + std::to_string(all.size()));
      api.add(all.back(), name);
    }
  }
  for (const size_t limit : {1, 4, 15, 1000}) {
    Texts got;
    std::string at = "0";
    for (bool more = true; more;) {
      const auto body = api.ok("GET", after(at, "&limit=" + std::to_string(limit)));
      const auto page = column(body, "id");
      EXPECT_LE(page.size(), limit);
      got.insert(got.end(), page.begin(), page.end());
      more = !page.empty();
      at = position_of(body);
    }
    EXPECT_EQ(got, all);
    all.push_back("late" + std::to_string(limit));
    api.add(all.back());
    EXPECT_EQ(column(api.ok("GET", after(at)), "id"), Texts{all.back()});
    EXPECT_THAT(column(api.ok("GET", after("now")), "id"), IsEmpty());
  }
}

TEST(EventsAfter, SaysWhereItIsAndSinceWhenNothingIsMissing) {
  OwnApi api;
  const auto a = api.add("a");
  api.clock.advance(std::chrono::seconds(5));
  const auto b = api.add("b");
  auto response = api.send("GET", after("0", "&limit=1"));
  EXPECT_EQ(position_of(response.body), text_of(api, a));
  EXPECT_EQ(response.fields.get("X-Eventhorn-Position"), text_of(api, a));
  EXPECT_EQ(response.fields.get("X-Eventhorn-Complete-Until"), "2026-03-11T09:00:03.000000Z");
  response = api.send("GET", after("0"));
  EXPECT_EQ(response.fields.get("X-Eventhorn-Position"), text_of(api, b));
  EXPECT_EQ(response.fields.get("X-Eventhorn-Complete-Until"), "2026-03-11T09:00:08.000000Z");
  // The Events API tells from where on to follow.
  response = api.send("GET", "/v3/example.org/events");
  EXPECT_EQ(response.fields.get("X-Eventhorn-Position"), text_of(api, b));
  EXPECT_EQ(response.fields.get("X-Eventhorn-Complete-Until"), "2026-03-11T09:00:08.000000Z");
}

TEST(EventsAfter, AFilterLetsThePositionMoveOn) {
  OwnApi api;
  api.add("a");
  api.add("b", event::Name::kOpened);
  const auto c = api.add("c", event::Name::kStored);
  const auto body = api.ok("GET", after("0", "&event=opened&recipient=b%40example.com"));
  EXPECT_THAT(column(body, "id"), ElementsAre("b"));
  EXPECT_EQ(position_of(body), text_of(api, c));
  EXPECT_THAT(column(api.ok("GET", after("0", "&event=opened&recipient=a%40example.com")), "id"),
              IsEmpty());
}

TEST(EventsAfter, RefusesWhatItDoesNotKnow) {
  OwnApi api;
  for (const auto& [query, text] : std::vector<std::pair<std::string, std::string>>{
           {"after=x", "after: must be a position that an answer gave, or 0, or now"},
           {"after=", "after: must be a position that an answer gave, or 0, or now"},
           {"after=0&limit=1001", "limit: must be a number from 1 to 1000"},
           {"after=0&limit=0", "limit: must be a number from 1 to 1000"},
           {"after=0&wait=56s", "wait: must be from 0s to 55s"},
           {"after=0&wait=soon", "wait: must be from 0s to 55s"},
           {"after=0&after=now", "after: must be given once"},
           {"after=0&unacked_by=x", "after: cannot be given together with unacked_by"},
           {"after=0&begin=1", "after: cannot be given together with begin"},
           {"after=0&page=x", "after: cannot be given together with page"},
           {"after=0&lmit=1", "lmit: is not known here: may be a filter or after, limit, wait"}}) {
    EXPECT_EQ(api.ask("GET", kEvents + "?" + query), message(400, text));
  }
  EXPECT_EQ(api.ask("GET", kEvents), message(400, "Missing parameter 'unacked_by'"));
  EXPECT_EQ(api.ask("GET", "/eventhorn/v1/none.org/events?after=0"),
            message(404, "Domain not found"));
}

// Never a silent gap: who is behind what is kept, or comes from another log, is told where to go
// on.
TEST(EventsAfter, TellsWhatIsGone) {
  OwnApi api;
  const auto a = api.add("a");
  const auto b = api.add("b");
  api.clock.advance(std::chrono::seconds(10));
  api.add("c");
  api.drop_older_events();
  const auto oldest = text_of(api, b);
  const auto generation = api.store->generation();
  for (const auto& lost : {NamedPosition{generation, a}, NamedPosition{generation + 1, b},
                           NamedPosition{generation, store::just_after(api.store->head())}}) {
    const auto response = api.send("GET", after(format_position(lost)));
    EXPECT_EQ(response.status, 410);
    EXPECT_EQ(position_of(response.body), oldest);
  }
  EXPECT_THAT(column(api.ok("GET", after(oldest)), "id"), ElementsAre("c"));
  EXPECT_THAT(column(api.ok("GET", after("0")), "id"), ElementsAre("c"));
}

TEST(EventsAfter, WaitsForWhatComes) {
  OwnApi api;
  auto waiting = api.begin(TestApi::request("GET", after("now", "&wait=55s&event=opened")));
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  api.add("a");  // not what it waits for
  api.add("b", event::Name::kOpened);
  EXPECT_THAT(column(waiting.get().body, "id"), ElementsAre("b"));
  const auto body = api.ok("GET", after("now", "&wait=0s"));
  EXPECT_THAT(column(body, "id"), IsEmpty());
  EXPECT_THAT(column(api.ok("GET", after("now", "&wait=1")), "id"), IsEmpty()) << "in time";
}

TEST(EventsAfter, AWaitEndsWithTheDomain) {
  OwnApi api;
  auto waiting = api.begin(TestApi::request("GET", after("now", "&wait=55s")));
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  EXPECT_EQ(api.send("DELETE", "/v3/domains/example.org").status, 200);
  EXPECT_EQ(waiting.get().status, 404);
}

TEST(EventsAfter, AWaitEndsAtTheEndOfTheServer) {
  OwnApi api;
  std::atomic<bool> draining{false};
  api.services->draining = &draining;
  auto waiting = api.begin(TestApi::request("GET", after("now", "&wait=55s")));
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  draining = true;
  api.writers->doorbells.ring_all();
  const auto response = waiting.get();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(position_of(response.body), text_of(api, api.store->head()));
}

TEST(EventsAfter, WaitsAndStreamsHaveAShare) {
  TestOptions options;
  options.api.max_waits_per_key = 2;
  OwnApi api(options);
  auto waiting = api.begin(TestApi::request("GET", after("now", "&wait=55s")));
  auto stream = api.send("GET", kStream);
  EXPECT_EQ(stream.status, 200);
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  for (const auto& path : {after("now", "&wait=1s"), kStream, kAccountStream}) {
    const auto refused = api.send("GET", path);
    EXPECT_EQ(refused.status, 429);
    EXPECT_THAT(refused.body, HasSubstr("api.max_waits_per_key"));
  }
  api.ok("GET", after("now"));  // it does not wait
  api.add("a");
  EXPECT_EQ(waiting.get().status, 200);
  EXPECT_EQ(api.send("GET", after("now", "&wait=0s")).status, 200);
  on_core(api, [&] { stream.stream = nullptr; });
  auto again = api.begin(TestApi::request("GET", after("now", "&wait=55s")));
  EXPECT_EQ(again.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  api.add("b");
  EXPECT_EQ(again.get().status, 200);
}

// An open stream, read a piece at a time.
class Stream {
 public:
  Stream(TestApi& api, const std::string& target, const std::string& last_id = "") : api_(api) {
    auto request = TestApi::request("GET", target);
    if (!last_id.empty()) request.fields.add("Last-Event-ID", last_id);
    response_ = api.send(std::move(request));
    EXPECT_EQ(response_.status, 200) << response_.body;
    EXPECT_EQ(response_.fields.get("Content-Type"), "text/event-stream");
    if (response_.stream) EXPECT_EQ(next(), ":\n\n");
  }

  ~Stream() {
    on_core(api_, [&] { response_.stream = nullptr; });  // as the server does it
  }

  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  std::future<std::optional<std::string>> begin_next() {
    return asio::co_spawn(api_.cores.at(0), response_.stream(), asio::use_future);
  }

  std::string next() { return begin_next().get().value_or("end"); }

 private:
  TestApi& api_;
  http::Response response_;
};

std::string block(const TestApi& api, Position position, const std::string& id,
                  const std::string& name = "delivered") {
  return fmt::format(
      "id: {}\ndata: {{\"event\":\"{}\",\"id\":\"{}\",\"recipient\":\"{}@example.com\"}}\n\n",
      text_of(api, position), name, id, id);
}

TEST(EventStream, GivesWhatComesFromNowOn) {
  OwnApi api;
  api.add("old");
  Stream stream(api, kStream);
  auto next = stream.begin_next();
  EXPECT_EQ(next.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  const auto a = api.add("a");
  EXPECT_EQ(next.get(), block(api, a, "a"));
  const auto b = api.add("b", event::Name::kStored);
  EXPECT_EQ(stream.next(), block(api, b, "b", "stored"));
}

TEST(EventStream, ResumesWhereTheClientWas) {
  OwnApi api;
  const auto a = api.add("a");
  const auto b = api.add("b");
  const auto c = api.add("c", event::Name::kOpened);
  EXPECT_EQ(Stream(api, kStream + "?after=0").next(),
            block(api, a, "a") + block(api, b, "b") + block(api, c, "c", "opened"));
  EXPECT_EQ(Stream(api, kStream + "?after=0", text_of(api, b)).next(), block(api, c, "c", "opened"))
      << "the client's last id wins over its query";
  EXPECT_EQ(Stream(api, kStream + "?after=0&event=opened").next(), block(api, c, "c", "opened"));
}

TEST(EventStream, OfTheAccountHasAllDomainsThatLive) {
  OwnApi api;
  for (const auto* name : {"b.org", "gone.org"})
    ASSERT_EQ(api.send("POST", "/v3/domains", Pairs{{"name", name}}).status, 200);
  const auto a = api.add("a");
  api.add("gone", event::Name::kDelivered, "gone.org");
  const auto b = api.add("b", event::Name::kDelivered, "b.org");
  ASSERT_EQ(api.send("DELETE", "/v3/domains/gone.org").status, 200);
  const auto pieces = block(api, a, "a") + block(api, b, "b");
  EXPECT_EQ(Stream(api, kAccountStream + "?after=0").next(), pieces);
  Stream stream(api, kAccountStream, text_of(api, a));
  EXPECT_EQ(stream.next(), block(api, b, "b"));
  auto next = stream.begin_next();
  const auto c = api.add("c", event::Name::kDelivered, "b.org");
  EXPECT_EQ(next.get(), block(api, c, "c"));
}

TEST(EventStream, TellsAGapAndGoesOn) {
  OwnApi api;
  const auto a = api.add("a");
  const auto b = api.add("b");
  api.clock.advance(std::chrono::seconds(10));
  const auto c = api.add("c");
  api.drop_older_events();
  for (const auto& lost : {text_of(api, a), format_position({api.store->generation() + 1, c})}) {
    Stream stream(api, kStream, lost);
    const auto gap = stream.next();
    EXPECT_THAT(gap, StartsWith("id: " + text_of(api, b) + "\nevent: gap\ndata: {\"message\":"));
    EXPECT_THAT(gap, HasSubstr("\"position\":\"" + text_of(api, b) + "\"}\n\n"));
    EXPECT_EQ(stream.next(), block(api, c, "c"));
  }
}

TEST(EventStream, SaysNowAndThenThatItIsThereAndWhere) {
  TestOptions options;
  options.api.heartbeat = std::chrono::milliseconds(5);
  OwnApi api(options);
  Stream stream(api, kStream + "?event=opened");
  EXPECT_EQ(stream.next(), ":\nid: " + text_of(api, api.store->head()) + "\n\n");
  const auto a = api.add("a");  // what does not match moves the position on
  std::string next;
  while (next.find(text_of(api, a)) == std::string::npos) next = stream.next();
  EXPECT_EQ(next, ":\nid: " + text_of(api, a) + "\n\n");
}

TEST(EventStream, EndsWithItsDomain) {
  OwnApi api;
  Stream stream(api, kStream);
  auto next = stream.begin_next();
  EXPECT_EQ(next.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  EXPECT_EQ(api.send("DELETE", "/v3/domains/example.org").status, 200);
  EXPECT_EQ(next.get(), std::nullopt);
}

// Whoever does not hold a key any more is let go within a second.
TEST(EventStream, EndsWithItsKey) {
  OwnApi api;
  Stream stream(api, kStream);
  auto next = stream.begin_next();
  auto waiting = api.begin(TestApi::request("GET", after("now", "&wait=55s")));
  EXPECT_EQ(next.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  TempDir elsewhere;
  const auto another = std::string(kApiKey).replace(0, 1, "f").replace(40, 1, "f");
  auto keys = expect(control::Keys::load(elsewhere.path(), another, kSigningKey, api.clock));
  on_core(api, [&] { api.keys = std::move(keys); });
  EXPECT_EQ(next.get(), std::nullopt);
  EXPECT_EQ(waiting.get().status, 401);
}

TEST(EventStream, PiecesAreBounded) {
  OwnApi api;
  for (int i = 0; i < 250; ++i) api.add("e" + std::to_string(i));
  Stream stream(api, kStream + "?after=0");
  std::string all;
  for (int pieces = 0; pieces < 3; ++pieces) {
    const auto piece = stream.next();
    EXPECT_LT(piece.size(), size_t{20} * 1024) << "100 events";
    all += piece;
  }
  EXPECT_THAT(all, HasSubstr("e249@example.com"));
}

}  // namespace
}  // namespace eventhorn::api::testing
