#include "api/mailgun/webhooks_test_support.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace eventhorn::api::testing {
namespace {

constexpr const char* kV4 = "/v4/domains/example.org/webhooks";
constexpr const char* kA = "https://a.example/";
constexpr const char* kNotFound =
    "404 {\"message\":\"Webhook not found\",\"Description\":\"Webhook not found\"}\n";

class WebhooksByUrl : public ::testing::Test {
 protected:
  /// What a call answers; a map of webhooks without what is around it.
  std::string ask(const std::string& method, const std::string& path, const Pairs& form = {}) {
    return form.empty() ? api.ask(method, path) : api.ask(method, path, form);
  }

  std::string add(const std::string& url, const std::string& types) {
    return ask("POST", kV4, {{"url", url}, {"event_types", types}});
  }

  std::string put(const std::string& url, const std::string& types) {
    return ask("PUT", kV4, {{"url", url}, {"event_types", types}});
  }

  /// {"clicked":["https://a"]} as "clicked=https://a"; several with a space between.
  std::string hooks() {
    std::string out;
    const auto domain = api.directory.find("example.org");
    for (const auto hook : webhook::kAllHooks) {
      const auto urls = domain->urls(hook);
      if (urls.empty()) continue;
      if (!out.empty()) out += ' ';
      out += std::string(webhook::to_string(hook)) + "=" + fmt::format("{}", fmt::join(urls, ","));
    }
    return out;
  }

  WithDomain api;
};

TEST_F(WebhooksByUrl, AnsweredWithAllOfTheDomain) {
  const Pairs form = {{"url", kA}, {"event_types", "opened"}, {"event_types", "clicked"}};
  EXPECT_EQ(ask("POST", kV4, form),
            "200 {\"webhooks\":{\"opened\":{\"urls\":[\"https://a.example/\"]},"
            "\"clicked\":{\"urls\":[\"https://a.example/\"]}}}\n");
  EXPECT_EQ(ask("GET", kHooks), ask("PUT", kV4, form)) << "the data of v3";
}

TEST_F(WebhooksByUrl, AreAddedToThoseThatAreThere) {
  add("https://b.example/", "clicked");
  add(kA, "clicked,opened");
  EXPECT_EQ(hooks(), "opened=https://a.example/ clicked=https://b.example/,https://a.example/");
}

TEST_F(WebhooksByUrl, AreNotAddedTwice) {
  add(kA, "clicked");
  EXPECT_EQ(
      add(kA, "opened,clicked"),
      refusal("Webhook for event type 'clicked' with URL 'https://a.example/' already exists"));
  EXPECT_EQ(hooks(), "clicked=https://a.example/") << "all or nothing";
}

TEST_F(WebhooksByUrl, AFourthChangesNothing) {
  for (const char* url : {"https://1.example/", "https://2.example/", "https://3.example/"})
    add(url, "clicked");
  const auto before = hooks();
  EXPECT_EQ(add(kA, "opened,clicked"), refusal("Maximum number of URLs (3) exceeded"));
  EXPECT_EQ(hooks(), before);
  add(kA, "opened");
  const auto with = hooks();
  EXPECT_EQ(put(kA, "clicked"), refusal("Maximum number of URLs (3) exceeded"));
  EXPECT_EQ(hooks(), with);
}

TEST_F(WebhooksByUrl, HaveExactlyTheTypesThatArePut) {
  add("https://b.example/", "opened");
  add(kA, "opened,clicked,delivered");
  const auto before = *api.directory.find("example.org");
  put(kA, "clicked,complained");
  EXPECT_EQ(hooks(),
            "opened=https://b.example/ clicked=https://a.example/ complained=https://a.example/");
  const auto& clicked = before.hooks[static_cast<size_t>(webhook::Hook::kClicked)];
  const auto& after =
      api.directory.find("example.org")->hooks[static_cast<size_t>(webhook::Hook::kClicked)];
  EXPECT_EQ(after[0].lane, clicked[0].lane);
  EXPECT_EQ(after[0].since, clicked[0].since) << "what stays keeps its progress";
}

// Its lane would end and begin anew if it were removed before it is added.
TEST_F(WebhooksByUrl, AMoveToOtherTypesKeepsTheLane) {
  add(kA, "opened");
  const auto lane = api.directory.find("example.org")->lanes.at(0).id;
  put(kA, "clicked");
  EXPECT_EQ(hooks(), "clicked=https://a.example/");
  EXPECT_EQ(api.directory.find("example.org")->lanes.at(0).id, lane);
}

TEST_F(WebhooksByUrl, AreRemovedFromAllTypes) {
  add(kA, "opened,clicked");
  add("https://b.example/x", "opened");
  add("https://c.example/?a=1,b", "opened");
  const std::string path = kV4;
  EXPECT_EQ(ask("DELETE", path + "?url=https%3A%2F%2Fc.example%2F%3Fa%3D1%2Cb"),
            ask("GET", kHooks));
  EXPECT_EQ(hooks(), "opened=https://a.example/,https://b.example/x clicked=https://a.example/");
  EXPECT_EQ(ask("DELETE", path + "?url=https%3A%2F%2Fa.example%2F,https%3A%2F%2Fnone.example%2F"),
            kNotFound);
  EXPECT_EQ(hooks(), "opened=https://a.example/,https://b.example/x clicked=https://a.example/");
  EXPECT_EQ(ask("DELETE", path + "?url=https%3A%2F%2Fa.example%2F,https%3A%2F%2Fb.example%2Fx"),
            "200 {\"webhooks\":{}}\n");
}

TEST_F(WebhooksByUrl, WhatIsNotThere) {
  EXPECT_EQ(put(kA, "clicked"), kNotFound);
  const std::string path = kV4;
  EXPECT_EQ(ask("DELETE", path + "?url=https%3A%2F%2Fa.example%2F"), kNotFound);
  EXPECT_EQ(ask("DELETE", path),
            "400 {\"message\":\"Missing parameter 'url'\",\"Field\":\"url\"}\n");
  for (const char* method : {"POST", "PUT"}) {
    EXPECT_EQ(
        ask(method, "/v4/domains/none.example/webhooks", {{"url", kA}, {"event_types", "clicked"}}),
        "404 {\"message\":\"Domain not found\"}\n");
  }
  EXPECT_EQ(ask("DELETE", "/v4/domains/none.example/webhooks?url=https%3A%2F%2Fa.example%2F"),
            "404 {\"message\":\"Domain not found\"}\n");
}

TEST_F(WebhooksByUrl, RefusalsNameTheField) {
  EXPECT_EQ(ask("POST", kV4, {{"event_types", "clicked"}}),
            "400 {\"message\":\"Missing parameter 'url'\"}\n");
  EXPECT_EQ(ask("POST", kV4, {{"url", kA}}),
            "400 {\"message\":\"Missing parameter 'event_types'\"}\n");
  EXPECT_EQ(add(kA, " , "), "400 {\"message\":\"Missing parameter 'event_types'\"}\n");
  EXPECT_EQ(add(kA, "clicked,nonsense"), refusal("Invalid webhook id: nonsense"));
  EXPECT_EQ(
      ask("POST", kV4, {{"url", kA}, {"url", "https://b.example/"}, {"event_types", "opened"}}),
      refusal("url: must be given once"));
  EXPECT_EQ(put("ftp://a.example/", "clicked"),
            refusal("invalid parameters: ftp://a.example/ is not a valid url: invalid URL scheme"));
  EXPECT_EQ(add("http://127.0.0.1/", "clicked"), invalid_url("http://127.0.0.1/", kGuardText));
  EXPECT_EQ(hooks(), "");
}

// mailgun-python sends them there.
TEST_F(WebhooksByUrl, TheCollectionOfV3TakesTheSameCalls) {
  const Pairs form = {{"url", kA}, {"event_types", "clicked"}, {"event_types", "opened"}};
  EXPECT_EQ(ask("POST", kHooks, form), ask("GET", kHooks));
  EXPECT_EQ(hooks(), "opened=https://a.example/ clicked=https://a.example/");
  ask("PUT", kHooks, {{"url", kA}, {"event_types", "opened"}});
  EXPECT_EQ(hooks(), "opened=https://a.example/");
  ask("DELETE", std::string(kHooks) + "?url=https%3A%2F%2Fa.example%2F");
  EXPECT_EQ(hooks(), "");
  EXPECT_EQ(ask("POST", kHooks, {{"url", kA}}), "400 {\"message\":\"Missing parameter 'id'\"}\n");
}

}  // namespace
}  // namespace eventhorn::api::testing
