#include "api/own/find_endpoints.h"
#include "api/own/own_test_support.h"

namespace eventhorn::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr const char* kEndpoints = "/eventhorn/v1/endpoints";
constexpr const char* kLanes = "/eventhorn/v1/lanes";

std::string at(const std::string& url, const std::string& below = "") {
  return std::string(kEndpoints) + "/" + endpoint_id(url) + below;
}

TEST(Endpoints, AreAllThatWebhooksNameOrDeliveryKnowsOrHasSettings) {
  OwnApi api;
  api.set_hook("delivered", {kUrl, kSecretUrl});
  api.set_hook("opened", {kUrl});
  api.endpoint("https://removed.example/");
  api.ok("PUT", std::string(kEndpoints) + "/settings?url=https%3A%2F%2Fplanned.example%2F");
  const auto body = api.ok("GET", kEndpoints);
  EXPECT_THAT(column(body, "url"),
              UnorderedElementsAre(kUrl, "https://user:***@b.example/hook",
                                   "https://removed.example/", "https://planned.example/"));
  EXPECT_THAT(body, Not(HasSubstr("pass")));
  EXPECT_THAT(
      column(api.ok("GET", std::string(kEndpoints) + "?url=https%3A%2F%2Fa.example%2Fhook"), "id"),
      ElementsAre(endpoint_id(kUrl)));
  // A masked URL is not the URL.
  EXPECT_THAT(column(api.ok("GET", std::string(kEndpoints) +
                                       "?url=https%3A%2F%2Fuser%3A***%40b.example%2Fhook"),
                     "id"),
              ElementsAre());
}

TEST(Endpoints, ShowHealthAndBacklog) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  api.set_hook("complained", {kUrl});
  const auto start = api.store->head();
  api.add("a");
  api.clock.advance(std::chrono::seconds(50));
  const auto b = api.add("b");
  const auto c = api.add("c");
  api.add("d", event::Name::kComplained);
  api.add("e", event::Name::kOpened);  // no hook names the URL for it
  auto& lane = api.status(kUrl);
  lane.waiting = 2;
  lane.segments = {api.segment(webhook::Class::kUrgent, start),
                   api.segment(webhook::Class::kNormal, start)};
  lane.segments[1].settled = {{b, b}};
  auto& endpoint = api.endpoint(kUrl);
  endpoint.state = control::EndpointState::kParked;
  endpoint.reason = "timeout";
  endpoint.since = api.clock.now();
  endpoint.failures_in_row = 20;
  endpoint.concurrency = 4;
  endpoint.waiting = 2;
  endpoint.rate = 0.25;
  endpoint.pace = 0.25;
  api.clock.advance(std::chrono::seconds(10));
  // a, c and d, of 58, 58 and 59 bytes, and the two that wait.
  const std::string expected =
      "{\"id\":\"" + endpoint_id(kUrl) +
      R"(","url":"https://a.example/hook","state":"parked","reason":"timeout",)"
      R"("since":"2026-03-11T09:00:53.000Z","last_success":null,"last_failure":null,)"
      R"("next_attempt":null,"failures_in_row":20,"in_flight":0,"concurrency":4,"lanes":1,)"
      R"("waiting":2,"settled_per_minute":15,"backlog":{"events":5,"bytes":175,"urgent":1,)"
      R"("normal":2,"bulk":0,"waiting":2,"oldest":"2026-03-11T09:00:03.000Z",)"
      R"("oldest_age_seconds":60},"eta_seconds":20})"
      "\n";
  EXPECT_EQ(api.ok("GET", at(kUrl)), expected);
  EXPECT_EQ(api.ok("GET", kEndpoints),
            "{\"items\":[" + expected.substr(0, expected.size() - 1) +
                R"(],"paging":{"next":"http://127.0.0.1:8480/eventhorn/v1/endpoints?page=)" +
                endpoint_id(kUrl) + "\"}}\n");
  // The age is that of the first that is not settled.
  lane.segments[1].acked_through = b;
  lane.segments[1].settled.clear();
  lane.waiting = 0;
  EXPECT_THAT(api.ok("GET", at(kUrl)), HasSubstr(R"("oldest_age_seconds":10)"));
  lane.segments[1].acked_through = c;
  lane.segments.erase(lane.segments.begin());
  EXPECT_THAT(api.ok("GET", at(kUrl)),
              HasSubstr(R"("oldest":null,"oldest_age_seconds":null},"eta_seconds":0)"));
}

TEST(Endpoints, OldestMayWaitForARetry) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  const auto missed = api.add("missed");
  api.clock.advance(std::chrono::seconds(1));
  const auto waiting = api.add("waiting");
  api.save_exception(kUrl, missed, true);
  api.save_exception(kUrl, waiting, false);
  api.status(kUrl).waiting = 1;
  const auto body = api.ok("GET", at(kUrl));
  EXPECT_THAT(body, HasSubstr(R"("waiting":1,"oldest":"2026-03-11T09:00:04.000Z")"));
  EXPECT_THAT(body, HasSubstr(R"("eta_seconds":null)"));
}

TEST(Endpoints, AreFilteredByStateAndPaged) {
  OwnApi api;
  Texts urls;
  for (int i = 0; i < 7; ++i) urls.push_back("https://" + std::to_string(i) + ".example/");
  for (const auto& url : urls) api.endpoint(url);
  for (int i = 0; i < 3; ++i)
    api.deliveries.endpoint_list[static_cast<size_t>(i)].state = control::EndpointState::kGone;
  EXPECT_THAT(api.follow(std::string(kEndpoints) + "?limit=2", "url"),
              ::testing::UnorderedElementsAreArray(urls));
  const auto gone = std::string(kEndpoints) + "?state=gone&limit=2";
  EXPECT_THAT(api.follow(gone, "url"), UnorderedElementsAre(urls[0], urls[1], urls[2]));
  EXPECT_EQ(api.ask("GET", std::string(kEndpoints) + "?state=bad"),
            message(400, "state: must be active, throttled, parked, gone or paused"));
  for (const auto* page : {"x", "0123456789ABCDEF", "0123456789abcde"}) {
    EXPECT_EQ(api.ask("GET", std::string(kEndpoints) + "?page=" + page),
              message(400, "page: is not of this list"));
  }
  for (const auto* limit : {"0", "301", "x", "-1"}) {
    EXPECT_EQ(api.ask("GET", std::string(kEndpoints) + "?limit=" + limit),
              message(400, "limit: must be a number from 1 to 300"));
  }
}

TEST(Endpoints, PauseAndResume) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  EXPECT_EQ(api.ask("POST", at(kUrl, "/pause")), message(200, "Endpoint has been paused"));
  EXPECT_EQ(api.ask("POST", at(kUrl, "/resume")), message(200, "Endpoint has been resumed"));
  EXPECT_THAT(api.deliveries.calls,
              ElementsAre(std::string("pause ") + kUrl, std::string("resume ") + kUrl));
  EXPECT_EQ(api.ask("POST", at("https://nobody.example/", "/pause")),
            message(404, "Endpoint not found"));
  api.deliveries.errors.emplace(0, Error(Errc::kUnavailable, "cannot be saved"));
  EXPECT_EQ(api.ask("POST", at(kUrl, "/pause")), message(503, "cannot be saved"));
  EXPECT_EQ(api.ask("POST", at(kUrl, "/resume")), message(503, "cannot be saved"));
}

TEST(Endpoints, UnknownIds) {
  OwnApi api;
  for (const auto* below : {"", "/settings", "/secrets", "/attempts"}) {
    EXPECT_EQ(api.ask("GET", std::string(kEndpoints) + "/0123456789abcdef" + below),
              message(404, "Endpoint not found"));
  }
}

TEST(Lanes, ShowSegmentsAndFigures) {
  OwnApi api;
  api.set_hook("delivered", {kSecretUrl});
  const auto start = api.store->head();
  const auto a = api.add("a");
  const auto b = api.add("b");
  api.add("c");
  api.save_exception(kSecretUrl, a, true);
  auto& lane = api.status(kSecretUrl);
  lane.throttled = true;
  lane.in_flight = 3;
  lane.segments = {api.segment(webhook::Class::kNormal, start),
                   api.segment(webhook::Class::kNormal, start)};
  lane.segments[0].acked_through = a;
  lane.segments[1].to = b;
  lane.segments[1].replay = 77;
  lane.segments[1].paused = true;
  api.endpoint(kSecretUrl).pace = 2;
  const auto id = std::to_string(api.lane(kSecretUrl).value);
  const auto p = [](Position position) { return std::to_string(position.value); };
  const std::string expected =
      "{\"id\":\"" + id + R"(","domain":"example.org","url":"https://user:***@b.example/hook",)" +
      "\"endpoint\":\"" + endpoint_id(kSecretUrl) + R"(","segments":[{"class":"normal","from":)" +
      p(start) + R"(,"to":null,"acked_through":)" + p(a) +
      R"(,"missed":false,"replay":null,"paused":false},{"class":"normal","from":)" + p(start) +
      ",\"to\":" + p(b) + ",\"acked_through\":" + p(start) +
      R"(,"missed":false,"replay":"77","paused":true}],"in_flight":3,"throttled":true,)"
      R"("read_error":"",)"
      R"("backlog":{"events":4,"bytes":232,"urgent":0,"normal":4,"bulk":0,"waiting":0,)"
      R"("oldest":"2026-03-11T09:00:03.000Z","oldest_age_seconds":0},"missed":1,)"
      R"("missed_is_more":false,"eta_seconds":2})"
      "\n";
  EXPECT_EQ(api.ok("GET", std::string(kLanes) + "/" + id), expected);
  EXPECT_THAT(api.ok("GET", kLanes), HasSubstr(expected.substr(0, expected.size() - 1)));
  EXPECT_EQ(api.ask("GET", std::string(kLanes) + "/1"), message(404, "Lane not found"));
  EXPECT_EQ(api.ask("GET", std::string(kLanes) + "/x"), message(404, "Lane not found"));
}

TEST(Lanes, AreThoseOfAllDomainsById) {
  OwnApi api;
  CHECK(api.send("POST", "/v3/domains", Pairs{{"name", "example.com"}}).status == 200);
  api.set_hook("delivered", {kUrl, kSecretUrl});
  api.set_hook("opened", {kUrl}, "example.com");
  const auto id = [&](const char* url, const char* domain) {
    return std::to_string(api.lane(url, domain).value);
  };
  const Texts all = {id(kUrl, "example.org"), id(kSecretUrl, "example.org"),
                     id(kUrl, "example.com")};
  EXPECT_EQ(api.follow(std::string(kLanes) + "?limit=1", "id"), all);
  EXPECT_EQ(api.follow(std::string(kLanes) + "?domain=EXAMPLE.com", "id"), Texts{all[2]});
  EXPECT_EQ(api.follow(std::string(kLanes) + "?url=https%3A%2F%2Fa.example%2Fhook", "id"),
            (Texts{all[0], all[2]}));
  EXPECT_EQ(api.ask("GET", std::string(kLanes) + "?domain=no.example"),
            message(404, "Domain not found"));
  EXPECT_EQ(api.ask("GET", std::string(kLanes) + "?domain=example.com&url=https://no.example/"),
            message(404, "url: no webhook of the domain names it"));
  EXPECT_EQ(api.ask("GET", std::string(kLanes) + "?page=x"),
            message(400, "page: is not of this list"));
}

TEST(Lanes, ABacklogThatTakesTooLongIsRefused) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  api.status(kUrl).segments = {api.segment(webhook::Class::kNormal)};
  // The deadline of a request is a real minute ahead; the clock of the services is beyond it.
  api.clock.skip(std::chrono::seconds(120));
  EXPECT_THAT(api.ask("GET", kLanes), HasSubstr("503 "));
  EXPECT_THAT(api.ask("GET", kEndpoints), HasSubstr("503 "));
}

}  // namespace
}  // namespace eventhorn::api::testing
