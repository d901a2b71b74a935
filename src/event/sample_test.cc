#include "event/sample.h"

#include "event/normalize.h"
#include "json/reader.h"

#include <gtest/gtest.h>

#include <array>

namespace eventhorn::event {
namespace {

constexpr SystemTime kNow{Micros(1'773'222'400'123'456)};

std::string sample(std::string_view hook) {
  return make_sample(hook, "mg.example.com", "5f1c9a2be77d4a0c31b8e6d2", kNow,
                     "Nw3KfYb8SRGmT1xJ6qZc0w");
}

struct Expected {
  const char* hook;
  Name name;
  Severity severity;
};

constexpr std::array<Expected, 8> kHooks = {{
    {"accepted", Name::kAccepted, Severity::kNone},
    {"delivered", Name::kDelivered, Severity::kNone},
    {"opened", Name::kOpened, Severity::kNone},
    {"clicked", Name::kClicked, Severity::kNone},
    {"unsubscribed", Name::kUnsubscribed, Severity::kNone},
    {"complained", Name::kComplained, Severity::kNone},
    {"temporary_fail", Name::kFailed, Severity::kTemporary},
    {"permanent_fail", Name::kFailed, Severity::kPermanent},
}};

TEST(MakeSample, GivesANormalisedEventForEveryHook) {
  Normalizer normalizer([] { return std::string("unused"); });
  for (const Expected& expected : kHooks) {
    const std::string bytes = sample(expected.hook);
    const auto event =
        normalizer.normalize(bytes, {"mg.example.com", "5f1c9a2be77d4a0c31b8e6d2", kNow,
                                     kNow + std::chrono::seconds(1), bytes.size()});
    ASSERT_TRUE(event) << expected.hook << ": " << event.error().message;
    EXPECT_EQ(event->bytes, bytes);
    EXPECT_EQ(event->name, expected.name);
    EXPECT_EQ(event->severity, expected.severity);
    EXPECT_EQ(event->id, "Nw3KfYb8SRGmT1xJ6qZc0w");
    EXPECT_EQ(event->timestamp_us, to_micros(kNow));
  }
}

// spec/webhooks.md, "Known content of the vendor's sample events".
TEST(MakeSample, HoldsWhatTheVendorsSamplesHold) {
  for (const Expected& expected : kHooks) {
    const auto value = json::parse(sample(expected.hook));
    ASSERT_TRUE(value);
    EXPECT_EQ(*value->find("recipient")->as_string(), "alice@example.com");
    EXPECT_EQ(*value->find("tags")->as_array()->at(1).as_string(), "my_tag_2");
    EXPECT_EQ(*value->find("user-variables")->find("my_var_1")->as_string(), "Mailgun Variable #1");
    EXPECT_EQ(*value->find("user-variables")->find("my-var-2")->as_string(), "awesome");
    EXPECT_NE(value->find("message")->find("headers")->find("message-id"), nullptr);
  }
  const auto delivered = json::parse(sample("delivered"));
  EXPECT_EQ(*delivered->find("envelope")->find("sender")->as_string(), "bob@mg.example.com");
  const json::Value* message = delivered->find("message");
  EXPECT_EQ(*message->find("headers")->find("subject")->as_string(), "Test delivered webhook");
  EXPECT_EQ(message->find("size")->as_int(), 111);
  EXPECT_EQ(*delivered->find("storage")->find("key")->as_string(), "message_key");
  EXPECT_EQ(json::parse(sample("opened"))->find("message")->find("headers")->as_object()->size(),
            1U);
}

}  // namespace
}  // namespace eventhorn::event
