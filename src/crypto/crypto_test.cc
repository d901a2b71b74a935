#include "base/strings.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <span>
#include <thread>

namespace eventhorn::crypto {
namespace {

std::string hex(const Digest& digest) {
  return to_hex(bytes_of(digest));
}

TEST(Sha256, Fips180Vectors) {
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// RFC 4231, test cases 1, 2, 6 and 7: short key, text key, key and data longer than a block.
TEST(Hmac, Rfc4231Vectors) {
  EXPECT_EQ(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const std::string long_key(131, '\xaa');
  EXPECT_EQ(hex(hmac_sha256(long_key, "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(hex(hmac_sha256(long_key,
                            "This is a test using a larger than block-size key and a larger than "
                            "block-size data. The key needs to be hashed before being used by the "
                            "HMAC algorithm.")),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST(Hmac, EmptyKeyAndDataAreAllowed) {
  EXPECT_EQ(hex(hmac_sha256("", "")),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Hmac, PiecesAreJoinedWithoutSeparator) {
  const HmacKey key("key-1");
  EXPECT_EQ(key.sign({"ab", "", "c"}), key.sign({"abc"}));
  EXPECT_EQ(key.sign({"abc"}), hmac_sha256("key-1", "abc"));
  EXPECT_NE(key.sign({"abc"}), HmacKey("key-2").sign({"abc"}));
  const std::array<std::string_view, 3> more = {"b", "", "c"};
  EXPECT_EQ(key.sign({"a"}, more), key.sign({"abc"}));
  EXPECT_EQ(key.sign({}, more), key.sign({"bc"}));
}

TEST(Hmac, OneKeySignsOnManyThreads) {
  const HmacKey key("shared");
  const Digest expected = key.sign({"data"});
  std::array<int, 4> wrong{};
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&key, &expected, &count] {
      for (int i = 0; i < 2000; ++i) count += key.sign({"da", "ta"}) == expected ? 0 : 1;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, (std::array<int, 4>{}));
}

// Reliability A1: the comparison used for keys and signatures. That it takes constant time is
// OpenSSL's promise (CRYPTO_memcmp); here, that it looks at every byte and at both lengths.
TEST(ConstantTimeEqual, A1LooksAtEveryByte) {
  const std::string secret = "5f1c9a2be77d4a0c31b8e6d2";
  EXPECT_TRUE(constant_time_equal(secret, std::string(secret)));
  EXPECT_TRUE(constant_time_equal("", ""));
  for (size_t i = 0; i < secret.size(); ++i) {
    std::string other = secret;
    other[i] = static_cast<char>(other[i] ^ 1);
    EXPECT_FALSE(constant_time_equal(secret, other)) << i;
  }
  EXPECT_FALSE(constant_time_equal(secret, secret.substr(1)));
  EXPECT_FALSE(constant_time_equal(std::string_view("a\0", 2), "a"));
}

// Reliability A4: tokens do not repeat, across refills of the block too.
TEST(RandomPool, A4TokensAreLowerHexAndDoNotRepeat) {
  RandomPool pool;
  std::set<std::string> seen;
  std::set<char> digits;
  for (int i = 0; i < 1000; ++i) {
    const std::string token = pool.token_hex(50);
    ASSERT_EQ(token.size(), 50U);
    ASSERT_EQ(token.find_first_not_of("0123456789abcdef"), std::string::npos) << token;
    EXPECT_TRUE(seen.insert(token).second) << token;
    digits.insert(token.begin(), token.end());
  }
  EXPECT_EQ(digits.size(), 16U);
}

TEST(RandomPool, TokensMayBeLongerThanTheBlock) {
  RandomPool pool;
  EXPECT_EQ(pool.token_hex(0), "");
  const std::string token = pool.token_hex(5000);
  EXPECT_EQ(token.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(token.substr(0, 1024), token.substr(1024, 1024));
}

TEST(RandomPool, TakesItsBytesFromTheSourceGiven) {
  uint8_t last = 0;
  const auto count = [&](std::span<uint8_t> out) {
    for (auto& byte : out) byte = last++;
  };
  RandomPool pool(count);
  EXPECT_EQ(pool.token_hex(20), "0123456789abcdef0123");
  RandomPool again([](std::span<uint8_t> out) { std::ranges::fill(out, 0xff); });
  EXPECT_EQ(again.fraction(), 1 - 0x1p-53);
}

TEST(RandomPool, FractionsFillTheUnitInterval) {
  RandomPool pool;
  double lowest = 1;
  double highest = 0;
  for (int i = 0; i < 1000; ++i) {
    const double f = pool.fraction();
    ASSERT_GE(f, 0);
    ASSERT_LT(f, 1);
    lowest = std::min(lowest, f);
    highest = std::max(highest, f);
  }
  EXPECT_LT(lowest, 0.1);
  EXPECT_GT(highest, 0.9);
}

TEST(RandomBytes, HaveTheLengthAskedForAndDiffer) {
  EXPECT_EQ(random_bytes(0), "");
  EXPECT_EQ(random_bytes(33).size(), 33U);
  EXPECT_NE(random_bytes(16), random_bytes(16));
}

}  // namespace
}  // namespace eventhorn::crypto
