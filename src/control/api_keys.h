// The API keys: the installation's own, and those that were made by API. Of the latter the store
// keeps the SHA-256 and what is told of them, never the key. Thread-safe.
#pragma once

#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"
#include "control/keys.h"
#include "crypto/hash.h"
#include "store/values.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::control {

/// As in the API: "admin", "developer", "basic", "sending", "ingest", "bin".
std::string_view to_string(http::Role role);
std::optional<http::Role> parse_role(std::string_view text);

/// What is told of a key.
struct ApiKey {
  std::string id;  // the last two groups of the key
  http::Role role{};
  std::string kind = "user";  // or "domain", "web"
  std::string domain;         // of this one alone, lower case; empty: of all
  std::string description;
  std::string user_id;
  std::string user_name;
  std::string email;
  std::string requestor;  // the id of the key that asked for it
  SystemTime created;
  std::optional<SystemTime> expires;
  /// Since the process began; nullopt when it was not.
  std::optional<SystemTime> used;
};

class ApiKeys {
 public:
  /// So many may there be.
  static constexpr size_t kMaxKeys = 1000;

  /// Reads all. `installation`, `values` and `clock` must outlive this. kCorruption for one that is
  /// damaged.
  static Result<std::unique_ptr<ApiKeys>> load(const Keys& installation, store::Values& values,
                                               const Clock& clock);

  /// Whose key it is; null when it is none of ours, or has expired. Keys are found by their
  /// SHA-256, which is compared in constant time.
  std::shared_ptr<const http::Caller> find(std::string_view password);

  /// Whether what find() gave is still the holder of a key of ours: who waits long asks again.
  bool holds(const http::Caller& caller) const;

  struct Made {
    ApiKey key;
    std::string secret;  // shown now, and never again
  };

  /// `id` and `created` of the key are made here. kForbidden over kMaxKeys. Durable when it
  /// returns. Blocks on the disk; one call at a time.
  Result<Made> make(ApiKey key);

  /// Nobody holds the key any more when it returns, on any core. kNotFound "no key matching id".
  /// Blocks on the disk; one call at a time.
  Status remove(const std::string& id);

  /// Those made by API, the oldest first, expired ones too.
  std::vector<ApiKey> list() const;

 private:
  struct Entry {
    ApiKey key;
    crypto::Digest digest{};
    std::shared_ptr<const http::Caller> caller;
  };

  ApiKeys(const Keys& installation, store::Values& values, const Clock& clock)
      : installation_(installation), values_(values), clock_(clock) {}

  Entry entry(ApiKey key, const crypto::Digest& digest) const;

  size_t count() const;

  bool expired(const ApiKey& key) const { return key.expires && *key.expires <= clock_.now(); }

  const Keys& installation_;
  store::Values& values_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<crypto::Digest, Entry> by_digest_ GUARDED_BY(mutex_);
};

}  // namespace eventhorn::control
