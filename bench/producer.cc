// bench_producer: sends seeded events to a server's ingest in batches, either as fast as it answers
// or at a fixed rate, and reports how long that took. Everything it sends is made before the clock
// starts.
#include "base/strings.h"
#include "net.h"
#include "spool.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <vector>

namespace {

using namespace eventhorn;
using namespace eventhorn::bench;

constexpr size_t kMaxReplyBytes = 1 << 20;

struct Options {
  std::string target;
  std::string domain = kDomain;
  std::string key;
  uint64_t count = 100'000;
  uint64_t batch = 100;
  size_t connections = 4;
  double rate = 0;
  std::string acks_path;
  uint64_t seed = 1;
  std::string spool = ".";
};

std::string basic_credentials(const std::string& key) {
  std::string text = base64url_encode("api:" + key);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  return text.append((4 - text.size() % 4) % 4, '=');
}

/// The events happened just now: the last one about when sending starts.
Generator make_generator(const Options& options) {
  const SystemTime start = SystemClock().now() - std::chrono::seconds(2) - kSpacing * options.count;
  return Generator(options.seed, start, options.domain);
}

Spool make_spool(const Options& options, const Target& target, const Generator& generator) {
  const Spool::Plan plan{
      options.count, options.batch,
      fmt::format("POST /v3/{}/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {}\r\n"
                  "Content-Type: application/json\r\n",
                  options.domain, target.address.text(), basic_credentials(options.key)),
      options.spool};
  auto spool = Spool::make(generator, plan);
  if (!spool) die(spool.error().message);
  return *std::move(spool);
}

int64_t cpu_ns() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return used.tv_sec * 1'000'000'000 + used.tv_nsec;
}

struct Ack {
  size_t request;
  int64_t at_ns;
};

enum class State { kIdle, kBusy, kRefused };

struct Connection {
  Fd fd;
  State state = State::kIdle;
  size_t request = 0;
  int64_t resend_at_ns = 0;  // kRefused: when Retry-After is over
  std::string_view unsent;
  bool waits_for_room = false;
  std::string reply;
};

class Producer {
 public:
  Producer(const Options& options, const Target& target, const Spool& spool)
      : options_(options), spool_(spool) {
    connections_ = std::vector<Connection>(options.connections);
    for (auto& connection : connections_) {
      auto fd = connect_to(target.address);
      if (!fd) die(fd.error().message);
      connection.fd = *std::move(fd);
      watch(epoll_, connection.fd, EPOLLIN, &connection);
    }
    acks_.reserve(spool.requests());
  }

  /// Until every request was acknowledged.
  void run() {
    start_ns_ = monotonic_ns();
    const int64_t start_cpu_ns = cpu_ns();
    std::array<epoll_event, 64> events{};
    while (acks_.size() < spool_.requests()) {
      const int64_t now = monotonic_ns();
      send_due(now);
      const int ready = ::epoll_wait(epoll_.get(), events.data(), events.size(), wait_ms(now));
      for (int i = 0; i < ready; ++i) {
        auto& connection = *static_cast<Connection*>(events[i].data.ptr);
        if (connection.waits_for_room) send_rest(connection);
        if ((events[i].events & ~EPOLLOUT) != 0) read_reply(connection);
        finish_if_complete(connection);
      }
    }
    end_ns_ = monotonic_ns();
    cpu_ns_ = cpu_ns() - start_cpu_ns;
  }

  void print_summary() const {
    const double seconds = static_cast<double>(end_ns_ - start_ns_) / 1e9;
    fmt::print(
        R"({{"events":{},"stored":{},"seconds":{:.6f},"events_per_s":{:.0f},"retries429":{},"start_ns":{},"cpu_s":{:.3f}}})"
        "\n",
        options_.count, stored_, seconds, static_cast<double>(options_.count) / seconds, retries_,
        start_ns_, static_cast<double>(cpu_ns_) / 1e9);
  }

  uint64_t stored() const { return stored_; }

  const std::vector<Ack>& acks() const { return acks_; }

 private:
  /// When request n may leave: at once without a rate; else when its last event has happened at
  /// that rate.
  int64_t due_ns(size_t n) const {
    if (options_.rate <= 0) return start_ns_;
    return start_ns_ +
           static_cast<int64_t>(static_cast<double>(spool_.end_event(n)) / options_.rate * 1e9);
  }

  /// Starts what can leave by now: refused requests again on their own connection, new ones on idle
  /// connections.
  void send_due(int64_t now) {
    for (auto& connection : connections_) {
      if (connection.state == State::kRefused && connection.resend_at_ns <= now)
        send_request(connection);
      if (connection.state != State::kIdle || next_ == spool_.requests() || due_ns(next_) > now)
        continue;
      connection.request = next_++;
      send_request(connection);
    }
  }

  /// How long nothing is due, rounded up, at most a second.
  int wait_ms(int64_t now) const {
    int64_t until = now + 1'000'000'000;
    for (const auto& connection : connections_) {
      if (connection.state == State::kRefused) until = std::min(until, connection.resend_at_ns);
      if (connection.state == State::kIdle && next_ < spool_.requests())
        until = std::min(until, due_ns(next_));
    }
    return static_cast<int>(std::max<int64_t>(0, (until - now + 999'999) / 1'000'000));
  }

  void send_request(Connection& c) {
    c.state = State::kBusy;
    c.unsent = spool_.request(c.request);
    c.reply.clear();
    send_rest(c);
  }

  void send_rest(Connection& c) {
    const ssize_t n = ::send(c.fd.get(), c.unsent.data(), c.unsent.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) die("send: the server closed a connection");
    c.unsent.remove_prefix(static_cast<size_t>(std::max<ssize_t>(n, 0)));
    if (c.waits_for_room == !c.unsent.empty()) return;
    c.waits_for_room = !c.waits_for_room;
    rewatch(epoll_, c.fd, c.waits_for_room ? EPOLLIN | EPOLLOUT : EPOLLIN, &c);
  }

  void read_reply(Connection& c) {
    std::array<char, 16 * 1024> bytes{};
    const ssize_t n = ::recv(c.fd.get(), bytes.data(), bytes.size(), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) die("recv: the server closed a connection");
    c.reply.append(bytes.data(), static_cast<size_t>(n));
    if (c.reply.size() > kMaxReplyBytes) die("the reply is larger than 1 MiB");
  }

  /// A server may answer 429 while the request is still on its way: the exchange is over when both
  /// are complete.
  void finish_if_complete(Connection& c) {
    if (c.state != State::kBusy || !c.unsent.empty() || c.reply.empty()) return;
    const auto head = parse_head(c.reply);
    if (!head) die(head.error().message);
    if (*head && c.reply.size() >= (*head)->body_at + (*head)->body_bytes) finish(c, **head);
  }

  /// Takes the reply of a request: 200 settles it, 429 sends it again later, anything else ends the
  /// run.
  void finish(Connection& c, const Head& head) {
    const int64_t now = monotonic_ns();
    const std::string_view status =
        head.start_line.substr(std::min<size_t>(9, head.start_line.size()), 3);
    const std::string_view body = std::string_view(c.reply).substr(head.body_at);
    if (status == "200") {
      stored_ += stored_in(body);
      acks_.push_back({c.request, now});
      c.state = State::kIdle;
    } else if (status == "429") {
      const auto seconds = parse_uint(find_header(c.reply, "retry-after").value_or(""));
      if (!seconds || *seconds > 3600) die("429 without a usable Retry-After");
      c.resend_at_ns = now + static_cast<int64_t>(*seconds) * 1'000'000'000;
      c.state = State::kRefused;
      ++retries_;
    } else {
      die(fmt::format("ingest answered {}: {}", head.start_line, body.substr(0, 300)));
    }
  }

  static uint64_t stored_in(std::string_view body) {
    constexpr std::string_view kKey = "\"stored\":";
    const size_t at = body.find(kKey);
    if (at == std::string_view::npos) die("ingest answered 200 without \"stored\"");
    body = trim(body.substr(at + kKey.size()));
    const auto stored = parse_uint(body.substr(0, body.find_first_not_of("0123456789")));
    if (!stored) die("ingest answered \"stored\" without a number");
    return *stored;
  }

  const Options& options_;
  const Spool& spool_;
  Fd epoll_ = make_epoll();
  std::vector<Connection> connections_;
  std::vector<Ack> acks_;
  size_t next_ = 0;
  uint64_t stored_ = 0;
  uint64_t retries_ = 0;
  int64_t start_ns_ = 0;
  int64_t end_ns_ = 0;
  int64_t cpu_ns_ = 0;
};

void write_acks(const Options& options, const Generator& generator, const Spool& spool,
                const std::vector<Ack>& acks) {
  std::string lines;
  for (const Ack& ack : acks) {
    for (uint64_t i = spool.first_event(ack.request); i < spool.end_event(ack.request); ++i) {
      lines += fmt::format("{} {}\n", generator.event_id(i), ack.at_ns);
    }
  }
  std::FILE* file = std::fopen(options.acks_path.c_str(), "w");
  bool written =
      file != nullptr && std::fwrite(lines.data(), 1, lines.size(), file) == lines.size();
  if (file != nullptr) written = std::fclose(file) == 0 && written;
  if (!written) die(options.acks_path + ": cannot write");
}

int produce(const Options& options) {
  const auto target = parse_target(options.target);
  if (!target) die(target.error().message);
  const Generator generator = make_generator(options);
  const Spool spool = make_spool(options, *target, generator);
  Producer producer(options, *target, spool);
  producer.run();
  producer.print_summary();
  if (!options.acks_path.empty()) write_acks(options, generator, spool, producer.acks());
  if (producer.stored() != options.count) die("not every event was stored");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Sends seeded events to POST /v3/{domain}/events and prints {events, stored, seconds, ...} "
      "as one JSON line.\n"
      "Ends with status 1 when an answer is neither 200 nor 429, or when not every event was "
      "stored.");
  Options options;
  app.add_option("--target", options.target, "http://127.0.0.1:PORT of the server")->required();
  app.add_option("--key", options.key, "API key")->required();
  app.add_option("--domain", options.domain, "Domain of the events")->capture_default_str();
  app.add_option("--count", options.count, "Events to send")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--batch", options.batch, "Events in a request")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--connections", options.connections, "Requests in flight")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--rate", options.rate, "Events per second; 0 is as fast as the server answers")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--record-acks", options.acks_path,
                 "Write \"event-id monotonic-ns\" of each acknowledgement here");
  app.add_option("--seed", options.seed, "Another seed, other events")->capture_default_str();
  app.add_option("--spool", options.spool,
                 "Directory for the prepared requests (1.2 KiB an event, unlinked)")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.footer(
      "Examples:\n"
      "  bench_producer --target http://127.0.0.1:8480 --key $EVENTHORN_API_KEY --count 1000000\n"
      "  bench_producer --target http://127.0.0.1:8480 --key K --rate 1000 --batch 10 --count "
      "20000 --record-acks acks.txt");
  CLI11_PARSE(app, argc, argv);
  return produce(options);
}
