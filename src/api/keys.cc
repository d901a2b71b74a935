#include "api/keys.h"

#include "api/secret_file.h"
#include "base/strings.h"
#include "crypto/random.h"

#include <system_error>

namespace eventhorn::api {
namespace {

std::string random_hex(size_t bytes) {
  return to_hex(crypto::random_bytes(bytes));
}

std::string key_id(const std::string& key) {
  const std::string digest_id = to_hex(crypto::bytes_of(crypto::sha256(key))).substr(0, 8);
  const auto last = key.rfind('-');
  if (last == std::string::npos || last == 0) return digest_id;
  const auto first = key.rfind('-', last - 1);
  if (first == std::string::npos) return digest_id;  // "key-<hex>": the groups would be all of it
  return key.substr(first + 1);
}

}  // namespace

Result<Keys> Keys::load(const std::filesystem::path& directory, const std::string& api_key,
                        const std::string& signing_key, const Clock& clock) {
  Keys out;
  std::error_code ec;
  std::filesystem::create_directories(directory, ec);  // what fails here fails again below
  std::string api = api_key;
  if (api.empty()) {
    const std::string made = random_hex(16) + "-" + random_hex(4) + "-" + random_hex(4);
    TRY(api, read_or_make_secret(directory / "api_key", made));
    out.generated_ = api == made;
  }
  TRY(out.signing_, SigningKeyring::open(directory, signing_key, clock));
  TRY(const std::string token, read_or_make_secret(directory / "token_key", random_hex(32)));
  out.api_digest_ = crypto::sha256(api);
  out.api_key_id_ = key_id(api);
  out.account_id_ =
      to_hex(crypto::bytes_of(crypto::hmac_sha256(token, "account id"))).substr(0, 24);
  out.token_ = std::make_shared<const crypto::HmacKey>(token);
  return out;
}

bool Keys::accepts(std::string_view password) const {
  return crypto::constant_time_equal(crypto::bytes_of(crypto::sha256(password)),
                                     crypto::bytes_of(api_digest_));
}

}  // namespace eventhorn::api
