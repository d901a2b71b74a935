// Idle connections of one client. Internal to outbound/. Lives on one core.
#pragma once

#include "outbound/connection.h"
#include "outbound/dialer.h"

#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

namespace eventhorn::outbound {

/// What connections are shared by: scheme, host, port, client certificate. Proxy and guard are the
/// same for all of a client, and the vetted address stands in each connection.
class ConnectionPool : public std::enable_shared_from_this<ConnectionPool> {
 public:
  struct Options {
    std::chrono::milliseconds idle_timeout{30'000};
    size_t max_per_target = 64;
    size_t max_total = 1024;
  };

  class Route;

  explicit ConnectionPool(Options options) : options_(options) {}

  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  /// The one route of this destination. Its idle connections are closed when
  /// nobody holds it any more.
  std::shared_ptr<Route> route(const Destination& to);

  /// The connection that was used last, among those that are quiet and whose address `is_current`;
  /// the ones that are not are closed. nullptr when none is left.
  std::unique_ptr<ClientConnection> take(
      Route& route, const std::function<bool(const net::IpAddress&)>& is_current);

  /// Keeps it, and closes the oldest one when there are too many.
  void put(Route& route, std::unique_ptr<ClientConnection> connection);

  /// Closes what has been idle for too long.
  void prune();

  /// Closes up to `count` connections, those first that have been idle the longest; how many it
  /// closed.
  size_t close_oldest(size_t count);

  bool empty() const { return idle_.empty(); }

 private:
  struct Idle {
    Route* route;
    std::unique_ptr<ClientConnection> connection;
  };

  using Place = std::list<Idle>::iterator;

  const Options options_;
  std::list<Idle> idle_;  // the oldest first
  std::unordered_map<std::string, std::weak_ptr<Route>> routes_;
};

class ConnectionPool::Route {
 public:
  Route(std::weak_ptr<ConnectionPool> pool, std::string key, Destination destination)
      : to(std::move(destination)), pool_(std::move(pool)), key_(std::move(key)) {}

  ~Route();
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

  const Destination to;
  size_t targets = 0;  // how many use it; each may keep its share of connections

 private:
  friend class ConnectionPool;

  std::weak_ptr<ConnectionPool> pool_;  // may be gone before
  const std::string key_;
  std::deque<Place> idle_;  // the oldest first, as in the pool
};

}  // namespace eventhorn::outbound
