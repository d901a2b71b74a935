#include "outbound/dialer.h"

#include "net/socket_address.h"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <utility>

namespace eventhorn::outbound {
namespace {

using std::chrono::steady_clock;
using webhook::AttemptResult;
using webhook::FailureKind;

/// Calls `close` at the deadline, unless it dies before.
class Watch {
 public:
  Watch(asio::any_io_executor executor, Deadline deadline, std::function<void()> close)
      : timer_(executor, deadline), close_(std::make_shared<std::function<void()>>(close)) {
    timer_.async_wait([weak = std::weak_ptr(close_)](const boost::system::error_code& ec) {
      const auto alive = weak.lock();
      if (alive && !ec) (*alive)();
    });
  }

 private:
  asio::steady_timer timer_;
  std::shared_ptr<std::function<void()>> close_;
};

AttemptResult not_resolved(const Error& error, const char* what) {
  if (error.code == Errc::kCancelled) return failure(FailureKind::kCancelled, error.message);
  const bool local = error.code == Errc::kInternal;
  return failure(local ? FailureKind::kLocal : FailureKind::kDns, what + error.message);
}

// What went wrong on the way to the proxy is not the receiver's fault.
AttemptResult at_proxy(AttemptResult result) {
  const bool known = result.kind == FailureKind::kCancelled || result.kind == FailureKind::kLocal ||
                     result.kind == FailureKind::kProxy;
  return known ? result : failure(FailureKind::kProxy, "proxy: " + result.error);
}

}  // namespace

Task<Attempted<std::unique_ptr<ClientConnection>>> Dialer::dial(const Destination& to,
                                                                Deadline deadline) {
  using Dialled = Attempted<std::unique_ptr<ClientConnection>>;
  webhook::Phases phases;
  auto begin = steady_clock::now();
  const auto lap = [&](std::chrono::microseconds& phase) {
    const auto end = steady_clock::now();
    phase = std::chrono::duration_cast<std::chrono::microseconds>(end - std::exchange(begin, end));
  };
  const auto end_with = [&](AttemptResult result) {
    result.phases = phases;
    return Dialled(tl::unexpect, std::move(result));
  };
  deadline = std::min(deadline, begin + options_.connect_timeout);
  const auto addresses = co_await resolver_.resolve(to.host, deadline);
  lap(phases.dns);
  if (!addresses) co_return end_with(not_resolved(addresses.error(), ""));
  // Judged here, and these very addresses are dialled: a name may have changed its meaning since it
  // was configured.
  auto vetted = vet(*addresses, to.port);
  if (!vetted) co_return end_with(std::move(vetted.error()));
  auto connected = co_await connect(*std::move(vetted), to.port, deadline);
  lap(phases.connect);
  if (!connected) co_return end_with(std::move(connected.error()));
  auto connection =
      std::make_unique<ClientConnection>(std::move(connected->socket), connected->address);
  if (to.tls) {
    const auto executor = co_await asio::this_coro::executor;
    const auto close = [c = connection.get()] {
      c->timed_out = true;
      c->close();
    };
    const Watch watch(executor, deadline, close);
    auto result = co_await connection->start_tls(*to.tls, to.host);
    lap(phases.tls);
    if (result.kind != FailureKind::kNone) co_return end_with(std::move(result));
  }
  connection->phases = phases;
  co_return connection;
}

Attempted<std::vector<net::IpAddress>> Dialer::vet(const std::vector<net::IpAddress>& addresses,
                                                   uint16_t port) const {
  std::vector<net::IpAddress> passed;
  std::string refusal;
  for (const auto& address : addresses) {
    if (const auto allowed = guard_.check(address); !allowed) {
      refusal = allowed.error().message;
    } else if (port == *options_.own_port && net::is_own_address(address)) {
      refusal = "target address is not allowed (our own server)";
    } else {
      passed.push_back(address);
    }
  }
  if (passed.empty()) return failed(FailureKind::kBlocked, refusal);
  return passed;
}

Task<Attempted<Connected>> Dialer::connect(std::vector<net::IpAddress> addresses, uint16_t port,
                                           Deadline deadline) {
  const auto& proxy = options_.proxy;
  if (!proxy) {
    auto direct = co_await connect_first(std::move(addresses), port, options_.connect, deadline);
    co_return direct;
  }
  const auto resolved = co_await resolver_.resolve(proxy->host, deadline);
  if (!resolved)
    co_return Attempted<Connected>(tl::unexpect, at_proxy(not_resolved(resolved.error(), "")));
  Attempted<Connected> last = failed(FailureKind::kProxy, "proxy: no answer in time");
  for (size_t i = 0; i < addresses.size(); ++i) {
    const auto now = steady_clock::now();
    if (now >= deadline) break;
    // One address that the proxy can't reach must not use up the time of the others.
    const auto share = (deadline - now) / static_cast<int64_t>(addresses.size() - i);
    last = co_await tunnel(*proxy, *resolved, addresses[i], port, now + share);
    if (last || last.error().kind == FailureKind::kCancelled ||
        last.error().kind == FailureKind::kLocal) {
      break;
    }
  }
  co_return last;
}

Task<Attempted<Connected>> Dialer::tunnel(const Proxy& proxy,
                                          std::vector<net::IpAddress> proxy_addresses,
                                          net::IpAddress to, uint16_t port, Deadline deadline) {
  auto connected =
      co_await connect_first(std::move(proxy_addresses), proxy.port, options_.connect, deadline);
  if (!connected)
    co_return Attempted<Connected>(tl::unexpect, at_proxy(std::move(connected.error())));
  bool timed_out = false;
  AttemptResult result;
  {
    const auto close = [&] {
      timed_out = true;
      boost::system::error_code ignored;
      connected->socket.close(ignored);
    };
    const auto executor = connected->socket.get_executor();
    const Watch watch(executor, deadline, close);
    result = co_await open_tunnel(connected->socket, proxy, net::to_endpoint(to, port));
  }
  // The proxy took the connection: it waits for the receiver.
  if (timed_out)
    co_return failed(FailureKind::kTimeout, "connect: the proxy did not connect in time");
  if (result.kind != FailureKind::kNone)
    co_return Attempted<Connected>(tl::unexpect, std::move(result));
  connected->address = to;
  co_return connected;
}

}  // namespace eventhorn::outbound
