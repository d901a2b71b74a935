// One look-up of one host by c-ares, over the core's io_context. Internal to outbound/: callers ask
// a Resolver, which caches.
//
// Each look-up has a c-ares channel of its own: it ends when we say so, a change of the system's
// configuration is seen at once, and its sockets have ports that nobody could guess from an earlier
// one's.
#pragma once

#include "async/task.h"
#include "base/result.h"
#include "net/address.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace eventhorn::outbound {

struct DnsQueryOptions {
  /// "ip", "ip:port" or "[ip]:port". Empty: the system's, with its search list for short names.
  std::vector<std::string> servers{};
  /// Of the whole look-up; a single name server gets a quarter of it before the next is asked.
  std::chrono::milliseconds timeout{4000};
};

struct DnsAnswer {
  std::vector<net::IpAddress> addresses;  // not empty; in the order of the answer, IPv4 first
  /// The smallest of the records'; zero for what is not from DNS, and when one address family has
  /// not answered: then there may be more to know soon.
  std::chrono::seconds ttl{0};
};

/// Lives on its executor, which also runs `done`. Owned by whoever started it and by its pending
/// operations.
class DnsQuery {
 public:
  /// kNotFound: the name has no address, and that is certain. kTimeout: no name server answered in
  /// time. kUnavailable: they answered with failures or can't be reached. kInternal: no socket can
  /// be opened on this machine.
  using Done = std::function<void(Result<DnsAnswer>)>;

  /// The hosts file decides alone when it has the name, as glibc does; `localhost` is never asked
  /// of a name server (RFC 6761 section 6.3). A and AAAA are asked at once; when one has brought
  /// addresses the other has 250 ms more. `done` is called once, not from within start().
  static std::shared_ptr<DnsQuery> start(asio::any_io_executor executor, const std::string& host,
                                         const DnsQueryOptions& options, Done done);
  virtual ~DnsQuery() = default;

  /// Ends it without calling `done`. Idempotent.
  virtual void stop() = 0;
};

}  // namespace eventhorn::outbound
