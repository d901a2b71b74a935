#include "api/mailgun/webhooks_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::api::testing {
namespace {

constexpr const char* kKeys = "/v1/keys";

class KeysTest : public ::testing::Test {
 protected:
  /// The secret of a new key.
  std::string make(const std::string& role, const std::string& domain = "") {
    Pairs form = {{"role", role}};
    if (!domain.empty()) form.push_back({"domain_name", domain});
    return secret_of(api.send("POST", kKeys, form).body);
  }

  static std::string secret_of(const std::string& body) { return text_of(body, "secret"); }

  static std::string text_of(const std::string& body, const std::string& name) {
    const std::string before = "\"" + name + "\":\"";
    const auto begin = body.find(before);
    if (begin == std::string::npos) return "";
    const auto end = body.find('"', begin + before.size());
    return body.substr(begin + before.size(), end - begin - before.size());
  }

  /// What a call with the key is answered.
  std::string ask(const std::string& secret, const std::string& method, const std::string& target,
                  const Pairs& form = {}) {
    auto request = TestApi::request(method, target);
    request.fields.set("Authorization", "Basic " + base64url_encode("api:" + secret));
    if (!form.empty()) {
      Multipart multipart(form);
      request.fields.add("Content-Type", multipart.content_type);
      request.body = std::move(multipart.body);
    }
    return api.ask(std::move(request));
  }

  int status(const std::string& secret, const std::string& method, const std::string& target,
             const Pairs& form = {}) {
    return std::stoi(ask(secret, method, target, form));
  }

  static std::string forbidden(const std::string& why) {
    const std::string text = "Forbidden: " + why;
    return "403 {\"message\":\"" + text + "\",\"Error\":\"" + text + "\"}\n";
  }

  const std::string kInvalid = "401 {\"message\":\"Invalid private key\"}\n";
  WithDomain api;
};

TEST_F(KeysTest, AreMadeShownAndDeleted) {
  const auto made = api.send("POST", kKeys,
                             Pairs{{"role", "basic"},
                                   {"description", "read \"me\""},
                                   {"user_name", "Bob"},
                                   {"expiration", "3600"}});
  ASSERT_EQ(made.status, 200) << made.body;
  const auto secret = secret_of(made.body);
  const auto id = text_of(made.body, "id");
  EXPECT_EQ(secret.substr(33), id);
  EXPECT_EQ(text_of(made.body, "message"), "great success");
  EXPECT_EQ(text_of(made.body, "created_at"), "2026-03-11T09:00:03");
  EXPECT_EQ(text_of(made.body, "expires_at"), "2026-03-11T10:00:03");
  const auto listed = api.ask("GET", kKeys);
  EXPECT_EQ(listed.find(secret), std::string::npos) << "shown once";
  EXPECT_EQ(listed.substr(0, 28), "200 {\"total_count\":1,\"items\"");
  EXPECT_NE(listed.find(R"("description":"read \"me\"","kind":"user","role":"basic")"),
            std::string::npos)
      << listed;
  EXPECT_EQ(status(secret, "GET", "/v3/domains"), 200);
  EXPECT_EQ(api.ask("DELETE", std::string(kKeys) + "/" + id),
            "200 {\"message\":\"key deleted\"}\n");
  EXPECT_EQ(status(secret, "GET", "/v3/domains"), 401);
  EXPECT_EQ(api.ask("DELETE", std::string(kKeys) + "/" + id),
            "404 {\"message\":\"no key matching id\"}\n");
  EXPECT_EQ(api.ask("GET", kKeys), "200 {\"total_count\":0,\"items\":[]}\n");
}

TEST_F(KeysTest, ListsAreByKindAndDomain) {
  make("admin");
  make("sending", "example.org");
  const std::string path = kKeys;
  EXPECT_EQ(api.ask("GET", path + "?kind=domain").substr(0, 21), "200 {\"total_count\":1,");
  EXPECT_EQ(api.ask("GET", path + "?domain_name=Example.org").substr(0, 21),
            "200 {\"total_count\":1,");
  EXPECT_EQ(api.ask("GET", path + "?domain_name=none.example").substr(0, 21),
            "200 {\"total_count\":0,");
  EXPECT_EQ(api.ask("GET", path + "?kind=robot"),
            "400 {\"message\":\"expected `kind` param to be one of [domain user web] or "
            "absent\"}\n");
}

TEST_F(KeysTest, RefusalsNameTheField) {
  const auto post = [&](const Pairs& form) { return api.ask("POST", kKeys, form); };
  const auto message = [](const std::string& text) {
    return "400 {\"message\":\"" + text + "\"}\n";
  };
  EXPECT_EQ(post({{"kind", "user"}}), message("Missing parameter 'role'"));
  EXPECT_EQ(post({{"role", "root"}}),
            message("role: must be one of admin, developer, basic, sending, ingest, bin"));
  EXPECT_EQ(post({{"role", "admin"}, {"kind", "robot"}}),
            message("expected `kind` param to be one of [domain user web] or absent"));
  EXPECT_EQ(post({{"role", "admin"}, {"kind", "domain"}}),
            message("domain_name: is needed for a key of kind 'domain'"));
  EXPECT_EQ(post({{"role", "admin"}, {"kind", "user"}, {"domain_name", "example.org"}}),
            message("domain_name: is only for keys of kind 'domain'"));
  EXPECT_EQ(post({{"role", "sending"}, {"domain_name", "none.example"}}),
            "404 {\"message\":\"Domain not found\"}\n");
  EXPECT_EQ(post({{"role", "admin"}, {"expiration", "0"}}).substr(0, 30),
            "400 {\"message\":\"expiration: mu");
  EXPECT_EQ(post({{"role", "admin"}, {"description", std::string(257, 'x')}}),
            message("description: has more than 256 bytes"));
  EXPECT_EQ(post({{"role", "admin"}, {"scope", "all"}}).substr(0, 29),
            "400 {\"message\":\"scope: is not");
  EXPECT_EQ(api.ask("GET", kKeys), "200 {\"total_count\":0,\"items\":[]}\n");
}

TEST_F(KeysTest, ReadersChangeNothing) {
  const auto basic = make("basic");
  EXPECT_EQ(status(basic, "GET", kHooks), 200);
  EXPECT_EQ(status(basic, "GET", "/v3/example.org/events"), 200);
  const auto refused = forbidden("role 'basic' may not do this");
  EXPECT_EQ(ask(basic, "POST", kHooks, {{"id", "opened"}, {"url", "https://a.example/"}}), refused);
  EXPECT_EQ(ask(basic, "POST", "/v3/example.org/events"), refused);
  EXPECT_EQ(ask(basic, "DELETE", "/v3/domains/example.org"), refused);
  EXPECT_EQ(ask(basic, "GET", kKeys), refused);
  EXPECT_NE(ask(basic, "POST", "/eventhorn/v1/example.org/reconcile?begin=0&end=1"), refused);
}

TEST_F(KeysTest, DevelopersDoNotSeeKeys) {
  const auto developer = make("developer");
  EXPECT_EQ(status(developer, "POST", kHooks, {{"id", "opened"}, {"url", "https://a.example/"}}),
            200);
  for (const char* method : {"GET", "POST"})
    EXPECT_EQ(ask(developer, method, kKeys), forbidden("role 'developer' may not do this"));
  EXPECT_EQ(ask(developer, "DELETE", "/v1/keys/01234567-01234567"),
            forbidden("role 'developer' may not do this"));
}

TEST_F(KeysTest, KeysForOneThingDoNothingElse) {
  const std::string bins = "/eventhorn/v1/bins";
  const auto ingest = make("ingest"), bin = make("bin"), sending = make("sending", "example.org");
  EXPECT_NE(status(ingest, "POST", "/v3/example.org/events"), 401);
  EXPECT_EQ(status(bin, "POST", bins), 200);
  for (const auto& [key, other] : std::vector<std::pair<std::string, std::string>>{
           {ingest, bins}, {bin, "/v3/example.org/events"}, {sending, "/v3/example.org/events"}})
    EXPECT_EQ(ask(key, "POST", other), kInvalid);
  for (const auto& key : {ingest, bin, sending}) {
    for (const char* path : {"/v3/domains", "/v3/example.org/events", kHooks, kKeys,
                             "/v5/accounts/http_signing_key", "/eventhorn/v1/stream"})
      EXPECT_EQ(ask(key, "GET", path), kInvalid) << path;
  }
}

TEST_F(KeysTest, AKeyOfADomainSeesNoOther) {
  ASSERT_EQ(api.send("POST", "/v3/domains", Pairs{{"name", "other.example"}}).status, 200);
  const auto admin = make("admin", "Example.ORG"), ingest = make("ingest", "example.org");
  EXPECT_EQ(status(admin, "GET", kHooks), 200);
  EXPECT_EQ(status(admin, "GET", "/v3/domains/EXAMPLE.org/webhooks"), 200);
  const std::string not_found = "404 {\"message\":\"Domain not found\"}\n";
  for (const char* path :
       {"/v3/domains/other.example/webhooks", "/v3/other.example/events",
        "/v3/domains/other.example", "/eventhorn/v1/other.example/events?after=0",
        "/eventhorn/v1/domains/other.example/settings", "/v3/none.example/events"})
    EXPECT_EQ(ask(admin, "GET", path), not_found) << path;
  EXPECT_EQ(ask(admin, "DELETE", "/v3/domains/other.example"), not_found);
  for (const char* path : {"/v3/domains", "/v4/domains", "/v1/keys", "/eventhorn/v1/stream",
                           "/eventhorn/v1/endpoints", "/eventhorn/v1/notices"})
    EXPECT_EQ(ask(admin, "GET", path), forbidden("a key of one domain may not do this")) << path;
  EXPECT_EQ(ask(ingest, "POST", "/v3/other.example/events"), kInvalid);
  EXPECT_NE(status(ingest, "POST", "/v3/example.org/events"), 401);
}

TEST_F(KeysTest, TheInstallationsOwnIsNotAmongThem) {
  EXPECT_EQ(api.ask("GET", kKeys), "200 {\"total_count\":0,\"items\":[]}\n");
  EXPECT_EQ(api.ask("DELETE", std::string(kKeys) + "/" + api.keys.find(kApiKey)->key_id),
            "404 {\"message\":\"no key matching id\"}\n");
}

}  // namespace
}  // namespace eventhorn::api::testing
