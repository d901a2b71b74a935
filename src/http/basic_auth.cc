#include "http/basic_auth.h"

#include "base/strings.h"
#include "net/address.h"

#include <algorithm>

namespace eventhorn::http {
namespace {

constexpr size_t kMaxAuthorization = 1024;

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), is_control);
}

}  // namespace

std::optional<Credentials> parse_basic(std::string_view authorization) {
  constexpr std::string_view kScheme = "basic";
  if (authorization.size() > kMaxAuthorization || authorization.size() <= kScheme.size())
    return std::nullopt;
  if (!equals_ignore_case(authorization.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  authorization.remove_prefix(kScheme.size());
  const auto start = authorization.find_first_not_of(' ');
  if (start == 0 || start == std::string_view::npos) return std::nullopt;
  const auto decoded = base64_decode(authorization.substr(start));
  if (!decoded || has_control(*decoded)) return std::nullopt;
  const auto colon = decoded->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return Credentials{decoded->substr(0, colon), decoded->substr(colon + 1)};
}

std::string basic_credentials(std::string_view user, std::string_view password) {
  return "Basic " + base64_encode(std::string(user).append(":").append(password));
}

AuthLimiter::AuthLimiter(const Clock& clock) : AuthLimiter(clock, Options()) {}

AuthLimiter::AuthLimiter(const Clock& clock, Options options) : clock_(clock), options_(options) {}

std::optional<std::chrono::seconds> AuthLimiter::retry_after(std::string_view address) const {
  const auto now = clock_.steady_now();
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(net::network_of(address));
  if (found == by_key_.end()) return std::nullopt;
  const Window& window = *found->second;
  if (window.failures < options_.max_failures || window.end <= now) return std::nullopt;
  return std::chrono::ceil<std::chrono::seconds>(window.end - now);
}

void AuthLimiter::record_failure(std::string_view address) {
  const auto now = clock_.steady_now();
  auto key = net::network_of(address);
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) {
    if (found->second->end > now) {
      ++found->second->failures;
      return;
    }
    windows_.erase(found->second);
    by_key_.erase(found);
  }
  if (windows_.size() >= options_.max_addresses) {
    by_key_.erase(windows_.front().key);
    windows_.pop_front();
  }
  windows_.push_back({key, now + options_.window, 1});
  by_key_.emplace(std::move(key), std::prev(windows_.end()));
}

}  // namespace eventhorn::http
