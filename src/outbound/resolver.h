// Host names to addresses, without blocking a thread.
#pragma once

#include "async/task.h"
#include "base/result.h"
#include "net/address.h"
#include "outbound/dns_query.h"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace eventhorn::outbound {

class Resolver {
 public:
  virtual ~Resolver() = default;

  /// The addresses of `host`, at least one, by the caller's deadline. An IP literal is its own
  /// address. Nothing is judged here: that is the address guard's.
  ///
  /// kNotFound "host not found" when it has none for certain; kTimeout or kUnavailable when no name
  /// server could tell; kCancelled; kInternal when this machine is short of descriptors.
  virtual Task<Result<std::vector<net::IpAddress>>> resolve(std::string host,
                                                            Deadline deadline) = 0;
};

struct ResolverOptions {
  DnsQueryOptions query{};
  /// Bounds of the time that an answer counts, whatever its TTL says.
  std::chrono::milliseconds min_ttl{1000};
  std::chrono::milliseconds max_ttl{5 * 60 * 1000};
  /// How long a failure counts, so that a broken name is not asked for all the time.
  std::chrono::milliseconds failure_ttl{3000};
  /// Used of one answer.
  size_t max_addresses = 16;
  /// In the cache; beyond it some are forgotten.
  size_t max_hosts = 10'000;
  /// Look-ups under way; further ones fail.
  size_t max_lookups = 1024;
};

/// Asks DNS and keeps the answers. One look-up per host at a time, shared by all who wait; it may
/// take longer than any of them waits. Lives on one core.
class DnsResolver final : public Resolver {
 public:
  DnsResolver(asio::any_io_executor executor, ResolverOptions options);
  /// Ends look-ups that are under way. Nobody may be waiting, or the core's loop must have stopped.
  ~DnsResolver() override;
  DnsResolver(const DnsResolver&) = delete;
  DnsResolver& operator=(const DnsResolver&) = delete;

  /// The addresses alternate between the families, IPv6 first (RFC 8305 section 4).
  Task<Result<std::vector<net::IpAddress>>> resolve(std::string host, Deadline deadline) override;

  /// Whether the last answer for `host` has `address`: what a connection that is kept needs to know
  /// (reliability R21). When that answer has become old a new look-up begins, without waiting for
  /// it; a look-up that fails, unless the name is gone, leaves the last answer in place. False for
  /// a host that was never resolved, or is forgotten.
  bool still_has(const std::string& host, const net::IpAddress& address);

 private:
  struct Entry {
    SteadyTime until{};
    std::vector<net::IpAddress> addresses;  // the last that were found
    std::optional<Error> failure;           // of the last look-up
  };

  struct Lookup {
    std::shared_ptr<DnsQuery> query;
    std::optional<Result<std::vector<net::IpAddress>>> result;
    std::vector<std::shared_ptr<asio::steady_timer>> waiters;
  };

  std::shared_ptr<Lookup> begin(const std::string& host);
  void end(const std::string& host, const std::shared_ptr<Lookup>& lookup,
           Result<DnsAnswer> answer);
  Entry& entry(const std::string& host);

  asio::any_io_executor executor_;
  const ResolverOptions options_;
  std::unordered_map<std::string, Entry> hosts_;
  std::unordered_map<std::string, std::shared_ptr<Lookup>> lookups_;
};

/// IPv6 and IPv4 in turns, IPv6 first, each family in its order, at most `max`.
std::vector<net::IpAddress> interleave(const std::vector<net::IpAddress>& addresses, size_t max);

}  // namespace eventhorn::outbound
