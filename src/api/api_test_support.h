// The API over a real store in a directory of its own, asked without sockets.
#pragma once

#include "api/admission_test_support.h"
#include "api/deliveries_test_support.h"
#include "api/routes.h"
#include "api/services.h"
#include "async/cores.h"
#include "base/check.h"
#include "base/strings.h"
#include "base/test_support.h"
#include "crypto/random.h"
#include "json/reader.h"
#include "store/rocks/rocks_store.h"
#include "store/writers.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <filesystem>
#include <future>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace eventhorn::api::testing {

using eventhorn::expect;

inline constexpr const char* kApiKey = "0123456789abcdef0123456789abcdef-01234567-89abcdef";
inline constexpr const char* kSigningKey = "signing-key";
inline constexpr const char* kBase = "http://127.0.0.1:8480";

/// Wall time stands still, at Wed, 11 Mar 2026 09:00:03 GMT, until a test moves it; steady time is
/// real, plus what a test skips.
class TestClock final : public Clock {
 public:
  SystemTime now() const override { return SystemTime(wall_.load()); }

  void advance(std::chrono::seconds by) { wall_ = wall_.load() + by; }

  SteadyTime steady_now() const override { return std::chrono::steady_clock::now() + skipped_; }

  /// Goes with wall time, so that commits are stamped with that.
  BootTime boot_now() const override { return {1, wall_.load()}; }

  /// Not while requests run.
  void skip(std::chrono::seconds by) { skipped_ += by; }

 private:
  std::atomic<std::chrono::seconds> wall_{std::chrono::seconds(1'773'219'603)};
  std::chrono::seconds skipped_{0};
};

/// Knows what a test tells it.
class FakeResolver final : public outbound::Resolver {
 public:
  Task<Result<std::vector<net::IpAddress>>> resolve(std::string host, Deadline) override {
    const auto found = hosts.find(host);
    if (found == hosts.end()) co_return fail(Errc::kNotFound, "host not found");
    co_return std::vector<net::IpAddress>(1, *net::IpAddress::parse(found->second));
  }

  std::map<std::string, std::string> hosts;
};

struct TestOptions {
  Options api;
  std::vector<net::Cidr> allow_networks;
  uint64_t min_free_bytes = 0;
};

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// As curl -F sends it.
struct Multipart {
  std::string content_type =
      "multipart/form-data; boundary=------------------------d74496d66958873e";
  std::string body;

  explicit Multipart(const Pairs& fields) {
    const std::string delimiter = "--------------------------d74496d66958873e";
    for (const auto& [name, value] : fields) {
      body += delimiter + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" +
              value + "\r\n";
    }
    body += delimiter + "--\r\n";
  }
};

class TestApi {
 public:
  explicit TestApi(TestOptions given = {})
      : guard(std::move(given.allow_networks)), options(given.api) {
    writers.emplace(*store, directory, writers_clock, workers, writer_options(given));
    services.emplace(Services{clock,
                              *store,
                              directory,
                              writers->appends,
                              writers->health,
                              readers,
                              searchers,
                              writer,
                              keys,
                              *api_keys,
                              *audit,
                              limiter,
                              bins,
                              own_bins,
                              guard,
                              options,
                              deliveries,
                              [this](const std::string& url, const store::EndpointSettings& for_url,
                                     std::string body, std::string extra_head, Deadline deadline) {
                                posted_settings = for_url;
                                return post(url, std::move(body), std::move(extra_head), deadline);
                              },
                              resolver,
                              notices,
                              writers->doorbells,
                              erasures,
                              [] { return std::vector<std::string>(); }});
    router = make_router(*services);
    admission.emplace(*services, router);
    writers->start();
    cores.start();
  }

  ~TestApi() {
    writers->stop();
    cores.stop();
    readers.join();
    searchers.join();
    writer.join();
  }

  /// With the right key.
  static http::Request request(std::string method, const std::string& target) {
    http::Request out;
    out.method = std::move(method);
    out.target = target;
    out.path = target.substr(0, target.find('?'));
    out.query = target.size() > out.path.size() ? target.substr(out.path.size() + 1) : "";
    out.remote_address = "192.0.2.1";
    out.base = kBase;
    // base64url without padding, which base64 decoders of Basic credentials take for these
    // characters.
    out.fields.add("Authorization", "Basic " + base64url_encode(std::string("api:") + kApiKey));
    return out;
  }

  /// Starts now; get() gives the answer.
  std::future<http::Response> begin(http::Request request) {
    return asio::co_spawn(cores.at(0), run(std::move(request)), asio::use_future);
  }

  http::Response send(http::Request request) { return begin(std::move(request)).get(); }

  http::Response send(std::string method, const std::string& target) {
    return send(request(std::move(method), target));
  }

  http::Response send(std::string method, const std::string& target, const Pairs& form) {
    auto out = request(std::move(method), target);
    Multipart multipart(form);
    out.fields.add("Content-Type", multipart.content_type);
    out.body = std::move(multipart.body);
    return send(std::move(out));
  }

  /// "200 {...}\n": what most tests compare.
  template <class... Args>
  std::string ask(Args&&... args) {
    const auto response = send(std::forward<Args>(args)...);
    return std::to_string(response.status) + " " + response.body;
  }

  static http::OriginOptions own_names() {
    http::OriginOptions names;
    names.listen_address = "127.0.0.1";
    return names;
  }

  TempDir temp;
  TestClock clock;
  std::unique_ptr<store::RocksStore> store =
      expect(store::RocksStore::open(rocks_options(), clock));
  store::Directory directory;
  SystemClock writers_clock;
  WorkerThreads workers;
  std::optional<store::Writers> writers;
  Pool readers{"readers", 1};
  Pool searchers{"searchers", 1};
  Pool writer{"writer", 1};
  control::Keys keys = expect(control::Keys::load(temp.path(), kApiKey, kSigningKey, clock));
  std::unique_ptr<control::ApiKeys> api_keys = expect(control::ApiKeys::load(keys, *store, clock));
  std::unique_ptr<control::AuditTrail> audit = expect(control::AuditTrail::load(*store));
  http::AuthLimiter limiter{clock};
  bin::Bins bins{clock, crypto::random_bytes, bin::Bins::Options()};
  bin::OwnBins own_bins{bins, own_names()};
  net::AddressGuard guard;
  Options options;
  FakeResolver resolver;
  control::NoticeBoard notices{clock.now()};
  FakeDeliveries deliveries;
  Pool erasure_pool{"erasures", 1};
  control::Erasures erasures{
      {*store, *store, *store, keys.token_key(), clock, erasure_pool},
      {[this](DomainUid domain, Position through, control::Erasures::Mentions mentions) {
         return deliveries.forget_events(domain, through, std::move(mentions));
       },
       [this](const control::Erasures::Mentions& mentions) { return bins.forget(mentions); },
       [](DomainUid) { return std::vector<LaneId>(); }},
      {control::EraseMode::kRemove, std::chrono::milliseconds(0)}};
  std::optional<Services> services;
  http::Router router;
  std::optional<Admission> admission;
  Cores cores{1};

  /// What Services::post was last asked for, and what it answers.
  std::string posted_url;
  store::EndpointSettings posted_settings;
  std::string posted_body;
  std::string posted_head;
  Deadline posted_deadline;
  outbound::ClientReply reply;

 private:
  store::RocksOptions rocks_options() const {
    store::RocksOptions out;
    out.directory = temp.path() / "store";
    out.ballast_bytes = 0;
    return out;
  }

  static store::WriterOptions writer_options(const TestOptions& given) {
    store::WriterOptions out;
    out.min_free_bytes = given.min_free_bytes;
    return out;
  }

  Task<http::Response> run(http::Request request) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    auto out = co_await answer(*admission, request, deadline);
    co_return out;
  }

  Task<outbound::ClientReply> post(std::string url, std::string body, std::string extra_head,
                                   Deadline deadline) {
    posted_url = std::move(url);
    posted_body = std::move(body);
    posted_head = std::move(extra_head);
    posted_deadline = deadline;
    co_return reply;
  }
};

inline constexpr const char* kHooks = "/v3/domains/example.org/webhooks";

/// What TestApi::ask gives for {"message":text}.
inline std::string message(int status, const std::string& text) {
  return std::to_string(status) + " {\"message\":\"" + text + "\"}\n";
}

inline json::Value parsed(const std::string& text) {
  return expect(json::parse(text));
}

/// Empty when there is no such string.
inline std::string text_at(const json::Value& value, std::string_view key) {
  const auto* member = value.find(key);
  return member != nullptr && member->as_string() != nullptr ? *member->as_string() : "";
}

/// An API that has example.org.
struct WithDomain : TestApi {
  explicit WithDomain(TestOptions options = {}) : TestApi(std::move(options)) {
    CHECK(send("POST", "/v3/domains", Pairs{{"name", "example.org"}}).status == 200);
  }
};

}  // namespace eventhorn::api::testing
