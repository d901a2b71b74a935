#include "http/server.h"

#include "async/block_on.h"
#include "base/check.h"
#include "base/log.h"
#include "http/server_core.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace eventhorn::http {
namespace {

using asio::ip::tcp;

constexpr int kBacklog = 1024;
// Connections over the limit, while others close for them or they are told that there is no room;
// beyond that they wait in the kernel's queue.
constexpr size_t kMaxExtra = 128;
constexpr std::chrono::milliseconds kExtraPause{1};
constexpr std::chrono::milliseconds kAcceptPause{
    100};  // out of descriptors: some may be free later

}  // namespace

struct Server::Impl {
  Impl(Cores& c, ServerOptions options, Admit admit)
      : cores(c),
        state(std::move(options), std::move(admit)),
        acceptor(c.at(0)),
        accepting(c.at(0).get_executor(), state.clock) {
    for (size_t i = 0; i < c.size(); ++i)
      per_core.push_back(std::make_unique<ServerCore>(state, c.at(i), i));
  }

  Task<void> accept_loop();
  void deal(tcp::socket socket, size_t index);
  bool make_room();

  Cores& cores;
  ServerState state;
  std::vector<std::unique_ptr<ServerCore>> per_core;
  tcp::acceptor acceptor;  // on core 0, like its loop
  TaskGroup accepting;
  bool listening = false;
};

Task<void> Server::Impl::accept_loop() {
  for (size_t next = 0; acceptor.is_open(); next = (next + 1) % per_core.size()) {
    while (acceptor.is_open() && state.connections >= state.options.max_connections + kMaxExtra) {
      make_room();
      co_await sleep_until(state.clock, state.clock.steady_now() + kExtraPause);
    }
    auto& target = per_core[next]->context;
    auto [ec, socket] = co_await acceptor.async_accept(target, asio::as_tuple(asio::use_awaitable));
    if (!ec) {
      deal(std::move(socket), next);
    } else if (acceptor.is_open()) {
      log_warn("http", "accept failed: {}", ec.message());
      co_await sleep_until(state.clock, state.clock.steady_now() + kAcceptPause);
    }
  }
}

// Closes a connection that is of no use; false when there is none.
bool Server::Impl::make_room() {
  const auto entry = state.table.choose();
  if (!entry) return false;
  asio::post(per_core[entry->core]->context, [entry] {
    if (entry->connection == nullptr) return;
    if (entry->is_useless()) {
      entry->connection->abort();
    } else {
      entry->chosen = false;
    }
  });
  return true;
}

void Server::Impl::deal(tcp::socket socket, size_t index) {
  const size_t before = state.connections++;
  const bool overloaded = before >= state.options.max_connections && !make_room();
  auto tls = state.options.tls ? state.options.tls->current() : nullptr;
  auto& core = *per_core[index];
  asio::post(core.context,
             [&core, s = std::move(socket), t = std::move(tls), overloaded]() mutable {
               core.adopt(std::move(s), std::move(t), overloaded);
             });
}

Server::Server(Cores& cores, ServerOptions options, Admit admit)
    : impl_(std::make_unique<Impl>(cores, std::move(options), std::move(admit))) {}

Server::~Server() {
  CHECK(!impl_->listening);
}

Result<uint16_t> Server::listen() {
  auto& self = *impl_;
  const auto& options = self.state.options;
  boost::system::error_code ec;
  const auto& listen = options.origin;
  const auto address = asio::ip::make_address(listen.listen_address, ec);
  if (ec)
    return fail(Errc::kInvalidArgument,
                "listen address '" + listen.listen_address + "': must be an IP address");
  const tcp::endpoint endpoint(address, listen.listen_port);
  self.acceptor.open(endpoint.protocol(), ec);
  if (!ec) self.acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec && address.is_v6()) self.acceptor.set_option(asio::ip::v6_only(false), ec);
  if (!ec) self.acceptor.bind(endpoint, ec);
  if (!ec) self.acceptor.listen(kBacklog, ec);
  if (ec) {
    return fail(Errc::kUnavailable, "can't listen on " + listen.listen_address + " port " +
                                        std::to_string(listen.listen_port) + ": " + ec.message());
  }
  const uint16_t port = self.acceptor.local_endpoint().port();
  auto origin = listen;
  origin.listen_port = port;
  origin.tls = options.tls != nullptr;
  self.state.origin = std::make_unique<OriginPolicy>(std::move(origin));
  self.listening = true;
  return port;
}

void Server::serve() {
  auto& self = *impl_;
  for (auto& core : self.per_core) asio::post(core->context, [&core = *core] { core.start(); });
  asio::post(self.cores.at(0),
             [&self] { self.accepting.spawn("http accept", self.accept_loop()); });
}

void Server::stop_accepting() {
  auto& self = *impl_;
  self.state.draining = true;
  asio::post(self.cores.at(0), [&self] {
    boost::system::error_code ignored;
    self.acceptor.close(ignored);
  });
  for (auto& core : self.per_core)
    asio::post(core->context, [&core = *core] { core.close_idle(); });
}

void Server::drain(Deadline deadline) {
  auto& self = *impl_;
  if (!self.listening) return;
  stop_accepting();
  // Once the acceptor's loop has ended nothing more is handed to the cores. The futures own the
  // coroutines.
  block_on(self.cores.at(0).get_executor(), self.accepting.join(Deadline::max()));
  for (auto& core : self.per_core) {
    block_on(core->context.get_executor(), core->drain(deadline));
  }
  self.listening = false;
}

}  // namespace eventhorn::http
