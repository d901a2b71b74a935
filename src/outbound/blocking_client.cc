#include "outbound/blocking_client.h"

#include "base/strings.h"
#include "net/authority.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <array>
#include <limits>
#include <netinet/tcp.h>

namespace eventhorn::outbound {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kPiece = size_t{64} << 10;
// A server that is gone without a word is noticed after so long.
constexpr int kKeepAliveIdle = 20;
constexpr int kUserTimeoutMs = 60'000;

using Socket = tcp::socket;
using TlsSocket = asio::ssl::stream<tcp::socket>;

void watch(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>(kKeepAliveIdle),
                    ignored);
  socket.set_option(
      asio::detail::socket_option::integer<IPPROTO_TCP, TCP_USER_TIMEOUT>(kUserTimeoutMs), ignored);
}

}  // namespace

Result<ServerAddress> ServerAddress::parse(std::string_view url) {
  ServerAddress out;
  std::string_view rest = url;
  out.tls = rest.starts_with("https://");
  if (!out.tls && !rest.starts_with("http://"))
    return fail(Errc::kInvalidArgument, "the server's URL must begin with http:// or https://");
  rest.remove_prefix(out.tls ? 8 : 7);
  const auto slash = std::min(rest.find('/'), rest.size());
  const auto authority = net::parse_authority(rest.substr(0, slash));
  out.prefix = std::string(rest.substr(slash));
  while (out.prefix.ends_with('/')) out.prefix.pop_back();
  if (!authority || out.prefix.find_first_of("?# ") != std::string::npos)
    return fail(Errc::kInvalidArgument,
                "the server's URL must be http(s)://host[:port][/prefix]: " + clipped(url, 200));
  out.host = authority->name;
  out.port = std::to_string(authority->port.value_or(out.tls ? 443 : 80));
  return out;
}

struct BlockingClient::Impl {
  Impl(ServerAddress s, std::string key)
      : server(std::move(s)), authorization("Basic " + base64_encode("api:" + key)) {}

  Status unreachable(const std::string& why) {
    is_unreachable = true;
    return fail(Errc::kUnavailable, "no server at " + server.host + ":" + server.port + ": " + why);
  }

  Status connect() {
    error_code ec;
    tcp::resolver resolver(context);
    const auto found = resolver.resolve(server.host, server.port, ec);
    if (ec) return unreachable(ec.message());
    Socket socket(context);
    asio::connect(socket, found, ec);
    if (ec) return unreachable(ec.message());
    watch(socket);
    if (!server.tls) {
      plain.emplace(std::move(socket));
      return {};
    }
    if (!trust) {
      trust.emplace(asio::ssl::context::tls_client);
      trust->set_default_verify_paths(ec);
      trust->set_verify_mode(asio::ssl::verify_peer, ec);
      trust->set_verify_callback(asio::ssl::host_name_verification(server.host), ec);
    }
    tls.emplace(std::move(socket), *trust);
    SSL_set_tlsext_host_name(tls->native_handle(), server.host.c_str());
    tls->handshake(asio::ssl::stream_base::client, ec);
    if (ec) return unreachable("TLS: " + ec.message());
    return {};
  }

  void close() {
    parser.reset();
    tls.reset();
    plain.reset();
    buffer.clear();
  }

  bool is_open() const { return plain || tls; }

  template <class F>
  auto with_stream(F f) {
    return tls ? f(*tls) : f(*plain);
  }

  // False when the connection is of no use.
  bool try_send(const http::request<http::span_body<const char>>& message) {
    parser.emplace();
    parser->body_limit(std::numeric_limits<uint64_t>::max());
    error_code ec;
    with_stream([&](auto& stream) {
      http::write(stream, message, ec);
      // A server that refuses a body may say why before it has read it.
      error_code read_ec;
      http::read_header(stream, buffer, *parser, read_ec);
      ec = read_ec;
    });
    if (ec) error = ec.message();
    return !ec;
  }

  const ServerAddress server;
  const std::string authorization;
  asio::io_context context;
  std::optional<asio::ssl::context> trust;
  std::optional<Socket> plain;
  std::optional<TlsSocket> tls;
  boost::beast::flat_buffer buffer;
  std::optional<http::response_parser<http::buffer_body>> parser;  // of the answer being read
  std::string error;
  bool is_unreachable = false;
};

BlockingClient::BlockingClient(ServerAddress server, std::string key)
    : impl_(std::make_unique<Impl>(std::move(server), std::move(key))) {}

BlockingClient::~BlockingClient() = default;

bool BlockingClient::is_unreachable() const {
  return impl_->is_unreachable;
}

Result<BlockingClient::Head> BlockingClient::send(const Request& request) {
  auto& self = *impl_;
  self.is_unreachable = false;
  const bool may_go_on =
      self.is_open() && self.parser && self.parser->is_done() && self.parser->keep_alive();
  if (!may_go_on) self.close();

  http::request<http::span_body<const char>> message;
  message.method_string(request.method);
  message.target(self.server.prefix + request.target);
  message.version(11);
  const bool is_ipv6 = self.server.host.find(':') != std::string::npos;
  message.set(http::field::host,
              (is_ipv6 ? "[" + self.server.host + "]" : self.server.host) + ":" + self.server.port);
  message.set(http::field::authorization, self.authorization);
  message.set(http::field::user_agent, "eventhorn");
  if (!request.content_type.empty()) message.set(http::field::content_type, request.content_type);
  message.body() = {request.body.data(), request.body.size()};
  message.prepare_payload();

  bool sent = may_go_on && self.try_send(message);
  if (!sent) {  // one that was kept may have been closed meanwhile
    self.close();
    TRY_STATUS(self.connect());
    sent = self.try_send(message);
  }
  if (!sent) {
    self.close();
    return fail(Errc::kUnavailable, "the connection to the server broke: " + self.error);
  }
  const auto& head = self.parser->get();
  Head out;
  out.status = static_cast<int>(head.result_int());
  const auto after = parse_uint(std::string_view(head[http::field::retry_after]));
  if (after) out.retry_after = static_cast<unsigned>(std::min<uint64_t>(*after, 3600));
  return out;
}

Result<std::optional<std::string>> BlockingClient::read() {
  auto& self = *impl_;
  if (!self.parser) return fail(Errc::kUnavailable, "the connection to the server broke");
  while (!self.parser->is_done()) {
    std::string piece(kPiece, '\0');
    auto& body = self.parser->get().body();
    body.data = piece.data();
    body.size = piece.size();
    error_code ec;
    self.with_stream([&](auto& stream) { http::read_some(stream, self.buffer, *self.parser, ec); });
    piece.resize(piece.size() - body.size);
    if (ec && ec != http::error::need_buffer) {
      self.close();
      return fail(Errc::kUnavailable, "the connection to the server broke: " + ec.message());
    }
    if (!piece.empty()) return std::optional(std::move(piece));
  }
  return std::optional<std::string>();
}

Result<std::string> BlockingClient::read_all(size_t max_bytes) {
  std::string out;
  for (;;) {
    TRY(const auto piece, read());
    if (!piece) return out;
    out += *piece;
    if (out.size() > max_bytes) {
      impl_->close();
      return fail(Errc::kTooLarge, "the server's answer is too large");
    }
  }
}

}  // namespace eventhorn::outbound
