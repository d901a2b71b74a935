// bench_targets: many webhook URLs in one epoll loop, each with an address of its own (127.0.0.1,
// 127.0.0.2, ..., as limits per host must see different hosts), which can be switched while they
// run: answer, accept and never answer, refuse connections. Tells for any of them how many POSTs,
// how many different events, how long they took since bench_load meant to send them, and how many
// connections were open at once.
#include "base/check.h"
#include "base/strings.h"
#include "channel.h"
#include "net.h"
#include "tally.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using namespace eventhorn;
using namespace eventhorn::bench;

constexpr size_t kMaxRequestBytes = 64 * 1024;
constexpr uint32_t kLoopback = 0x7f000001;
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

struct Options {
  uint32_t targets = 1;
  std::string tls_cert;
  std::string tls_key;
};

enum class Mode { kAnswer, kHole, kRefuse };

/// What happened since the last lap, but for `total` and `ids`.
struct Counts {
  uint64_t posts = 0;
  uint64_t accepted = 0;
  size_t peak_connections = 0;
  std::vector<uint32_t> delays_us;
  uint64_t total = 0;
};

struct Target {
  Address address;
  Mode mode = Mode::kAnswer;
  bool control = false;
  size_t connections = 0;
  Counts counts;
  HashSet ids;
};

/// A listener, or a connection when it has a channel.
struct Peer {
  Target* target = nullptr;
  Fd listener;
  std::unique_ptr<Channel> channel;
  std::vector<char> buffer;
  size_t used = 0;
  bool over = false;

  const Fd& fd() const { return channel ? channel->fd() : listener; }
};

/// The digits of "sent_ns":"..." in a webhook body.
std::optional<int64_t> find_sent_ns(std::string_view body) {
  constexpr std::string_view kKey = "\"sent_ns\":\"";
  const size_t at = body.rfind(kKey);
  if (at == std::string_view::npos) return std::nullopt;
  body.remove_prefix(at + kKey.size());
  const auto ns = parse_uint(body.substr(0, body.find('"')));
  if (!ns) return std::nullopt;
  return static_cast<int64_t>(*ns);
}

/// "3" or "3-50": the first and the last number, within 1 to `most`.
std::optional<std::pair<uint64_t, uint64_t>> parse_range(std::string_view text, uint64_t most) {
  const size_t dash = text.find('-');
  const auto first = parse_uint(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_uint(text.substr(dash + 1));
  if (!first || !last || *first < 1 || *last < *first || *last > most) return std::nullopt;
  return std::pair(*first, *last);
}

class Targets {
 public:
  explicit Targets(const Options& options) {
    if (!options.tls_cert.empty()) tls_.emplace(options.tls_cert, options.tls_key);
    control_.control = true;
    control_.address = {kLoopback, 0};
    control_.address.port = local_port(must_listen(control_));
    for (uint32_t i = 0; i < options.targets; ++i) {
      Target& target = targets_.emplace_back();
      target.address = {kLoopback + i, i == 0 ? uint16_t{0} : targets_.front().address.port};
      target.address.port = local_port(must_listen(target));
    }
  }

  const Address& control() const { return control_.address; }

  [[noreturn]] void run() {
    std::array<epoll_event, 256> events{};
    for (;;) {
      const int ready = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
      for (int i = 0; i < ready; ++i) {
        auto& peer = *static_cast<Peer*>(events[i].data.ptr);
        if (peer.over) continue;
        if (!peer.channel) {
          accept_all(peer);
        } else if (!serve(peer)) {
          end(peer);
        }
      }
      // Not before the batch is through: its events refer to them.
      over_.clear();
    }
  }

 private:
  const Fd& must_listen(Target& target) {
    auto fd = listen_on(target.address);
    if (!fd) die(fd.error().message);
    auto peer = std::make_unique<Peer>();
    peer->target = &target;
    peer->listener = *std::move(fd);
    watch(epoll_, peer->listener, EPOLLIN, peer.get());
    return (peers_[peer.get()] = std::move(peer))->listener;
  }

  void accept_all(const Peer& listener) {
    for (;;) {
      Fd fd = accept_from(listener.listener);
      if (fd.get() < 0) return;
      Target& target = *listener.target;
      auto peer = std::make_unique<Peer>();
      peer->target = &target;
      peer->channel =
          std::make_unique<Channel>(std::move(fd), tls_ && !target.control ? &*tls_ : nullptr);
      peer->buffer.resize(kMaxRequestBytes);
      watch(epoll_, peer->fd(), EPOLLIN, peer.get());
      peers_[peer.get()] = std::move(peer);
      ++target.counts.accepted;
      ++target.connections;
      target.counts.peak_connections = std::max(target.counts.peak_connections, target.connections);
    }
  }

  void end(Peer& peer) {
    if (peer.channel) --peer.target->connections;
    peer.over = true;
    over_.push_back(std::move(peers_.extract(&peer).mapped()));
    if (peer.channel) {
      peer.channel->close();
    } else {
      peer.listener = Fd();
    }
  }

  /// Reads what is there and answers every complete request; false when the connection is over.
  bool serve(Peer& peer) {
    do {
      const auto n =
          peer.channel->read(peer.buffer.data() + peer.used, peer.buffer.size() - peer.used);
      if (!n) return true;
      if (*n == 0) return false;
      if (peer.target->mode == Mode::kHole) continue;
      peer.used += *n;
      if (!answer_all(peer)) return false;
    } while (peer.channel->pending());
    return true;
  }

  bool answer_all(Peer& peer) {
    std::string_view rest(peer.buffer.data(), peer.used);
    replies_.clear();
    while (!rest.empty()) {
      const auto head = parse_head(rest);
      if (!head) return false;
      if (!*head || rest.size() < (*head)->body_at + (*head)->body_bytes) break;
      const std::string_view body = rest.substr((*head)->body_at, (*head)->body_bytes);
      if (peer.target->control) {
        answer_control((*head)->start_line);
      } else {
        take(*peer.target, body);
      }
      rest.remove_prefix((*head)->body_at + (*head)->body_bytes);
    }
    if (rest.size() == peer.buffer.size()) return false;
    std::memmove(peer.buffer.data(), rest.data(), rest.size());
    peer.used = rest.size();
    return replies_.empty() || peer.channel->write(replies_);
  }

  void take(Target& target, std::string_view body) {
    ++target.counts.posts;
    ++target.counts.total;
    if (const auto id = find_event_id(body)) target.ids.insert(std::hash<std::string_view>()(*id));
    if (const auto sent = find_sent_ns(body)) {
      const int64_t us = std::max<int64_t>(0, (monotonic_ns() - *sent) / 1000);
      target.counts.delays_us.push_back(static_cast<uint32_t>(std::min<int64_t>(us, UINT32_MAX)));
    }
    replies_ += kOk;
  }

  void answer_control(std::string_view start_line) {
    const auto words = split(start_line, ' ');
    const auto path = words.size() == 3 ? split(words[1], '/') : std::vector<std::string_view>();
    const auto range = path.size() == 3 ? parse_range(path[2], targets_.size()) : std::nullopt;
    std::string text = "ok\n";
    if (words.size() == 3 && words[1] == "/port") {
      text = fmt::format("{}\n", targets_.front().address.port);
    } else if (range && path[1] == "counts") {
      text = fmt::format("{{{}}}\n", counts(range->first, range->second));
    } else if (range && path[1] == "stats") {
      text = fmt::format("{{{},{}}}\n", counts(range->first, range->second),
                         delays(range->first, range->second));
    } else if (range && (path[1] == "answer" || path[1] == "hole" || path[1] == "refuse")) {
      const Mode mode = path[1] == "answer" ? Mode::kAnswer
                        : path[1] == "hole" ? Mode::kHole
                                            : Mode::kRefuse;
      for (uint64_t n = range->first; n <= range->second; ++n) set_mode(targets_[n - 1], mode);
    } else if (range && path[1] == "lap") {
      for (uint64_t n = range->first; n <= range->second; ++n) {
        Target& target = targets_[n - 1];
        const uint64_t total = target.counts.total;
        target.counts = Counts();
        target.counts.total = total;
        target.counts.peak_connections = target.connections;
      }
    } else {
      replies_ += "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
      return;
    }
    replies_ += fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", text.size(), text);
  }

  /// Whatever it was before, a target starts anew: without connections.
  void set_mode(Target& target, Mode mode) {
    std::vector<Peer*> mine;
    bool listens = false;
    for (const auto& [key, peer] : peers_) {
      if (peer->target != &target) continue;
      if (!peer->channel) listens = true;
      if (peer->channel || mode == Mode::kRefuse) mine.push_back(peer.get());
    }
    for (Peer* peer : mine) end(*peer);
    target.mode = mode;
    if (mode != Mode::kRefuse && !listens) must_listen(target);
  }

  /// Of several targets: sums, and the largest peak. Cheap, unlike delays().
  std::string counts(uint64_t first, uint64_t last) const {
    uint64_t posts = 0, total = 0, distinct = 0, accepted = 0;
    size_t peak = 0;
    for (uint64_t n = first; n <= last; ++n) {
      const Target& target = targets_[n - 1];
      posts += target.counts.posts;
      total += target.counts.total;
      distinct += target.ids.size();
      accepted += target.counts.accepted;
      peak = std::max(peak, target.counts.peak_connections);
    }
    return fmt::format(R"("posts":{},"total":{},"distinct":{},"accepted":{},"peak_connections":{})",
                       posts, total, distinct, accepted, peak);
  }

  /// Percentiles of all delays of several targets together.
  std::string delays(uint64_t first, uint64_t last) const {
    std::vector<uint32_t> all;
    for (uint64_t n = first; n <= last; ++n) {
      const auto& some = targets_[n - 1].counts.delays_us;
      all.insert(all.end(), some.begin(), some.end());
    }
    std::sort(all.begin(), all.end());
    const auto percentile_ms = [&](size_t percent) {
      return all.empty() ? 0.0 : all[std::min(all.size() - 1, all.size() * percent / 100)] / 1000.0;
    };
    return fmt::format(R"("p50_ms":{:.3f},"p99_ms":{:.3f},"max_ms":{:.3f})", percentile_ms(50),
                       percentile_ms(99), percentile_ms(100));
  }

  Fd epoll_ = make_epoll();
  std::optional<TlsFiles> tls_;
  Target control_;
  std::deque<Target> targets_;
  std::unordered_map<Peer*, std::unique_ptr<Peer>> peers_;
  std::vector<std::unique_ptr<Peer>> over_;
  std::string replies_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Webhook URLs http://127.0.0.N:PORT/ that can be switched while they run. Prints where it is "
      "controlled:\n"
      "GET /port, /answer/N, /hole/N, /refuse/N, /lap/N (counts from here), /counts/N, /stats/N "
      "(with "
      "delays); N may be a range like 1-50.\n"
      "Ends with SIGTERM.");
  Options options;
  app.add_option("--targets", options.targets, "How many URLs, from 127.0.0.1 on")
      ->check(CLI::Range(1, 250))
      ->capture_default_str();
  auto* key = app.add_option("--tls-key", options.tls_key, "Its key, PEM");
  app.add_option("--tls-cert", options.tls_cert, "Certificate, PEM: the URLs are https")
      ->needs(key);
  app.footer(
      "Examples:\n"
      "  bench_targets --targets 100\n"
      "  bench_targets --tls-cert cert.pem --tls-key key.pem");
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  Targets targets(options);
  fmt::print("targets ready http://{}\n", targets.control().text());
  std::fflush(stdout);
  targets.run();
}
