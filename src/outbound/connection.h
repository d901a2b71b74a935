// One connection of the client, plain or TLS, in use by one request at a time. Internal to
// outbound/.
#pragma once

#include "async/task.h"
#include "net/address.h"
#include "outbound/attempted.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <span>
#include <string>

struct ssl_ctx_st;  // SSL_CTX

namespace eventhorn::outbound {

/// Lives on its socket's core. Whoever owns it closes it at its deadline.
class ClientConnection {
 public:
  /// `address`: the vetted address that is reached, be it through a proxy.
  ClientConnection(asio::ip::tcp::socket socket, const net::IpAddress& address);
  ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  const net::IpAddress& address() const { return address_; }

  /// Speaks TLS from here on: the peer's certificate must be good for `host`, a name or an IP
  /// literal. kTls with one line that says why not (reliability R20).
  Task<webhook::AttemptResult> start_tls(ssl_ctx_st& context, std::string host);

  Task<boost::system::error_code> write(std::span<const asio::const_buffer> parts);

  /// Appends to `input`, at least one byte without error.
  Task<boost::system::error_code> read_some();

  /// Whether the peer has neither closed nor sent what nobody asked for: an answer to no request
  /// must not be taken for the next one's (reliability R12).
  bool is_quiet();

  void close();

  /// The attempt's result when reading or writing ended with `ec` while `doing` so.
  webhook::AttemptResult broken(const boost::system::error_code& ec, const char* doing) const;

  std::string input;  // received and not yet parsed
  std::string head;   // of the request
  SteadyTime idle_since{};
  Deadline deadline = Deadline::max();
  bool timed_out = false;  // closed at the deadline
  bool answered = false;   // a byte of the current answer has come
  webhook::Phases phases;  // of its making

 private:
  struct Tls;

  asio::ip::tcp::socket& tcp();

  asio::ip::tcp::socket socket_;
  net::IpAddress address_;
  std::unique_ptr<Tls> tls_;  // owns the socket once it is there
};

}  // namespace eventhorn::outbound
