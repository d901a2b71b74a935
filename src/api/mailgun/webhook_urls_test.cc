#include "api/mailgun/webhooks_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eventhorn::api::testing {
namespace {

using ::testing::HasSubstr;

// Reliability S10: an error shows no password; the answer of the endpoint has the URL as it was
// given.
TEST(Webhooks, PasswordsAreMaskedInErrors) {
  WithDomain api;
  EXPECT_EQ(api.ask("POST", kHooks,
                    Pairs{{"id", "opened"}, {"url", "https://user:secret@a.example:25/"}}),
            invalid_url("https://user:***@a.example:25/", "port 25 is not allowed"));
  EXPECT_THAT(
      api.ask("POST", kHooks, Pairs{{"id", "opened"}, {"url", "https://user:secret@a.example/"}}),
      HasSubstr("https://user:secret@a.example/"));
}

// Reliability S1-S4, S16: addresses are judged in every spelling, by one text.
TEST(Webhooks, GuardedAddressesAreRefused) {
  WithDomain api;
  const char* urls[] = {
      "http://127.0.0.1/",
      "http://127.1/",
      "http://2130706433/",
      "http://0x7f000001/",
      "http://0177.0.0.1/",
      "http://0.0.0.0/",
      "http://10.1.2.3/",
      "http://169.254.169.254/latest/",
      "http://100.64.0.1/",
      "http://192.168.0.1:8080/",
      "http://[::1]/",
      "http://[::]/",
      "http://[::ffff:127.0.0.1]/",
      "http://[::ffff:7f00:1]/",
      "http://[64:ff9b::7f00:1]/",
      "http://[2002:7f00:1::]/",
      "http://[fd00:ec2::254]/",
      "http://[fe80::1]/",
      "http://224.0.0.1/",
      "http://127.0.0.1./",
  };
  for (const std::string url : urls) {
    EXPECT_EQ(api.ask("POST", kHooks, Pairs{{"id", "opened"}, {"url", url}}),
              invalid_url(url, kGuardText));
    EXPECT_EQ(api.ask("PUT", std::string(kHooks) + "/opened/test", Pairs{{"url", url}}),
              invalid_url(url, kGuardText));
  }
  EXPECT_EQ(api.posted_url, "");
  EXPECT_EQ(api.send("POST", kHooks, Pairs{{"id", "opened"}, {"url", "http://8.8.8.8/"}}).status,
            200);
}

TEST(Webhooks, AllowedNetworksAreNotRefused) {
  TestOptions options;
  options.allow_networks = {expect(net::parse_cidr("127.0.0.0/8"))};
  WithDomain api(options);
  EXPECT_EQ(
      api.send("POST", kHooks, Pairs{{"id", "opened"}, {"url", "http://127.0.0.1:9000/"}}).status,
      200);
  EXPECT_EQ(
      api.send("POST", kHooks, Pairs{{"id", "clicked"}, {"url", "http://10.0.0.1:9000/"}}).status,
      400);
}

TEST(Webhooks, OwnBinsAreTheOnlyOwnAddressAllowed) {
  WithDomain api;
  const std::string hook = std::string(kHooks) + "/opened";
  const std::string bin = "/bin/0123456789abcdef0123456789abcdef";
  EXPECT_EQ(
      api.send("POST", kHooks, Pairs{{"id", "opened"}, {"url", std::string(kBase) + bin}}).status,
      200);
  for (const std::string& url :
       {kBase + bin + "/below", kBase + bin + "?status=503", "http://localhost:18480" + bin})
    EXPECT_EQ(api.send("PUT", hook, Pairs{{"url", url}}).status, 200) << url;
  for (const std::string& url :
       {std::string("http://127.0.0.1:8480/"), std::string("http://127.0.0.1:8480/bin/"),
        std::string("http://127.0.0.1:8480/bin/0"), "http://127.0.0.1:8480/x" + bin}) {
    EXPECT_EQ(api.ask("PUT", hook, Pairs{{"url", url}}), invalid_url(url, kGuardText));
  }
}

TEST(Webhooks, HostsAreLookedUpOnlyWhenAsked) {
  const Pairs missing = {{"id", "opened"}, {"url", "https://no-such-host.invalid/"}};
  WithDomain trusting;
  EXPECT_EQ(trusting.send("POST", kHooks, missing).status, 200);
  TestOptions options;
  options.api.verify_host = true;
  WithDomain strict(options);
  strict.resolver.hosts["public.example"] = "8.8.8.8";
  strict.resolver.hosts["private.example"] = "10.0.0.1";
  EXPECT_EQ(strict.ask("POST", kHooks, missing),
            invalid_url("https://no-such-host.invalid/", "host not found"));
  EXPECT_EQ(strict.send("POST", kHooks, Pairs{{"id", "opened"}, {"url", "https://public.example/"}})
                .status,
            200);
  // Reliability S5.
  EXPECT_EQ(
      strict.ask("POST", kHooks, Pairs{{"id", "clicked"}, {"url", "https://private.example/"}}),
      invalid_url("https://private.example/", kGuardText));
}

// Reliability S1.
TEST(Webhooks, S1NamesOfSpecialAddressesAreRefused) {
  WithDomain api;
  for (const char* url : {"http://localhost/", "http://LOCALHOST.:9000/x", "http://a.localhost/",
                          "http://metadata.google.internal/computeMetadata/v1/"}) {
    EXPECT_EQ(api.ask("POST", kHooks, Pairs{{"id", "opened"}, {"url", url}}),
              invalid_url(url, kGuardText));
  }
}

}  // namespace
}  // namespace eventhorn::api::testing
