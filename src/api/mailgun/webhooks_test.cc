#include "api/mailgun/webhooks_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::api::testing {
namespace {

http::Request urlencoded(std::string method, const std::string& target, std::string body) {
  auto out = TestApi::request(std::move(method), target);
  out.fields.add("Content-Type", "application/x-www-form-urlencoded");
  out.body = std::move(body);
  return out;
}

// Byte for byte what `curl -F` sends and gets.
TEST(Webhooks, CreateWithThreeUrls) {
  WithDomain api;
  const Pairs form = {{"id", "clicked"},
                      {"url", "https://api.your.domain.com/v1/mg/clicked"},
                      {"url", "https://api.your.domain.com/v2/mg/clicked"},
                      {"url", "https://api.partner.com/v1/you/clicked"}};
  EXPECT_EQ(
      api.ask("POST", kHooks, form),
      "200 "
      R"({"message":"Webhook has been created","webhook":{"urls":["https://api.your.domain.com/v1/mg/clicked",)"
      R"("https://api.your.domain.com/v2/mg/clicked","https://api.partner.com/v1/you/clicked"]}})"
      "\n");
}

TEST(Webhooks, LifeOfAHook) {
  WithDomain api;
  const std::string hook = std::string(kHooks) + "/opened";
  EXPECT_EQ(api.ask("GET", kHooks), "200 {\"webhooks\":{}}\n");
  // A client that names lists with brackets, and URLs that the order of names must not sort.
  EXPECT_EQ(
      api.ask(urlencoded("POST", kHooks,
                         "id=opened&url[]=https%3A%2F%2Fb.example%2F&url[]=http://a.example")),
      "200 {\"message\":\"Webhook has been "
      "created\",\"webhook\":{\"urls\":[\"https://b.example/\",\"http://a.example\"]}}\n");
  EXPECT_EQ(api.ask("GET", hook),
            "200 {\"webhook\":{\"urls\":[\"https://b.example/\",\"http://a.example\"]}}\n");
  EXPECT_EQ(api.ask("PUT", hook, Pairs{{"id", "clicked"}, {"url", "https://c.example/"}}),
            "200 {\"message\":\"Webhook has been "
            "updated\",\"webhook\":{\"urls\":[\"https://c.example/\"]}}\n");
  EXPECT_EQ(
      api.send("POST", kHooks, Pairs{{"id", "delivered"}, {"url", "https://c.example/"}}).status,
      200);
  EXPECT_EQ(api.ask("GET", "/v3/domains/EXAMPLE.org/webhooks"),
            "200 "
            "{\"webhooks\":{\"delivered\":{\"urls\":[\"https://c.example/"
            "\"]},\"opened\":{\"urls\":[\"https://c.example/\"]}}}\n");
  EXPECT_EQ(api.ask("DELETE", hook),
            "200 {\"message\":\"Webhook has been "
            "deleted\",\"webhook\":{\"urls\":[\"https://c.example/\"]}}\n");
  EXPECT_EQ(api.ask("GET", kHooks),
            "200 {\"webhooks\":{\"delivered\":{\"urls\":[\"https://c.example/\"]}}}\n");
}

TEST(Webhooks, UpdateWithTheSameUrlKeepsItsProgress) {
  WithDomain api;
  const std::string hook = std::string(kHooks) + "/opened";
  EXPECT_EQ(api.send("POST", kHooks, Pairs{{"id", "opened"}, {"url", "https://a.example/"}}).status,
            200);
  const auto before = api.directory.find("example.org")->hooks[2];
  EXPECT_EQ(
      api.send("PUT", hook, Pairs{{"url", "https://b.example/"}, {"url", "https://a.example/"}})
          .status,
      200);
  const auto after = api.directory.find("example.org")->hooks[2];
  ASSERT_EQ(after.size(), 2U);
  EXPECT_EQ(after[1].lane, before[0].lane);
  EXPECT_EQ(after[1].since, before[0].since);
}

TEST(Webhooks, EveryNameOfMailgun) {
  WithDomain api;
  for (const char* name : {"accepted", "delivered", "opened", "clicked", "unsubscribed",
                           "complained", "temporary_fail", "permanent_fail"}) {
    EXPECT_EQ(api.send("POST", kHooks, Pairs{{"id", name}, {"url", "https://a.example/"}}).status,
              200)
        << name;
    EXPECT_EQ(api.send("GET", std::string(kHooks) + "/" + name).status, 200) << name;
  }
}

struct ErrorCase {
  const char* method;
  std::string target;
  Pairs form;
  std::string expected;
};

// The table of spec/webhooks.md, "Errors". `clicked` is set, nothing else.
TEST(Webhooks, Errors) {
  WithDomain api;
  const std::string clicked = std::string(kHooks) + "/clicked";
  const std::string opened = std::string(kHooks) + "/opened";
  const std::string unknown = "/v3/domains/unknown.example/webhooks";
  const std::pair<std::string, std::string> a = {"url", "https://a.example/"};
  EXPECT_EQ(api.send("POST", kHooks, Pairs{{"id", "clicked"}, a}).status, 200);
  const Pairs four = {a,
                      {"url", "https://b.example/"},
                      {"url", "https://c.example/"},
                      {"url", "https://d.example/"}};
  Pairs four_with_id = four;
  four_with_id.emplace_back("id", "opened");
  const ErrorCase cases[] = {
      {"POST", kHooks, {a}, message(400, "Missing parameter 'id'")},
      {"POST", kHooks, {{"id", ""}, a}, message(400, "Missing parameter 'id'")},
      {"POST", kHooks, {}, message(400, "Missing parameter 'id'")},
      {"POST", kHooks, {{"id", "opened"}}, message(400, "Missing parameter 'url'")},
      {"POST", kHooks, {{"id", "opened"}, {"url", ""}}, message(400, "Missing parameter 'url'")},
      {"POST",
       kHooks,
       {{"id", "opened"}, {"url", "ftp://a.example/"}},
       invalid_url("ftp://a.example/", "invalid URL scheme")},
      {"POST",
       kHooks,
       {{"id", "opened"}, a, {"url", "a.example"}},
       invalid_url("a.example", "invalid URL scheme")},
      {"POST",
       kHooks,
       {{"id", "clicked"}, a},
       refusal("Webhook for event type 'clicked' already exists")},
      {"POST",
       kHooks,
       {{"id", "clicked"}, {"url", "https://b.example/"}},
       refusal("Webhook for event type 'clicked' already exists")},
      {"POST", kHooks, four_with_id, refusal("Maximum number of URLs (3) exceeded")},
      {"POST", kHooks, {{"id", "foo"}, a}, refusal("Invalid webhook id: foo")},
      {"POST", kHooks, {{"id", "Clicked"}, a}, refusal("Invalid webhook id: Clicked")},
      {"POST", kHooks, {{"id", "rejected"}, a}, refusal("Invalid webhook id: rejected")},
      {"POST", unknown, {{"id", "clicked"}, a}, message(404, "Domain not found")},
      {"PUT", clicked, {}, message(400, "Missing parameter 'url'")},
      {"PUT", clicked, four, refusal("Maximum number of URLs (3) exceeded")},
      {"PUT", clicked, {{"url", "https://"}}, invalid_url("https://", "missing host")},
      {"PUT", opened, {a}, message(404, "Webhook not found")},
      {"PUT", std::string(kHooks) + "/foo", {a}, refusal("Invalid webhook id: foo")},
      {"PUT", unknown + "/clicked", {a}, message(404, "Domain not found")},
      {"GET", opened, {}, message(404, "Webhook not found")},
      {"GET", std::string(kHooks) + "/foo", {}, message(404, "Webhook not found")},
      {"GET", unknown + "/clicked", {}, message(404, "Domain not found")},
      {"GET", unknown, {}, message(404, "Domain not found")},
      {"DELETE", opened, {}, message(404, "Webhook not found")},
      {"DELETE", std::string(kHooks) + "/foo", {}, message(404, "Webhook not found")},
      {"DELETE", unknown + "/clicked", {}, message(404, "Domain not found")},
      {"PUT", clicked + "/test", {}, message(400, "Missing parameter 'url'")},
      {"PUT",
       clicked + "/test",
       {a, {"url", "https://b.example/"}},
       refusal("Maximum number of URLs (1) exceeded")},
      {"PUT",
       clicked + "/test",
       {{"url", "gopher://a/"}},
       invalid_url("gopher://a/", "invalid URL scheme")},
      {"PUT", std::string(kHooks) + "/foo/test", {a}, refusal("Invalid webhook id: foo")},
      {"PUT", unknown + "/clicked/test", {a}, message(404, "Domain not found")},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(api.ask(c.method, c.target, c.form), c.expected) << c.method << " " << c.target;
  }
  EXPECT_EQ(api.ask("GET", kHooks),
            "200 {\"webhooks\":{\"clicked\":{\"urls\":[\"https://a.example/\"]}}}\n")
      << "errors change nothing";
  EXPECT_EQ(api.posted_url, "") << "nor do they send anything";
}

TEST(Webhooks, OfTwoCreatesAtOnceOneWins) {
  WithDomain api;
  auto first = api.begin(urlencoded("POST", kHooks, "id=opened&url=https://a.example/"));
  auto second = api.begin(urlencoded("POST", kHooks, "id=opened&url=https://b.example/"));
  const auto a = first.get();
  const auto b = second.get();
  EXPECT_EQ(a.status + b.status, 200 + 400);
  const std::string winner = a.status == 200 ? "https://a.example/" : "https://b.example/";
  EXPECT_EQ(api.ask("GET", std::string(kHooks) + "/opened"),
            "200 {\"webhook\":{\"urls\":[\"" + winner + "\"]}}\n");
}

TEST(Webhooks, SameUrlTwiceCountsOnce) {
  WithDomain api;
  const Pairs form = {{"id", "clicked"},
                      {"url", "https://b.example/"},
                      {"url", "https://a.example/"},
                      {"url", "https://b.example/"},
                      {"url", ""},
                      {"url", "https://c.example/"}};
  EXPECT_EQ(api.ask("POST", kHooks, form),
            "200 {\"message\":\"Webhook has been "
            "created\",\"webhook\":{\"urls\":[\"https://b.example/\",\"https://a.example/\","
            "\"https://c.example/\"]}}\n");
}

TEST(Webhooks, BodiesThatAreNoForms) {
  WithDomain api;
  const std::string text =
      "content-type must be multipart/form-data or application/x-www-form-urlencoded";
  for (const char* type : {"application/json", "text/plain", ""}) {
    auto request = TestApi::request("POST", kHooks);
    if (*type != '\0') request.fields.add("Content-Type", type);
    request.body = R"({"id":"clicked"})";
    EXPECT_EQ(api.ask(std::move(request)), message(415, text)) << type;
  }
  // Some clients name a type without sending a body.
  auto empty = TestApi::request("GET", kHooks);
  empty.fields.add("Content-Type", "application/x-www-form-urlencoded");
  EXPECT_EQ(api.send(std::move(empty)).status, 200);
  auto json = TestApi::request("POST", kHooks);
  json.fields.add("Content-Type", "application/json");
  EXPECT_EQ(api.ask(std::move(json)), message(400, "Missing parameter 'id'"));
  EXPECT_EQ(api.ask(urlencoded("POST", kHooks, "id=%")),
            message(400, "form field 1 has a broken percent escape"));
}

TEST(Webhooks, ErrorsStayValidJsonOfBoundedSize) {
  WithDomain api;
  EXPECT_EQ(
      api.ask("POST", kHooks, Pairs{{"id", "opened"}, {"url", "https://\xff\"/"}}),
      invalid_url("https://\xef\xbf\xbd\\\"/",
                  "not ASCII: use the punycode form of the host and percent-encoding elsewhere"));
  const std::string long_url = "https://a.example/" + std::string(1 << 20, 'x');
  EXPECT_LT(api.send("POST", kHooks, Pairs{{"id", "opened"}, {"url", long_url}}).body.size(),
            8192U);
  EXPECT_LT(
      api.send("POST", kHooks, Pairs{{"id", long_url}, {"url", "https://a.example/"}}).body.size(),
      1024U);
}

// Reliability R15: also when nothing changes by it, since the URL may be gone.
TEST(Webhooks, R15DeliveryIsToldOfEveryUrlThatIsSet) {
  WithDomain api;
  auto& told = api.deliveries.configured_urls;
  const Pairs urls = {{"url", "https://a.example/"}, {"url", "https://b.example/"}};
  Pairs form = urls;
  form.emplace_back("id", "opened");
  for (int refused = 0; refused < 2; ++refused) (void)api.send("POST", kHooks, form);
  EXPECT_EQ(told, (std::vector<std::string>{urls[0].second, urls[1].second}));
  EXPECT_EQ(api.send("PUT", std::string(kHooks) + "/opened", urls).status, 200);
  EXPECT_EQ(told.size(), 4U);
  EXPECT_EQ(api.send("DELETE", std::string(kHooks) + "/opened").status, 200);
  EXPECT_EQ(told.size(), 4U);
}

TEST(Webhooks, UnknownDomainIsCreatedWhenAllowed) {
  TestOptions options;
  options.api.auto_create = true;
  TestApi api(options);
  const Pairs form = {{"id", "opened"}, {"url", "https://a.example/"}};
  EXPECT_EQ(api.ask("GET", "/v3/domains/New.example/webhooks"), message(404, "Domain not found"));
  EXPECT_EQ(api.send("POST", "/v3/domains/New.example/webhooks", form).status, 200);
  EXPECT_EQ(api.ask("GET", "/v3/domains/new.example/webhooks/opened"),
            "200 {\"webhook\":{\"urls\":[\"https://a.example/\"]}}\n");
  EXPECT_EQ(api.ask("POST", "/v3/domains/nodot/webhooks", form),
            message(400, "domain name must have a dot"));
  EXPECT_EQ(api.ask("PUT", "/v3/domains/put.example/webhooks/opened", form),
            message(404, "Webhook not found"));
  // What was refused has created nothing.
  EXPECT_EQ(api.send("POST", "/v3/domains/put.example/webhooks").status, 400);
  EXPECT_EQ(api.send("POST", "/v3/domains/put.example/webhooks",
                     Pairs{{"id", "opened"}, {"url", "ftp://a.example"}})
                .status,
            400);
  EXPECT_EQ(api.send("PUT", "/v3/domains/put.example/webhooks/opened/test").status, 400);
  EXPECT_EQ(api.send("GET", "/v3/domains/put.example/webhooks").status, 404);
}

// A13: a parameter that would narrow the call, or another call's, is not passed over.
TEST(Webhooks, A13FieldsThatAreNotKnownChangeNothing) {
  WithDomain api;
  const Pairs form = {
      {"id", "opened"}, {"url", "https://a.example/"}, {"url", "https://b.example/"}};
  ASSERT_EQ(api.send("POST", kHooks, form).status, 200);
  const std::string hook = std::string(kHooks) + "/opened";
  const auto before = api.ask("GET", hook);
  EXPECT_EQ(api.ask("DELETE", hook + "?url=https://a.example/"),
            message(400, "url: is not known here: nothing may be given"));
  EXPECT_EQ(api.ask("DELETE", hook, Pairs{{"url", "https://a.example/"}}),
            message(400, "url: is not known here: nothing may be given"));
  const Pairs more = {{"url", "https://c.example/"}, {"event_types", "opened"}};
  EXPECT_EQ(api.ask("PUT", hook, more),
            message(400, "event_types: is not known here: may be id, url"));
  EXPECT_EQ(api.send("PUT", hook + "?keep=yes", Pairs{{"url", "https://c.example/"}}).status, 400);
  EXPECT_EQ(api.ask("GET", hook), before);
  EXPECT_EQ(api.ask("DELETE", "/v3/domains/example.org?subaccount=1"),
            message(400, "subaccount: is not known here: nothing may be given"));
  EXPECT_EQ(api.ask("POST", "/v5/accounts/http_signing_key", Pairs{{"dry_run", "yes"}}),
            message(400, "dry_run: is not known here: nothing may be given"));
  // What Ruby's client repeats is known.
  EXPECT_EQ(api.send("PUT", hook, Pairs{{"id", "opened"}, {"url", "https://c.example/"}}).status,
            200);
  EXPECT_EQ(api.send("DELETE", hook).status, 200);
}

TEST(Webhooks, CallsAreLimitedByTheMinute) {
  TestOptions options;
  options.api.webhook_rate_limit = 3;
  WithDomain api(options);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(api.send("GET", kHooks).status, 200);
  api.clock.skip(std::chrono::seconds(20));
  const auto response = api.send("GET", std::string(kHooks) + "/opened");
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.body, "{\"retry-seconds\":60}\n");
  const auto wait = parse_uint(response.fields.get("Retry-After"));
  ASSERT_TRUE(wait);
  EXPECT_GE(*wait, 1U);
  EXPECT_LE(*wait, 40U);
  EXPECT_EQ(api.send("GET", "/v3/domains").status, 200) << "only webhooks are limited";
  api.clock.skip(std::chrono::seconds(40));
  EXPECT_EQ(api.send("GET", kHooks).status, 200);
}

}  // namespace
}  // namespace eventhorn::api::testing
