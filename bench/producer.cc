// bench_producer: sends seeded events to a server's ingest in batches, either as fast as it answers
// or at a fixed rate, and reports how long that took. Everything it sends is made before the clock
// starts.
#include "base/strings.h"
#include "poster.h"
#include "spool.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace eventhorn;
using namespace eventhorn::bench;

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

/// The events happened just now: the last one about when sending starts.
Generator make_generator(const Options& options) {
  const SystemTime start = SystemClock().now() - std::chrono::seconds(2) - kSpacing * options.count;
  return Generator(options.seed, start, options.domain);
}

Spool make_spool(const Options& options, const Target& target, const Generator& generator) {
  const Spool::Plan plan{
      options.count, options.batch,
      fmt::format("POST /v3/{}/events HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n"
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

/// The spool's requests, at once or at a rate.
class SpoolSource : public Source {
 public:
  SpoolSource(const Spool& spool, double rate)
      : spool_(spool), rate_(rate), start_ns_(monotonic_ns()) {
    acks_.reserve(spool.requests());
  }

  /// At once without a rate; else when its last event has happened at that rate.
  std::optional<int64_t> due_ns(size_t n) override {
    if (n == spool_.requests()) return std::nullopt;
    if (rate_ <= 0) return start_ns_;
    return start_ns_ + static_cast<int64_t>(static_cast<double>(spool_.end_event(n)) / rate_ * 1e9);
  }

  std::string_view request(size_t n, std::string& /*storage*/) override {
    return spool_.request(n);
  }

  void settled(size_t n, std::string_view body, int64_t now_ns) override {
    stored_ += stored_in(body);
    acks_.push_back({n, now_ns});
  }

  int64_t start_ns() const { return start_ns_; }

  uint64_t stored() const { return stored_; }

  const std::vector<Ack>& acks() const { return acks_; }

 private:
  static uint64_t stored_in(std::string_view body) {
    constexpr std::string_view kKey = "\"stored\":";
    const size_t at = body.find(kKey);
    if (at == std::string_view::npos) die("ingest answered 200 without \"stored\"");
    body = trim(body.substr(at + kKey.size()));
    const auto stored = parse_uint(body.substr(0, body.find_first_not_of("0123456789")));
    if (!stored) die("ingest answered \"stored\" without a number");
    return *stored;
  }

  const Spool& spool_;
  const double rate_;
  const int64_t start_ns_;
  std::vector<Ack> acks_;
  uint64_t stored_ = 0;
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
  SpoolSource source(spool, options.rate);
  Poster poster(target->address, {.connections = options.connections}, source);
  const int64_t start_cpu_ns = cpu_ns();
  poster.run(/*stop=*/false);
  const double seconds = static_cast<double>(monotonic_ns() - source.start_ns()) / 1e9;
  fmt::print(
      R"({{"events":{},"stored":{},"seconds":{:.6f},"events_per_s":{:.0f},"retries429":{},"start_ns":{},"cpu_s":{:.3f}}})"
      "\n",
      options.count, source.stored(), seconds, static_cast<double>(options.count) / seconds,
      poster.retries(), source.start_ns(), static_cast<double>(cpu_ns() - start_cpu_ns) / 1e9);
  if (!options.acks_path.empty()) write_acks(options, generator, spool, source.acks());
  if (source.stored() != options.count) die("not every event was stored");
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
