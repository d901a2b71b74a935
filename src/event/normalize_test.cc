#include "event/normalize.h"

#include "base/hash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace eventhorn::event {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int64_t kNow = 1'773'222'400'123'456;
constexpr char kMadeId[] = "Zm9vYmFyYmF6cXV4MDEyMw";
const NormalizeContext kContext{"mg.example.com", "5f1c9a2be77d4a0c31b8e6d2", from_micros(kNow),
                                from_micros(kNow + 300'000'000), 100'000};

Result<Event> normalize(std::string_view item) {
  Normalizer normalizer([] { return std::string(kMadeId); });
  return normalizer.normalize(item, kContext);
}

std::string error_of(std::string_view item) {
  const auto event = normalize(item);
  return event ? "accepted: " + event->bytes : event.error().message;
}

// An event with these members beside the necessary ones.
std::string with(std::string_view members) {
  return R"({"event":"opened","id":"e1","timestamp":1773222312.5,)" + std::string(members) + "}";
}

// The bytes of an accepted event; what is wrong otherwise. Every event in these tests is stable.
std::string bytes_of(std::string_view item) {
  const auto event = normalize(item);
  if (!event) return "refused: " + event.error().message;
  const auto again = normalize(event->bytes);
  if (!again) return "refused again: " + again.error().message;
  EXPECT_EQ(again->bytes, event->bytes);
  EXPECT_EQ(again->id, event->id);
  EXPECT_EQ(again->timestamp_us, event->timestamp_us);
  EXPECT_EQ(again->order_key, event->order_key);
  return event->bytes;
}

TEST(Normalize, LeavesAnEventThatIsRightAsItIs) {
  const std::string delivered =
      R"({"event":"delivered","id":"Nw3KfYb8SRGmT1xJ6qZc0w","timestamp":1773222314.902651,)"
      R"("log-level":"info","account":{"id":"5f1c9a2be77d4a0c31b8e6d2"},)"
      R"("domain":{"name":"mg.example.com"},"envelope":{"sender":"notify@mg.example.com",)"
      R"("targets":"dana@inbox.example","transport":"smtp","sending-ip":"203.0.113.200"},)"
      R"("flags":{"is-authenticated":true,"is-routed":false},"delivery-status":{"attempt-no":1,)"
      R"("code":250,"message":"OK","description":"","session-seconds":1.276,"tls":true},)"
      R"("message":{"headers":{"to":"Dana <dana@inbox.example>","message-id":"1.2@mg.example.com",)"
      R"("from":"Acme <notify@mg.example.com>","subject":"Parcel 8841"},"attachments":[{"filename":)"
      R"("label.pdf","content-type":"application/pdf","size":20481}],"size":23977},)"
      R"("storage":{"key":"BAAB","url":"https://storage.example/BAAB"},)"
      R"("recipient":"dana@inbox.example","recipient-domain":"inbox.example",)"
      R"("tags":["shipping","order-update"],"campaigns":[],)"
      R"("user-variables":{"order_id":"8841","my_var":"{\"a\": 1}"}})";
  EXPECT_EQ(bytes_of(delivered), delivered);
  const auto event = normalize(delivered);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->id, "Nw3KfYb8SRGmT1xJ6qZc0w");
  EXPECT_EQ(event->timestamp_us, 1'773'222'314'902'651);
  EXPECT_EQ(event->name, Name::kDelivered);
  EXPECT_EQ(event->severity, Severity::kNone);
  EXPECT_EQ(event->order_key,
            hash_bytes(std::string_view("1.2@mg.example.com\0dana@inbox.example", 37)));
}

// The kinds that have no sample (sample_test.cc has the others), as spec/event-types.md shows them.
TEST(Normalize, TakesEveryKindOfEvent) {
  for (const std::string members :
       {R"("event":"accepted","method":"smtp","flags":{"is-routed":true},"routes":[{"id":"4f3b",)"
        R"x("expression":"match_recipient('a@b')","priority":1,"actions":["stop()"],)x"
        R"("match":{"recipient":"a@b"}}],"message":{"recipients":["a@b"],"size":2211})",
        R"("event":"rejected","reject":{"reason":"Sandbox","description":""},)"
        R"("flags":{"is-test-mode":false},"message":{"headers":{"to":"a@b"},"attachments":[]})",
        R"("event":"failed","severity":"permanent","reason":"generic","envelope":{},)"
        R"("flags":{"is-delayed-bounce":true},"delivery-status":{"code":550,"bounce-code":"5.1.1",)"
        R"("attempt-no":1,"session-seconds":0.0})",
        R"("event":"failed","severity":"permanent","reason":"old","delivery-status":{"code":602,)"
        R"("last-code":452,"last-message":"4.2.2 full","attempt-no":8})",
        R"("event":"unsubscribed","tags":["*"],"mailing-list":{"address":"n@b","list-id":"n.b",)"
        R"("sid":"WyJ"},"ip":"203.0.113.77","delivered-at":1773222314)",
        R"("event":"stored","storage":{"key":"k","url":"u","region":"r","env":"e"})",
        R"("event":"list_member_uploaded","mailing-list":{"address":"n@b"},)"
        R"("member":{"address":"k@b","name":"Kim","subscribed":true},"task-id":"9f3c")",
        R"("event":"list_member_upload_error","format":"csv","task-id":"9f3c",)"
        R"("member-description":"{\"address\": \"x\"}","error":{"message":"Invalid address: x"})",
        R"("event":"list_uploaded","format":"csv","is-upsert":true,"subscribed":true,)"
        R"("upserted-count":41,"failed-count":1,"member":{})"}) {
    EXPECT_THAT(bytes_of("{" + members + "}"), StartsWith("{" + members + ",\"log-level\":"));
  }
}

TEST(Normalize, AddsWhatIsMissing) {
  EXPECT_EQ(bytes_of(R"({"event":"opened"})"),
            R"({"event":"opened","log-level":"info","id":"Zm9vYmFyYmF6cXV4MDEyMw",)"
            R"("timestamp":1773222400.123456,"account":{"id":"5f1c9a2be77d4a0c31b8e6d2"},)"
            R"("domain":{"name":"mg.example.com"},"tags":[],"campaigns":[],"user-variables":{}})");
}

TEST(Normalize, FillsNullsInPlace) {
  EXPECT_EQ(bytes_of(R"({"id":null,"timestamp":null,"log-level":null,"account":null,"domain":null,)"
                     R"("tags":null,"campaigns":null,"user-variables":null,"event":"opened"})"),
            R"({"id":"Zm9vYmFyYmF6cXV4MDEyMw","timestamp":1773222400.123456,"log-level":"info",)"
            R"("account":{"id":"5f1c9a2be77d4a0c31b8e6d2"},"domain":{"name":"mg.example.com"},)"
            R"("tags":[],"campaigns":[],"user-variables":{},"event":"opened"})");
}

TEST(Normalize, TakesSpaceOutBetweenTokensOnly) {
  const std::string bytes =
      bytes_of(" {\n \"event\" : \"opened\" ,\t\"x\" : [ 1 , \" a  b \" ] \r\n} ");
  EXPECT_THAT(bytes, StartsWith(R"({"event":"opened","x":[1," a  b "],"log-level")"));
  EXPECT_EQ(bytes.find('\n'), std::string::npos);
}

TEST(Normalize, KeepsUnknownFieldsAsTheyCame) {
  for (const char* member :
       {R"("x":1.50)", R"("x":1E2)", R"("x":-0)", R"("x":0.1e-400)", R"("x":"\u00e9\/")",
        R"("x":{"a":1,"a":2})", R"("\u0078":[[],{},null,true])", R"("x":9223372036854775807)",
        R"("user-variables":{"order":18446744073709551615,"n":[-123456789012345678901234567890]})",
        R"("delivery-status":{"x":5.0})", R"("message":{"x":"\ud83d\ude00"})",
        R"("user-variables":{"n":1.0,"event":"x"})", R"("flags":{"x":7})",
        R"("log-level":"debug")"}) {
    EXPECT_THAT(bytes_of(with(member)), HasSubstr(member));
  }
}

TEST(Normalize, TheOwnerIsThatOfTheCall) {
  EXPECT_THAT(bytes_of(with(R"("domain":{"name":"evil.example","x":1},"account":{"id":7})")),
              HasSubstr(R"("domain":{"name":"mg.example.com","x":1},)"
                        R"("account":{"id":"5f1c9a2be77d4a0c31b8e6d2"})"));
  EXPECT_THAT(bytes_of(with(R"("domain":{"x":1},"account":{ })")),
              HasSubstr(R"("domain":{"name":"mg.example.com","x":1},)"
                        R"("account":{"id":"5f1c9a2be77d4a0c31b8e6d2"})"));
  EXPECT_THAT(bytes_of(with(R"("domain":[],"account":{"id":{"deep":[1]}})")),
              HasSubstr(R"("domain":{"name":"mg.example.com"},)"
                        R"("account":{"id":"5f1c9a2be77d4a0c31b8e6d2"})"));
  EXPECT_EQ(error_of(with(R"("domain":"mg.example.com")")), "domain: must be an object");
  EXPECT_EQ(error_of(with(R"("account":[1])")), "account: must be an object");
}

TEST(Normalize, ListsAreListsAndVariablesAreAnObject) {
  EXPECT_THAT(bytes_of(with(R"("user-variables":[])")), HasSubstr(R"("user-variables":{})"));
  EXPECT_EQ(error_of(with(R"("user-variables":["a"])")), "user-variables: must be an object");
  EXPECT_EQ(error_of(with(R"("user-variables":"a")")), "user-variables: must be an object");
  EXPECT_EQ(error_of(with(R"("tags":"a")")), "tags: must be an array of strings");
  EXPECT_EQ(error_of(with(R"("tags":["a",1])")), "tags: must be an array of strings");
  EXPECT_EQ(error_of(with(R"("tags":["a",null])")), "tags: must be an array of strings");
  EXPECT_EQ(error_of(with(R"("campaigns":{})")), "campaigns: must be an array");
}

// Clients type what is in them, and each in its own way.
TEST(Normalize, CampaignsAreEmptyAndVarsOfMembersAreStrings) {
  for (const char* campaigns :
       {R"(["spring"])", R"([{"id":"a","name":"b"}])", "[ ]", "[7]", "null"}) {
    EXPECT_THAT(bytes_of(with("\"campaigns\":" + std::string(campaigns) + ",\"x\":1")),
                HasSubstr("\"campaigns\":[],\"x\":1"));
  }
  const auto member = [](const std::string& vars) {
    return bytes_of(with(R"("member":{"address":"a@b.c","vars":)" + vars + R"(,"name":"A"})"));
  };
  for (const char* kept : {"null", "[]", R"(["a","b\n"])"}) {
    EXPECT_THAT(member(kept), HasSubstr("\"vars\":" + std::string(kept) + ",\"name\""));
  }
  for (const char* other :
       {R"({"k":"v"})", "{}", R"(["a",1])", R"([{"a":["b"]},"c"])", "7", R"("a")"}) {
    EXPECT_THAT(member(other), HasSubstr(R"("vars":null,"name")")) << other;
  }
}

TEST(Normalize, IntegersStayIntegers) {
  EXPECT_THAT(
      bytes_of(with(R"("delivery-status":{"code":550.0,"attempt-no":1e0,"retry-seconds":6E+2,)"
                    R"("last-code":-0.0},"upserted-count":41.00,"failed-count":1,)"
                    R"("delivered-at":1773222314.0)")),
      HasSubstr(R"("delivery-status":{"code":550,"attempt-no":1,"retry-seconds":600,)"
                R"("last-code":0},"upserted-count":41,"failed-count":1,)"
                R"("delivered-at":1773222314)"));
  EXPECT_THAT(bytes_of(with(R"("message":{"size":3.0,"scheduled-for":1.773222314e9,"attachments":)"
                            R"([{"size":1.0},{"size":null},{}]})")),
              HasSubstr(R"("message":{"size":3,"scheduled-for":1773222314,"attachments":)"
                        R"([{"size":1},{"size":null},{}]})"));
}

TEST(Normalize, RefusesWhatIsNoInteger) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("delivery-status":{"code":550.5})", "delivery-status.code"},
      {R"("delivery-status":{"code":"550"})", "delivery-status.code"},
      {R"("delivery-status":{"attempt-no":true})", "delivery-status.attempt-no"},
      {R"("delivery-status":{"retry-seconds":1e16})", "delivery-status.retry-seconds"},
      {R"("delivery-status":{"last-code":[]})", "delivery-status.last-code"},
      {R"("message":{"size":0.1})", "message.size"},
      {R"("message":{"attachments":[{"size":1},{"size":"2"}]})", "message.attachments[].size"},
      {R"("message":{"scheduled-for":"now"})", "message.scheduled-for"},
      {R"("upserted-count":1.5)", "upserted-count"},
      {R"("failed-count":{})", "failed-count"},
      {R"("failed-count":18446744073709551615)", "failed-count"},
      {R"("delivered-at":"2026")", "delivered-at"},
  };
  for (const auto& [members, field] : cases) {
    EXPECT_EQ(error_of(with(members)), field + ": must be an integer");
  }
}

TEST(Normalize, RefusesKnownFieldsOfAnotherType) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("recipient":1)", "recipient: must be a string"},
      {R"("severity":1)", "severity: must be a string"},
      {R"("reason":{})", "reason: must be a string"},
      {R"("log-level":3)", "log-level: must be a string"},
      {R"("storage":{"url":["a"]})", "storage.url: must be a string"},
      {R"("storage":"BAAB")", "storage: must be an object"},
      {R"("message":{"headers":{"from":["a"]}})", "message.headers.from: must be a string"},
      {R"("message":{"headers":{"X-Any":1}})", "message.headers.X-Any: must be a string"},
      {R"("message":{"headers":{"message-id":1}})", "message.headers.message-id: must be a string"},
      {R"("message":{"recipients":"a"})", "message.recipients: must be an array of strings"},
      {R"("message":{"attachments":[1]})", "message.attachments: must be an array of objects"},
      {R"("message":1)", "message: must be an object"},
      {R"("flags":{"is-test-mode":"no"})", "flags.is-test-mode: must be true or false"},
      {R"("delivery-status":{"session-seconds":"1"})",
       "delivery-status.session-seconds: must be a number"},
      {R"("delivery-status":{"session-seconds":18446744073709551615})",
       "delivery-status.session-seconds: must be within 64 bits"},
      {R"("client-info":{"bot":false})", "client-info.bot: must be a string"},
      {R"("geolocation":{"city":1})", "geolocation.city: must be a string"},
  };
  for (const auto& [members, message] : cases) EXPECT_EQ(error_of(with(members)), message);
}

TEST(Normalize, NullIsTakenForEveryOtherKnownField) {
  for (
      const char* member :
      {R"("recipient":null)", R"("severity":null)", R"("message":null)", R"("flags":null)",
       R"("message":{"headers":{"from":null},"attachments":null,"recipients":null,"size":null})",
       R"("delivery-status":{"code":null,"description":null,"tls":null,"session-seconds":null})"}) {
    EXPECT_THAT(bytes_of(with(member)), HasSubstr(member));
  }
}

TEST(Normalize, AnEmptyArrayForAnObjectBecomesAnObject) {
  EXPECT_THAT(bytes_of(with(R"("storage":[ ],"envelope":[],"message":{"headers":[]})")),
              HasSubstr(R"("storage":{},"envelope":{},"message":{"headers":{}})"));
}

TEST(Normalize, TimestampsHaveSixDecimals) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"1773222312.5", "1773222312.500000"},       {"1773222312.000051", "1773222312.000051"},
      {"1773222312.1234567", "1773222312.123457"}, {"1.7732223125e9", "1773222312.500000"},
      {"946684800.25", "946684800.250000"},        {"1773222699.9", "1773222699.900000"},
  };
  for (const auto& [sent, expected] : cases) {
    EXPECT_THAT(bytes_of(R"({"event":"opened","id":"e","timestamp":)" + sent + "}"),
                HasSubstr("\"timestamp\":" + expected + ","));
  }
}

TEST(Normalize, AWholeSecondGetsMicrosecondsOfItsOwn) {
  const auto at = [](const std::string& id, const std::string& timestamp) {
    const auto event =
        normalize(R"({"timestamp":)" + timestamp + R"(,"event":"opened","id":")" + id + "\"}");
    return event ? event->timestamp_us : -1;
  };
  for (const char* second :
       {"1773222312", "1773222312.0", "1773222312.0000001", "1773222311.9999999"}) {
    const int64_t us = at("e1", second);
    EXPECT_EQ(us / 1'000'000, 1'773'222'312);
    EXPECT_NE(us % 1'000'000, 0);
    EXPECT_EQ(us, at("e1", "1773222312"));
  }
  EXPECT_NE(at("e1", "1773222312"), at("e2", "1773222312"));
  // What four decimals would round to a whole second.
  for (const char* fraction : {"000001", "000026", "00005", "99995", "999999"}) {
    EXPECT_EQ(at("e1", std::string("1773222312.") + fraction), at("e1", "1773222312")) << fraction;
  }
  bytes_of(R"({"event":"opened","id":"e","timestamp":1773222312})");
}

TEST(Normalize, RefusesTimestampsThatCannotBe) {
  const auto with_time = [](const std::string& timestamp) {
    return error_of(R"({"event":"opened","id":"e","timestamp":)" + timestamp + "}");
  };
  for (const char* early : {"0", "-1", "946684799.9", "1773222.312", "-1e300"}) {
    EXPECT_EQ(with_time(early), "timestamp: before the year 2000");
  }
  for (const char* late : {"1773222700.2", "1773222312000", "1e300", "9223372036854775807"}) {
    EXPECT_EQ(with_time(late), "timestamp: further in the future than events.max_ahead allows");
  }
  EXPECT_EQ(with_time("\"1773222312\""), "timestamp: must be a number");
  EXPECT_EQ(with_time("{}"), "timestamp: must be a number");
}

// The microseconds are added first: an event on the edge is not taken once and refused again.
TEST(Normalize, TheLimitOfTheFutureIsStable) {
  for (int i = 0; i < 50; ++i) {
    const std::string item =
        R"({"event":"opened","timestamp":1773222700,"id":")" + std::to_string(i) + "\"}";
    const auto event = normalize(item);
    if (event) EXPECT_EQ(bytes_of(item), event->bytes);
  }
}

TEST(Normalize, LogLevelsAreMailguns) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("event":"accepted")", "info"},
      {R"("event":"rejected")", "warn"},
      {R"("event":"delivered")", "info"},
      {R"("event":"failed","severity":"temporary")", "warn"},
      {R"("event":"failed","severity":"permanent")", "error"},
      {R"("event":"opened")", "info"},
      {R"("event":"complained")", "warn"},
      {R"("event":"stored")", "info"},
      {R"("event":"list_member_uploaded")", "info"},
      {R"("event":"list_member_upload_error")", "error"},
      {R"("event":"list_uploaded")", "info"},
  };
  for (const auto& [members, level] : cases) {
    EXPECT_THAT(bytes_of("{" + members + "}"), HasSubstr("\"log-level\":\"" + level + "\""))
        << members;
  }
}

TEST(Normalize, NeedsAnEventName) {
  EXPECT_EQ(error_of("{}"), "event: missing");
  EXPECT_EQ(error_of(R"({"event":null})"), "event: missing");
  EXPECT_EQ(error_of(R"({"event":"Opened"})"), "event: not a known event name");
  EXPECT_EQ(error_of(R"({"event":"email_validation"})"), "event: not a known event name");
  EXPECT_EQ(error_of(R"({"event":7})"), "event: must be a string");
}

TEST(Normalize, AFailureNeedsASeverity) {
  const std::string message = "severity: must be temporary or permanent for a failed event";
  EXPECT_EQ(error_of(R"({"event":"failed"})"), message);
  EXPECT_EQ(error_of(R"({"event":"failed","severity":null})"), message);
  EXPECT_EQ(error_of(R"({"event":"failed","severity":"hard"})"), message);
  EXPECT_EQ(normalize(R"({"event":"failed","severity":"permanent"})")->severity,
            Severity::kPermanent);
  EXPECT_EQ(normalize(R"({"event":"opened","severity":"permanent"})")->severity, Severity::kNone);
  EXPECT_EQ(error_of(R"({"event":"delivered","severity":"none"})"),
            "severity: must be temporary, permanent or null");
  EXPECT_EQ(error_of(R"({"event":"opened","severity":""})"),
            "severity: must be temporary, permanent or null");
}

TEST(Normalize, IdsArePrintableAndShort) {
  const auto with_id = [](const std::string& id) {
    return error_of(R"({"event":"opened","id":)" + id + "}");
  };
  EXPECT_EQ(normalize(R"({"event":"opened","id":")" + std::string(128, 'a') + "\"}")->id.size(),
            128U);
  const std::string message = "id: must be 1 to 128 bytes of printable ascii";
  EXPECT_EQ(with_id(R"("")"), message);
  EXPECT_EQ(with_id('"' + std::string(129, 'a') + '"'), message);
  EXPECT_EQ(with_id(R"("a\nb")"), message);
  EXPECT_EQ(with_id("\"\xc3\xbc\""), message);
  EXPECT_EQ(with_id(R"("\u00fc")"), message);
  EXPECT_EQ(with_id("17"), "id: must be a string");
}

TEST(Normalize, WhatIsReadHasOneSpelling) {
  EXPECT_THAT(
      bytes_of(R"({"\u0065vent":"f\u0061iled","\u0069d":"a\/\"","severity":"tempor\u0061ry"})"),
      StartsWith(R"({"event":"failed","id":"a/\"","severity":"temporary",)"));
}

TEST(Normalize, MessageIdsLoseTheirBrackets) {
  const auto with_message_id = [](const std::string& id) {
    return with(R"("message":{"headers":{"message-id":")" + id + "\"}}");
  };
  for (const char* id : {"<1@a>", "1@a", R"(\u003c1@a\u003e)", " <1@a>", "<<1@a>>", "<1@a"}) {
    EXPECT_THAT(bytes_of(with_message_id(id)), HasSubstr(R"({"message-id":"1@a"})")) << id;
    EXPECT_EQ(normalize(with_message_id(id))->order_key, hash_bytes(std::string_view("1@a\0", 4)));
  }
  EXPECT_THAT(bytes_of(with_message_id(R"(<\"q\"@a>)")), HasSubstr(R"({"message-id":"\"q\"@a"})"));
  EXPECT_THAT(bytes_of(with_message_id("<>")), HasSubstr(R"({"message-id":""})"));
}

TEST(Normalize, TheOrderKeyIsThatOfMessageAndRecipient) {
  EXPECT_EQ(normalize(with(R"("x":1)"))->order_key, 0U);
  EXPECT_EQ(normalize(with(R"("recipient":"Dana@B.example")"))->order_key,
            hash_bytes(std::string_view("\0dana@b.example", 15)));
  EXPECT_EQ(normalize(with(R"("recipient":"a\u0040b")"))->order_key,
            normalize(with(R"("recipient":"A@B")"))->order_key);
}

TEST(Normalize, RefusesFieldsGivenTwice) {
  EXPECT_EQ(error_of(R"({"event":"opened","event":"opened"})"), "event: given twice");
  EXPECT_EQ(error_of(R"({"event":"opened","\u0065vent":"clicked"})"), "event: given twice");
  EXPECT_EQ(error_of(with(R"("x":1,"y":2,"\u0078":3)")), "x: given twice");
  EXPECT_EQ(error_of(with(R"("message":{"size":1,"size":2})")), "message.size: given twice");
  EXPECT_EQ(error_of(with(R"("line\nbreak":1,"line\nbreak":2)")), R"(line\nbreak: given twice)");
}

TEST(Normalize, RefusesWhatIsNotOneJsonObject) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "unexpected end"},
      {R"({"event":"opened")", "unexpected end"},
      {R"({"event":"opened"} {})", "text after the value"},
      {R"({"event":"opened",})", "expected a key"},
      {with(R"("x":NaN)"), "expected a value"},
      {with(R"("x":1e999)"), "number too large"},
      {with("\"x\":" + std::string(310, '9')), "number too large"},
      {with(R"("timestamp2":01)"), "number with a leading zero"},
      {with(R"("x":"\ud800")"), "lone surrogate in a string"},
      {with(R"("x":"\udc00\ud800")"), "lone surrogate in a string"},
      {with("\"x\":\"\xff\""), "not utf-8"},
      {with("\"x\":\"\xed\xa0\x80\""), "not utf-8"},
      {with("\"x\":\"a\nb\""), "control character in a string"},
      {with(R"("x":{"y":[1}})"), "expected a comma or a closing bracket"},
      {with(R"("recipient":nul)"), "expected a value"},
      {with(R"("tags":["a" "b"])"), "expected a comma or a closing bracket"},
      {with(R"("message":{"headers":{x}})"), "expected a key"},
      {with(R"("delivery-status":{"code":1e999})"), "number too large"},
  };
  for (const auto& [item, reason] : cases) {
    EXPECT_THAT(error_of(item), StartsWith("invalid json at byte ")) << item;
    EXPECT_THAT(error_of(item), EndsWith(": " + reason)) << item;
  }
  for (const char* item : {"[]", "7", "null", "\"opened\""}) {
    EXPECT_EQ(error_of(item), "item: must be a JSON object");
  }
}

TEST(Normalize, RefusesWhatIsTooDeepOrTooLarge) {
  const auto nested = [](int levels) {
    return with("\"x\":" + std::string(levels, '[') + std::string(levels, ']'));
  };
  EXPECT_TRUE(normalize(nested(63)));
  EXPECT_THAT(error_of(nested(64)), EndsWith(": nested more than 64 levels deep"));
  EXPECT_THAT(error_of(nested(40'000)), EndsWith(": nested more than 64 levels deep"));
  const std::string most =
      with("\"x\":\"" + std::string(100'000 - with("\"x\":\"\"").size(), 'a') + '"');
  EXPECT_TRUE(normalize(most));
  const auto too_large = normalize(most + " ");
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, Errc::kTooLarge);
  EXPECT_EQ(too_large.error().message, "item: larger than 100000 bytes");
}

TEST(Normalize, ANormalizerForgetsTheItemBefore) {
  Normalizer normalizer([] { return std::string(kMadeId); });
  const std::string plain = R"({"event":"opened","timestamp":1773222312.5})";
  const auto first = normalizer.normalize(plain, kContext);
  for (const std::string& other :
       {with(R"("x":NaN)"),
        with(R"("tags":["a"],"message":{"headers":{"message-id":"<a>"}},"r":0)"),
        with(R"("tags":7)"), std::string(R"({"event":"failed","\u0069d":"a","x":1,"\u0078":2})")}) {
    (void)normalizer.normalize(other, kContext);
    const auto again = normalizer.normalize(plain, kContext);
    ASSERT_TRUE(first && again);
    EXPECT_EQ(again->bytes, first->bytes);
    EXPECT_EQ(again->order_key, 0U);
  }
}

TEST(PeekId, ReadsTheIdOfABrokenItem) {
  EXPECT_EQ(peek_id(R"({"event":"nonsense","id":"a\u0042c","x":NaN})"), "aBc");
  EXPECT_EQ(peek_id(R"({"message":{"id":"inner"},"id":"outer"})"), "outer");
}

TEST(PeekId, GivesNothingThatCannotBeTrusted) {
  for (const char* item : {"", "[]", "{}", R"({"x":NaN,"id":"a"})", R"({"id":7})", R"({"id":""})",
                           R"({"id":"a\nb"})", "{\"id\":\"a", "\"id\""}) {
    EXPECT_EQ(peek_id(item), "") << item;
  }
}

TEST(Names, HaveOneSpelling) {
  for (int i = 1; i <= 12; ++i) {
    EXPECT_EQ(parse_name(to_string(static_cast<Name>(i))), static_cast<Name>(i));
  }
  EXPECT_EQ(to_string(Name::kAccepted), "accepted");
  EXPECT_EQ(to_string(Name::kListMemberUploadError), "list_member_upload_error");
  EXPECT_EQ(parse_name("Delivered"), std::nullopt);
  EXPECT_EQ(parse_name(""), std::nullopt);
  EXPECT_EQ(parse_severity("temporary"), Severity::kTemporary);
  EXPECT_EQ(parse_severity(to_string(Severity::kPermanent)), Severity::kPermanent);
  EXPECT_EQ(parse_severity(""), std::nullopt);
  EXPECT_EQ(to_string(Severity::kNone), "");
}

}  // namespace
}  // namespace eventhorn::event
