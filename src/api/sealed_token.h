// Page tokens that come back as they were given out: bytes of the caller, signed for one life of
// one domain, or for an account; opaque to clients, one path segment of base64url. Pure.
//
// The token ends in the first 16 bytes of HMAC-SHA256 over a label, the domain's uid and the bytes.
// These begin with a number of the list that they are of, so that no other list takes them. Numbers
// are big-endian.
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "crypto/hash.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace eventhorn::api {

/// The first of a token's bytes: the list that it is of, and the form of the rest. Numbers are
/// never given twice, because clients keep tokens.
enum class TokenList : uint8_t { kEvents = 1, kUnacked = 2, kLogs = 3 };

/// What stands for an account in the place of a domain: no domain has such a number.
constexpr DomainUid token_owner(AccountId account) {
  return {uint64_t{1} << 63 | account.value};
}

/// `bytes` begin with put_list().
std::string seal_token(std::string bytes, DomainUid domain, const crypto::HmacKey& key);

/// What seal_token() was given. The signature is compared, in constant time, before anything else
/// is looked at. refused_token() for everything else.
Result<std::string> open_token(std::string_view token, DomainUid domain,
                               const crypto::HmacKey& key);

/// kInvalidArgument "Invalid page token".
tl::unexpected<Error> refused_token();

void put_list(std::string& out, TokenList list);
/// The low `bytes` bytes of the value.
void put_number(std::string& out, uint64_t value, size_t bytes);
/// Behind its length, a number of `length_bytes`.
void put_text(std::string& out, std::string_view text, size_t length_bytes);

/// Takes values off the front of a token's bytes. Beyond the end everything is zero and ok() is
/// false.
class TokenReader {
 public:
  explicit TokenReader(std::string_view rest) : rest_(rest) {}

  bool is_of(TokenList list) { return number(1) == static_cast<uint64_t>(list); }

  uint64_t number(size_t bytes);

  std::string text(size_t length_bytes) { return std::string(text_of(number(length_bytes))); }

  bool ok() const { return ok_; }

  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view text_of(size_t bytes);

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace eventhorn::api
