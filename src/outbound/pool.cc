#include "outbound/pool.h"

#include <fmt/format.h>

#include <algorithm>

namespace eventhorn::outbound {

ConnectionPool::Route::~Route() {
  const auto pool = pool_.lock();
  if (!pool) return;
  for (const auto place : idle_) pool->idle_.erase(place);
  pool->routes_.erase(key_);
}

std::shared_ptr<ConnectionPool::Route> ConnectionPool::route(const Destination& to) {
  // The context stands for scheme and client certificate: there is one for each.
  auto key = fmt::format("{}|{}|{}", static_cast<const void*>(to.tls.get()), to.port, to.host);
  auto& known = routes_[key];
  auto route = known.lock();
  if (!route) {
    route = std::make_shared<Route>(weak_from_this(), std::move(key), to);
    known = route;
  }
  return route;
}

std::unique_ptr<ClientConnection> ConnectionPool::take(
    Route& route, const std::function<bool(const net::IpAddress&)>& is_current) {
  while (!route.idle_.empty()) {
    const Place place = route.idle_.back();
    auto connection = std::move(place->connection);
    idle_.erase(place);
    route.idle_.pop_back();
    if (connection->is_quiet() && is_current(connection->address())) return connection;
  }
  return nullptr;
}

void ConnectionPool::put(Route& route, std::unique_ptr<ClientConnection> connection) {
  connection->idle_since = std::chrono::steady_clock::now();
  route.idle_.push_back(idle_.insert(idle_.end(), Idle{&route, std::move(connection)}));
  if (route.idle_.size() > options_.max_per_target * std::max<size_t>(1, route.targets)) {
    idle_.erase(route.idle_.front());
    route.idle_.pop_front();
  }
  if (idle_.size() > options_.max_total) close_oldest(1);
}

void ConnectionPool::prune() {
  const auto now = std::chrono::steady_clock::now();
  while (!idle_.empty() && idle_.front().connection->idle_since + options_.idle_timeout < now)
    close_oldest(1);
}

size_t ConnectionPool::close_oldest(size_t count) {
  size_t closed = 0;
  for (; closed < count && !idle_.empty(); ++closed) {
    idle_.front().route->idle_.pop_front();
    idle_.pop_front();
  }
  return closed;
}

}  // namespace eventhorn::outbound
