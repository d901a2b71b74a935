// Page tokens: text that was not signed is refused, and what lies behind a good signature is either
// refused or has exactly this one spelling.
#include "api/page_token.h"
#include "api/sealed_token.h"
#include "base/check.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace eventhorn;
  static const crypto::HmacKey key("token key of the fuzzer");
  constexpr DomainUid kDomain{7};
  const std::string bytes(reinterpret_cast<const char*>(data), size);

  CHECK(!api::decode_page_token(bytes, kDomain, key));

  const auto token = api::seal_token(bytes, kDomain, key);
  CHECK(!api::decode_page_token(token, DomainUid{8}, key));
  const auto page = api::decode_page_token(token, kDomain, key);
  if (!page) {
    CHECK(page.error().code == Errc::kInvalidArgument);
    return 0;
  }
  CHECK(api::encode_page_token(*page, kDomain, key) == token);
  return 0;
}
