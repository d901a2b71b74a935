#include "outbound/connection.h"

#include "outbound/tls.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <cerrno>
#include <sys/socket.h>
#include <vector>

namespace eventhorn::outbound {

using asio::ip::tcp;
using boost::system::error_code;
using webhook::AttemptResult;
using webhook::FailureKind;

namespace {

constexpr auto kResult = asio::as_tuple(asio::use_awaitable);

}  // namespace

bool is_local_fault(const error_code& ec) {
  if (ec.category() != boost::system::system_category()) return false;
  switch (ec.value()) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
    case EADDRINUSE:
      return true;
    default:
      return false;
  }
}

struct ClientConnection::Tls {
  Tls(tcp::socket socket, SSL* ssl) : stream(std::move(socket), ssl) {}

  asio::ssl::stream<tcp::socket> stream;
};

ClientConnection::ClientConnection(tcp::socket socket, const net::IpAddress& address)
    : socket_(std::move(socket)), address_(address) {}

ClientConnection::~ClientConnection() = default;

tcp::socket& ClientConnection::tcp() {
  return tls_ ? tls_->stream.next_layer() : socket_;
}

Task<AttemptResult> ClientConnection::start_tls(ssl_ctx_st& context, std::string host) {
  SSL* ssl = make_client_ssl(context, host);
  if (ssl == nullptr) co_return failure(FailureKind::kLocal, "TLS: out of memory");
  tls_ = std::make_unique<Tls>(std::move(socket_), ssl);
  auto [ec] = co_await tls_->stream.async_handshake(asio::ssl::stream_base::client, kResult);
  if (!ec) co_return AttemptResult();
  if (timed_out) co_return failure(FailureKind::kTimeout, "timed out in the TLS handshake");
  if (ec == asio::error::operation_aborted)
    co_return failure(FailureKind::kCancelled, "interrupted");
  co_return failure(FailureKind::kTls, describe_tls_failure(ssl, ec));
}

Task<error_code> ClientConnection::write(std::span<const asio::const_buffer> parts) {
  if (tls_) {
    std::string joined;
    for (const auto& p : parts) joined.append(static_cast<const char*>(p.data()), p.size());
    auto [ec, n] = co_await asio::async_write(tls_->stream, asio::buffer(joined), kResult);
    co_return ec;
  }
  // Almost always the socket takes all at once, and no suspension is needed.
  error_code ec;
  size_t sent = socket_.write_some(parts, ec);
  if (ec && ec != asio::error::would_block) co_return ec;
  auto it = parts.begin();
  while (it != parts.end() && sent >= it->size()) sent -= (it++)->size();
  if (it == parts.end()) co_return error_code();
  std::vector<asio::const_buffer> left(it, parts.end());
  left.front() += sent;
  auto [rest, n] = co_await asio::async_write(socket_, left, kResult);
  co_return rest;
}

Task<error_code> ClientConnection::read_some() {
  constexpr size_t kChunk = 4096;
  const size_t old = input.size();
  input.resize(old + kChunk);
  const auto buffer = asio::buffer(input.data() + old, kChunk);
  if (tls_) {
    auto [ec, n] = co_await tls_->stream.async_read_some(buffer, kResult);
    input.resize(old + n);
    answered = answered || n > 0;
    co_return ec;
  }
  auto [waited] = co_await socket_.async_wait(tcp::socket::wait_read, kResult);
  error_code ec = waited;
  size_t n = 0;
  if (!ec) n = socket_.read_some(buffer, ec);
  input.resize(old + n);
  answered = answered || n > 0;
  co_return ec == asio::error::would_block ? error_code() : ec;
}

bool ClientConnection::is_quiet() {
  char byte = 0;
  if (!tls_) {
    const auto n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
  // The read takes in what TLS has to say for itself, such as session tickets, and sees what the
  // engine holds already. Of a record that has come in part only, the rest might be an answer.
  error_code ec;
  tls_->stream.read_some(asio::buffer(&byte, 1), ec);
  return ec == asio::error::would_block && SSL_has_pending(tls_->stream.native_handle()) == 0;
}

void ClientConnection::close() {
  error_code ignored;
  tcp().close(ignored);
}

AttemptResult ClientConnection::broken(const error_code& ec, const char* doing) const {
  if (timed_out) return failure(FailureKind::kTimeout, std::string("timed out while ") + doing);
  if (ec == asio::error::operation_aborted) return failure(FailureKind::kCancelled, "interrupted");
  // With TLS 1.3 a receiver refuses our certificate, or its absence, only after the handshake.
  if (tls_ && ec.category() == asio::error::get_ssl_category()) {
    auto& stream = tls_->stream;
    return failure(FailureKind::kTls, describe_tls_failure(stream.native_handle(), ec));
  }
  return failure(FailureKind::kClosed,
                 std::string("connection lost while ") + doing + ": " + ec.message());
}

}  // namespace eventhorn::outbound
