#include "poster.h"

#include "base/strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace eventhorn::bench {
namespace {

constexpr size_t kMaxReplyBytes = 1 << 20;
constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kReconnectAfter = 20'000'000;

}  // namespace

std::string basic_credentials(const std::string& key) {
  std::string text = base64url_encode("api:" + key);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  return "Basic " + text.append((4 - text.size() % 4) % 4, '=');
}

Poster::Poster(const Address& address, Options options, Source& source)
    : address_(address), options_(options), source_(source), connections_(options.connections) {
  for (auto& connection : connections_) {
    if (!connect(connection) && !options.reconnect)
      die(fmt::format("connect {}: refused", address_.text()));
  }
}

bool Poster::connect(Connection& c) {
  auto fd = connect_to(address_);
  if (!fd) return false;
  c.fd = *std::move(fd);
  c.waits_for_room = false;
  watch(epoll_, c.fd, EPOLLIN, &c);
  return true;
}

void Poster::run(const std::atomic<bool>& stop) {
  next_due_ns_ = source_.due_ns(next_);
  std::array<epoll_event, 64> events{};
  for (;;) {
    if (stop) next_due_ns_.reset();
    const int64_t now = monotonic_ns();
    if (!send_due(now)) return;
    // Nanoseconds: rounded up to milliseconds, requests would leave late and look slow.
    const int64_t wait = wait_ns(now);
    const timespec timeout{.tv_sec = wait / kSecond, .tv_nsec = wait % kSecond};
    const int ready = ::epoll_pwait2(epoll_.get(), events.data(), events.size(), &timeout, nullptr);
    for (int i = 0; i < ready; ++i) {
      auto& connection = *static_cast<Connection*>(events[i].data.ptr);
      if (connection.waits_for_room) send_rest(connection);
      if ((events[i].events & ~EPOLLOUT) != 0) read_reply(connection);
      finish_if_complete(connection);
    }
  }
}

/// Starts what can leave by now: waiting requests on their own connection, new ones on idle
/// connections. False when nothing is left to do.
bool Poster::send_due(int64_t now) {
  bool busy = false;
  for (auto& connection : connections_) {
    if (connection.state == State::kWaiting && connection.resend_at_ns <= now)
      send_request(connection);
    if (connection.state == State::kIdle && next_due_ns_ && *next_due_ns_ <= now) {
      connection.request = next_++;
      connection.bytes = source_.request(connection.request, connection.storage);
      next_due_ns_ = source_.due_ns(next_);
      send_request(connection);
    }
    busy = busy || connection.state != State::kIdle;
  }
  return busy || next_due_ns_.has_value();
}

/// How long nothing is due, at most a second.
int64_t Poster::wait_ns(int64_t now) const {
  int64_t until = now + kSecond;
  for (const auto& connection : connections_) {
    if (connection.state == State::kWaiting) until = std::min(until, connection.resend_at_ns);
    if (connection.state == State::kIdle && next_due_ns_) until = std::min(until, *next_due_ns_);
  }
  return std::max<int64_t>(0, until - now);
}

void Poster::send_request(Connection& c) {
  c.state = State::kBusy;
  if (c.fd.get() < 0 && !connect(c)) return mend(c, "connect");
  c.unsent = c.bytes;
  c.reply.clear();
  send_rest(c);
}

void Poster::send_rest(Connection& c) {
  const ssize_t n = ::send(c.fd.get(), c.unsent.data(), c.unsent.size(), MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN) return mend(c, "send");
  c.unsent.remove_prefix(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  if (c.waits_for_room == !c.unsent.empty()) return;
  c.waits_for_room = !c.waits_for_room;
  rewatch(epoll_, c.fd, c.waits_for_room ? EPOLLIN | EPOLLOUT : EPOLLIN, &c);
}

void Poster::read_reply(Connection& c) {
  if (c.fd.get() < 0) return;  // broke while it was sending
  std::array<char, 16 * 1024> bytes{};
  const ssize_t n = ::recv(c.fd.get(), bytes.data(), bytes.size(), 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return mend(c, "recv");
  c.reply.append(bytes.data(), static_cast<size_t>(n));
  if (c.reply.size() > kMaxReplyBytes) die("the reply is larger than 1 MiB");
}

/// The connection broke. An idle one connects when it is needed: servers end those that are idle
/// for long. The request of a busy one leaves again a little later.
void Poster::mend(Connection& c, const char* what) {
  c.fd = Fd();
  c.reply.clear();
  if (c.state == State::kIdle) return;
  if (!options_.reconnect) die(fmt::format("{}: the server closed a connection", what));
  ++broken_;
  c.resend_at_ns = monotonic_ns() + kReconnectAfter;
  c.state = State::kWaiting;
}

/// A server may answer 429 while the request is still on its way: the exchange is over when both
/// are complete.
void Poster::finish_if_complete(Connection& c) {
  if (c.state != State::kBusy || !c.unsent.empty() || c.reply.empty()) return;
  const auto head = parse_head(c.reply);
  if (!head) die(head.error().message);
  if (*head && c.reply.size() >= (*head)->body_at + (*head)->body_bytes) finish(c, **head);
}

/// Takes the reply of a request: 200 settles it, 429 sends it again later, anything else ends the
/// run.
void Poster::finish(Connection& c, const Head& head) {
  const int64_t now = monotonic_ns();
  const std::string_view status =
      head.start_line.substr(std::min<size_t>(9, head.start_line.size()), 3);
  const std::string_view body = std::string_view(c.reply).substr(head.body_at);
  if (status == "200") {
    c.state = State::kIdle;
    source_.settled(c.request, body, now);
  } else if (status == "429") {
    const auto seconds = parse_uint(find_header(c.reply, "retry-after").value_or(""));
    if (!seconds || *seconds > 3600) die("429 without a usable Retry-After");
    c.resend_at_ns = now + static_cast<int64_t>(*seconds) * kSecond;
    c.state = State::kWaiting;
    ++retries_;
  } else if (status == "503" && options_.reconnect) {  // it is starting
    c.resend_at_ns = now + kReconnectAfter;
    c.state = State::kWaiting;
  } else {
    die(fmt::format("the server answered {}: {}", head.start_line, body.substr(0, 300)));
  }
}

}  // namespace eventhorn::bench
