// bench_load: sends events to many domains, made on the fly, at a rate or as fast as the server
// answers; sets webhooks before. Each event says when it was due, so that bench_targets can tell
// how long it took from there. Survives a server that is killed and started again.
#include "generator.h"
#include "poster.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace eventhorn;
using namespace eventhorn::bench;

constexpr std::array<std::string_view, 8> kHooks = {
    "delivered",  "accepted",     "opened",         "clicked",
    "complained", "unsubscribed", "temporary_fail", "permanent_fail"};

std::atomic<bool> stop = false;

struct Options {
  std::string target;
  std::string key;
  uint64_t first = 1;
  uint64_t domains = 1;
  std::string hook_url;
  uint64_t hooks = kHooks.size();
  uint64_t count = 0;
  double seconds = 0;
  bool until_stopped = false;
  double rate = 0;
  uint64_t batch = 1;
  size_t connections = 16;
  uint64_t seed = 1;
  bool reconnect = false;
};

/// Common to both sources: requests for one domain after the other, without end.
class DomainSource : public Source {
 public:
  DomainSource(const Options& options, const Target& target)
      : options_(options), target_(target), credentials_(basic_credentials(options.key)) {}

 protected:
  std::string head(std::string_view path, std::string_view type, size_t body_bytes) const {
    return fmt::format(
        "POST {} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nContent-Type: {}\r\n"
        "Content-Length: {}\r\n\r\n",
        path, target_.address.text(), credentials_, type, body_bytes);
  }

  static std::string domain(uint64_t number) { return fmt::format("d{}.{}", number, kDomain); }

  const Options& options_;

 private:
  const Target& target_;
  const std::string credentials_;
};

/// A POST for each webhook of each domain; the server creates the domains.
class HookSource : public DomainSource {
 public:
  using DomainSource::DomainSource;

  std::optional<int64_t> due_ns(size_t n) override {
    if (n == options_.domains * options_.hooks) return std::nullopt;
    return 0;
  }

  std::string_view request(size_t n, std::string& storage) override {
    const uint64_t number = options_.first + n / options_.hooks;
    const std::string body = fmt::format("id={}&url={}", kHooks[n % options_.hooks], url(number));
    storage = head(fmt::format("/v3/domains/{}/webhooks", domain(number)),
                   "application/x-www-form-urlencoded", body.size()) +
              body;
    return storage;
  }

  void settled(size_t /*n*/, std::string_view /*body*/, int64_t /*now_ns*/) override {}

 private:
  std::string url(uint64_t number) const {
    std::string out = options_.hook_url;
    const size_t at = out.find("{n}");
    return at == std::string::npos ? out : out.replace(at, 3, std::to_string(number));
  }
};

class EventSource : public DomainSource {
 public:
  EventSource(const Options& options, const Target& target)
      : DomainSource(options, target),
        generator_(options.seed, SystemClock().now() - std::chrono::seconds(2), kDomain),
        start_ns_(monotonic_ns()) {}

  std::optional<int64_t> due_ns(size_t n) override {
    if (!options_.until_stopped && n * options_.batch >= events()) return std::nullopt;
    if (options_.rate <= 0) return start_ns_;
    return start_ns_ +
           static_cast<int64_t>(static_cast<double>(n * options_.batch) / options_.rate * 1e9);
  }

  std::string_view request(size_t n, std::string& storage) override {
    const int64_t due = options_.rate > 0 ? *due_ns(n) : monotonic_ns();
    const uint64_t begin = n * options_.batch;
    const uint64_t end = options_.until_stopped ? begin + options_.batch
                                                : std::min(events(), begin + options_.batch);
    body_ = "[";
    for (uint64_t i = begin; i < end; ++i) {
      if (i > begin) body_ += ',';
      generator_.append_event(i, body_);
      body_.resize(body_.size() - 2);  // "}}": the last object of an event is user-variables
      body_ += fmt::format(R"(,"sent_ns":"{}"}}}})", due);
    }
    body_ += ']';
    const std::string path =
        fmt::format("/v3/{}/events", domain(options_.first + n % options_.domains));
    storage = head(path, "application/json", body_.size()) + body_;
    sent_ += end - begin;
    return storage;
  }

  void settled(size_t /*n*/, std::string_view body, int64_t /*now_ns*/) override {
    if (body.find("\"rejected\":[]") == std::string_view::npos)
      die(fmt::format("ingest rejected an event: {}", body.substr(0, 300)));
  }

  uint64_t sent() const { return sent_; }

  int64_t start_ns() const { return start_ns_; }

 private:
  uint64_t events() const {
    if (options_.count > 0) return options_.count;
    return static_cast<uint64_t>(options_.rate * options_.seconds);
  }

  const Generator generator_;
  const int64_t start_ns_;
  std::string body_;
  uint64_t sent_ = 0;
};

int load(const Options& options) {
  const auto target = parse_target(options.target);
  if (!target) die(target.error().message);
  std::signal(SIGTERM, [](int) { stop = true; });
  const Poster::Options posting{.connections = options.connections, .reconnect = options.reconnect};
  if (!options.hook_url.empty()) {
    HookSource hooks(options, *target);
    Poster(target->address, posting, hooks).run(stop);
  }
  EventSource events(options, *target);
  Poster poster(target->address, posting, events);
  poster.run(stop);
  const double seconds = static_cast<double>(monotonic_ns() - events.start_ns()) / 1e9;
  fmt::print(
      R"({{"events":{},"seconds":{:.6f},"events_per_s":{:.0f},"retries429":{},"broken":{},"start_ns":{}}})"
      "\n",
      events.sent(), seconds, static_cast<double>(events.sent()) / seconds, poster.retries(),
      poster.broken(), events.start_ns());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Sends seeded events to the domains d1.bench.example, d2... in turn, and prints {events, "
      "seconds, ...} as one JSON line.\n"
      "SIGTERM ends it once what it sent is acknowledged. Status 1 when an answer is neither 200 "
      "nor 429.");
  Options options;
  app.add_option("--target", options.target, "http://127.0.0.1:PORT of the server")->required();
  app.add_option("--key", options.key, "API key")->required();
  app.add_option("--first", options.first, "Number of the first domain")->capture_default_str();
  app.add_option("--domains", options.domains, "How many domains")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--hook-url", options.hook_url,
                 "First point the webhooks of each domain at this URL; {n} is the domain's number");
  app.add_option("--hooks", options.hooks, "How many names of webhooks, delivered first")
      ->check(CLI::Range(size_t{1}, kHooks.size()))
      ->capture_default_str();
  app.add_option("--count", options.count, "Events to send, of all domains")->capture_default_str();
  app.add_option("--seconds", options.seconds, "How long, instead of --count; needs --rate");
  app.add_flag("--until-stopped", options.until_stopped, "Until SIGTERM");
  app.add_option("--rate", options.rate,
                 "Events per second, of all domains; 0 is as fast as the server answers")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--batch", options.batch, "Events in a request")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--connections", options.connections, "Requests in flight")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Another seed, other events and ids")
      ->capture_default_str();
  app.add_flag("--reconnect", options.reconnect, "Go on when the server breaks connections");
  app.footer(
      "Examples:\n"
      "  bench_load --target http://127.0.0.1:8480 --key $KEY --domains 100 --hook-url "
      "http://127.0.0.{n}:9000/ --rate 1000 --seconds 20\n"
      "  bench_load --target http://127.0.0.1:8480 --key $KEY --domains 1000 --batch 100 --count "
      "5000000");
  CLI11_PARSE(app, argc, argv);
  return load(options);
}
