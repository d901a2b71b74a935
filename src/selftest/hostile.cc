#include "selftest/hostile.h"

#include "base/strings.h"
#include "crypto/random.h"
#include "json/reader.h"
#include "selftest/receiver.h"
#include "selftest/server_process.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <thread>
#include <unistd.h>
#include <vector>

namespace eventhorn::selftest {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr unsigned kMaxInFlight = 1024;
constexpr unsigned kUnsaved = 256;  // outcomes that may be settled and not saved when it is killed
constexpr milliseconds kTimeout{1000};
constexpr milliseconds kTick{50};  // between two batches for each receiver
constexpr uint64_t kMaxBatch = 5000;
constexpr std::chrono::seconds kStall{60};  // no progress for so long: something is lost
constexpr milliseconds kLook{20};           // between two looks at the receivers
constexpr unsigned kFirstHost = 2;          // 127.0.0.1 is the server's
constexpr size_t kMinDelays = 20;           // for a p99

/// Bad receivers fail soon and are tried again soon, so that the selftest takes seconds.
std::vector<std::string> make_settings() {
  std::string schedule = "delivery.retry_schedule=2s";
  for (int i = 1; i < 32; ++i) schedule += ",2s";
  return {fmt::format("delivery.max_in_flight={}", kMaxInFlight),
          fmt::format("delivery.timeout={}ms", kTimeout.count()),
          "delivery.connect_timeout=500ms",
          "delivery.park_after=2s",
          "delivery.probe_interval=200ms",
          "delivery.probe_max_interval=1s",
          "delivery.slow_start=1s",
          "log.level=warn",
          std::move(schedule)};
}

/// Where the server keeps its data and its log.
class Directory {
 public:
  Directory() {
    std::error_code error;
    const auto parent = std::filesystem::temp_directory_path(error);
    if (error) return;
    std::string name = (parent / "eventhorn-selftest-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }

  ~Directory() {
    std::error_code ignored;
    if (!keep_ && !path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  /// Empty when there is none.
  const std::string& path() const { return path_; }

  void keep() { keep_ = true; }

 private:
  std::string path_;
  bool keep_ = false;
};

/// A receiver and the domain of its events.
struct Party {
  std::string domain;
  const char* name = "";
  std::unique_ptr<Receiver> receiver;
  std::atomic<uint64_t> acknowledged = 0;
  std::string state;
};

void say(std::string_view what) {
  fmt::print(stderr, "selftest: {}\n", what);
}

class Hostile {
 public:
  Hostile(const HostileOptions& options, ServerProcess::Options server)
      : options_(options), server_(std::move(server)) {}

  Report run() {
    if (const auto done = play(); !done) report_.problems.push_back(done.error().message);
    if (const auto stopped = server_.stop(); !stopped)
      report_.problems.push_back(stopped.error().message);
    report_.kills = kills_;
    report_.repeats_per_kill = kMaxInFlight + kUnsaved;
    report_.p99_limit = kTimeout;
    for (const auto& party : parties_) report_.receivers.push_back(describe(*party));
    return report_;
  }

 private:
  Status play() {
    TRY_STATUS(start_receivers());
    TRY_STATUS(server_.start());
    TRY_STATUS(set_hooks());
    TRY_STATUS(send_and_kill());
    say("waiting for the good receiver, while the others are bad");
    if (!wait_for(1))
      report_.problems.emplace_back(
          "the good receiver did not get everything while others were bad");
    read_states();
    say("the bad receivers turn good: what was kept for them must come");
    for (const auto& party : parties_) party->receiver->heal();
    TRY_STATUS(want_gone_back());
    wait_for(parties_.size());  // what is missing then is lost: the report counts it
    return {};
  }

  Status start_receivers() {
    for (const Kind& kind : kKinds) {
      auto party = std::make_unique<Party>();
      party->name = kind.name;
      party->domain = fmt::format("r{}.selftest.example", parties_.size());
      const auto host = static_cast<unsigned>(kFirstHost + parties_.size());
      TRY(party->receiver, Receiver::start(kind.behaviour, host, life_));
      parties_.push_back(std::move(party));
    }
    return {};
  }

  Status set_hooks() {
    for (const auto& party : parties_) TRY_STATUS(set_hook(party->domain, party->receiver->url()));
    return {};
  }

  /// The domain is created with it (--dev).
  Status set_hook(const std::string& domain, const std::string& url) {
    TRY(const Answer answer,
        server_.call("POST", fmt::format("/v3/domains/{}/webhooks", domain),
                     "application/x-www-form-urlencoded", fmt::format("id=delivered&url={}", url)));
    if (answer.status == 200) return {};
    return fail(Errc::kInternal, fmt::format("setting a webhook was answered with {}: {}",
                                             answer.status, answer.body.substr(0, 200)));
  }

  /// An endpoint that is gone comes back when its URL is configured again; by another domain, since
  /// removing it from its own would drop what waits.
  Status want_gone_back() {
    for (size_t i = 0; i < kKinds.size(); ++i) {
      if (kKinds[i].behaviour != Behaviour::kGone) continue;
      TRY_STATUS(set_hook("again.selftest.example", parties_[i]->receiver->url()));
    }
    return {};
  }

  Status send_and_kill() {
    say(fmt::format("sending {} events to each of {} receivers in {} s, with {} kills",
                    options_.events, parties_.size(), options_.seconds.count(), options_.kills));
    const auto begin = steady_clock::now();
    std::jthread sender([this, begin] { send_all(begin); });
    Status status;
    for (const auto moment : pick_moments()) {
      std::this_thread::sleep_until(begin + moment);
      if (sending_failed_) break;
      server_.kill();
      ++kills_;
      ++life_;
      status = server_.start();
      if (!status) break;
      say(fmt::format("killed and started again, {} of {}", kills_, options_.kills));
    }
    if (!status) sending_failed_ = true;
    sender.join();
    if (!problem_of_sender_.empty()) return fail(Errc::kInternal, problem_of_sender_);
    return status;
  }

  /// When to kill, in order: while events are sent.
  std::vector<milliseconds> pick_moments() const {
    std::mt19937_64 random(std::random_device{}());
    std::uniform_int_distribution<int64_t> pick(0, milliseconds(options_.seconds).count());
    std::vector<milliseconds> out;
    for (unsigned i = 0; i < options_.kills; ++i) out.emplace_back(pick(random));
    std::sort(out.begin(), out.end());
    return out;
  }

  void send_all(steady_clock::time_point begin) {
    const auto ticks = static_cast<uint64_t>(std::max<int64_t>(1, options_.seconds / kTick));
    for (uint64_t tick = 0; tick < ticks; ++tick) {
      std::this_thread::sleep_until(begin + kTick * tick);
      const uint64_t first = options_.events * tick / ticks;
      const uint64_t end = options_.events * (tick + 1) / ticks;
      for (const auto& party : parties_) {
        for (uint64_t n = first; n < end; n += kMaxBatch)
          if (!send(*party, n, std::min(end, n + kMaxBatch))) return;
      }
    }
  }

  /// Sends the batch until it is acknowledged, whatever happens to the server; false when it is
  /// refused for good or the server cannot be started.
  bool send(Party& party, uint64_t first, uint64_t end) {
    const std::string path = fmt::format("/v3/{}/events", party.domain);
    while (!sending_failed_) {
      // The same ids each time: a batch that was stored before the answer broke off counts once.
      const auto answer = server_.call("POST", path, "application/json", batch(first, end));
      if (answer && answer->status == 200) {
        party.acknowledged += end - first;
        return true;
      }
      if (answer && answer->status != 429 && answer->status != 503) {
        problem_of_sender_ =
            fmt::format("ingest answered {}: {}", answer->status, answer->body.substr(0, 200));
        break;
      }
      std::this_thread::sleep_for(kLook);
    }
    sending_failed_ = true;
    return false;
  }

  std::string batch(uint64_t first, uint64_t end) const {
    std::string out = "[";
    for (uint64_t n = first; n < end; ++n) {
      if (n > first) out += ',';
      out += fmt::format(
          R"({{"event":"delivered","id":"selftest-{0}","recipient":"r{0}@inbox.example","user-variables":)"
          R"({{"{1}":"{0}","{2}":"{3}","{4}":"{5}"}}}})",
          n, kNumberKey, kSentKey, monotonic_us(), kLifeKey, life_.load());
    }
    return out + ']';
  }

  /// Until the first `count` receivers have everything; false when none of them got anything for
  /// long.
  bool wait_for(size_t count) const {
    uint64_t before = 0;
    auto since = steady_clock::now();
    while (steady_clock::now() - since < kStall) {
      uint64_t missing = 0;
      uint64_t confirmed = 0;
      for (size_t i = 0; i < count; ++i) {
        const uint64_t has = parties_[i]->receiver->counts().confirmed;
        confirmed += has;
        missing += parties_[i]->acknowledged - has;
      }
      if (missing == 0) return true;
      if (confirmed != before) since = steady_clock::now();
      before = confirmed;
      std::this_thread::sleep_for(kLook);
    }
    return false;
  }

  void read_states() {
    for (const auto& party : parties_) party->state = state_of(party->receiver->url());
  }

  /// What the endpoints API says; empty when it does not.
  std::string state_of(const std::string& url) const {
    const auto answer = server_.call("GET", "/eventhorn/v1/endpoints?url=" + url);
    if (!answer || answer->status != 200) return {};
    const auto page = json::parse(answer->body);
    const json::Value* items = page ? page->find("items") : nullptr;
    if (items == nullptr || items->as_array() == nullptr) return {};
    for (const json::Value& item : *items->as_array()) {
      const json::Value* its_url = item.find("url");
      const json::Value* state = item.find("state");
      if (its_url == nullptr || state == nullptr || state->as_string() == nullptr) continue;
      if (its_url->as_string() != nullptr && *its_url->as_string() == url)
        return *state->as_string();
    }
    return {};
  }

  ReceiverReport describe(const Party& party) const {
    ReceiverReport out;
    out.name = party.name;
    out.good = &party == parties_.front().get();
    out.sent = party.acknowledged;
    out.state = party.state;
    auto counts = party.receiver->counts();
    out.confirmed = counts.confirmed;
    out.repeated = counts.repeated;
    if (out.good && counts.delays.size() >= kMinDelays) {
      std::sort(counts.delays.begin(), counts.delays.end());
      out.p99 = counts.delays[counts.delays.size() * 99 / 100];
    }
    return out;
  }

  const HostileOptions options_;
  std::atomic<unsigned> life_ = 0;               // how many times the server was killed
  std::vector<std::unique_ptr<Party>> parties_;  // the good one first
  ServerProcess server_;
  Report report_;
  unsigned kills_ = 0;
  std::atomic<bool> sending_failed_ = false;
  std::string problem_of_sender_;
};

}  // namespace

Report run_hostile(const HostileOptions& options, const std::string& executable) {
  Directory directory;
  if (directory.path().empty()) {
    Report report;
    report.problems.emplace_back("cannot make a temporary directory");
    return report;
  }
  ServerProcess::Options server{.executable = executable,
                                .data = directory.path() + "/data",
                                .log = directory.path() + "/server.log",
                                .api_key = to_hex(crypto::random_bytes(16)),
                                .settings = make_settings()};
  Report report = Hostile(options, std::move(server)).run();
  if (!find_failures(report).empty()) {
    directory.keep();
    say("the server's data and log are kept in " + directory.path());
  }
  return report;
}

}  // namespace eventhorn::selftest
