// A name server for tests: answers as a script says, over UDP and TCP on a free port of 127.0.0.1.
#pragma once

#include "net/address.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace eventhorn::outbound::testing {

struct DnsReply {
  std::vector<std::string> addresses{};  // of both families; those of the question's are sent
  uint32_t ttl = 60;
  int rcode = 0;           // RFC 1035 section 4.1.1: 2 is SERVFAIL, 3 NXDOMAIN
  bool silent = false;     // no answer at all
  bool truncated = false;  // over UDP: nothing but the TC bit
  /// The name is an alias of this one, and this one of the name.
  std::string cname_loop{};
};

class DnsServer {
 public:
  /// Runs on the server's thread, for each question.
  using Script = std::function<DnsReply(const std::string& name, bool v6)>;

  explicit DnsServer(Script script) : script_(std::move(script)) {
    // The same port for both, which a busy machine may need some tries for.
    for (int i = 0; i < 100 && !bind_both(); ++i) {
    }
    EXPECT_NE(port_, 0) << "no port is free for UDP and TCP";
    EXPECT_EQ(::pipe(stop_.data()), 0);
    thread_ = std::thread([this] { run(); });
  }

  ~DnsServer() {
    ::close(stop_[1]);
    thread_.join();
    for (const int fd : {udp_, tcp_, stop_[0]}) ::close(fd);
  }

  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  /// How often the IPv4 addresses of `name` were asked for.
  int questions(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = questions_.find(name);
    return found == questions_.end() ? 0 : found->second;
  }

 private:
  static constexpr uint16_t kCname = 5;
  static constexpr uint16_t kA = 1;
  static constexpr uint16_t kAaaa = 28;
  static constexpr size_t kHeader = 12;

  bool bind_both() {
    udp_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    tcp_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* generic = reinterpret_cast<sockaddr*>(&at);
    const bool bound = ::bind(udp_, generic, size) == 0 &&
                       ::getsockname(udp_, generic, &size) == 0 &&
                       ::bind(tcp_, generic, size) == 0 && ::listen(tcp_, 16) == 0;
    if (bound) {
      port_ = ntohs(at.sin_port);
    } else {
      ::close(udp_);
      ::close(tcp_);
    }
    return bound;
  }

  void run() {
    for (;;) {
      std::array<pollfd, 3> fds = {{{udp_, POLLIN, 0}, {tcp_, POLLIN, 0}, {stop_[0], POLLIN, 0}}};
      ::poll(fds.data(), fds.size(), -1);
      if (fds[2].revents != 0) return;
      if (fds[0].revents != 0) answer_udp();
      if (fds[1].revents != 0) answer_tcp();
    }
  }

  void answer_udp() {
    std::array<char, 512> buffer{};
    sockaddr_in from{};
    socklen_t size = sizeof from;
    auto* peer = reinterpret_cast<sockaddr*>(&from);
    const auto n = ::recvfrom(udp_, buffer.data(), buffer.size(), 0, peer, &size);
    if (n <= 0) return;
    const auto out = answer({buffer.data(), static_cast<size_t>(n)}, false);
    if (!out.empty()) ::sendto(udp_, out.data(), out.size(), 0, peer, size);
  }

  void answer_tcp() {
    const int fd = ::accept4(tcp_, nullptr, nullptr, SOCK_CLOEXEC);
    std::string in;
    const auto wanted = [&] { return in.size() < 2 ? 2 : 2 + static_cast<size_t>(number(in, 0)); };
    std::array<char, 512> buffer{};
    while (in.size() < wanted()) {
      const auto n = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (n <= 0) break;
      in.append(buffer.data(), static_cast<size_t>(n));
    }
    if (in.size() >= wanted()) {
      const auto out = answer(std::string_view(in).substr(2), true);
      std::string framed;
      append(framed, static_cast<uint16_t>(out.size()));
      framed += out;
      (void)!::write(fd, framed.data(), framed.size());
    }
    ::close(fd);
  }

  std::string answer(std::string_view question, bool tcp) {
    size_t at = kHeader;
    std::string name;
    while (question[at] != 0) {
      const auto length = static_cast<size_t>(question[at]);
      name.append(name.empty() ? "" : ".").append(question.substr(at + 1, length));
      at += length + 1;
    }
    const uint16_t type = number(question, at + 1);
    if (type == kA && !tcp) {
      const std::lock_guard lock(mutex_);
      ++questions_[name];
    }
    const DnsReply reply = script_(name, type == kAaaa);
    if (reply.silent) return {};
    const bool cut = reply.truncated && !tcp;
    std::string records;
    uint16_t count = 0;
    if (!cut && !reply.cname_loop.empty()) {
      record(records, wire(name), kCname, reply.ttl, wire(reply.cname_loop));
      record(records, wire(reply.cname_loop), kCname, reply.ttl, wire(name));
      count = 2;
    }
    for (const auto& text : reply.addresses) {
      const auto address = *net::IpAddress::parse(text);
      if (cut || address.is_v4() != (type == kA)) continue;
      const auto bytes = address.bytes();
      record(records, wire(name), type, reply.ttl,
             {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      ++count;
    }
    std::string out(question.substr(0, 2));
    // QR, RD, RA.
    append(out, static_cast<uint16_t>(0x8180 | (cut ? 0x0200 : 0) | reply.rcode));
    for (const uint16_t n : {uint16_t{1}, count, uint16_t{0}, uint16_t{0}}) append(out, n);
    out += question.substr(kHeader, at + 5 - kHeader);
    return out + records;
  }

  static uint16_t number(std::string_view text, size_t at) {
    return static_cast<uint16_t>(static_cast<unsigned char>(text[at]) << 8 |
                                 static_cast<unsigned char>(text[at + 1]));
  }

  static void append(std::string& out, uint16_t value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value & 0xff);
  }

  static std::string wire(std::string_view name) {
    std::string out;
    while (!name.empty()) {
      const auto dot = std::min(name.find('.'), name.size());
      out += static_cast<char>(dot);
      out += name.substr(0, dot);
      name.remove_prefix(std::min(dot + 1, name.size()));
    }
    return out + '\0';
  }

  static void record(std::string& out, const std::string& name, uint16_t type, uint32_t ttl,
                     std::string_view data) {
    out += name;
    append(out, type);
    append(out, 1);  // IN
    append(out, static_cast<uint16_t>(ttl >> 16));
    append(out, static_cast<uint16_t>(ttl & 0xffff));
    append(out, static_cast<uint16_t>(data.size()));
    out += data;
  }

  Script script_;
  int udp_ = -1;
  int tcp_ = -1;
  uint16_t port_ = 0;
  std::array<int, 2> stop_{};
  std::thread thread_;
  mutable std::mutex mutex_;
  std::map<std::string, int> questions_;  // guarded by mutex_
};

}  // namespace eventhorn::outbound::testing
