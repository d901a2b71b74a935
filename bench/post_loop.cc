// bench_post_loop: the physical limit. One thread keeps N keep-alive connections busy with a
// prebuilt 1.3 KiB POST each and reads the replies: no HTTP library, nothing made per request. What
// a webhook sender could reach on this machine if storing, signing and scheduling cost nothing.
#include "net.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <vector>

namespace {

using namespace eventhorn;
using namespace eventhorn::bench;

constexpr size_t kRequestBytes = 1331;  // 1.3 KiB: head and body

struct Options {
  std::string target;
  size_t connections = 64;
  double seconds = 5;
  uint64_t count = 0;
};

struct Connection {
  Fd fd;
  std::array<char, 512> reply{};
  size_t reply_bytes = 0;
};

std::string make_request(const Target& target) {
  std::string head = fmt::format(
      "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: eventhorn-bench\r\nContent-Type: "
      "application/json\r\n"
      "Content-Length: ",
      target.path, target.address.text());
  const size_t body_bytes = kRequestBytes - head.size() - 8;  // four digits and an empty line
  std::string body = R"({"signature":{},"event-data":{"id":"AAAAAAAAAAAAAAAAAAAAAA","filler":")";
  body.append(body_bytes - body.size() - 3, 'x');
  return head + fmt::format("{}\r\n\r\n{}\"}}}}", body_bytes, body);
}

class PostLoop {
 public:
  explicit PostLoop(const Options& options) : options_(options) {
    auto target = parse_target(options.target);
    if (!target) die(target.error().message);
    request_ = make_request(*target);
    connections_ = std::vector<Connection>(options.connections);
    for (auto& connection : connections_) {
      auto fd = connect_to(target->address);
      if (!fd) die(fd.error().message);
      connection.fd = *std::move(fd);
      watch(epoll_, connection.fd, EPOLLIN, &connection);
    }
  }

  /// Until `count` replies, or if that is zero for `seconds`. Prints one JSON line.
  void run() {
    const int64_t start = monotonic_ns();
    const int64_t end = start + static_cast<int64_t>(options_.seconds * 1e9);
    for (auto& connection : connections_) send_next(connection);
    int64_t now = start;
    std::array<epoll_event, 64> events{};
    while (options_.count > 0 ? done_ < options_.count : now < end) {
      const int ready = ::epoll_wait(epoll_.get(), events.data(), events.size(), 1000);
      for (int i = 0; i < ready; ++i) read_reply(*static_cast<Connection*>(events[i].data.ptr));
      now = monotonic_ns();
    }
    const double seconds = static_cast<double>(now - start) / 1e9;
    fmt::print(
        "{{\"requests\":{},\"seconds\":{:.3f},\"requests_per_s\":{:.0f},\"request_bytes\":{},"
        "\"connections\":{}}}\n",
        done_, seconds, static_cast<double>(done_) / seconds, request_.size(), connections_.size());
  }

 private:
  void send_next(Connection& connection) {
    if (options_.count > 0 && sent_ == options_.count) {
      connection.fd =
          Fd();  // its work is done; a receiver that ends now must not look like a failure
      return;
    }
    ++sent_;
    // One request is outstanding on a connection, so the socket buffer always has room for the
    // whole.
    const ssize_t n = ::send(connection.fd.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
    if (n != static_cast<ssize_t>(request_.size())) die("send: the connection broke");
  }

  void read_reply(Connection& connection) {
    char* const free_space = connection.reply.data() + connection.reply_bytes;
    const ssize_t n = ::recv(connection.fd.get(), free_space,
                             connection.reply.size() - connection.reply_bytes, 0);
    if (n <= 0) die("recv: the receiver closed a connection");
    connection.reply_bytes += static_cast<size_t>(n);
    const std::string_view reply(connection.reply.data(), connection.reply_bytes);
    if (!reply.ends_with("\r\n\r\n")) return;  // the receiver's replies have no body
    if (!reply.starts_with("HTTP/1.1 200")) die("the receiver answered other than 200");
    connection.reply_bytes = 0;
    ++done_;
    send_next(connection);
  }

  const Options options_;
  std::string request_;
  std::vector<Connection> connections_;
  Fd epoll_ = make_epoll();
  uint64_t sent_ = 0;
  uint64_t done_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "The physical limit: a raw epoll loop of prebuilt 1.3 KiB POSTs. Prints requests/s as one "
      "JSON line.");
  Options options;
  app.add_option("--target", options.target, "http://127.0.0.1:PORT of a bench_receiver")
      ->required();
  app.add_option("--connections", options.connections, "Keep-alive connections")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  auto* seconds = app.add_option("--seconds", options.seconds, "How long")
                      ->check(CLI::PositiveNumber)
                      ->capture_default_str();
  app.add_option("--count", options.count, "How many POSTs, instead of how long")
      ->check(CLI::PositiveNumber)
      ->excludes(seconds);
  app.footer(
      "Examples:\n"
      "  bench_post_loop --target http://127.0.0.1:40001 --seconds 5\n"
      "  bench_post_loop --target http://127.0.0.1:40001 --count 1000000 --connections 8");
  CLI11_PARSE(app, argc, argv);
  PostLoop(options).run();
}
