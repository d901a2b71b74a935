#include "http/client.h"

#include "base/strings.h"
#include "webhook/retry_after.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <deque>
#include <ifaddrs.h>
#include <list>
#include <netdb.h>
#include <ostream>  // beast/http/verb.hpp needs it with separate compilation (Boost 1.81)
#include <unordered_map>

namespace eventhorn::http {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
using webhook::AttemptResult;
using webhook::FailureKind;
using TlsStream = asio::ssl::stream<tcp::socket>;

constexpr auto kResult = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kSweep{100};
constexpr std::chrono::seconds kKeepAddresses{30};
constexpr std::chrono::seconds kKeepFailure{5};
constexpr size_t kMaxCachedHosts = 10'000;
constexpr size_t kMaxInterim = 16;

/// Parses one answer with Beast's strict parser, keeping only what outcomes need: no field map is
/// built.
class AnswerParser final : public boost::beast::http::basic_parser<false> {
 public:
  explicit AnswerParser(size_t keep_body_bytes) : keep_body_bytes_(keep_body_bytes) {}

  int status() const { return status_; }

  const std::vector<std::string>& retry_after() const { return retry_after_; }

  const std::string& location() const { return location_; }

  /// Bytes of the body seen so far.
  size_t body_bytes() const { return body_bytes_; }

  std::string take_body() { return std::move(body_); }

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, string_view, string_view, int,
                       error_code&) override {}

  void on_response_impl(int code, string_view, int, error_code&) override { status_ = code; }

  void on_field_impl(boost::beast::http::field name, string_view, string_view value,
                     error_code&) override {
    if (name == boost::beast::http::field::retry_after && retry_after_.size() < 4)
      retry_after_.emplace_back(value);
    if (name == boost::beast::http::field::location) location_ = std::string(value.substr(0, 512));
  }

  void on_header_impl(error_code&) override {}

  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}

  size_t on_body_impl(string_view body, error_code&) override { return keep(body); }

  void on_chunk_header_impl(uint64_t, string_view, error_code&) override {}

  size_t on_chunk_body_impl(uint64_t, string_view body, error_code&) override { return keep(body); }

  void on_finish_impl(error_code&) override {}

  size_t keep(string_view body) {
    body_bytes_ += body.size();
    body_.append(body.data(), std::min(body.size(), keep_body_bytes_ -
                                                        std::min(keep_body_bytes_, body_.size())));
    return body.size();
  }

  size_t keep_body_bytes_;
  int status_ = 0;
  std::vector<std::string> retry_after_;
  std::string location_;
  std::string body_;
  size_t body_bytes_ = 0;
};

AttemptResult failure(FailureKind kind, std::string error) {
  return {0, kind, std::move(error), std::nullopt};
}

std::string base64_encode(std::string_view text) {
  std::string out = base64url_encode(text);
  std::replace(out.begin(), out.end(), '-', '+');
  std::replace(out.begin(), out.end(), '_', '/');
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

}  // namespace

/// One connection, plain or TLS. In use by one request at a time.
struct ClientConnection {
  ClientConnection(asio::any_io_executor executor, asio::ssl::context* tls) : socket(executor) {
    if (tls != nullptr) stream = std::make_unique<TlsStream>(executor, *tls);
  }

  tcp::socket& tcp() { return stream ? stream->next_layer() : socket; }

  tcp::socket socket;
  std::unique_ptr<TlsStream> stream;
  std::string input;  // received and not yet parsed
  SteadyTime idle_since{};
  /// Past it the sweeper closes the socket.
  Deadline deadline = Deadline::max();
  bool timed_out = false;
  /// A byte of the current answer has come.
  bool answered = false;
};

class Client::Target {
 public:
  webhook::TargetUrl url;
  std::string head;  // request line and fields, up to the value of Content-Length
  std::deque<std::unique_ptr<ClientConnection>> idle;
};

namespace {

struct CachedHost {
  SteadyTime until;
  std::vector<IpAddress> addresses;  // empty: the look-up failed
};

struct Lookup {
  bool done = false;
  std::vector<IpAddress> addresses;
  std::vector<std::shared_ptr<asio::steady_timer>> waiters;
};

std::optional<IpAddress> from_sockaddr(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    std::array<uint8_t, 4> b{};
    std::memcpy(b.data(), &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
    return IpAddress::v4(b);
  }
  if (address->sa_family == AF_INET6) {
    std::array<uint8_t, 16> b{};
    std::memcpy(b.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, 16);
    return IpAddress::v6(b);
  }
  return std::nullopt;
}

std::vector<IpAddress> resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  std::vector<IpAddress> out;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return out;
  for (const auto* a = list; a != nullptr && out.size() < 16; a = a->ai_next) {
    if (const auto address = from_sockaddr(a->ai_addr)) out.push_back(*address);
  }
  freeaddrinfo(list);
  return out;
}

// Loopback, or an address of one of this machine's interfaces.
bool is_own_address(const IpAddress& given) {
  const IpAddress address = given.unmapped();
  if (classify(address) == AddressClass::kLoopback) return true;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return true;  // cannot tell: refuse
  bool found = false;
  for (const auto* i = list; i != nullptr && !found; i = i->ifa_next) {
    if (i->ifa_addr == nullptr) continue;
    const auto own = from_sockaddr(i->ifa_addr);
    found = own && *own == address;
  }
  ::freeifaddrs(list);
  return found;
}

asio::ip::address to_asio(const IpAddress& address) {
  const auto bytes = address.bytes();
  if (address.is_v4()) {
    asio::ip::address_v4::bytes_type b{};
    std::copy(bytes.begin(), bytes.end(), b.begin());
    return asio::ip::address_v4(b);
  }
  asio::ip::address_v6::bytes_type b{};
  std::copy(bytes.begin(), bytes.end(), b.begin());
  return asio::ip::address_v6(b);
}

}  // namespace

struct Client::Impl {
  Impl(asio::any_io_executor e, asio::thread_pool& pool, AddressGuard g, ClientOptions o)
      : executor(e), blocking(pool), guard(std::move(g)), options(std::move(o)), sweep_timer(e) {
    tls.set_default_verify_paths();
    tls.set_verify_mode(asio::ssl::verify_peer);
    SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  }

  asio::any_io_executor executor;
  asio::thread_pool& blocking;
  AddressGuard guard;
  ClientOptions options;
  asio::ssl::context tls{asio::ssl::context::tls_client};
  std::unordered_map<std::string, CachedHost> hosts;
  std::unordered_map<std::string, std::shared_ptr<Lookup>> lookups;  // under way
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  std::list<ClientConnection*> busy;
  std::vector<std::weak_ptr<Target>> targets;
  asio::steady_timer sweep_timer;
  bool sweeping = false;

  void sweep_later();
  void sweep();
  Task<std::vector<IpAddress>> lookup(const std::string& host, Deadline deadline);
  Task<AttemptResult> connect(Target& target, ClientConnection& connection, Deadline deadline);
  Task<AttemptResult> handshake(Target& target, ClientConnection& connection);
  std::unique_ptr<ClientConnection> take_idle(Target& target);
  Task<error_code> write(ClientConnection& connection, std::span<const asio::const_buffer> parts);
  Task<error_code> read_some(ClientConnection& connection);
  Task<bool> exchange(Target& target, ClientConnection& connection,
                      std::span<const std::string_view> body, ClientReply& reply);
  Task<bool> read_answer(ClientConnection& connection, ClientReply& reply);
  AttemptResult broken(const ClientConnection& connection, const error_code& ec,
                       const char* doing) const;
};

Client::Client(asio::any_io_executor executor, asio::thread_pool& blocking, AddressGuard guard,
               ClientOptions options)
    : impl_(std::make_unique<Impl>(executor, blocking, std::move(guard), std::move(options))) {}

Client::~Client() {
  *impl_->alive = false;
}

std::shared_ptr<Client::Target> Client::open(const webhook::TargetUrl& url) {
  auto target = std::make_shared<Target>();
  target->url = url;
  const bool bare_v6 = url.host.find(':') != std::string::npos;
  const uint16_t usual = url.scheme == webhook::Scheme::kHttps ? 443 : 80;
  std::string host = bare_v6 ? "[" + url.host + "]" : url.host;
  if (url.port != usual) host += ":" + std::to_string(url.port);
  target->head = "POST " + url.target + " HTTP/1.1\r\nHost: " + host +
                 "\r\nUser-Agent: " + impl_->options.user_agent +
                 "\r\nAccept: */*\r\nContent-Type: application/json\r\n";
  if (url.user_info) {
    target->head += "Authorization: Basic " +
                    base64_encode(url.user_info->user + ":" + url.user_info->password) + "\r\n";
  }
  target->head += "Content-Length: ";
  std::erase_if(impl_->targets, [](const auto& weak) { return weak.expired(); });
  impl_->targets.push_back(target);
  return target;
}

// Deadlines cost nothing per request: one timer looks over the busy connections while there are
// any.
void Client::Impl::sweep_later() {
  if (sweeping) return;
  sweeping = true;
  sweep_timer.expires_after(kSweep);
  sweep_timer.async_wait([this](const error_code& ec) {
    if (ec) return;
    sweeping = false;
    sweep();
  });
}

void Client::Impl::sweep() {
  const auto now = std::chrono::steady_clock::now();
  bool any = !busy.empty();
  for (auto* c : busy) {
    if (c->deadline > now) continue;
    c->timed_out = true;
    error_code ignored;
    c->tcp().close(ignored);
  }
  for (const auto& weak : targets) {
    const auto target = weak.lock();
    if (!target) continue;
    while (!target->idle.empty() && target->idle.front()->idle_since + options.idle_timeout < now)
      target->idle.pop_front();
    any = any || !target->idle.empty();
  }
  if (any) sweep_later();
}

Task<std::vector<IpAddress>> Client::Impl::lookup(const std::string& host, Deadline deadline) {
  if (const auto literal = IpAddress::parse(host)) co_return std::vector<IpAddress>(1, *literal);
  const auto now = std::chrono::steady_clock::now();
  if (const auto it = hosts.find(host); it != hosts.end() && it->second.until > now)
    co_return it->second.addresses;
  // One look-up for a host at a time, shared by all who wait. It may take longer than they do, so
  // it owns what it writes to; until it ends nobody asks again.
  auto& running = lookups[host];
  if (!running) {
    running = std::make_shared<Lookup>();
    asio::post(blocking, [this, state = running, host, ex = executor, living = alive] {
      auto found = resolve(host);
      asio::post(ex, [this, state, host, living, found = std::move(found)]() mutable {
        if (!*living) return;
        state->addresses = std::move(found);
        state->done = true;
        for (const auto& waiter : state->waiters) waiter->cancel();
        lookups.erase(host);
        if (hosts.size() >= kMaxCachedHosts) hosts.clear();
        const auto keep =
            state->addresses.empty() ? std::chrono::seconds(kKeepFailure) : kKeepAddresses;
        hosts[host] = {std::chrono::steady_clock::now() + keep, state->addresses};
      });
    });
  }
  const auto state = running;
  const auto timer = std::make_shared<asio::steady_timer>(executor, deadline);
  state->waiters.push_back(timer);
  auto [ec] = co_await timer->async_wait(kResult);
  (void)ec;
  std::erase(state->waiters, timer);
  co_return state->addresses;
}

AttemptResult Client::Impl::broken(const ClientConnection& connection, const error_code& ec,
                                   const char* doing) const {
  if (connection.timed_out)
    return failure(FailureKind::kTimeout, std::string("timed out while ") + doing);
  if (ec == asio::error::operation_aborted) return failure(FailureKind::kCancelled, "interrupted");
  return failure(FailureKind::kClosed,
                 std::string("connection lost while ") + doing + ": " + ec.message());
}

Task<AttemptResult> Client::Impl::connect(Target& target, ClientConnection& connection,
                                          Deadline deadline) {
  connection.deadline =
      std::min(deadline, std::chrono::steady_clock::now() + options.connect_timeout);
  const auto addresses = co_await lookup(target.url.host, connection.deadline);
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none)
    co_return failure(FailureKind::kCancelled, "interrupted");
  if (addresses.empty()) co_return failure(FailureKind::kDns, "host not found");
  AttemptResult last;
  bool any_allowed = false;
  for (const auto& address : addresses) {
    // Judged here, on the very address that is dialled: a name may have changed its meaning since
    // it was configured.
    auto allowed = guard.check(address);
    if (allowed && target.url.port == *options.own_port && is_own_address(address))
      allowed = fail(Errc::kForbidden, "target address is not allowed (our own server)");
    if (!allowed) {
      if (!any_allowed) last = failure(FailureKind::kBlocked, allowed.error().message);
      continue;
    }
    any_allowed = true;
    error_code ignored;
    connection.tcp().close(ignored);
    auto [ec] = co_await connection.tcp().async_connect(
        tcp::endpoint(to_asio(address.unmapped()), target.url.port), kResult);
    if (!ec) {
      connection.tcp().set_option(tcp::no_delay(true), ignored);
      connection.tcp().non_blocking(true, ignored);
      connection.deadline = deadline;
      last = AttemptResult();
      if (connection.stream) last = co_await handshake(target, connection);
      co_return last;
    }
    if (ec == asio::error::operation_aborted && !connection.timed_out)
      co_return failure(FailureKind::kCancelled, "interrupted");
    last = connection.timed_out ? failure(FailureKind::kConnect, "connect timed out")
                                : failure(FailureKind::kConnect, "connect: " + ec.message());
    if (connection.timed_out) break;
  }
  co_return last;
}

Task<AttemptResult> Client::Impl::handshake(Target& target, ClientConnection& connection) {
  auto& stream = *connection.stream;
  const auto& host = target.url.host;
  if (!IpAddress::parse(host)) SSL_set_tlsext_host_name(stream.native_handle(), host.c_str());
  stream.set_verify_callback(asio::ssl::host_name_verification(host));
  auto [ec] = co_await stream.async_handshake(asio::ssl::stream_base::client, kResult);
  if (!ec) co_return AttemptResult();
  if (connection.timed_out)
    co_return failure(FailureKind::kTimeout, "timed out in the TLS handshake");
  if (ec == asio::error::operation_aborted)
    co_return failure(FailureKind::kCancelled, "interrupted");
  const long verify = SSL_get_verify_result(stream.native_handle());
  if (verify != X509_V_OK)
    co_return failure(FailureKind::kTls,
                      std::string("TLS: ") + X509_verify_cert_error_string(verify));
  co_return failure(FailureKind::kTls, "TLS: " + ec.message());
}

std::unique_ptr<ClientConnection> Client::Impl::take_idle(Target& target) {
  while (!target.idle.empty()) {
    auto connection = std::move(target.idle.back());
    target.idle.pop_back();
    char byte = 0;
    const auto n = ::recv(connection->tcp().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    // Closed, or bytes that nobody asked for: an answer to no request must not be taken for the
    // next one's. TLS may have records of its own to say, which the read sorts out.
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return connection;
    if (n > 0 && connection->stream) return connection;
  }
  return nullptr;
}

Task<error_code> Client::Impl::write(ClientConnection& connection,
                                     std::span<const asio::const_buffer> parts) {
  error_code ec;
  if (connection.stream) {
    std::string joined;
    for (const auto& p : parts) joined.append(static_cast<const char*>(p.data()), p.size());
    auto [failed, n] =
        co_await asio::async_write(*connection.stream, asio::buffer(joined), kResult);
    co_return failed;
  }
  // Almost always the socket takes all at once, and no suspension is needed.
  std::vector<asio::const_buffer> left(parts.begin(), parts.end());
  size_t sent = connection.socket.write_some(left, ec);
  if (ec && ec != asio::error::would_block) co_return ec;
  auto it = left.begin();
  while (it != left.end() && sent >= it->size()) sent -= (it++)->size();
  if (it == left.end()) co_return error_code();
  *it += sent;
  left.erase(left.begin(), it);
  auto [failed, n] = co_await asio::async_write(connection.socket, left, kResult);
  co_return failed;
}

Task<error_code> Client::Impl::read_some(ClientConnection& connection) {
  const size_t old = connection.input.size();
  constexpr size_t kChunk = 4096;
  connection.input.resize(old + kChunk);
  const auto buffer = asio::buffer(connection.input.data() + old, kChunk);
  if (connection.stream) {
    auto [ec, n] = co_await connection.stream->async_read_some(buffer, kResult);
    connection.input.resize(old + n);
    connection.answered = connection.answered || n > 0;
    co_return ec;
  }
  auto [waited] = co_await connection.socket.async_wait(tcp::socket::wait_read, kResult);
  error_code ec = waited;
  size_t n = 0;
  if (!ec) n = connection.socket.read_some(buffer, ec);
  connection.input.resize(old + n);
  connection.answered = connection.answered || n > 0;
  co_return ec == asio::error::would_block ? error_code() : ec;
}

// True when the connection may be kept.
Task<bool> Client::Impl::read_answer(ClientConnection& connection, ClientReply& reply) {
  connection.input.clear();
  connection.answered = false;
  for (size_t interim = 0; interim <= kMaxInterim; ++interim) {
    AnswerParser parser(options.keep_body_bytes);
    parser.eager(true);
    parser.header_limit(static_cast<uint32_t>(options.max_head_bytes));
    parser.body_limit(boost::none);
    bool eof = false;
    while (!parser.is_done()) {
      error_code ec;
      size_t used = 0;
      if (!connection.input.empty()) used = parser.put(asio::buffer(connection.input), ec);
      connection.input.erase(0, used);
      if (ec == boost::beast::http::error::need_more || (!ec && used == 0)) ec = {};
      if (ec) {
        if (parser.is_header_done()) break;  // the head was valid: it decides
        const bool too_large = ec == boost::beast::http::error::header_limit;
        reply.result = failure(too_large ? FailureKind::kTooLarge : FailureKind::kProtocol,
                               "not a valid HTTP answer: " + ec.message());
        co_return false;
      }
      if (parser.is_done() || (used > 0 && !connection.input.empty())) continue;
      if (parser.is_header_done() && parser.body_bytes() >= options.max_body_bytes) break;
      if (eof) break;
      const error_code read = co_await read_some(connection);
      if (read == asio::error::eof || read == asio::ssl::error::stream_truncated) {
        eof = true;
        error_code at_end;
        if (parser.got_some()) parser.put_eof(at_end);
        if (parser.is_done() || parser.is_header_done()) break;
        reply.result = failure(FailureKind::kClosed,
                               parser.got_some() ? "connection closed within the answer's head"
                                                 : "connection closed without an answer");
        co_return false;
      }
      if (read) {
        if (parser.is_header_done()) break;  // R3, R6: the status was received
        reply.result = broken(connection, read, "waiting for the answer");
        co_return false;
      }
    }
    if (parser.status() == 101) {
      reply.result = failure(FailureKind::kProtocol, "the receiver switched protocols (101)");
      co_return false;
    }
    if (parser.status() / 100 == 1) continue;
    reply.result.status = parser.status();
    if (parser.status() / 100 != 2) {
      reply.result.error = "HTTP status " + std::to_string(parser.status());
      if (!parser.location().empty())
        reply.result.error += ", Location: " + escape_for_log(parser.location());
    }
    const auto wall = std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
    const std::vector<std::string_view> retry_after(parser.retry_after().begin(),
                                                    parser.retry_after().end());
    if (parser.status() == 429 || parser.status() == 503)
      reply.result.retry_after =
          webhook::parse_retry_after(retry_after, wall, options.max_retry_after);
    reply.body = parser.take_body();
    co_return parser.is_done() && parser.keep_alive() && !eof && connection.input.empty();
  }
  reply.result = failure(FailureKind::kProtocol, "too many interim (1xx) answers");
  co_return false;
}

Task<bool> Client::Impl::exchange(Target& target, ClientConnection& connection,
                                  std::span<const std::string_view> body, ClientReply& reply) {
  size_t length = 0;
  for (const auto piece : body) length += piece.size();
  const std::string head = target.head + std::to_string(length) + "\r\n\r\n";
  std::vector<asio::const_buffer> parts;
  parts.reserve(body.size() + 1);
  parts.push_back(asio::buffer(head));
  for (const auto piece : body) parts.push_back(asio::buffer(piece.data(), piece.size()));
  const error_code written = co_await write(connection, parts);
  if (written && (connection.timed_out || written == asio::error::operation_aborted)) {
    reply.result = broken(connection, written, "sending");
    co_return false;
  }
  // A receiver may answer, and close, before it has read the body: the answer counts (reliability
  // R24).
  const bool keep = co_await read_answer(connection, reply);
  co_return keep && !written;
}

Task<ClientReply> Client::post(Target& target, std::span<const std::string_view> body,
                               Deadline deadline) {
  auto& impl = *impl_;
  ClientReply reply;
  for (int round = 0; round < 2; ++round) {
    auto connection = round == 0 ? impl.take_idle(target) : nullptr;
    const bool fresh = !connection;
    if (fresh)
      connection = std::make_unique<ClientConnection>(
          impl.executor, target.url.scheme == webhook::Scheme::kHttps ? &impl.tls : nullptr);
    connection->deadline = deadline;
    const auto entry = impl.busy.insert(impl.busy.end(), connection.get());

    struct Leave {
      std::list<ClientConnection*>& busy;
      std::list<ClientConnection*>::iterator entry;

      ~Leave() { busy.erase(entry); }
    };

    bool keep = false;
    reply = ClientReply();
    {
      const Leave leave{impl.busy, entry};
      impl.sweep_later();
      if (fresh) reply.result = co_await impl.connect(target, *connection, deadline);
      if (reply.result.kind == FailureKind::kNone)
        keep = co_await impl.exchange(target, *connection, body, reply);
    }
    if (keep) {
      connection->idle_since = std::chrono::steady_clock::now();
      if (target.idle.size() < impl.options.max_idle_per_target)
        target.idle.push_back(std::move(connection));
      break;
    }
    const bool stale = !fresh && reply.result.status == 0 &&
                       reply.result.kind == FailureKind::kClosed && !connection->answered;
    if (!stale) break;
  }
  co_return reply;
}

}  // namespace eventhorn::http
