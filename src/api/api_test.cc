#include "api/api_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eventhorn::api::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

std::vector<std::string> names_in(const http::Response& response) {
  const auto value = parsed(response.body);
  std::vector<std::string> out;
  for (const auto& item : *value.find("items")->as_array()) out.push_back(text_at(item, "name"));
  return out;
}

TEST(Authentication, ResourcesNeedTheKey) {
  WithDomain api;
  const std::pair<const char*, const char*> routes[] = {
      {"GET", "/v3/domains"},
      {"POST", "/v4/domains"},
      {"GET", "/v4/domains/example.org"},
      {"DELETE", "/v3/domains/example.org"},
      {"GET", kHooks},
      {"POST", kHooks},
      {"GET", "/v3/domains/example.org/webhooks/clicked"},
      {"PUT", "/v3/domains/example.org/webhooks/clicked"},
      {"DELETE", "/v3/domains/example.org/webhooks/clicked"},
      {"PUT", "/v3/domains/example.org/webhooks/clicked/test"},
      {"POST", "/eventhorn/v1/bins"},
      {"GET", "/eventhorn/v1/bins/0/requests"},
  };
  for (const auto& [method, target] : routes) {
    auto request = TestApi::request(method, target);
    request.fields.set("Authorization", "Basic " + base64url_encode("api:wrong"));
    request.remote_address = target;  // the limit on failures is for each address
    const auto response = api.send(std::move(request));
    EXPECT_EQ(response.status, 401) << method << " " << target;
    EXPECT_EQ(response.body, "Forbidden");
    EXPECT_EQ(response.fields.get("WWW-Authenticate"), "Basic realm=\"MG API\"");
  }
  EXPECT_EQ(api.send("GET", "/v3/domains").fields.get("X-Mailgun-Key-Id"), "01234567-89abcdef");
}

TEST(Authentication, UserMustBeApi) {
  TestApi api;
  auto request = TestApi::request("GET", "/v3/domains");
  request.fields.set("Authorization", "Basic " + base64url_encode(std::string("root:") + kApiKey));
  EXPECT_EQ(api.send(std::move(request)).status, 401);
}

http::Request with_password(const std::string& password) {
  auto request = TestApi::request("GET", "/v3/domains");
  request.fields.set("Authorization", "Basic " + base64url_encode("api:" + password));
  return request;
}

// A12: the address may be a proxy's, behind which everybody is.
TEST(Authentication, A12WrongKeysWaitAndRightOnesNever) {
  TestApi api;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(api.send(with_password("wrong")).status, 401);
  const auto slowed = api.send(with_password("other"));
  EXPECT_EQ(slowed.status, 429);
  EXPECT_THAT(std::string(slowed.fields.get("Retry-After")), MatchesRegex("60|[1-5]?[0-9]"));
  EXPECT_EQ(api.send(with_password(kApiKey)).status, 200);
  auto elsewhere = with_password("wrong");
  elsewhere.remote_address = "192.0.2.2";
  EXPECT_EQ(api.send(std::move(elsewhere)).status, 401);
  api.clock.skip(std::chrono::seconds(61));
  EXPECT_EQ(api.send(with_password("wrong")).status, 401);
}

// A13: without the subaccount it would be the account's own domain.
TEST(Authentication, A13CallsOnBehalfOfSubaccountsAreRefused) {
  WithDomain api;
  for (const char* target : {"/v3/domains/example.org", "/eventhorn/v1/replay/1", "/healthz"}) {
    auto request =
        TestApi::request(std::string_view(target) == "/healthz" ? "GET" : "DELETE", target);
    if (std::string_view(target).find("replay") != std::string_view::npos) request.method = "GET";
    request.fields.add("x-mailgun-on-behalf-of", "646d00a1b32c35364a2ad34f");
    const auto response = api.send(request);
    EXPECT_EQ(response.status, 403) << target;
    EXPECT_EQ(response.body, "{\"message\":\"Subaccount not found\"}\n");
  }
  EXPECT_EQ(api.send("GET", "/v3/domains/example.org").status, 200);
}

TEST(Admission, A13ConditionsAreNotPassedOver) {
  WithDomain api;
  const std::pair<const char*, int> fields[] = {{"If-Match", 412},
                                                {"if-unmodified-since", 412},
                                                {"Content-Range", 400},
                                                {"X-HTTP-Method-Override", 400}};
  for (const auto& [name, status] : fields) {
    auto request = TestApi::request("DELETE", "/v3/domains/example.org");
    request.fields.add(name, "x");
    EXPECT_EQ(api.send(request).status, status) << name;
    request.method = "GET";
    EXPECT_EQ(api.send(request).status, 200) << name;
  }
}

TEST(Domains, CreateAnswersLikeMailgun) {
  for (const char* path : {"/v3/domains", "/v4/domains"}) {
    TestApi api;
    const auto response = api.send("POST", path, Pairs{{"name", "MG.Acme.Example"}});
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.fields.get("Content-Type"), "application/json; charset=utf-8");
    EXPECT_THAT(
        response.body,
        MatchesRegex(
            R"(\{"message":"Domain DNS records have been created","domain":\{"created_at":"Wed, 11 Mar 2026 09:00:03 GMT",)"
            R"("id":"[0-9a-f]{24}","is_disabled":false,"name":"mg.acme.example","require_tls":false,"skip_verification":false,)"
            R"("smtp_login":"postmaster@mg.acme.example","spam_action":"disabled","state":"active","type":"custom",)"
            R"("use_automatic_sender_security":false,"web_prefix":"email","web_scheme":"https","wildcard":false\},)"
            R"("receiving_dns_records":\[\],"sending_dns_records":\[\]\})"
            "\n"));
  }
}

TEST(Domains, CreateRefuses) {
  WithDomain api;
  const std::string label =
      "domain name is not valid: labels are 1 to 63 letters, digits or hyphens";
  const std::pair<std::string, std::string> cases[] = {
      {"example.org", message(400, "This domain name is already taken")},
      {"EXAMPLE.org", message(400, "This domain name is already taken")},
      {"", message(400, "Missing parameter 'name'")},
      {"nodot", message(400, "domain name must have a dot")},
      {"a..b", message(400, label)},
      {"-a.b", message(400, label)},
      {"a b.c", message(400, label)},
      {"a/b.c", message(400, label)},
      {"\xff.org", message(400, label)},
      {std::string(64, 'a') + ".org", message(400, label)},
      {std::string(250, 'a') + ".org", message(400, "domain name is longer than 253 bytes")},
  };
  for (const auto& [name, expected] : cases) {
    EXPECT_EQ(api.ask("POST", "/v3/domains", Pairs{{"name", name}}), expected) << name;
  }
  EXPECT_EQ(api.ask("POST", "/v3/domains"), message(400, "Missing parameter 'name'"));
  EXPECT_EQ(api.ask("POST", "/v3/domains", Pairs{{"name", "localhost"}}).substr(0, 3), "200");
}

TEST(Domains, GetAndDelete) {
  WithDomain api;
  const auto created = api.send("GET", "/v4/domains/Example.ORG");
  EXPECT_THAT(created.body,
              StartsWith(R"({"domain":{"created_at":"Wed, 11 Mar 2026 09:00:03 GMT","id":")"));
  EXPECT_THAT(created.body, HasSubstr(R"("name":"example.org")"));
  EXPECT_THAT(created.body,
              EndsWith("},\"receiving_dns_records\":[],\"sending_dns_records\":[]}\n"));
  EXPECT_EQ(api.send("GET", "/v3/domains/example.org").body, created.body);

  EXPECT_EQ(api.ask("DELETE", "/v3/domains/EXAMPLE.org"),
            message(200, "Domain will be deleted in the background"));
  for (const char* method : {"GET", "DELETE"}) {
    EXPECT_EQ(api.ask(method, "/v3/domains/example.org"), message(404, "Domain not found"));
    EXPECT_EQ(api.ask(method, "/v4/domains/example.org"), message(404, "Domain not found"));
  }
}

TEST(Domains, CreatedAgainShowsNothingOfTheOld) {
  WithDomain api;
  EXPECT_EQ(api.send("POST", kHooks, Pairs{{"id", "opened"}, {"url", "https://a.example/"}}).status,
            200);
  const auto old = api.directory.find("example.org");
  EXPECT_EQ(api.send("DELETE", "/v4/domains/example.org").status, 200);
  EXPECT_EQ(api.send("POST", "/v4/domains", Pairs{{"name", "example.org"}}).status, 200);
  EXPECT_EQ(api.ask("GET", kHooks), "200 {\"webhooks\":{}}\n");
  const auto fresh = api.directory.find("example.org");
  EXPECT_NE(fresh->uid, old->uid);
  EXPECT_NE(fresh->id, old->id);
}

TEST(Domains, ListPages) {
  TestApi api;
  EXPECT_EQ(api.ask("GET", "/v3/domains"), "200 {\"total_count\":0,\"items\":[]}\n");
  for (const char* name : {"c.example", "a.example", "b.example"}) {
    EXPECT_EQ(api.send("POST", "/v3/domains", Pairs{{"name", name}}).status, 200);
  }
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_in(api.send("GET", "/v3/domains")),
            (Names{"a.example", "b.example", "c.example"}));
  const auto page = api.send("GET", "/v4/domains?limit=1&skip=1");
  EXPECT_EQ(names_in(page), (Names{"b.example"}));
  EXPECT_THAT(page.body, StartsWith(R"({"total_count":3,"items":[{"created_at":)"));
  EXPECT_EQ(names_in(api.send("GET", "/v4/domains?limit=1000&skip=2")), (Names{"c.example"}));
  EXPECT_EQ(api.ask("GET", "/v4/domains?skip=9"), "200 {\"total_count\":3,\"items\":[]}\n");
  for (const char* limit : {"0", "1001", "-1", "x", ""}) {
    EXPECT_EQ(api.ask("GET", std::string("/v4/domains?limit=") + limit),
              message(400, "limit: must be a number from 1 to 1000"));
  }
  EXPECT_EQ(api.ask("GET", "/v4/domains?skip=-1"),
            message(400, "skip: must be a number from 0 to 4294967295"));
  EXPECT_EQ(api.ask("GET", "/v4/domains?skip=%zz"),
            message(400, "form field 1 has a broken percent escape"));
}

TEST(Domains, ListHasAHundredUnlessAsked) {
  TestApi api;
  for (int i = 0; i < 101; ++i) {
    EXPECT_EQ(
        api.send("POST", "/v3/domains", Pairs{{"name", std::to_string(i) + ".example"}}).status,
        200);
  }
  EXPECT_EQ(names_in(api.send("GET", "/v3/domains")).size(), 100U);
}

std::string path_of_new_bin(TestApi& api) {
  const auto bin = parsed(api.send("POST", "/eventhorn/v1/bins").body);
  const std::string url = text_at(bin, "url");
  EXPECT_EQ(url, std::string(kBase) + "/bin/" + text_at(bin, "id"));
  return "/bin/" + text_at(bin, "id");
}

http::Request without_credentials(std::string method, const std::string& target) {
  auto out = TestApi::request(std::move(method), target);
  out.fields = http::Fields();
  return out;
}

TEST(Bins, KeepWhatAnybodySends) {
  TestApi api;
  const std::string path = path_of_new_bin(api);
  for (const char* method : {"GET", "HEAD", "PATCH", "DELETE"}) {
    EXPECT_EQ(api.send(without_credentials(method, path)).status, 200) << method;
  }
  auto post = without_credentials("POST", path + "/v3/example.org/messages?a=b");
  post.fields.add("Content-Type", "text/plain");
  post.body = "text";
  EXPECT_EQ(api.ask(std::move(post)), "200 {\"message\":\"Post received. Thanks!\"}\n");

  const auto response = api.send("GET", "/eventhorn/v1/bins/" + path.substr(5) + "/requests");
  EXPECT_EQ(response.status, 200);
  const auto listing = parsed(response.body);
  EXPECT_EQ(listing.find("total")->as_int(), 5);
  const auto& last = listing.find("items")->as_array()->back();
  EXPECT_EQ(text_at(last, "method"), "POST");
  EXPECT_EQ(text_at(last, "path"), path + "/v3/example.org/messages?a=b");
  EXPECT_EQ(text_at(last, "remote_address"), "192.0.2.1");
  EXPECT_EQ(text_at(last, "time"), "2026-03-11T09:00:03.000Z");
  EXPECT_EQ(text_at(last, "body"), "text");
  EXPECT_THAT(response.body, HasSubstr(R"("headers":[["Content-Type","text/plain"]])"));
}

TEST(Bins, AnswerAsWished) {
  TestApi api;
  const std::string path = path_of_new_bin(api);
  const std::string twice = path + "?status=503&count=2";
  for (const int status : {503, 503, 200})
    EXPECT_EQ(api.send(without_credentials("POST", twice)).status, status);
  const auto wrong = api.send(without_credentials("POST", path + "?status=99"));
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.body, "{\"message\":\"status: must be from 200 to 599\"}\n");
  EXPECT_EQ(wrong.fields.get("Content-Security-Policy"), "sandbox; default-src 'none'");
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(api.send(without_credentials("POST", path + "?delay=30ms")).status, 200);
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(30));
}

TEST(Bins, UnknownOnes) {
  TestApi api;
  EXPECT_EQ(api.ask(without_credentials("POST", "/bin/0123")), message(404, "Bin not found"));
  EXPECT_EQ(api.ask(without_credentials("GET", "/bin/0123/x")), message(404, "Bin not found"));
  EXPECT_EQ(api.ask("GET", "/eventhorn/v1/bins/0123/requests"), message(404, "Bin not found"));
  EXPECT_EQ(api.send("GET", "/bin/").status, 404);
}

TEST(System, NeedsNoKey) {
  TestApi api;
  EXPECT_EQ(api.ask(without_credentials("GET", "/healthz")), "200 {\"status\":\"ok\"}\n");
  EXPECT_EQ(api.ask(without_credentials("GET", "/readyz")), "200 {\"status\":\"ok\"}\n");
  const auto root = api.send(without_credentials("GET", "/"));
  EXPECT_EQ(root.body, "Mailgun Magnificent API");
  EXPECT_EQ(root.fields.get("Content-Type"), "text/plain; charset=utf-8");
  const auto metrics = api.send(without_credentials("GET", "/metrics"));
  EXPECT_EQ(metrics.status, 200);
  EXPECT_THAT(std::string(metrics.fields.get("Content-Type")),
              StartsWith("text/plain; version=0.0.4"));
  EXPECT_THAT(metrics.body, HasSubstr("# TYPE eventhorn_appends_total counter"));
}

TEST(System, IsNotReadyWhileTheDiskRefuses) {
  TestOptions options;
  options.min_free_bytes = UINT64_MAX;
  WithDomain api(options);  // the first commit looks at the disk
  const auto response = api.send("GET", "/readyz");
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, HasSubstr("the disk is nearly full"));
  EXPECT_EQ(api.ask("GET", "/healthz"), "200 {\"status\":\"ok\"}\n");
}

}  // namespace
}  // namespace eventhorn::api::testing
