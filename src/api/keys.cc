#include "api/keys.h"

#include "base/strings.h"
#include "crypto/random.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace eventhorn::api {
namespace {

Result<std::string> read_or_make(const std::filesystem::path& path, const std::string& made,
                                 bool* fresh) {
  std::ifstream in(path);
  std::string text;
  if (in && std::getline(in, text) && !trim(text).empty()) return std::string(trim(text));
  // Written whole under another name first: a crash leaves either no key or the right one.
  const auto part = path.string() + ".part";
  const int fd = ::open(part.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  const std::string line = made + "\n";
  const bool written = fd >= 0 &&
                       ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
                       ::fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!written || ::rename(part.c_str(), path.c_str()) != 0) {
    return fail(Errc::kUnavailable, "cannot write the key file " + path.string() + ": " +
                                        std::strerror(written ? errno : error));
  }
  *fresh = true;
  return made;
}

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
                        const std::string& signing_key) {
  Keys out;
  std::error_code ec;
  std::filesystem::create_directories(directory, ec);
  bool fresh = false;
  std::string api = api_key;
  if (api.empty()) {
    TRY(api,
        read_or_make(directory / "api_key",
                     random_hex(16) + "-" + random_hex(4) + "-" + random_hex(4), &out.generated_));
  }
  std::string signing = signing_key;
  if (signing.empty()) {
    TRY(signing, read_or_make(directory / "signing_key", "key-" + random_hex(16), &fresh));
  }
  TRY(const std::string token, read_or_make(directory / "token_key", random_hex(32), &fresh));
  out.api_digest_ = crypto::sha256(api);
  out.api_key_id_ = key_id(api);
  out.account_id_ =
      to_hex(crypto::bytes_of(crypto::hmac_sha256(token, "account id"))).substr(0, 24);
  out.signing_ = std::make_shared<const crypto::HmacKey>(signing);
  out.token_ = std::make_shared<const crypto::HmacKey>(token);
  return out;
}

bool Keys::accepts(std::string_view password) const {
  return crypto::constant_time_equal(crypto::bytes_of(crypto::sha256(password)),
                                     crypto::bytes_of(api_digest_));
}

}  // namespace eventhorn::api
