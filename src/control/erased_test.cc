#include "control/erased.h"

#include <gtest/gtest.h>

namespace eventhorn::control {
namespace {

event::Event event_at(int64_t seconds, std::string bytes) {
  event::Event out;
  out.timestamp_us = seconds * 1'000'000;
  out.bytes = std::move(bytes);
  return out;
}

const char* const kDanas = R"({"recipient":"Dana@inbox.example"})";
const char* const kMention = R"({"recipient":"a@b.c","to":"x <dana@inbox.example>"})";
const char* const kOther = R"({"recipient":"jordana@inbox.example"})";

TEST(Erased, RefusesWhatIsNotLater) {
  const crypto::HmacKey key("secret");
  const DomainUid domain{7};
  const auto at = from_micros(100'000'000);
  const auto none = std::make_shared<const Erased>(key);
  EXPECT_EQ(none->refuses(domain, event_at(1, kDanas)), std::nullopt);
  const auto erased = none->with(domain, mark_of(key, domain, "dana@inbox.example"), at);
  EXPECT_EQ(erased->refuses(domain, event_at(100, kDanas)), at);
  EXPECT_EQ(erased->refuses(domain, event_at(1, kMention)), at);
  EXPECT_EQ(erased->refuses(domain, event_at(101, kDanas)), std::nullopt);
  EXPECT_EQ(erased->refuses(domain, event_at(1, kOther)), std::nullopt);
  EXPECT_EQ(erased->refuses({8}, event_at(1, kDanas)), std::nullopt);
  EXPECT_EQ(none->refuses(domain, event_at(1, kDanas)), std::nullopt) << "it is as it was";
  const auto more = erased->with(domain, mark_of(key, domain, "jordana@inbox.example"), at);
  EXPECT_EQ(more->refuses(domain, event_at(1, kOther)), at);
  EXPECT_EQ(more->refuses(domain, event_at(1, kDanas)), at);
  EXPECT_EQ(erased->refuses(domain, event_at(1, kOther)), std::nullopt) << "it is as it was";
}

TEST(Erased, TheLatestTimeOfEachAddressCounts) {
  const crypto::HmacKey key("secret");
  const DomainUid domain{7};
  const auto mark = mark_of(key, domain, "dana@inbox.example");
  auto erased = std::make_shared<const Erased>(key);
  erased = erased->with(domain, mark, from_micros(50'000'000));
  erased = erased->with(domain, mark, from_micros(20'000'000));
  erased = erased->with(domain, mark_of(key, domain, "a@b.c"), from_micros(90'000'000));
  EXPECT_TRUE(erased->refuses(domain, event_at(50, kDanas)));
  EXPECT_FALSE(erased->refuses(domain, event_at(51, kDanas)));
  EXPECT_TRUE(erased->refuses(domain, event_at(60, kMention))) << "a@b.c";
  EXPECT_EQ(erased->number(), 3U);
}

// Who has the store alone cannot try out addresses.
TEST(AddressMark, NeedsTheSecret) {
  const crypto::HmacKey key("secret");
  const crypto::HmacKey other("other");
  EXPECT_EQ(mark_of(key, {7}, "a@b.c"), mark_of(key, {7}, "a@b.c"));
  EXPECT_NE(mark_of(key, {7}, "a@b.c"), mark_of(other, {7}, "a@b.c"));
  EXPECT_NE(mark_of(key, {7}, "a@b.c"), mark_of(key, {8}, "a@b.c"));
  EXPECT_NE(mark_of(key, {7}, "a@b.c"), mark_of(key, {7}, "a@b.d"));
}

}  // namespace
}  // namespace eventhorn::control
