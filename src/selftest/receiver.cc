#include "selftest/receiver.h"

#include "base/strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace eventhorn::selftest {
namespace {

constexpr int kTickMs = 50;  // also how late heal() and the destructor may be noticed
constexpr size_t kMaxRequestBytes = 64 * 1024;
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kInterim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
constexpr std::string_view kSlowHead = "HTTP/1.1 200 OK\r\nX-Slow: ";  // and so on for ever

/// The string value of the last `"key":"..."`; empty when there is none.
std::string_view find_text(std::string_view body, std::string_view key) {
  const std::string start = fmt::format("\"{}\":\"", key);
  const size_t at = body.rfind(start);
  if (at == std::string_view::npos) return {};
  body.remove_prefix(at + start.size());
  return body.substr(0, body.find('"'));
}

/// How long the body behind a complete head is.
size_t content_length(std::string_view head) {
  for (const std::string_view line : split(head, '\n')) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    if (equals_ignore_case(line.substr(0, colon), "content-length"))
      return parse_uint(trim(line.substr(colon + 1))).value_or(0);
  }
  return 0;
}

/// Answers are small: a peer whose socket has no room for one is given up.
bool send_all(int fd, std::string_view bytes) {
  return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

std::string status_alone(std::string_view status_and_fields) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Length: 0\r\n\r\n", status_and_fields);
}

std::string_view body_chunk() {
  static const std::string chunk = "1000\r\n" + std::string(4096, 'x') + "\r\n";
  return chunk;
}

}  // namespace

int64_t monotonic_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
}

Result<std::unique_ptr<Receiver>> Receiver::start(Behaviour behaviour, unsigned host,
                                                  const std::atomic<unsigned>& life) {
  std::unique_ptr<Receiver> receiver(new Receiver(behaviour, life));
  TRY_STATUS(receiver->bind(host));
  receiver->thread_ = std::thread(&Receiver::run, receiver.get());
  return receiver;
}

Receiver::Receiver(Behaviour behaviour, const std::atomic<unsigned>& life)
    : life_(life), behaviour_(behaviour) {}

Receiver::~Receiver() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  for (const auto& connection : connections_) ::close(connection.fd);
  if (listener_ >= 0) ::close(listener_);
}

Status Receiver::bind(unsigned host) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host);
  socklen_t size = sizeof address;
  // A port that is bound and not listened on refuses connections, and is nobody else's.
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      (behaviour_ != Behaviour::kRefuses && ::listen(listener_, 512) != 0) ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return fail(Errc::kUnavailable, fmt::format("receiver: {}", std::strerror(errno)));
  }
  url_ = fmt::format("http://127.0.0.{}:{}/hook", host, ntohs(address.sin_port));
  return {};
}

void Receiver::heal() {
  heals_ = true;
  healed_.wait(false);
}

Receiver::Counts Receiver::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Receiver::run() {
  int64_t next_tick = monotonic_us();
  while (!stop_) {
    if (heals_ && !healed_) turn_good();
    std::vector<pollfd> polled = {{.fd = listener_, .events = POLLIN, .revents = 0}};
    // poll() reports POLLHUP of a socket that does not listen, at once and for ever.
    if (behaviour_ == Behaviour::kRefuses) polled[0].fd = -1;
    for (const auto& connection : connections_) {
      const short events = connection.endless.empty() ? POLLIN : POLLIN | POLLOUT;
      polled.push_back({.fd = connection.fd, .events = events, .revents = 0});
    }
    ::poll(polled.data(), polled.size(), kTickMs);
    const bool tick = monotonic_us() >= next_tick;
    if (tick) next_tick = monotonic_us() + kTickMs * 1000;
    for (size_t i = connections_.size(); i-- > 0;) {
      if (serve(connections_[i], polled[i + 1].revents, tick)) continue;
      ::close(connections_[i].fd);
      connections_.erase(connections_.begin() + static_cast<ptrdiff_t>(i));
    }
    if (polled[0].revents != 0) accept_all();
  }
}

void Receiver::turn_good() {
  for (const auto& connection : connections_) ::close(connection.fd);
  connections_.clear();
  if (behaviour_ == Behaviour::kRefuses) ::listen(listener_, 512);
  behaviour_ = Behaviour::kGood;
  healed_ = true;
  healed_.notify_all();
}

void Receiver::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    connections_.push_back({.fd = fd});
  }
}

bool Receiver::serve(Connection& connection, short events, bool tick) {
  if ((events & ~POLLOUT) != 0 && !read(connection)) return false;
  if (!connection.endless.empty() && (events & POLLOUT) != 0) {
    // Written in part it is only worse, as it should be.
    const auto bytes = connection.endless;
    if (::send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return errno == EAGAIN;
  }
  if (connection.dripping && tick) {
    const size_t at = std::min(connection.drip_from++, kSlowHead.size() - 1);
    return send_all(connection.fd, kSlowHead.substr(at, 1));
  }
  return true;
}

bool Receiver::read(Connection& connection) {
  std::array<char, 16 * 1024> bytes{};
  const ssize_t n = ::recv(connection.fd, bytes.data(), bytes.size(), 0);
  if (n <= 0) return n < 0 && errno == EAGAIN;
  connection.received.append(bytes.data(), static_cast<size_t>(n));
  for (;;) {
    const size_t end = connection.received.find("\r\n\r\n");
    if (end == std::string::npos) return connection.received.size() < kMaxRequestBytes;
    const size_t size =
        end + 4 + content_length(std::string_view(connection.received).substr(0, end));
    if (size > kMaxRequestBytes) return false;
    if (connection.received.size() < size) return true;
    const std::string request = connection.received.substr(0, size);
    connection.received.erase(0, size);
    if (!answer(connection, std::string_view(request).substr(end + 4))) return false;
  }
}

bool Receiver::answer(Connection& connection, std::string_view body) {
  const int fd = connection.fd;
  switch (behaviour_) {
    case Behaviour::kGood:
      confirm(body);
      return send_all(fd, kOk);
    case Behaviour::kNeverAnswers:
    case Behaviour::kRefuses:
      return true;
    case Behaviour::kSlowHead:
      connection.dripping = true;
      return true;
    case Behaviour::kResets: {
      const linger at_once{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      return false;
    }
    case Behaviour::kCloses:
      return false;
    case Behaviour::kInterim:
      connection.endless = kInterim;
      return true;
    case Behaviour::kEndlessBody:
      confirm(body);
      connection.endless = body_chunk();
      return send_all(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    case Behaviour::kRedirects:
      return send_all(fd, status_alone("307 Temporary Redirect\r\nLocation: /elsewhere"));
    case Behaviour::kFails:
      return send_all(fd, status_alone("500 Internal Server Error"));
    case Behaviour::kGone:
      return send_all(fd, status_alone("410 Gone"));
    case Behaviour::kTooMany:
      return send_all(fd, status_alone("429 Too Many Requests\r\nRetry-After: 1"));
    case Behaviour::kWrongProtocol:
      send_all(fd, "220 mail.example ESMTP ready\r\n");
      return false;
  }
  return false;
}

void Receiver::confirm(std::string_view body) {
  const auto number = parse_uint(find_text(body, kNumberKey));
  const auto sent = parse_uint(find_text(body, kSentKey));
  const auto life = parse_uint(find_text(body, kLifeKey));
  if (!number || !sent || !life) return;  // none of ours
  const std::lock_guard lock(mutex_);
  if (!numbers_.insert(*number).second) {
    ++counts_.repeated;
    return;
  }
  ++counts_.confirmed;
  if (*life == life_) counts_.delays.emplace_back(monotonic_us() - static_cast<int64_t>(*sent));
}

}  // namespace eventhorn::selftest
