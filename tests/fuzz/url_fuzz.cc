// Webhook URLs: never a crash, and an accepted one has exactly one reading.
#include "base/check.h"
#include "net/address.h"
#include "webhook/url.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace eventhorn;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string shown = webhook::masked(text);
  const auto url = webhook::parse_target_url(text);
  if (!url) {
    CHECK(!url.error().message.empty() && url.error().message.find('\n') == std::string::npos);
    return 0;
  }
  CHECK(url->port != 0 && !url->host.empty() && url->target.starts_with('/'));
  CHECK(url->target.find('#') == std::string::npos);
  const auto printable = [](char c) { return c > ' ' && c < '\x7f'; };
  CHECK(std::ranges::all_of(url->host + url->target + shown, printable));
  CHECK(url->host.find_first_of("@/?#%[]\\ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos);

  // A host is an address for the guard exactly when it is one here, and is written the guard's way.
  const auto address = net::IpAddress::parse(url->host);
  CHECK(address || url->host.find(':') == std::string::npos);
  CHECK(!address || address->to_string() == url->host);

  // Put together again from its parts it is the same URL.
  const bool v6 = address && !address->is_v4();
  const std::string again = std::string(to_string(url->scheme)) + "://" +
                            (v6 ? "[" + url->host + "]" : url->host) + ":" +
                            std::to_string(url->port) + url->target;
  const auto second = webhook::parse_target_url(again);
  if (again.size() <= webhook::kMaxUrlBytes) {
    CHECK(second && second->host == url->host && second->port == url->port &&
          second->target == url->target);
  }

  CHECK(url->user_info || shown == text);
  if (const auto hidden = webhook::parse_target_url(shown); hidden && url->user_info) {
    CHECK(hidden->host == url->host && hidden->target == url->target);
    CHECK(hidden->user_info->password == "***" ||
          *hidden->user_info == (webhook::UserInfo{"***", ""}));
  }
  return 0;
}
