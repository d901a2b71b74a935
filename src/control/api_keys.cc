#include "control/api_keys.h"

#include "base/strings.h"
#include "crypto/random.h"
#include "store/codec.h"

#include <algorithm>
#include <array>
#include <utility>

namespace eventhorn::control {
namespace {

using http::Role;

constexpr std::string_view kPrefix = "apikey/";
constexpr uint8_t kVersion = 1;
constexpr std::array<std::pair<Role, std::string_view>, 6> kRoles = {{
    {Role::kAdmin, "admin"},
    {Role::kDeveloper, "developer"},
    {Role::kBasic, "basic"},
    {Role::kSending, "sending"},
    {Role::kIngest, "ingest"},
    {Role::kBin, "bin"},
}};

std::string value_key(std::string_view id) {
  return std::string(kPrefix).append(id);
}

std::string encode(const ApiKey& key, const crypto::Digest& digest) {
  store::codec::Writer w;
  w.u8(kVersion);
  w.text(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
  w.u8(static_cast<uint8_t>(key.role));
  for (const auto* text : {&key.kind, &key.domain, &key.description, &key.user_id, &key.user_name,
                           &key.email, &key.requestor})
    w.text(*text);
  w.i64(to_micros(key.created));
  w.u8(key.expires ? 1 : 0);
  if (key.expires) w.i64(to_micros(*key.expires));
  return w.take();
}

tl::unexpected<Error> damaged() {
  return fail(Errc::kCorruption, "damaged API key in the store");
}

Result<std::pair<ApiKey, crypto::Digest>> decode(std::string id, std::string_view value) {
  store::codec::Reader in(value);
  const uint8_t version = in.u8();
  if (version > kVersion)
    return fail(Errc::kCorruption, "API keys in the store are of a newer version of eventhorn");
  ApiKey key;
  key.id = std::move(id);
  crypto::Digest digest;
  const auto bytes = in.text();
  if (version == 0 || bytes.size() != digest.size()) return damaged();
  std::ranges::copy(bytes, digest.begin());
  const uint8_t role = in.u8();
  if (role >= kRoles.size()) return damaged();
  key.role = static_cast<Role>(role);
  for (auto* text : {&key.kind, &key.domain, &key.description, &key.user_id, &key.user_name,
                     &key.email, &key.requestor})
    *text = std::string(in.text());
  key.created = from_micros(in.i64());
  if (in.u8() != 0) key.expires = from_micros(in.i64());
  if (!in.done()) return damaged();
  return std::pair(std::move(key), digest);
}

std::string random_hex(size_t bytes) {
  return to_hex(crypto::random_bytes(bytes));
}

}  // namespace

std::string_view to_string(Role role) {
  return kRoles[static_cast<size_t>(role)].second;
}

std::optional<Role> parse_role(std::string_view text) {
  const auto found = std::ranges::find(kRoles, text, &std::pair<Role, std::string_view>::second);
  return found == kRoles.end() ? std::nullopt : std::optional(found->first);
}

Result<std::unique_ptr<ApiKeys>> ApiKeys::load(const Keys& installation, store::Values& values,
                                               const Clock& clock) {
  std::unique_ptr<ApiKeys> out(new ApiKeys(installation, values, clock));
  TRY(const auto kept, values.load_values(std::string(kPrefix)));
  const MutexLock lock(out->mutex_);
  for (const auto& [name, value] : kept) {
    TRY(auto decoded, decode(name.substr(kPrefix.size()), value));
    const auto digest = decoded.second;
    out->by_digest_.emplace(digest, out->entry(std::move(decoded.first), digest));
  }
  return out;
}

ApiKeys::Entry ApiKeys::entry(ApiKey key, const crypto::Digest& digest) const {
  auto caller = std::make_shared<http::Caller>();
  caller->account = installation_.account_id();
  caller->key_id = key.id;
  caller->role = key.role;
  caller->domain = key.domain;
  return {std::move(key), digest, std::move(caller)};
}

std::shared_ptr<const http::Caller> ApiKeys::find(std::string_view password) {
  if (auto caller = installation_.find(password)) return caller;
  const auto digest = crypto::sha256(password);
  const MutexLock lock(mutex_);
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end() || expired(found->second.key)) return nullptr;
  found->second.key.used = clock_.now();
  return found->second.caller;
}

bool ApiKeys::holds(const http::Caller& caller) const {
  if (installation_.holds(caller)) return true;
  const MutexLock lock(mutex_);
  return std::ranges::any_of(by_digest_, [&](const auto& item) {
    const auto& [digest, entry] = item;
    return entry.caller.get() == &caller && !expired(entry.key);
  });
}

Result<ApiKeys::Made> ApiKeys::make(ApiKey key) {
  if (count() >= kMaxKeys)
    return fail(Errc::kForbidden, "could not create key, account limit reached");
  key.id = random_hex(4) + "-" + random_hex(4);
  const std::string secret = random_hex(16) + "-" + key.id;
  key.created = clock_.now();
  const auto digest = crypto::sha256(secret);
  TRY_STATUS(values_.save_value(value_key(key.id), encode(key, digest)));
  const MutexLock lock(mutex_);
  by_digest_.emplace(digest, entry(key, digest));
  return Made{std::move(key), secret};
}

// It is forgotten by the store first: what a crash leaves is a key that its owner can delete again,
// never one that comes back.
Status ApiKeys::remove(const std::string& id) {
  const auto all = list();
  if (std::ranges::find(all, id, &ApiKey::id) == all.end())
    return fail(Errc::kNotFound, "no key matching id");
  TRY_STATUS(values_.remove_value(value_key(id)));
  const MutexLock lock(mutex_);
  std::erase_if(by_digest_, [&](const auto& item) { return item.second.key.id == id; });
  return {};
}

size_t ApiKeys::count() const {
  const MutexLock lock(mutex_);
  return by_digest_.size();
}

std::vector<ApiKey> ApiKeys::list() const {
  std::vector<ApiKey> out;
  {
    const MutexLock lock(mutex_);
    for (const auto& [digest, entry] : by_digest_) out.push_back(entry.key);
  }
  std::ranges::sort(out, {}, [](const ApiKey& key) { return std::pair(key.created, key.id); });
  return out;
}

}  // namespace eventhorn::control
