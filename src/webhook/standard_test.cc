#include "webhook/standard.h"

#include "base/strings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

namespace eventhorn::webhook {
namespace {

using namespace std::chrono_literals;

constexpr SystemTime kThen{1'614'265'330s};
constexpr std::array<std::string_view, 1> kBody = {R"({"test": 2432232314})"};

StandardSecret secret(std::string_view text) {
  auto parsed = parse_standard_secret(text);
  EXPECT_TRUE(parsed) << text;
  return *std::move(parsed);
}

std::string with_key(size_t bytes) {
  return "whsec_" + base64_encode(std::string(bytes, 'k'));
}

// The vector that the libraries of Standard Webhooks test themselves with.
TEST(StandardWebhooks, ReferenceVector) {
  const std::array secrets = {secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")};
  EXPECT_EQ(standard_head(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", kThen + 999ms, kBody),
            "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n"
            "webhook-timestamp: 1614265330\r\n"
            "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n");
}

TEST(StandardWebhooks, PiecesOfTheBodyAreSignedAsOne) {
  const std::array secrets = {secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")};
  const std::array<std::string_view, 4> pieces = {R"({"te)", "", R"(st": 24322)", "32314}"};
  EXPECT_EQ(standard_head(secrets, "id", kThen, pieces),
            standard_head(secrets, "id", kThen, kBody));
  const std::array<std::string_view, 1> other = {R"({"test": 2432232315})"};
  EXPECT_NE(standard_head(secrets, "id", kThen, other), standard_head(secrets, "id", kThen, kBody));
}

TEST(StandardWebhooks, WithoutSecretsThereIsNothingToSend) {
  EXPECT_EQ(standard_head({}, "id", kThen, kBody), "");
}

TEST(StandardWebhooks, EverySecretSignsInOrder) {
  std::vector<StandardSecret> both;
  both.push_back(secret(with_key(24)));
  both.push_back(secret(with_key(32)));
  const auto signature_of = [](std::span<const StandardSecret> secrets) {
    const std::string head = standard_head(secrets, "id", kThen, kBody);
    const std::string name = "webhook-signature: ";
    const auto at = head.find(name) + name.size();
    return head.substr(at, head.rfind("\r\n") - at);
  };
  const auto all = std::span<const StandardSecret>(both);
  EXPECT_EQ(signature_of(all),
            signature_of(all.subspan(0, 1)) + " " + signature_of(all.subspan(1, 1)));
  EXPECT_NE(signature_of(all.subspan(0, 1)), signature_of(all.subspan(1, 1)));
}

// Reliability S11: an id from outside makes no line of its own, and no second reading of what is
// signed.
TEST(StandardWebhooks, S11IdsCannotLeaveTheirLine) {
  const std::array secrets = {secret(with_key(32))};
  const auto line = [&](std::string_view id) {
    const std::string head = standard_head(secrets, id, kThen, kBody);
    EXPECT_EQ(std::count(head.begin(), head.end(), '\n'), 3) << id;
    return head.substr(0, head.find("\r\n"));
  };
  EXPECT_EQ(line("czsjqFATSlC3QtAK-C80nw"), "webhook-id: czsjqFATSlC3QtAK-C80nw");
  EXPECT_EQ(line("a\r\nHost: evil"), "webhook-id: a%0D%0AHost%3A%20evil");
  EXPECT_EQ(line("a.1614265330.{}"), "webhook-id: a%2E1614265330%2E%7B%7D");
  EXPECT_EQ(line(std::string_view("\0\x7f\xc3\xa9", 4)), "webhook-id: %00%7F%C3%A9");
  EXPECT_NE(line("a%2E"), line("a."));
}

TEST(StandardWebhooks, MadeSecretsAreReadBackAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string made = make_standard_secret();
    EXPECT_EQ(made.size(), 6U + 44U);
    EXPECT_TRUE(parse_standard_secret(made)) << made;
    EXPECT_TRUE(seen.insert(made).second);
  }
}

TEST(StandardWebhooks, SecretsOfOtherFormsAreRefusedWithoutBeingRepeated) {
  EXPECT_TRUE(parse_standard_secret(with_key(24)));
  EXPECT_TRUE(parse_standard_secret(with_key(64)));
  for (const std::string& bad :
       {std::string(), std::string("whsec_"), std::string("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        std::string("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        std::string("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS\n"), with_key(23), with_key(65)}) {
    const auto parsed = parse_standard_secret(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, Errc::kInvalidArgument);
    EXPECT_EQ(parsed.error().message.find("MfKQ"), std::string::npos);
  }
}

}  // namespace
}  // namespace eventhorn::webhook
