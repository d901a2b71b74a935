#include "net.h"

#include "base/check.h"
#include "base/strings.h"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace eventhorn::bench {
namespace {

sockaddr_in to_sockaddr(const Address& address) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(address.host);
  out.sin_port = htons(address.port);
  return out;
}

tl::unexpected<Error> system_error(const char* call, const Address& address) {
  return fail(Errc::kUnavailable,
              fmt::format("{} {}: {}", call, address.text(), std::strerror(errno)));
}

/// Whether `line` is the header `name` (lower case).
bool is_header(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' && (line[0] | 0x20) == name[0] &&
         equals_ignore_case(line.substr(0, name.size()), name);
}

/// The next line without CR LF, taken off `text`; every line of a head ends in LF.
std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

std::string Address::text() const {
  return fmt::format("{}.{}.{}.{}:{}", host >> 24, (host >> 16) & 255, (host >> 8) & 255,
                     host & 255, port);
}

Result<Address> parse_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return fail(Errc::kInvalidArgument, "address: must be 127.0.0.1:PORT");
  in_addr host{};
  if (::inet_pton(AF_INET, std::string(text.substr(0, colon)).c_str(), &host) != 1 ||
      ntohl(host.s_addr) >> 24 != 127) {
    return fail(Errc::kInvalidArgument, "address: only IPv4 loopback (127.0.0.0/8) is allowed");
  }
  const auto port = parse_uint(text.substr(colon + 1));
  if (!port || *port > 65535)
    return fail(Errc::kInvalidArgument, "address: port must be 0 to 65535");
  return Address{ntohl(host.s_addr), static_cast<uint16_t>(*port)};
}

Result<Target> parse_target(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme))
    return fail(Errc::kInvalidArgument, "target: must start with http://");
  url.remove_prefix(kScheme.size());
  const size_t slash = url.find('/');
  TRY(const Address address, parse_address(url.substr(0, slash)));
  return Target{address, slash == std::string_view::npos ? "/" : std::string(url.substr(slash))};
}

int64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

Result<Fd> listen_on(const Address& address) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int one = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const sockaddr_in to = to_sockaddr(address);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    return system_error("bind", address);
  if (::listen(fd.get(), 1024) != 0) return system_error("listen", address);
  return fd;
}

uint16_t local_port(const Fd& fd) {
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  CHECK(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0);
  return ntohs(bound.sin_port);
}

Result<Fd> connect_to(const Address& address) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in to = to_sockaddr(address);
  // Loopback answers at once, so connecting may block.
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    return system_error("connect", address);
  }
  const int one = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  int non_blocking = 1;
  CHECK(::ioctl(fd.get(), FIONBIO, &non_blocking) == 0);
  return fd;
}

Fd make_epoll() {
  Fd fd(::epoll_create1(EPOLL_CLOEXEC));
  CHECK(fd.get() >= 0);
  return fd;
}

void watch(const Fd& epoll, const Fd& fd, uint32_t events, void* data) {
  epoll_event event{.events = events, .data = {.ptr = data}};
  CHECK(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd.get(), &event) == 0);
}

void rewatch(const Fd& epoll, const Fd& fd, uint32_t events, void* data) {
  epoll_event event{.events = events, .data = {.ptr = data}};
  CHECK(::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, fd.get(), &event) == 0);
}

Result<std::optional<Head>> parse_head(std::string_view text) {
  const size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::optional<Head>();
  Head head;
  head.body_at = end + 4;
  std::string_view rest = text.substr(0, end + 2);
  head.start_line = take_line(rest);
  while (!rest.empty()) {
    const std::string_view line = take_line(rest);
    constexpr std::string_view kLength = "content-length";
    if (is_header(line, kLength)) {
      const auto length = parse_uint(trim(line.substr(kLength.size() + 1)));
      if (!length) return fail(Errc::kInvalidArgument, "content-length: must be a number");
      head.body_bytes = *length;
    } else if (is_header(line, "transfer-encoding")) {
      return fail(Errc::kInvalidArgument,
                  "transfer-encoding: not supported by the benchmark tools");
    }
  }
  return std::optional<Head>(head);
}

std::optional<std::string_view> find_header(std::string_view head, std::string_view name) {
  while (!head.empty() && head.find('\n') != std::string_view::npos) {
    const std::string_view line = take_line(head);
    if (line.empty()) break;
    if (is_header(line, name)) return trim(line.substr(name.size() + 1));
  }
  return std::nullopt;
}

void die(std::string_view message) {
  fmt::print(stderr, "{}: {}\n", program_invocation_short_name, message);
  std::exit(1);
}

}  // namespace eventhorn::bench
