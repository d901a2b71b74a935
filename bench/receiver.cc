// bench_receiver: the cheapest possible webhook receiver. An epoll loop that parses just enough of
// HTTP/1.1 to count POSTs, and answers each with a fixed 200.
#include "base/check.h"
#include "net.h"
#include "tally.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace {

using namespace eventhorn;
using namespace eventhorn::bench;

constexpr size_t kMaxRequestBytes = 64 * 1024;
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

struct Options {
  std::string listen = "127.0.0.1:0";
  unsigned threads = 1;
  std::string arrivals_path;
  uint64_t expect = 0;
  bool unique = false;
};

/// Written by the signal handler and by the last expected POST, read by nobody: once readable, it
/// wakes every thread.
int stop_eventfd = -1;

void request_stop(int /*signal*/) {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(stop_eventfd, &one, sizeof one);
}

struct Connection {
  Fd fd;
  std::vector<char> buffer = std::vector<char>(kMaxRequestBytes);
  size_t used = 0;
};

/// One thread's loop: all threads share the listening socket and the tally. A connection stays on
/// its thread.
class Receiver {
 public:
  Receiver(const Fd& listener, const Fd& stop, Tally& tally, uint64_t expect)
      : listener_(listener), stop_(stop), tally_(tally), expect_(expect) {
    watch(epoll_, listener_, EPOLLIN | EPOLLEXCLUSIVE, const_cast<Fd*>(&listener_));
    watch(epoll_, stop_, EPOLLIN, const_cast<Fd*>(&stop_));
  }

  void run() {
    std::array<epoll_event, 256> events{};
    for (;;) {
      const int ready = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
      for (int i = 0; i < ready; ++i) {
        void* const cookie = events[i].data.ptr;
        if (cookie == &stop_) return;
        if (cookie == &listener_) {
          accept_all();
        } else if (auto& connection = *static_cast<Connection*>(cookie); !serve(connection)) {
          connections_.erase(connection.fd.get());
        }
      }
    }
  }

 private:
  void accept_all() {
    for (;;) {
      Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd.get() < 0) return;
      const int key = fd.get();
      auto connection = std::make_unique<Connection>();
      connection->fd = std::move(fd);
      watch(epoll_, connection->fd, EPOLLIN, connection.get());
      connections_[key] = std::move(connection);
    }
  }

  /// Reads what is there and answers every complete request in it; false when the connection is
  /// over.
  bool serve(Connection& c) {
    const ssize_t n = ::recv(c.fd.get(), c.buffer.data() + c.used, c.buffer.size() - c.used, 0);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) return false;
    c.used += static_cast<size_t>(n);
    std::string_view rest(c.buffer.data(), c.used);
    replies_.clear();
    bool open = true;
    while (open && !rest.empty()) {
      const auto head = parse_head(rest);
      if (!head || (*head && (*head)->body_at + (*head)->body_bytes > kMaxRequestBytes)) {
        replies_ += "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        open = false;
      } else if (!*head || rest.size() < (*head)->body_at + (*head)->body_bytes) {
        open = rest.size() < kMaxRequestBytes;
        break;
      } else {
        answer((*head)->start_line, rest.substr((*head)->body_at, (*head)->body_bytes));
        rest.remove_prefix((*head)->body_at + (*head)->body_bytes);
      }
    }
    std::memmove(c.buffer.data(), rest.data(), rest.size());
    c.used = rest.size();
    // Replies are tiny: a client that does not take them is not one of ours.
    const ssize_t sent = ::send(c.fd.get(), replies_.data(), replies_.size(), MSG_NOSIGNAL);
    if (last_seen_) request_stop(0);
    return open && sent == static_cast<ssize_t>(replies_.size());
  }

  void answer(std::string_view start_line, std::string_view body) {
    if (start_line.starts_with("POST ")) {
      const uint64_t count = tally_.add(body, monotonic_ns());
      last_seen_ = expect_ > 0 && count >= expect_;
      replies_ += kOk;
    } else if (start_line.starts_with("GET /count ")) {
      answer_number(tally_.count());
    } else if (start_line.starts_with("GET /distinct ")) {
      answer_number(tally_.distinct());
    } else if (start_line.starts_with("GET /reset ")) {
      tally_.reset();
      replies_ += kOk;
    } else {
      replies_ += "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    }
  }

  void answer_number(uint64_t number) {
    const std::string text = fmt::format("{}\n", number);
    replies_ +=
        fmt::format("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{}",
                    text.size(), text);
  }

  const Fd& listener_;
  const Fd& stop_;
  Tally& tally_;
  const uint64_t expect_;
  Fd epoll_ = make_epoll();
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::string replies_;
  bool last_seen_ = false;
};

int receive(const Options& options) {
  const auto address = parse_address(options.listen);
  if (!address) die(address.error().message);
  const auto listener = listen_on(*address);
  if (!listener) die(listener.error().message);
  const Fd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  stop_eventfd = stop.get();
  std::signal(SIGTERM, request_stop);
  std::signal(SIGINT, request_stop);

  Tally tally({.unique = options.unique, .arrivals = !options.arrivals_path.empty()});
  fmt::print("receiver ready http://{}\n", Address{address->host, local_port(*listener)}.text());
  std::fflush(stdout);
  std::vector<std::thread> threads;
  const auto loop = [&] { Receiver(*listener, stop, tally, options.expect).run(); };
  for (unsigned i = 1; i < options.threads; ++i) threads.emplace_back(loop);
  loop();
  for (auto& thread : threads) thread.join();

  fmt::print("{}\n", tally.summary());
  if (!options.arrivals_path.empty()) {
    const auto written = tally.write_arrivals(options.arrivals_path);
    if (!written) die(written.error().message);
  }
  return options.expect > tally.count() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "A minimal webhook receiver: counts POSTs and answers 200. GET /count, GET /distinct and GET "
      "/reset answer too.\n"
      "SIGTERM ends it; it prints what it got as one JSON line (status 1 if that was less than "
      "expected).");
  Options options;
  app.add_option("--listen", options.listen,
                 "Loopback address; port 0 takes a free one, printed when ready")
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Event loops")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--record-latency", options.arrivals_path,
                 "At the end, write \"event-id monotonic-ns\" of each POST here");
  app.add_option("--expect", options.expect, "End after so many POSTs");
  app.add_flag("--unique", options.unique,
               "Count different event ids (GET /distinct): nothing lost, nothing twice");
  app.footer(
      "Examples:\n"
      "  bench_receiver --listen 127.0.0.1:0\n"
      "  bench_receiver --expect 1000000 --unique\n"
      "  bench_receiver --record-latency arrivals.txt");
  CLI11_PARSE(app, argc, argv);
  return receive(options);
}
