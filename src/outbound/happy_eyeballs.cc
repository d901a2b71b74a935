#include "outbound/happy_eyeballs.h"

#include "net/socket_address.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <deque>
#include <list>
#include <memory>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>

namespace eventhorn::outbound {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
using webhook::FailureKind;

/// The attempts at one host. Shared by the caller and the operations under way, which may end after
/// the caller has.
class Race : public std::enable_shared_from_this<Race> {
 public:
  Race(asio::any_io_executor executor, std::vector<net::IpAddress> addresses, uint16_t port,
       const ConnectOptions& options, Deadline deadline)
      : executor_(executor),
        left_(addresses.begin(), addresses.end()),
        port_(port),
        options_(options),
        next_(executor),
        decided_(executor, deadline) {}

  /// Ends when the race is decided, at the deadline, or when the caller is cancelled.
  asio::steady_timer& decided() { return decided_; }

  void start_next() {
    if (over_) return;
    next_.cancel();
    while (!left_.empty()) {
      const net::IpAddress address = left_.front();
      left_.pop_front();
      const auto at = running_.emplace(running_.end(), executor_);
      const error_code ec = prepare(*at, address);
      if (!ec) {
        at->async_connect(net::to_endpoint(address, port_),
                          [self = shared_from_this(), at, address](const error_code& result) {
                            self->on_connect(at, address, result);
                          });
        return wait_for_next();
      }
      running_.erase(at);
      note(ec);
    }
    if (running_.empty()) decide();
  }

  /// Closes what is under way; callbacks that still come change nothing.
  void stop() {
    over_ = true;
    next_.cancel();
    error_code ignored;
    for (auto& socket : running_) socket.close(ignored);
  }

  Attempted<Connected> take_result(bool cancelled) {
    if (winner_) return std::move(*winner_);
    if (cancelled) return failed(FailureKind::kCancelled, "interrupted");
    if (!running_.empty()) return failed(FailureKind::kConnect, "connect timed out");
    // What one family lacks here is no excuse for a receiver that refused at the other's address.
    if (local_fault_ && !error_)
      return failed(FailureKind::kLocal, "can't connect from here: " + local_fault_.message());
    return failed(FailureKind::kConnect, "connect: " + error_.message());
  }

 private:
  using Running = std::list<tcp::socket>;

  // Opens and binds.
  error_code prepare(tcp::socket& socket, const net::IpAddress& address) const {
    error_code ec;
    const auto endpoint = net::to_endpoint(address, port_);
    socket.open(endpoint.protocol(), ec);
    if (ec || options_.source_addresses.empty()) return ec;
    const auto& sources = options_.source_addresses;
    const auto source = std::find_if(sources.begin(), sources.end(), [&](const net::IpAddress& s) {
      return s.is_v4() == endpoint.address().is_v4();
    });
    if (source == sources.end()) return asio::error::address_family_not_supported;
    // The port is chosen when connecting, so that one local port can serve many receivers.
    const int on = 1;
    ::setsockopt(socket.native_handle(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    socket.bind(net::to_endpoint(*source, 0), ec);
    return ec;
  }

  void wait_for_next() {
    if (left_.empty()) return;
    next_.expires_after(options_.attempt_delay);
    next_.async_wait([self = shared_from_this()](const error_code& ec) {
      if (!ec) self->start_next();
    });
  }

  void on_connect(Running::iterator at, const net::IpAddress& address, const error_code& ec) {
    if (over_) return;
    if (ec) {
      running_.erase(at);
      note(ec);
      return start_next();
    }
    error_code ignored;
    at->set_option(tcp::no_delay(true), ignored);
    at->non_blocking(true, ignored);
    winner_.emplace(Connected{std::move(*at), address});
    running_.erase(at);
    decide();
  }

  void note(const error_code& ec) { (is_local_fault(ec) ? local_fault_ : error_) = ec; }

  void decide() {
    over_ = true;
    // Not cancel(): the caller may begin to wait only after this.
    decided_.expires_at(SteadyTime::min());
  }

  asio::any_io_executor executor_;
  std::deque<net::IpAddress> left_;
  uint16_t port_;
  ConnectOptions options_;
  asio::steady_timer next_;
  asio::steady_timer decided_;
  Running running_;
  std::optional<Connected> winner_;
  error_code error_;
  error_code local_fault_;
  bool over_ = false;
};

}  // namespace

Task<Attempted<Connected>> connect_first(std::vector<net::IpAddress> addresses, uint16_t port,
                                         const ConnectOptions& options, Deadline deadline) {
  const auto executor = co_await asio::this_coro::executor;
  const auto race = std::make_shared<Race>(executor, std::move(addresses), port, options, deadline);
  race->start_next();
  auto [ec] = co_await race->decided().async_wait(asio::as_tuple(asio::use_awaitable));
  (void)ec;
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  auto result = race->take_result(cancellation.cancelled() != asio::cancellation_type::none);
  race->stop();
  co_return result;
}

}  // namespace eventhorn::outbound
