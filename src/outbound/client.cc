#include "outbound/client.h"

#include "base/strings.h"
#include "http/basic_auth.h"
#include "outbound/dialer.h"
#include "outbound/pool.h"
#include "outbound/tls.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/container/small_vector.hpp>

#include <algorithm>
#include <list>

namespace eventhorn::outbound {
namespace {

using boost::system::error_code;
using std::chrono::steady_clock;
using webhook::FailureKind;

constexpr std::chrono::milliseconds kSweep{100};
// Idle connections closed when a new one can't be opened for want of descriptors.
constexpr size_t kMakeRoom = 32;

ResolverOptions resolver_options(const ClientOptions& options) {
  ResolverOptions out;
  out.query.servers = options.dns_servers;
  out.query.timeout = options.dns_timeout;
  return out;
}

DialOptions dial_options(const ClientOptions& options) {
  DialOptions out;
  out.connect_timeout = options.connect_timeout;
  out.connect.source_addresses = options.source_addresses;
  out.proxy = options.proxy;
  out.own_port = options.own_port;
  return out;
}

bool has_header(const std::vector<webhook::Header>& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const auto& h) { return equals_ignore_case(h.first, name); });
}

// Request line and fields, up to the value of Content-Length.
std::string make_head(const webhook::TargetUrl& url, const TargetOptions& options,
                      const std::string& user_agent) {
  const bool bare_v6 = url.host.find(':') != std::string::npos;
  const uint16_t usual = url.scheme == webhook::Scheme::kHttps ? 443 : 80;
  std::string host = bare_v6 ? "[" + url.host + "]" : url.host;
  if (url.port != usual) host += ":" + std::to_string(url.port);
  std::string head = "POST " + url.target + " HTTP/1.1\r\nHost: " + host +
                     "\r\nUser-Agent: " + user_agent + "\r\n";
  if (!has_header(options.headers, "Accept")) head += "Accept: */*\r\n";
  head += "Content-Type: application/json\r\n";
  if (url.user_info && !has_header(options.headers, "Authorization")) {
    const auto& [user, password] = *url.user_info;
    head += "Authorization: " + http::basic_credentials(user, password) + "\r\n";
  }
  for (const auto& [name, value] : options.headers) webhook::append_header(head, name, value);
  return head + "Content-Length: ";
}

}  // namespace

class Client::Target {
 public:
  Target(std::string h, std::shared_ptr<ConnectionPool::Route> r)
      : head(std::move(h)),
        route(std::move(r)),
        is_literal(net::IpAddress::parse(route->to.host).has_value()) {
    ++route->targets;
  }

  ~Target() { --route->targets; }

  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  const std::string head;
  const std::shared_ptr<ConnectionPool::Route> route;
  const bool is_literal;
  std::string unusable{};  // why no request can be made
};

struct Client::Impl {
  Impl(asio::any_io_executor executor, net::AddressGuard guard, ClientOptions o)
      : options(std::move(o)),
        resolver(executor, resolver_options(options)),
        dialer(resolver, std::move(guard), dial_options(options)),
        sweep_timer(executor) {}

  const ClientOptions options;
  DnsResolver resolver;
  Dialer dialer;
  ClientTls tls;
  std::shared_ptr<ConnectionPool> pool = std::make_shared<ConnectionPool>(ConnectionPool::Options{
      options.idle_timeout, options.max_idle_per_target, options.max_idle_total});
  std::list<ClientConnection*> busy;
  asio::steady_timer sweep_timer;
  bool sweeping = false;

  void sweep_later();
  void sweep();
  std::unique_ptr<ClientConnection> take_idle(Target& target);
  Task<Attempted<std::unique_ptr<ClientConnection>>> dial(Target& target, Deadline deadline);
  Task<bool> exchange(Target& target, ClientConnection& connection,
                      std::span<const std::string_view> body, std::string_view extra_head,
                      ClientReply& reply);
};

Client::Client(asio::any_io_executor executor, net::AddressGuard guard, ClientOptions options)
    : impl_(std::make_unique<Impl>(executor, std::move(guard), std::move(options))) {}

Client::~Client() = default;

Resolver& Client::resolver() {
  return impl_->resolver;
}

std::shared_ptr<Client::Target> Client::open(const webhook::TargetUrl& url,
                                             const TargetOptions& options) {
  Destination to{url.host, url.port, nullptr};
  std::string unusable;
  if (url.scheme == webhook::Scheme::kHttps) {
    auto context = impl_->tls.context(options.client_certificate_pem, options.client_key_pem);
    if (context) {
      to.tls = *std::move(context);
    } else {
      unusable = "TLS: " + context.error().message;
    }
  }
  auto target = std::make_shared<Target>(make_head(url, options, impl_->options.user_agent),
                                         impl_->pool->route(to));
  target->unusable = std::move(unusable);
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
  const auto now = steady_clock::now();
  for (auto* c : busy) {
    if (c->deadline > now) continue;
    c->timed_out = true;
    c->close();
  }
  pool->prune();
  if (!busy.empty() || !pool->empty()) sweep_later();
}

std::unique_ptr<ClientConnection> Client::Impl::take_idle(Target& target) {
  return pool->take(*target.route, [&](const net::IpAddress& address) {
    return target.is_literal || resolver.still_has(target.route->to.host, address);
  });
}

Task<Attempted<std::unique_ptr<ClientConnection>>> Client::Impl::dial(Target& target,
                                                                      Deadline deadline) {
  auto dialled = co_await dialer.dial(target.route->to, deadline);
  const bool retry =
      !dialled && dialled.error().kind == FailureKind::kLocal && pool->close_oldest(kMakeRoom) > 0;
  if (retry) dialled = co_await dialer.dial(target.route->to, deadline);
  co_return dialled;
}

Task<bool> Client::Impl::exchange(Target& target, ClientConnection& connection,
                                  std::span<const std::string_view> body,
                                  std::string_view extra_head, ClientReply& reply) {
  size_t length = 0;
  for (const auto piece : body) length += piece.size();
  auto& head = connection.head;
  head.assign(target.head).append(std::to_string(length)).append("\r\n");
  head.append(extra_head).append("\r\n");
  boost::container::small_vector<asio::const_buffer, 4> parts;
  parts.push_back(asio::buffer(head));
  for (const auto piece : body) parts.push_back(asio::buffer(piece.data(), piece.size()));
  const error_code written = co_await connection.write(parts);
  if (written && (connection.timed_out || written == asio::error::operation_aborted)) {
    reply.result = connection.broken(written, "sending");
    co_return false;
  }
  // A receiver may answer, and close, before it has read the body: the answer counts (reliability
  // R24).
  const bool keep = co_await read_answer(connection, options.answer, reply);
  co_return keep && !written;
}

Task<ClientReply> Client::post(Target& target, std::span<const std::string_view> body,
                               Deadline deadline, std::string_view extra_head, Connection which) {
  auto& impl = *impl_;
  ClientReply reply;
  if (!target.unusable.empty()) {
    reply.result = failure(FailureKind::kTls, target.unusable);
    co_return reply;
  }
  auto connection = which == Connection::kAny ? impl.take_idle(target) : nullptr;
  const bool fresh = !connection;
  if (fresh) {
    auto dialled = co_await impl.dial(target, deadline);
    if (!dialled) {
      reply.result = std::move(dialled.error());
      co_return reply;
    }
    connection = *std::move(dialled);
  }
  connection->deadline = deadline;

  struct Busy {
    std::list<ClientConnection*>& all;
    std::list<ClientConnection*>::iterator entry;

    ~Busy() { all.erase(entry); }
  };

  bool keep = false;
  const auto begin = steady_clock::now();
  {
    const Busy busy{impl.busy, impl.busy.insert(impl.busy.end(), connection.get())};
    impl.sweep_later();
    keep = co_await impl.exchange(target, *connection, body, extra_head, reply);
  }
  reply.stale = !fresh && reply.result.status == 0 && reply.result.kind == FailureKind::kClosed &&
                !connection->answered;
  auto& phases = reply.result.phases;
  const bool whole = phases.whole_answer;
  if (fresh) phases = connection->phases;
  phases.exchange =
      std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begin);
  phases.kept_connection = !fresh;
  phases.whole_answer = whole;
  if (keep) impl.pool->put(*target.route, std::move(connection));
  co_return reply;
}

}  // namespace eventhorn::outbound
