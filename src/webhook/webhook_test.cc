#include "webhook/hook.h"
#include "webhook/outcome.h"
#include "webhook/payload.h"
#include "webhook/retry_after.h"
#include "webhook/retry_schedule.h"
#include "webhook/signature.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace eventhorn::webhook {
namespace {

using namespace std::chrono_literals;
using event::Name;
using event::Severity;

// 2026-03-11T09:00:00Z, a Wednesday.
constexpr SystemTime kNow{1'773'219'600s};

TEST(Hook, NamesReadBackAndOnlyThose) {
  for (const Hook hook : kAllHooks) EXPECT_EQ(parse_hook(to_string(hook)), hook);
  EXPECT_EQ(to_string(Hook::kTemporaryFail), "temporary_fail");
  for (const char* bad : {"", "Clicked", "failed", "stored", "clicked ", "permanent_failure"}) {
    EXPECT_EQ(parse_hook(bad), std::nullopt) << bad;
  }
}

TEST(Hook, EventsFireTheHookOfTheirName) {
  const std::map<Name, Hook> same = {{Name::kAccepted, Hook::kAccepted},
                                     {Name::kDelivered, Hook::kDelivered},
                                     {Name::kOpened, Hook::kOpened},
                                     {Name::kClicked, Hook::kClicked},
                                     {Name::kUnsubscribed, Hook::kUnsubscribed},
                                     {Name::kComplained, Hook::kComplained}};
  for (const auto& [name, hook] : same) EXPECT_EQ(hook_for(name, Severity::kNone), hook);
  EXPECT_EQ(hook_for(Name::kFailed, Severity::kTemporary), Hook::kTemporaryFail);
  EXPECT_EQ(hook_for(Name::kFailed, Severity::kPermanent), Hook::kPermanentFail);
  EXPECT_EQ(hook_for(Name::kFailed, Severity::kNone), std::nullopt);
  for (const Name name : {Name::kRejected, Name::kStored, Name::kListMemberUploaded,
                          Name::kListMemberUploadError, Name::kListUploaded}) {
    EXPECT_EQ(hook_for(name, Severity::kNone), std::nullopt);
  }
}

TEST(Hook, ClassesPutComplaintsBeforeClicks) {
  const std::map<Hook, Class> expected = {
      {Hook::kComplained, Class::kUrgent},   {Hook::kPermanentFail, Class::kUrgent},
      {Hook::kUnsubscribed, Class::kUrgent}, {Hook::kTemporaryFail, Class::kNormal},
      {Hook::kDelivered, Class::kNormal},    {Hook::kAccepted, Class::kNormal},
      {Hook::kOpened, Class::kBulk},         {Hook::kClicked, Class::kBulk}};
  for (const Hook hook : kAllHooks) EXPECT_EQ(class_of(hook), expected.at(hook)) << to_string(hook);
}

// The first row is from Mailgun's PHP SDK; the others sign the samples of this project's protocol
// notes.
TEST(Signature, Vectors) {
  const std::string token = "0123456789abcdef0123456789abcdef0123456789abcdef01";
  EXPECT_EQ(sign_token(crypto::HmacKey("key-3ax6xnjp29jd6fds4gc373sgvjxteol0"), "1403645220",
                       "5egbgr1vjgqxtrnp65xfznchgdccwh5d6i09vijqi3whgowmn6"),
            "9cfc5c41582e51246e73c88d34db3af0a3a2692a76fbab81492842f000256d33");
  EXPECT_EQ(
      sign_token(crypto::HmacKey("key-55c5c5c5c55f55ca5cd5f55d5c555c55"), "1763865600", token),
      "a82397df8492fa1c29fee639db3726a60306ca33fa70dce2efc6b0ae92060b35");
  EXPECT_EQ(
      sign_token(crypto::HmacKey("key-11b1b1b1b11f11ba1bd1f11d1b111b11"), "1763865600", token),
      "24fd503623fa4071ca9809c42793aa9b2a05a15be332c55368644e87440fc9fb");
}

// Reliability A4: a replayed delivery can be told by its token, an old one by its timestamp.
TEST(Signature, A4EachAttemptHasItsOwnTokenAndTime) {
  const crypto::HmacKey key("key");
  crypto::RandomPool pool;
  const Signature a = make_signature(key, kNow + 999ms, pool);
  const Signature b = make_signature(key, kNow + 1s, pool);
  EXPECT_EQ(a.timestamp, "1773219600");
  EXPECT_EQ(b.timestamp, "1773219601");
  EXPECT_EQ(a.token.size(), 50U);
  EXPECT_NE(a.token, b.token);
  EXPECT_EQ(a.signature, sign_token(key, a.timestamp, a.token));
  EXPECT_NE(a.signature, b.signature);
}

// Reliability A4: cores sign at the same time, each from a pool of its own.
TEST(Signature, A4TokensAreUniqueAcrossThreads) {
  constexpr size_t kThreads = 4;
  constexpr size_t kEach = 2000;
  const crypto::HmacKey key("key");
  std::array<std::vector<std::string>, kThreads> tokens;
  std::vector<std::thread> threads;
  for (auto& mine : tokens) {
    threads.emplace_back([&key, &mine] {
      crypto::RandomPool pool;
      for (size_t i = 0; i < kEach; ++i) mine.push_back(make_signature(key, kNow, pool).token);
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& mine : tokens) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), kThreads * kEach);
}

// Reliability A3: while keys are rotated, the old one signs the same timestamp and token.
TEST(Signature, A3ThePreviousKeySignsAHeaderLine) {
  crypto::RandomPool pool;
  SigningKeys keys{std::make_shared<const crypto::HmacKey>("new"), nullptr};
  const Signature signature = make_signature(*keys.current, kNow, pool);
  EXPECT_EQ(previous_signature_head(keys, signature), "");
  const crypto::HmacKey old("old");
  keys.previous = std::make_shared<const crypto::HmacKey>("old");
  EXPECT_EQ(previous_signature_head(keys, signature),
            "Eventhorn-Previous-Signature: " +
                sign_token(old, signature.timestamp, signature.token) + "\r\n");
}

TEST(Payload, IsOneJsonObjectAroundTheEvent) {
  const Signature signature{"1763865600", "aa", "bb"};
  EXPECT_EQ(
      payload_prefix(signature) + R"({"id":"x"})" + std::string(kPayloadSuffix),
      R"({"signature":{"timestamp":"1763865600","token":"aa","signature":"bb"},"event-data":{"id":"x"}})");
}

TEST(Payload, SubaccountsHaveTheParentsSignatureToo) {
  EXPECT_EQ(
      payload_prefix({"1", "aa", "bb"}, "cc"),
      R"({"signature":{"timestamp":"1","token":"aa","signature":"bb","parent-signature":"cc"},"event-data":)");
}

Verdict verdict(int status, SuccessRule rule = SuccessRule::kAny2xx) {
  return classify({.status = status}, rule);
}

// Reliability R9, R10, R13, R14, R15, R16: every status there is.
TEST(Outcome, R13R14R15R16EveryStatus) {
  for (int status = 100; status <= 999; ++status) {
    const Verdict expected = status / 100 == 2 ? Verdict::kSuccess
                             : status == 406   ? Verdict::kRejected
                             : status == 410   ? Verdict::kGone
                                               : Verdict::kRetry;
    EXPECT_EQ(verdict(status), expected) << status;
    EXPECT_EQ(verdict(status, SuccessRule::kOnly200) == Verdict::kSuccess, status == 200) << status;
  }
  EXPECT_EQ(verdict(204, SuccessRule::kOnly200), Verdict::kRetry);
  EXPECT_EQ(verdict(410, SuccessRule::kOnly200), Verdict::kGone);
}

// Reliability R1, R6, R7, R20, R26: without an answer it is tried again, with one the answer
// counts.
TEST(Outcome, R6AStatusDecidesAlone) {
  for (const FailureKind kind :
       {FailureKind::kDns, FailureKind::kBlocked, FailureKind::kConnect, FailureKind::kTls,
        FailureKind::kTimeout, FailureKind::kProtocol, FailureKind::kClosed, FailureKind::kTooLarge,
        FailureKind::kCancelled, FailureKind::kProxy, FailureKind::kLocal}) {
    EXPECT_EQ(classify({.status = 0, .kind = kind}, SuccessRule::kAny2xx), Verdict::kRetry)
        << to_string(kind);
  }
  EXPECT_EQ(classify({.status = 200, .kind = FailureKind::kClosed}, SuccessRule::kAny2xx),
            Verdict::kSuccess);
  EXPECT_EQ(classify({.status = 406, .kind = FailureKind::kTimeout}, SuccessRule::kAny2xx),
            Verdict::kRejected);
}

TEST(Outcome, NamesAreDistinct) {
  EXPECT_EQ(to_string(Verdict::kSuccess), "success");
  EXPECT_EQ(to_string(Verdict::kGone), "gone");
  std::map<std::string_view, int> seen;
  for (int i = 0; i <= static_cast<int>(FailureKind::kLocal); ++i)
    ++seen[to_string(static_cast<FailureKind>(i))];
  EXPECT_EQ(seen.size(), 12U);
  for (const char* name : {"too_large", "proxy", "local"}) EXPECT_TRUE(seen.contains(name));
}

TEST(RetrySchedule, DefaultIsTheDocumentedOne) {
  const RetrySchedule schedule;
  const std::vector<std::chrono::milliseconds> expected = {5min,  10min,  15min,
                                                           60min, 120min, 240min};
  for (size_t n = 1; n <= 6; ++n) EXPECT_EQ(schedule.next_delay(n, 0.5), expected[n - 1]);
}

TEST(RetrySchedule, GivesUpAfterLastDelay) {
  EXPECT_EQ(RetrySchedule().next_delay(7, 0.5), std::nullopt);
  EXPECT_EQ(RetrySchedule().next_delay(1000, 0.5), std::nullopt);
  EXPECT_EQ(RetrySchedule::parse({})->next_delay(1, 0.5), std::nullopt);
}

// Reliability L5: retries of one moment spread over a fifth of their delay.
TEST(RetrySchedule, L5JitterIsTenPercentToEitherSide) {
  const RetrySchedule schedule;
  EXPECT_EQ(schedule.next_delay(2, 0), 9min);
  EXPECT_EQ(schedule.next_delay(2, 0.75), 10min + 30s);
  EXPECT_LE(*schedule.next_delay(2, 0.999999999), 11min);
  EXPECT_GT(*schedule.next_delay(2, 0.999999999), 10min + 59s);
}

TEST(RetrySchedule, ParsesSettings) {
  const std::vector<std::string> texts = {"250ms", "1s", "7d"};
  const auto schedule = RetrySchedule::parse(texts);
  ASSERT_TRUE(schedule);
  EXPECT_EQ(schedule->delays(), (std::vector<std::chrono::milliseconds>{250ms, 1s, 168h}));
}

TEST(RetrySchedule, ErrorsNameTheEntry) {
  const auto message = [](std::vector<std::string> texts) {
    const auto schedule = RetrySchedule::parse(texts);
    return schedule ? std::string("accepted") : schedule.error().message;
  };
  EXPECT_EQ(message({"1s", "soon"}),
            "retry schedule entry 2: duration must be a whole number followed by ms, s, m, h or d");
  EXPECT_EQ(message({"0s"}), "retry schedule entry 1: duration must be more than zero");
  EXPECT_EQ(message(std::vector<std::string>(32, "1s")), "accepted");
  EXPECT_EQ(message(std::vector<std::string>(33, "1s")),
            "retry schedule must have at most 32 entries");
}

// Reliability C7: a clock that jumped causes neither a storm nor a freeze.
TEST(RetrySchedule, C7DueOnLoadSurvivesClockJumps) {
  EXPECT_EQ(due_on_load(kNow - 2min, 5min, kNow), kNow + 3min);
  EXPECT_EQ(due_on_load(kNow - 5min, 5min, kNow), kNow);
  EXPECT_EQ(due_on_load(kNow - 24h, 5min, kNow), kNow) << "clock jumped ahead, or a long stop";
  EXPECT_EQ(due_on_load(kNow + 24h, 5min, kNow), kNow + 5min) << "clock jumped back";
  EXPECT_EQ(due_on_load(kNow, 5min, kNow), kNow + 5min);
}

TEST(RetrySchedule, C7DueOnLoadSurvivesDamagedRows) {
  EXPECT_EQ(due_on_load(from_micros(std::numeric_limits<int64_t>::max()), 5min, kNow), kNow + 5min);
  EXPECT_EQ(due_on_load(from_micros(std::numeric_limits<int64_t>::min()), 5min, kNow), kNow);
  EXPECT_EQ(due_on_load(kNow, -5min, kNow), kNow);
  EXPECT_LT(due_on_load(kNow, std::chrono::milliseconds::max(), kNow), kNow + 24h * 3651);
}

std::optional<std::chrono::seconds> retry_after(std::string_view value) {
  return parse_retry_after(std::span(&value, 1), kNow, 3600s);
}

// Reliability R16: seconds within bounds.
TEST(RetryAfter, R16Seconds) {
  EXPECT_EQ(retry_after("120"), 120s);
  EXPECT_EQ(retry_after(" 120 "), 120s);
  EXPECT_EQ(retry_after("0"), 0s);
  EXPECT_EQ(retry_after("3601"), 3600s);
  EXPECT_EQ(retry_after("1000000000000000000"), 3600s);
  EXPECT_EQ(retry_after("99999999999999999999999999999999"), 3600s);
}

// Reliability R16: no delta-seconds by RFC 9110, but clear.
TEST(RetryAfter, R16FractionsAndExponentsAreReadAsMeant) {
  EXPECT_EQ(retry_after("1.5"), 2s);
  EXPECT_EQ(retry_after("120.0"), 120s);
  EXPECT_EQ(retry_after("0.0"), 0s);
  EXPECT_EQ(retry_after("3600.1"), 3600s);
  EXPECT_EQ(retry_after("1e2"), 100s);
  EXPECT_EQ(retry_after("1e18"), 3600s);
  EXPECT_EQ(retry_after("1e999999"), 3600s) << "beyond a double";
  EXPECT_EQ(retry_after("1e-999999"), 1s) << "below a double";
}

// Reliability R16: what is no number and no date says nothing.
TEST(RetryAfter, R16GarbageIsIgnored) {
  for (const char* bad : {"", " ", "-1", "-1.5", "+5", ".5", "1e", "1.5.5", "120s", "12 0", "soon",
                          "inf", "nan", "0x10", "120, 60", "\xff"}) {
    EXPECT_EQ(retry_after(bad), std::nullopt) << bad;
  }
}

// Reliability R16: the three date forms of RFC 9110.
TEST(RetryAfter, R16Dates) {
  EXPECT_EQ(retry_after("Wed, 11 Mar 2026 09:02:00 GMT"), 120s);
  EXPECT_EQ(retry_after("Wednesday, 11-Mar-26 09:02:00 GMT"), 120s);
  EXPECT_EQ(retry_after("Wed Mar 11 09:02:00 2026"), 120s);
  EXPECT_EQ(retry_after("Wed Mar  1 09:02:00 2026"), 0s) << "past";
  EXPECT_EQ(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), 0s) << "past";
  EXPECT_EQ(retry_after("Sunday, 06-Nov-94 08:49:37 GMT"), 0s)
      << "two-digit year of the last century";
  EXPECT_EQ(retry_after("Fri, 31 Dec 9999 23:59:60 GMT"), 3600s);
}

TEST(RetryAfter, R16BrokenDatesAreIgnored) {
  for (const char* bad : {"Wed, 32 Mar 2026 09:02:00 GMT", "Wed, 30 Feb 2026 09:02:00 GMT",
                          "Wed, 11 Mar 2026 24:02:00 GMT", "Wed, 11 Mar 2026 09:60:00 GMT",
                          "Wed, 11 Mar 2026 09:02:61 GMT", "Wed, 11 mar 2026 09:02:00 GMT",
                          "Wed, 11 Mar 2026 09:02:00", "Wed, 11 Mar 2026 09:02:00 +0000",
                          "Wed, 11 Mar 2026 09:02:00 GMT x", "Wed, 1 Mar 2026 09:02:00 GMT",
                          "Wed, 00 Mar 2026 09:02:00 GMT", "Wed,", ",", "Wed", "We",
                          "Wed Mar 11 09:02:00", "2026-03-11T09:02:00Z"}) {
    EXPECT_EQ(retry_after(bad), std::nullopt) << bad;
  }
}

// Reliability R16: two headers.
TEST(RetryAfter, R16TheLongestOfSeveralFieldsCounts) {
  const auto of = [](std::vector<std::string_view> values) {
    return parse_retry_after(values, kNow, 3600s);
  };
  EXPECT_EQ(of({"10", "20"}), 20s);
  EXPECT_EQ(of({"20", "10"}), 20s);
  EXPECT_EQ(of({"soon", "10"}), 10s);
  EXPECT_EQ(of({"10", "Wed, 11 Mar 2026 09:02:00 GMT"}), 120s);
  EXPECT_EQ(of({"soon", "-1"}), std::nullopt);
  EXPECT_EQ(of({}), std::nullopt);
}

}  // namespace
}  // namespace eventhorn::webhook
