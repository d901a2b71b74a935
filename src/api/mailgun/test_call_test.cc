#include "api/mailgun/webhooks_test_support.h"
#include "control/endpoint_settings.h"
#include "webhook/signature.h"
#include "webhook/standard.h"

#include <gtest/gtest.h>

namespace eventhorn::api::testing {
namespace {

TEST(TestCall, SendsASignedSampleThatIsNotKept) {
  WithDomain api;
  const auto head = api.store->head();
  api.reply.result.status = 200;
  api.reply.body = "{\"message\":\"Post received. Thanks!\"}\n";
  EXPECT_EQ(
      api.ask("PUT", std::string(kHooks) + "/permanent_fail/test",
              Pairs{{"url", "https://a.example/x?y"}}),
      "200 {\"code\":null,\"message\":\"{\\\"message\\\":\\\"Post received. Thanks!\\\"}\\n\"}\n");
  EXPECT_EQ(api.posted_url, "https://a.example/x?y");
  EXPECT_LE(api.posted_deadline, api.clock.steady_now() + api.options.attempt_timeout);

  const auto body = parsed(api.posted_body);
  const auto* signature = body.find("signature");
  const auto* event = body.find("event-data");
  ASSERT_NE(signature, nullptr);
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(text_at(*signature, "timestamp"), "1773219603");
  const crypto::HmacKey key(kSigningKey);
  EXPECT_EQ(
      text_at(*signature, "signature"),
      webhook::sign_token(key, text_at(*signature, "timestamp"), text_at(*signature, "token")));
  EXPECT_EQ(text_at(*event, "event"), "failed");
  EXPECT_EQ(text_at(*event, "severity"), "permanent");
  ASSERT_NE(event->find("domain"), nullptr);
  EXPECT_EQ(text_at(*event->find("domain"), "name"), "example.org");
  EXPECT_EQ(text_at(*event, "id").size(), 22U);
  EXPECT_EQ(api.posted_head, "") << "there is no previous key";
  EXPECT_EQ(api.store->head(), head);
}

TEST(TestCall, HasTheSettingsOfItsUrl) {
  WithDomain api;
  api.reply.result.status = 200;
  store::EndpointSettings settings;
  settings.headers = {{"X-Team", "mail"}};
  settings.standard_webhooks = true;
  settings.secrets.push_back({"1", webhook::make_standard_secret(), {}});
  const std::string url = "https://a.example/hook";
  ASSERT_TRUE(api.store->save_value(control::endpoint_settings_key(url),
                                    control::encode_endpoint_settings(settings)));
  api.ask("PUT", std::string(kHooks) + "/opened/test", Pairs{{"url", url}});
  EXPECT_EQ(api.posted_settings.headers, settings.headers);
  const std::array<std::string_view, 1> body = {api.posted_body};
  EXPECT_EQ(api.posted_head,
            webhook::standard_head(control::standard_secrets(settings),
                                   text_at(*parsed(api.posted_body).find("event-data"), "id"),
                                   api.clock.now(), body));
  EXPECT_NE(api.posted_head, "");

  api.ask("PUT", std::string(kHooks) + "/opened/test", Pairs{{"url", "https://a.example/other"}});
  EXPECT_TRUE(api.posted_settings.headers.empty());
  EXPECT_EQ(api.posted_head, "");
}

// Reliability A3.
TEST(TestCall, IsSignedByThePreviousKeyToo) {
  WithDomain api;
  api.reply.result.status = 200;
  ASSERT_EQ(api.send("POST", "/eventhorn/v1/signing-key/stage").status, 200);
  ASSERT_EQ(api.send("POST", "/eventhorn/v1/signing-key/promote").status, 200);
  api.ask("PUT", std::string(kHooks) + "/opened/test", Pairs{{"url", "https://a.example/"}});
  const auto body = parsed(api.posted_body);
  const auto* signature = body.find("signature");
  ASSERT_NE(signature, nullptr);
  EXPECT_EQ(api.posted_head,
            "Eventhorn-Previous-Signature: " +
                webhook::sign_token(crypto::HmacKey(kSigningKey), text_at(*signature, "timestamp"),
                                    text_at(*signature, "token")) +
                "\r\n");
}

TEST(TestCall, ReportsWhatCameBack) {
  WithDomain api;

  struct Case {
    int status;
    const char* error;
    const char* body;
    const char* expected;
  };

  const Case cases[] = {
      {200, "", "", "200 {\"code\":null,\"message\":\"\"}\n"},
      {201, "", "made", "200 {\"code\":201,\"message\":\"made\"}\n"},
      {500, "HTTP status 500", "no \xff", "200 {\"code\":500,\"message\":\"no \xef\xbf\xbd\"}\n"},
      {0, "connection refused", "", "200 {\"code\":502,\"message\":\"connection refused\"}\n"},
      {0, kGuardText, "",
       "200 {\"code\":502,\"message\":\"target address is not allowed (see "
       "delivery.allow_networks)\"}\n"},
  };
  for (const auto& c : cases) {
    api.reply.result.status = c.status;
    api.reply.result.error = c.error;
    api.reply.body = c.body;
    EXPECT_EQ(
        api.ask("PUT", std::string(kHooks) + "/clicked/test", Pairs{{"url", "https://a.example/"}}),
        c.expected);
  }
}

}  // namespace
}  // namespace eventhorn::api::testing
