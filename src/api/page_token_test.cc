#include "api/page_token.h"

#include "api/sealed_token.h"
#include "base/strings.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace eventhorn::api {
namespace {

constexpr DomainUid kDomain{7};

const crypto::HmacKey& key() {
  static const crypto::HmacKey made("token key");
  return made;
}

PageToken full_page() {
  PageToken page;
  page.range = {1'447'427'509'000'001, 1'773'222'312'250'000, true};
  page.terms = {{"event", "opened OR clicked"}, {"tags", "a"}, {"tags", "b\n\xff"}};
  page.limit = 300;
  page.pretty = false;
  page.forward = false;
  page.cursor = store::PageCursor{1'773'222'312'249'999, std::string(event::kMaxIdBytes, '~')};
  return page;
}

bool is_refused(std::string_view token, DomainUid domain = kDomain) {
  const auto page = decode_page_token(token, domain, key());
  return !page && page.error().code == Errc::kInvalidArgument &&
         page.error().message == "Invalid page token";
}

TEST(PageToken, BringsBackEverything) {
  PageToken open;
  open.range = {0, kOpenEndUs, false};
  auto of_account = full_page();
  of_account.cursor = store::PageCursor{1'773'222'312'249'999, {}, {UINT64_MAX - 1}};
  for (const auto& page : {full_page(), open, of_account}) {
    const auto token = encode_page_token(page, kDomain, key());
    EXPECT_EQ(
        token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
        std::string::npos);
    const auto back = decode_page_token(token, kDomain, key());
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, page);
  }
}

TEST(PageToken, IsShortWithoutFilters) {
  PageToken page;
  page.range = {0, kOpenEndUs, true};
  page.cursor = store::PageCursor{1'773'222'312'249'999, "Nw3KfYb8SRGmT1xJ6qZc0w"};
  EXPECT_LE(encode_page_token(page, kDomain, key()).size(), 96U);
}

TEST(PageToken, RefusesEveryChangedByte) {
  const auto token = encode_page_token(full_page(), kDomain, key());
  const auto bytes = base64url_decode(token).value();
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      ASSERT_TRUE(is_refused(base64url_encode(changed))) << i << " " << bit;
    }
  }
  for (size_t length = 0; length < token.size(); ++length)
    ASSERT_TRUE(is_refused(token.substr(0, length))) << length;
  EXPECT_TRUE(is_refused(token + "A"));
  EXPECT_TRUE(is_refused(token + "="));
  EXPECT_FALSE(is_refused(token));
}

TEST(PageToken, HoldsForOneDomainAndKey) {
  const auto token = encode_page_token(full_page(), kDomain, key());
  EXPECT_TRUE(is_refused(token, DomainUid{8}));
  EXPECT_FALSE(decode_page_token(token, kDomain, crypto::HmacKey("another key")));
}

TEST(PageToken, RefusesWhatItWouldNotEncode) {
  const auto payload_of = [](const PageToken& page) {
    const auto bytes = base64url_decode(encode_page_token(page, kDomain, key())).value();
    return bytes.substr(0, bytes.size() - 16);
  };
  const auto good = payload_of(full_page());
  ASSERT_FALSE(is_refused(seal_token(good, kDomain, key())));

  const auto with = [&](size_t at, std::string_view bytes) {
    auto changed = good;
    changed.replace(at, bytes.size(), bytes);
    return seal_token(changed, kDomain, key());
  };
  using namespace std::string_view_literals;
  EXPECT_TRUE(is_refused(with(0, "\x02")));                      // version
  EXPECT_TRUE(is_refused(with(1, "\x3f")));                      // unknown flag
  EXPECT_TRUE(is_refused(with(2, "\0\0"sv)));                    // limit 0
  EXPECT_TRUE(is_refused(with(2, "\x01\x2d")));                  // limit 301
  EXPECT_TRUE(is_refused(with(4, "\xff")));                      // begins before the epoch
  EXPECT_TRUE(is_refused(with(12, "\xff")));                     // ends before it begins
  EXPECT_TRUE(is_refused(with(12, "\x7f")));                     // ends after the last date
  EXPECT_TRUE(is_refused(with(20, "\0\0\0\0\0\0\0\0"sv)));       // cursor before the range
  EXPECT_TRUE(is_refused(with(20, good.substr(12, 8))));         // cursor after the range
  EXPECT_TRUE(is_refused(with(28, std::string_view("\0", 1))));  // empty id
  EXPECT_TRUE(is_refused(with(28, "\x81")));                     // long id
  for (size_t length = 0; length < good.size(); ++length) {
    // Cut between two terms it is a token with fewer of them.
    const auto page =
        decode_page_token(seal_token(good.substr(0, length), kDomain, key()), kDomain, key());
    if (page) EXPECT_EQ(payload_of(*page).size(), length);
  }
  EXPECT_TRUE(is_refused(seal_token(good + std::string(kMaxTermsBytes, '\0'), kDomain, key())));
}

TEST(PageToken, LimitsTheTerms) {
  auto page = full_page();
  page.terms = {{"subject", std::string(kMaxTermsBytes - 10, 'x')}};
  ASSERT_TRUE(check_terms_size(page.terms));
  const auto token = encode_page_token(page, kDomain, key());
  EXPECT_LE(token.size(), 6 * 1024U);  // twice in a URL, in a head of 16 KiB
  EXPECT_EQ(decode_page_token(token, kDomain, key()).value(), page);
  page.terms.front().second += 'x';
  const auto refused = check_terms_size(page.terms);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "the filters must not be longer than 4096 bytes together");
}

}  // namespace
}  // namespace eventhorn::api
