#include "api/own/find_endpoints.h"
#include "api/own/own_test_support.h"

namespace eventhorn::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kMissed = "/eventhorn/v1/missed";
constexpr const char* kAttempts = "/eventhorn/v1/attempts";

TEST(Missed, ShowsEventsOfEveryLane) {
  OwnApi api;
  CHECK(api.send("POST", "/v3/domains", Pairs{{"name", "example.com"}}).status == 200);
  api.set_hook("delivered", {kUrl, kSecretUrl});
  api.set_hook("delivered", {kUrl}, "example.com");
  const auto a = api.add("a");
  const auto b = api.add("b");
  const auto waiting = api.add("waiting");
  for (const auto position : {a, b}) api.save_exception(kSecretUrl, position, true);
  api.save_exception(kUrl, b, true);
  api.save_exception(kUrl, waiting, false);
  const auto body = api.ok("GET", kMissed);
  EXPECT_THAT(column(body, "id"), ElementsAre("b", "a", "b"));
  EXPECT_THAT(body, HasSubstr(R"({"id":"b","event":"delivered","recipient":"b@example.com",)"
                              R"("time":"2026-03-11T09:00:03.000Z","domain":"example.org",)"
                              R"("url":"https://user:***@b.example/hook","lane":")" +
                              std::to_string(api.lane(kSecretUrl).value) +
                              R"(","attempts":7,"last_attempt":"2026-03-11T09:00:03.000Z",)"
                              R"("last_status":503,"expired":false})"));
  EXPECT_EQ(api.follow(std::string(kMissed) + "?limit=1", "id"), (Texts{"b", "a", "b"}));
  EXPECT_EQ(api.follow(std::string(kMissed) + "?limit=2", "id"), (Texts{"b", "a", "b"}));
  EXPECT_EQ(api.follow(std::string(kMissed) + "?url=https%3A%2F%2Fa.example%2Fhook", "id"),
            Texts{"b"});
  EXPECT_EQ(api.follow(std::string(kMissed) + "?domain=example.com", "id"), Texts{});
  EXPECT_EQ(api.ask("GET", std::string(kMissed) + "?domain=no.example"),
            message(404, "Domain not found"));
  for (const auto* page : {"x", "1", "1-", "-1", "1-2-3"}) {
    EXPECT_EQ(api.ask("GET", std::string(kMissed) + "?page=" + page),
              message(400, "page: is not of this list"));
  }
}

TEST(Missed, SaysWhenTheEventIsGone) {
  OwnApi api;
  api.set_hook("delivered", {kUrl});
  const auto a = api.add("a");
  api.save_exception(kUrl, a, true);
  api.clock.advance(std::chrono::seconds(10));
  api.add("b");
  api.drop_older_events();
  EXPECT_THAT(api.ok("GET", kMissed),
              HasSubstr(R"({"id":null,"event":null,"recipient":null,"time":null,)"));
  EXPECT_THAT(column(api.ok("GET", kMissed), "expired"), ElementsAre("true"));
}

struct AttemptsApi : OwnApi {
  void save_attempt(const std::string& url, Position position, int attempt, int status,
                    const std::string& failure) {
    store::AttemptRow row;
    row.lane = lane(url);
    row.position = position;
    row.at = row.written = clock.now();
    row.took = std::chrono::milliseconds(12);
    row.attempt = attempt;
    row.status = status;
    row.failure = failure;
    if (!failure.empty()) {
      row.error = "no answer";
      row.response = "busy \xff";
    }
    store::Progress progress;
    progress.attempts.push_back(row);
    save(std::move(progress));
    clock.advance(std::chrono::seconds(1));
  }
};

TEST(Attempts, OfAnEventInAllLanesOldestFirst) {
  AttemptsApi api;
  api.set_hook("delivered", {kUrl, kSecretUrl});
  const auto a = api.add("a");
  const auto b = api.add("b");
  api.save_attempt(kUrl, a, 1, 503, "retry");
  api.save_attempt(kSecretUrl, a, 1, 200, "");
  api.save_attempt(kUrl, b, 1, 503, "retry");
  api.save_attempt(kUrl, a, 2, 0, "timeout");
  const auto body = api.ok("GET", std::string(kAttempts) + "?domain=EXAMPLE.org&event=a");
  EXPECT_THAT(column(body, "outcome"), ElementsAre("retry", "success", "timeout"));
  EXPECT_THAT(column(body, "url"), ElementsAre(kUrl, "https://user:***@b.example/hook", kUrl));
  EXPECT_THAT(column(body, "status"), ElementsAre("503", "200", "null"));
  EXPECT_THAT(body, HasSubstr(R"({"event":"a","domain":"example.org",)"
                              R"("url":"https://a.example/hook","lane":")" +
                              std::to_string(api.lane(kUrl).value) +
                              R"(","attempt":1,"time":"2026-03-11T09:00:03.000Z","took_ms":12,)"
                              R"("outcome":"retry","status":503,"error":"no answer",)" +
                              "\"response\":\"busy \xef\xbf\xbd\",\"phases\":null}"));
  EXPECT_EQ(api.ask("GET", std::string(kAttempts) + "?domain=example.org&event=c"),
            message(404, "Event not found"));
  EXPECT_EQ(api.ask("GET", std::string(kAttempts) + "?domain=no.example&event=a"),
            message(404, "Domain not found"));
  EXPECT_EQ(api.ask("GET", std::string(kAttempts) + "?event=a"),
            message(400, "Missing parameter 'domain'"));
  EXPECT_EQ(api.ask("GET", std::string(kAttempts) + "?domain=example.org"),
            message(400, "Missing parameter 'event'"));
}

TEST(Attempts, OfAnEndpointNewestFirst) {
  AttemptsApi api;
  CHECK(api.send("POST", "/v3/domains", Pairs{{"name", "example.com"}}).status == 200);
  api.set_hook("delivered", {kUrl, kSecretUrl});
  const auto path = "/eventhorn/v1/endpoints/" + endpoint_id(kUrl) + "/attempts";
  Texts expected;
  for (int i = 0; i < 7; ++i) {
    const auto id = "e" + std::to_string(i);
    api.save_attempt(kUrl, api.add(id), 1, 500, "retry");
    expected.insert(expected.begin(), id);
  }
  api.save_attempt(kSecretUrl, api.add("other"), 1, 500, "retry");
  EXPECT_EQ(column(api.ok("GET", path), "event"), expected);
  EXPECT_EQ(api.follow(path + "?limit=3", "event"), expected);
  EXPECT_EQ(api.ask("GET", path + "?page=x"), message(400, "page: is not of this list"));
}

// The last successes are known in full, though the store has next to nothing of them.
TEST(Attempts, LastSuccessesComeInFull) {
  AttemptsApi api;
  api.set_hook("delivered", {kUrl});
  store::AttemptRow full;
  full.lane = api.lane(kUrl);
  full.at = full.written = api.clock.now();
  full.status = 202;
  full.response = "thanks";
  using std::chrono::microseconds;
  full.phases =
      webhook::Phases{microseconds(1500), microseconds(250), {}, microseconds(3), false, true};
  full.position = api.add("a");
  api.save_attempt(kUrl, full.position, 1, 202, "");
  api.save_attempt(kUrl, api.add("b"), 1, 200, "");
  api.deliveries.recent_of[kUrl] = {full};
  const std::string in_full =
      R"("outcome":"success","status":202,"error":"","response":"thanks","phases":{"dns_ms":1.5,)"
      R"("connect_ms":0.25,"tls_ms":0,"exchange_ms":0.003,"kept_connection":false,)"
      R"("whole_answer":true}})";
  const auto path = "/eventhorn/v1/endpoints/" + endpoint_id(kUrl) + "/attempts";
  EXPECT_THAT(api.ok("GET", path), HasSubstr(in_full));
  EXPECT_THAT(column(api.ok("GET", path), "response"), ElementsAre("", "thanks"));
  EXPECT_THAT(api.ok("GET", std::string(kAttempts) + "?domain=example.org&event=a"),
              HasSubstr(in_full));
}

// Outcomes are saved many at a time: pages may end in the middle of what has one time.
TEST(Attempts, PagesSplitWhatWasWrittenAtOnce) {
  OwnApi api;
  CHECK(api.send("POST", "/v3/domains", Pairs{{"name", "example.com"}}).status == 200);
  api.set_hook("delivered", {kUrl});
  api.set_hook("delivered", {kUrl}, "example.com");
  std::vector<std::string> expected;
  for (int batch = 0; batch < 3; ++batch) {
    store::Progress progress;
    for (int i = 0; i < 5; ++i) {
      const std::string domain = i % 2 == 0 ? "example.org" : "example.com";
      const auto id = std::to_string(batch) + "-" + std::to_string(i);
      store::AttemptRow row;
      row.lane = api.lane(kUrl, domain);
      row.position = api.add(id, event::Name::kDelivered, domain);
      row.at = row.written = api.clock.now();
      row.status = 200;
      progress.attempts.push_back(row);
      expected.push_back(id);
    }
    api.save(std::move(progress));
    api.clock.advance(std::chrono::seconds(1));
  }
  const auto path = "/eventhorn/v1/endpoints/" + endpoint_id(kUrl) + "/attempts";
  for (int limit = 1; limit < 9; ++limit) {
    auto found = api.follow(path + "?limit=" + std::to_string(limit), "event");
    EXPECT_TRUE(
        std::ranges::is_sorted(found, [](const auto& a, const auto& b) { return a[0] > b[0]; }));
    std::ranges::sort(found);
    EXPECT_EQ(found, expected) << limit;
  }
}

}  // namespace
}  // namespace eventhorn::api::testing
