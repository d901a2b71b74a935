// Sockets and just enough HTTP/1.1 for the benchmark tools: loopback only, one message at a time,
// Content-Length bodies. No library on purpose: what these tools cost is the floor that the server
// is compared with. All calls are thread-safe.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace eventhorn::bench {

/// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;

  explicit Fd(int fd) : fd_(fd) {}

  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  Fd& operator=(Fd&& other) noexcept;
  ~Fd();

  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

/// An IPv4 loopback address: benchmarks never load another machine.
struct Address {
  uint32_t host = 0;  // host byte order, within 127.0.0.0/8
  uint16_t port = 0;

  std::string text() const;  // "127.0.0.1:8480"
};

/// "127.0.0.1:8480". kInvalidArgument for names, other networks and bad ports.
Result<Address> parse_address(std::string_view text);

struct Target {
  Address address;
  std::string path;  // with the leading slash
};

/// "http://127.0.0.1:8480/hook"; the path may be missing. kInvalidArgument as above.
Result<Target> parse_target(std::string_view url);

/// CLOCK_MONOTONIC, which all processes of the machine share.
int64_t monotonic_ns();

/// A non-blocking listening socket; port 0 takes a free one. kUnavailable with the system's reason.
Result<Fd> listen_on(const Address& address);
/// The port a listening socket got.
uint16_t local_port(const Fd& fd);
/// A connected, non-blocking socket with TCP_NODELAY. kUnavailable with the system's reason.
Result<Fd> connect_to(const Address& address);

/// epoll_create1, or CHECK.
Fd make_epoll();
/// Registers `fd` level-triggered with `data` as its cookie, or CHECK.
void watch(const Fd& epoll, const Fd& fd, uint32_t events, void* data);
/// Changes what is waited for.
void rewatch(const Fd& epoll, const Fd& fd, uint32_t events, void* data);

/// Where a complete head ends and how long the body is.
struct Head {
  std::string_view start_line;  // without CR LF; refers to the parsed text
  size_t body_at = 0;
  size_t body_bytes = 0;
};

/// The head at the start of `text`; nullopt while it is incomplete. A missing Content-Length counts
/// as no body. kInvalidArgument for Transfer-Encoding and for a bad Content-Length.
Result<std::optional<Head>> parse_head(std::string_view text);

/// The value of a header in a complete head, trimmed; nullopt when it is absent. `name` in lower
/// case.
std::optional<std::string_view> find_header(std::string_view head, std::string_view name);

/// Prints "tool: message" on stderr and ends the process with status 1.
[[noreturn]] void die(std::string_view message);

}  // namespace eventhorn::bench
