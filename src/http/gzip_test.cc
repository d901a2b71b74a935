#include "http/gzip.h"

#include "http/gzip_test_data.h"

#include <gtest/gtest.h>

namespace eventhorn::http {
namespace {

using testing::gzip;

struct Outcome {
  Status status;
  std::string out;
};

Outcome decode(std::string_view compressed, size_t limit, size_t piece) {
  GzipDecoder decoder(limit);
  Outcome outcome;
  while (!compressed.empty() && outcome.status) {
    const auto used = decoder.feed(compressed.substr(0, piece), outcome.out);
    outcome.status = used ? Status() : Status(fail(used.error()));
    compressed.remove_prefix(std::min(piece, compressed.size()));
  }
  if (outcome.status) outcome.status = decoder.finish();
  return outcome;
}

TEST(Gzip, DecodesInPiecesOfAnySize) {
  std::string plain;
  for (int i = 0; i < 20'000; ++i) plain += std::to_string(i * i) + ",";
  const auto compressed = gzip(plain);
  for (const size_t piece : {size_t{1}, size_t{1000}, compressed.size()}) {
    const auto got = decode(compressed, plain.size(), piece);
    ASSERT_TRUE(got.status) << got.status.error().message;
    EXPECT_EQ(got.out, plain);
  }
}

TEST(Gzip, JoinsMembers) {
  const auto got = decode(gzip("one") + gzip("") + gzip("two"), 100, 7);
  ASSERT_TRUE(got.status) << got.status.error().message;
  EXPECT_EQ(got.out, "onetwo");
}

// A8: 10 MiB of zeros in 10 KiB; memory stays within the limit.
TEST(Gzip, StopsAtTheLimit) {
  const auto bomb = gzip(std::string(size_t{10} << 20, '\0'));
  const auto got = decode(bomb, 100'000, bomb.size());
  ASSERT_FALSE(got.status);
  EXPECT_EQ(got.status.error().code, Errc::kTooLarge);
  EXPECT_EQ(got.out.size(), 100'000U);
  // The limit is for all members together.
  EXPECT_FALSE(decode(gzip("12345") + gzip("67890"), 9, 100).status);
  EXPECT_TRUE(decode(gzip("12345") + gzip("67890"), 10, 100).status);
}

TEST(Gzip, RefusesDamage) {
  auto flipped = gzip("some text that is long enough");
  flipped[flipped.size() - 6] ^= 1;  // in the CRC
  const auto whole = gzip("text");
  for (const auto& bad : {flipped, whole + "garbage", whole.substr(0, whole.size() - 1),
                          std::string("plain text"), whole + whole.substr(0, 5), std::string()}) {
    const auto got = decode(bad, 1000, 1000);
    ASSERT_FALSE(got.status);
    EXPECT_EQ(got.status.error().code, Errc::kInvalidArgument);
  }
}

}  // namespace
}  // namespace eventhorn::http
