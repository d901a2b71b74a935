#include "bin/own_bins.h"

#include "net/address.h"
#include "net/socket_address.h"

#include <algorithm>

namespace eventhorn::bin {

std::optional<std::string_view> find_id(std::string_view target) {
  constexpr std::string_view kBins = "/bin/";
  if (!target.starts_with(kBins)) return std::nullopt;
  target.remove_prefix(kBins.size());
  const auto id = target.substr(0, target.find_first_of("/?"));
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (id.size() != Bins::kIdDigits || !std::ranges::all_of(id, is_hex)) return std::nullopt;
  return id;
}

bool OwnBins::has(const webhook::TargetUrl& url) const {
  const auto id = find_id(url.target);
  if (!id) return false;
  if (names_.answers_to(url.host)) return true;
  const auto address = net::IpAddress::parse(url.host);
  return address && (net::is_own_address(*address) || bins_.has(*id));
}

}  // namespace eventhorn::bin
