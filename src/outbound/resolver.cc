#include "outbound/resolver.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace eventhorn::outbound {

using std::chrono::steady_clock;

std::vector<net::IpAddress> interleave(const std::vector<net::IpAddress>& addresses, size_t max) {
  std::vector<net::IpAddress> v4;
  std::vector<net::IpAddress> v6;
  for (const auto& a : addresses) (a.is_v4() ? v4 : v6).push_back(a);
  std::vector<net::IpAddress> out;
  for (size_t i = 0; i < std::max(v4.size(), v6.size()); ++i) {
    if (i < v6.size()) out.push_back(v6[i]);
    if (i < v4.size()) out.push_back(v4[i]);
  }
  if (out.size() > max) out.resize(max, net::IpAddress::v4({}));
  return out;
}

DnsResolver::DnsResolver(asio::any_io_executor executor, ResolverOptions options)
    : executor_(std::move(executor)), options_(std::move(options)) {}

DnsResolver::~DnsResolver() {
  for (auto& [host, lookup] : lookups_) lookup->query->stop();
}

Task<Result<std::vector<net::IpAddress>>> DnsResolver::resolve(std::string host,
                                                               Deadline deadline) {
  if (const auto literal = net::IpAddress::parse(host))
    co_return std::vector<net::IpAddress>(1, *literal);
  const auto found = hosts_.find(host);
  if (found != hosts_.end() && found->second.until > steady_clock::now()) {
    if (const auto& failure = found->second.failure) co_return fail(*failure);
    co_return found->second.addresses;
  }
  const auto lookup = begin(host);
  if (!lookup) co_return fail(Errc::kInternal, "too many host look-ups under way");
  const auto timer = std::make_shared<asio::steady_timer>(executor_, deadline);
  lookup->waiters.push_back(timer);
  auto [ec] = co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
  (void)ec;
  std::erase(lookup->waiters, timer);
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none)
    co_return fail(Errc::kCancelled, "interrupted");
  if (const auto& result = lookup->result) co_return *result;
  co_return fail(Errc::kTimeout, "no name server answered in time");
}

bool DnsResolver::still_has(const std::string& host, const net::IpAddress& address) {
  const auto found = hosts_.find(host);
  if (found == hosts_.end()) return false;
  const auto& addresses = found->second.addresses;
  const bool has = std::find(addresses.begin(), addresses.end(), address) != addresses.end();
  if (found->second.until <= steady_clock::now()) begin(host);
  return has;
}

std::shared_ptr<DnsResolver::Lookup> DnsResolver::begin(const std::string& host) {
  if (const auto running = lookups_.find(host); running != lookups_.end()) return running->second;
  if (lookups_.size() >= options_.max_lookups) return nullptr;
  auto lookup = std::make_shared<Lookup>();
  lookups_.emplace(host, lookup);
  lookup->query =
      DnsQuery::start(executor_, host, options_.query,
                      [this, host, lookup](auto answer) { end(host, lookup, std::move(answer)); });
  return lookup;
}

void DnsResolver::end(const std::string& host, const std::shared_ptr<Lookup>& lookup,
                      Result<DnsAnswer> answer) {
  lookups_.erase(host);
  if (answer) {
    Entry& e = entry(host);
    const std::chrono::milliseconds ttl = answer->ttl;
    e.until = steady_clock::now() + std::clamp(ttl, options_.min_ttl, options_.max_ttl);
    e.addresses = interleave(answer->addresses, options_.max_addresses);
    e.failure.reset();
    lookup->result = e.addresses;
  } else {
    lookup->result = fail(answer.error());
    // What fails for want of a descriptor says nothing about the host.
    if (answer.error().code != Errc::kInternal) {
      Entry& e = entry(host);
      e.until = steady_clock::now() + options_.failure_ttl;
      e.failure = answer.error();
      if (answer.error().code == Errc::kNotFound) e.addresses.clear();
    }
  }
  for (const auto& waiter : lookup->waiters) waiter->cancel();
}

DnsResolver::Entry& DnsResolver::entry(const std::string& host) {
  if (hosts_.size() >= options_.max_hosts && !hosts_.contains(host)) hosts_.erase(hosts_.begin());
  return hosts_[host];
}

}  // namespace eventhorn::outbound
