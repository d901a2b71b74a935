#include "outbound/proxy.h"

#include "base/strings.h"
#include "http/basic_auth.h"
#include "webhook/url.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <sstream>

namespace eventhorn::outbound {
namespace {

using boost::system::error_code;
using webhook::AttemptResult;
using webhook::FailureKind;

constexpr auto kResult = asio::as_tuple(asio::use_awaitable);
constexpr size_t kMaxHead = 8192;

AttemptResult lost(const error_code& ec) {
  if (ec == asio::error::operation_aborted) return failure(FailureKind::kCancelled, "interrupted");
  return failure(FailureKind::kProxy, "proxy: connection lost: " + ec.message());
}

// Of a whole head.
AttemptResult judge(std::string_view head) {
  const auto status = parse_uint(head.size() > 12 ? head.substr(9, 3) : "");
  const bool is_http = head.starts_with("HTTP/1.0 ") || head.starts_with("HTTP/1.1 ");
  if (!is_http || !status) return failure(FailureKind::kProxy, "proxy: not an HTTP answer");
  if (*status / 100 == 2) return {};
  // RFC 9110 section 15.6: of what lies behind a gateway, not of the gateway.
  if (*status == 502 || *status == 503)
    return failure(FailureKind::kConnect, "connect: proxy status " + std::to_string(*status));
  if (*status == 504) return failure(FailureKind::kTimeout, "connect: proxy status 504");
  return failure(FailureKind::kProxy,
                 "proxy: refused to connect with status " + std::to_string(*status));
}

}  // namespace

Result<Proxy> parse_proxy(std::string_view url) {
  const auto parsed = webhook::parse_target_url(url);
  if (!parsed || parsed->scheme != webhook::Scheme::kHttp || parsed->target != "/")
    return fail(Errc::kInvalidArgument, "must be http://[user:pass@]host:port");
  Proxy out{parsed->host, parsed->port};
  if (const auto& info = parsed->user_info)
    out.authorization = http::basic_credentials(info->user, info->password);
  return out;
}

Task<AttemptResult> open_tunnel(asio::ip::tcp::socket& socket, const Proxy& proxy,
                                asio::ip::tcp::endpoint to) {
  std::ostringstream authority;
  authority << to;
  std::string request =
      "CONNECT " + authority.str() + " HTTP/1.1\r\nHost: " + authority.str() + "\r\n";
  if (!proxy.authorization.empty())
    request += "Proxy-Authorization: " + proxy.authorization + "\r\n";
  request += "\r\n";
  auto [unsent, written] = co_await asio::async_write(socket, asio::buffer(request), kResult);
  if (unsent) co_return lost(unsent);
  std::string head;
  size_t end = std::string::npos;
  while ((end = head.find("\r\n\r\n")) == std::string::npos) {
    if (head.size() >= kMaxHead) co_return failure(FailureKind::kProxy, "proxy: too long a head");
    std::array<char, 1024> piece{};
    auto [ec, n] = co_await socket.async_read_some(asio::buffer(piece), kResult);
    if (ec) co_return lost(ec);
    head.append(piece.data(), n);
  }
  auto result = judge(head);
  // Receivers of HTTP and of TLS wait for us to speak; what is here would be taken for an answer.
  if (result.kind == FailureKind::kNone && end + 4 != head.size())
    result = failure(FailureKind::kProxy, "proxy: bytes after its answer");
  co_return result;
}

}  // namespace eventhorn::outbound
