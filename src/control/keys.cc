#include "control/keys.h"

#include "base/strings.h"
#include "control/secret_file.h"
#include "crypto/random.h"

#include <string_view>
#include <system_error>

namespace eventhorn::control {
namespace {

std::string random_hex(size_t bytes) {
  return to_hex(crypto::random_bytes(bytes));
}

bool is_group(std::string_view text) {
  return text.size() == 8 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The id is shown to receivers, so only what is random and not all of it may be told. Another
// spelling ("key-<hex>", one that somebody made up) is named by its digest.
std::string key_id(const std::string& key) {
  const auto groups = split(key, '-');
  if (groups.size() >= 3 && is_group(groups[groups.size() - 2]) && is_group(groups.back()))
    return key.substr(key.size() - 17);
  return to_hex(crypto::bytes_of(crypto::sha256(key))).substr(0, 8);
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
  auto account = std::make_shared<http::Caller>();
  account->account =
      to_hex(crypto::bytes_of(crypto::hmac_sha256(token, "account id"))).substr(0, 24);
  account->key_id = key_id(api);
  out.account_ = std::move(account);
  out.token_ = std::make_shared<const crypto::HmacKey>(token);
  return out;
}

std::shared_ptr<const http::Caller> Keys::find(std::string_view password) const {
  const auto digest = crypto::sha256(password);
  const bool right =
      crypto::constant_time_equal(crypto::bytes_of(digest), crypto::bytes_of(api_digest_));
  return right ? account_ : nullptr;
}

}  // namespace eventhorn::control
