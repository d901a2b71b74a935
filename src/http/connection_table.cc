#include "http/connection_table.h"

#include "base/check.h"
#include "net/address.h"

#include <algorithm>

namespace eventhorn::http {

void ConnectionTable::add(std::string_view address, ConnectionEntryPtr entry) {
  auto network = net::network_of(address);
  const std::lock_guard lock(mutex_);
  by_network_[std::move(network)].push_back(std::move(entry));
}

void ConnectionTable::remove(std::string_view address, const ConnectionEntry& entry) {
  const std::lock_guard lock(mutex_);
  const auto at = by_network_.find(net::network_of(address));
  CHECK(at != by_network_.end());
  auto& entries = at->second;
  const auto found =
      std::ranges::find(entries, &entry, [](const ConnectionEntryPtr& e) { return e.get(); });
  CHECK(found != entries.end());
  std::swap(*found, entries.back());
  entries.pop_back();
  if (entries.empty()) by_network_.erase(at);
}

ConnectionEntryPtr ConnectionTable::longest_useless(
    const std::vector<ConnectionEntryPtr>& entries) {
  ConnectionEntryPtr out;
  int64_t since = 0;
  for (const auto& entry : entries) {
    const int64_t candidate = entry->useless_since.load(std::memory_order_relaxed);
    if (entry->chosen || candidate == 0 || (out && candidate >= since)) continue;
    out = entry;
    since = candidate;
  }
  return out;
}

// Looks at all connections at worst: 8192 take less than the accept itself.
ConnectionEntryPtr ConnectionTable::choose() {
  const std::lock_guard lock(mutex_);
  ConnectionEntryPtr out;
  size_t most = 0;
  for (const auto& [network, entries] : by_network_) {
    if (entries.size() <= most) continue;
    auto candidate = longest_useless(entries);
    if (!candidate) continue;
    out = std::move(candidate);
    most = entries.size();
  }
  if (out) out->chosen = true;
  return out;
}

}  // namespace eventhorn::http
