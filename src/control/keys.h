// The secrets of the installation: the account's API key, the webhook signing key, the key of page
// tokens. Made once, kept in the data directory (mode 0600); the environment may give the first
// two. Thread-safe; only the signing key changes after load.
#pragma once

#include "base/result.h"
#include "base/time.h"
#include "control/signing_keyring.h"
#include "crypto/hash.h"
#include "http/router.h"
#include "webhook/signature.h"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace eventhorn::control {

class Keys {
 public:
  /// Reads `directory`/api_key, signing_key and token_key, making those that are missing. `api_key`
  /// and `signing_key` from the environment win when not empty, the latter until the key was
  /// rotated by API (signing_keyring.h). kUnavailable when a file cannot be read or written,
  /// kCorruption for one that is damaged. `clock` must outlive the keys.
  static Result<Keys> load(const std::filesystem::path& directory, const std::string& api_key,
                           const std::string& signing_key, const Clock& clock);

  /// Whose key it is; null when it is none of ours. Compares SHA-256 digests in constant time. The
  /// caller's key_id is the last two groups of the key, as X-Mailgun-Key-Id shows it; 8 hex digits
  /// of its digest when it is not of Mailgun's form, since those groups might be most of the
  /// secret.
  std::shared_ptr<const http::Caller> find(std::string_view password) const;

  /// Whether what find() gave is still the holder of a key of ours: who waits long asks again.
  bool holds(const http::Caller& caller) const {
    return caller.account == account_->account && caller.key_id == account_->key_id;
  }

  /// What signs deliveries now.
  webhook::SigningKeys signing_keys() const { return signing_->keys(); }

  std::shared_ptr<const crypto::HmacKey> signing_key() const { return signing_keys().current; }

  /// For rotating the signing key.
  SigningKeyring& signing() { return *signing_; }

  const crypto::HmacKey& token_key() const { return *token_; }

  /// 24 hex digits, the same for the life of the data directory.
  const std::string& account_id() const { return account_->account; }

  /// True when the API key was made by this load: its place is worth telling.
  bool generated() const { return generated_; }

 private:
  crypto::Digest api_digest_{};
  std::shared_ptr<const http::Caller> account_;
  std::unique_ptr<SigningKeyring> signing_;
  std::shared_ptr<const crypto::HmacKey> token_;
  bool generated_ = false;
};

}  // namespace eventhorn::control
