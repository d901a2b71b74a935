#include "event/log_filter.h"

#include "base/test_support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace eventhorn::event {
namespace {

using Comparator = LogFilter::Comparator;

constexpr char kFailed[] =
    R"({"event":"failed","severity":"permanent","reason":"bounce","recipient":"Ann@X.example",)"
    R"("recipient-provider":"Gmail","tags":["Spring","sale"],"geolocation":{"country":"DE"},)"
    R"("envelope":{"transport":"smtp","sending-ip":"192.0.2.1"},)"
    R"("delivery-status":{"bounce-type":"hard"},"message":{"headers":{"message-id":"m1@x",)"
    R"("from":"Bob <bob@y.example>","to":"ann@x.example","subject":"Your parcel 8841"}}})";

LogFilter of(std::string_view attribute, std::string_view comparator,
             const std::vector<std::string>& values) {
  LogFilter out;
  const auto status = out.add(attribute, expect(LogFilter::parse_comparator(comparator)), values);
  EXPECT_TRUE(status) << status.error().message;
  return out;
}

bool matches(std::string_view attribute, std::string_view comparator, const std::string& value) {
  return of(attribute, comparator, {value}).matches(kFailed);
}

std::string refusal(std::string_view attribute, const std::string& value) {
  LogFilter out;
  const auto status = out.add(attribute, Comparator::kIs, {value});
  return status ? "" : status.error().message;
}

TEST(LogFilter, ComparesWholeValuesWithoutRegardToCase) {
  EXPECT_TRUE(matches("event", "=", "Failed"));
  EXPECT_TRUE(matches("severity", "=", "permanent"));
  EXPECT_TRUE(matches("recipient", "=", "ann@x.EXAMPLE"));
  EXPECT_FALSE(matches("recipient", "=", "ann"));
  EXPECT_TRUE(matches("recipient_domain", "=", "x.example"));
  EXPECT_FALSE(matches("recipient_domain", "=", "example"));
  EXPECT_TRUE(matches("recipient_provider", "=", "gmail"));
  EXPECT_TRUE(matches("message_id", "=", "<m1@x>"));
  EXPECT_TRUE(matches("subject", "=", "your parcel 8841"));
  EXPECT_FALSE(matches("subject", "=", "your parcel"));
  EXPECT_TRUE(matches("from", "=", "bob@y.example"));
  EXPECT_TRUE(matches("from", "=", "Bob <bob@y.example>"));
  EXPECT_FALSE(matches("from", "=", "ob@y.example"));
  EXPECT_TRUE(matches("to", "=", "ann@x.example"));
  EXPECT_TRUE(matches("tag", "=", "sale"));
  EXPECT_FALSE(matches("tag", "=", "sal"));
  EXPECT_TRUE(matches("reason", "=", "bounce"));
  EXPECT_TRUE(matches("country", "=", "de"));
  EXPECT_TRUE(matches("ip", "=", "192.0.2.1"));
  EXPECT_FALSE(matches("list", "=", "all@x.example"));
}

TEST(LogFilter, ComparesPartsOfValues) {
  EXPECT_TRUE(matches("subject", "contains", "PARCEL 88"));
  EXPECT_TRUE(matches("recipient", "contains", "@x."));
  EXPECT_TRUE(matches("recipient_domain", "contains", "x.ex"));
  EXPECT_FALSE(matches("recipient_domain", "contains", "ann"));
  EXPECT_TRUE(matches("event", "contains", "ail"));
  EXPECT_FALSE(matches("subject", "not contains", "parcel"));
  EXPECT_TRUE(matches("subject", "not contains", "letter"));
}

TEST(LogFilter, NotIsTrueOfAMissingField) {
  EXPECT_TRUE(matches("list", "!=", "all@x.example"));
  EXPECT_FALSE(matches("tag", "!=", "sale"));
  EXPECT_TRUE(of("tag", "!=", {"a", "b"}).matches(kFailed));
  EXPECT_FALSE(of("tag", "!=", {"a", "sale"}).matches(kFailed)) << "none of them";
}

TEST(LogFilter, OneOfTheValuesOfEveryCondition) {
  auto filter = of("tag", "=", {"winter", "spring"});
  EXPECT_TRUE(filter.matches(kFailed));
  EXPECT_TRUE(filter.add("subject", Comparator::kContains, {"parcel"}));
  EXPECT_TRUE(filter.matches(kFailed));
  EXPECT_TRUE(filter.add("tag", Comparator::kIs, {"winter"}));
  EXPECT_FALSE(filter.matches(kFailed));
}

TEST(LogFilter, EventsAndMetricsAreOneCondition) {
  const auto takes = [](const std::vector<std::string>& events,
                        const std::vector<std::string>& metrics) {
    LogFilter filter;
    const auto status = filter.add_events(events, metrics);
    EXPECT_TRUE(status) << status.error().message;
    return filter.matches(kFailed);
  };
  EXPECT_TRUE(takes({"failed"}, {}));
  EXPECT_TRUE(takes({"opened"}, {"hard_bounces"}));
  EXPECT_TRUE(takes({}, {"temporary_failed", "bounced"}));
  EXPECT_FALSE(takes({"opened", "trapped"}, {"temporary_failed"}));
  EXPECT_FALSE(takes({}, {"soft_bounces"}));
  EXPECT_FALSE(takes({}, {"suppressed_bounces"}));
}

TEST(LogFilter, RefusalsNameWhatThereIs) {
  EXPECT_EQ(refusal("colour", "red"),
            "\"colour\" cannot be filtered by; may be domain, event, severity, recipient, "
            "recipient_domain, recipient_provider, message_id, subject, from, to, tag, list, "
            "reason, country, ip");
  EXPECT_EQ(refusal("severity", "hard"), "\"hard\" is not one of temporary, permanent");
  EXPECT_TRUE(refusal("event", "lost").starts_with("\"lost\" is not one of accepted, rejected"));
  EXPECT_TRUE(refusal("event", "unique_opened")
                  .starts_with("\"unique_opened\" needs counts over many events"));
  LogFilter filter;
  EXPECT_TRUE(filter.add_events({"lost"}, {}).error().message.starts_with("events: \"lost\""));
  EXPECT_TRUE(filter.add_events({}, {"unique_opened"})
                  .error()
                  .message.starts_with("metric_events: \"unique_opened\" cannot be told by one "
                                       "event; may be accepted, rejected"));
  EXPECT_TRUE(filter.empty());
  EXPECT_EQ(LogFilter::parse_comparator("like").error().message,
            "must be =, !=, contains or not contains");
}

// The promise of the index: it may look at too much, and leaves nothing out.
TEST(LogFilter, MatchesOnlyEventsThatHoldItsQuery) {
  std::mt19937 random(20261128);
  const auto one_of = [&](const std::vector<std::string>& values) {
    return values[random() % values.size()];
  };
  const std::vector<std::string> addresses = {"a@x.example", "B@X.example", "bob@y.example"};
  const std::vector<std::string> texts = {"Spring sale", "spring",        "sale",
                                          "%",           "bob@y.example", "Bob <bob@y.example>"};
  size_t matched = 0;
  size_t ruled_out = 0;
  for (int round = 0; round < 3000; ++round) {
    const auto name = one_of({"failed", "opened", "delivered"});
    const auto severity = one_of({"permanent", "temporary"});
    const auto event = fmt::format(
        R"({{"event":"{}","severity":"{}","reason":"{}","recipient":"{}","tags":["{}","{}"],)"
        R"("envelope":{{"transport":"{}"}},"message":{{"headers":{{"message-id":"{}","from":"{}",)"
        R"("subject":"{}"}}}}}})",
        name, severity, one_of({"bounce", "old"}), one_of(addresses), one_of(texts), one_of(texts),
        one_of({"smtp", "http"}), one_of(addresses), one_of(texts), one_of(texts));
    LogFilter filter;
    for (size_t n = random() % 2 + 1; n > 0; --n) {
      const auto comparator = static_cast<Comparator>(random() % 4);
      switch (random() % 4) {
        case 0:
          ASSERT_TRUE(filter.add_events(
              {one_of({"failed", "opened"})},
              {one_of({"bounced", "delivered_smtp", "temporary_failed", "permanent_failed_old"})}));
          break;
        case 1:
          ASSERT_TRUE(filter.add(one_of({"recipient", "message_id", "recipient_domain"}),
                                 comparator,
                                 {one_of(addresses), one_of({"x.example", "y.example"})}));
          break;
        case 2:
          ASSERT_TRUE(filter.add("event", comparator, {one_of({"failed", "opened"})}));
          break;
        default:
          ASSERT_TRUE(filter.add(one_of({"from", "subject", "tag"}), comparator, {one_of(texts)}));
      }
    }
    const bool holds = filter.term_query().holds(terms_of(event));
    const auto of_event = name == "failed" ? *parse_severity(severity) : Severity::kNone;
    const bool may = filter.may_match(*parse_name(name), of_event);
    if (filter.matches(event)) {
      ++matched;
      EXPECT_TRUE(holds && may) << event;
    }
    if (!holds) ++ruled_out;
  }
  EXPECT_GT(matched, 300U);
  EXPECT_GT(ruled_out, 500U);
}

}  // namespace
}  // namespace eventhorn::event
