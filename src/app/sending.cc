#include "app/sending.h"

#include "async/block_on.h"
#include "async/hop.h"
#include "base/check.h"
#include "base/log.h"
#include "control/endpoint_settings.h"
#include "delivery/http_sender.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace eventhorn::app {
namespace {

constexpr size_t kRecentBytes = 16 << 20;  // last successes of URLs in full

// Name servers, proxy and source addresses of deliveries.
Status set_network(outbound::ClientOptions& options, const config::Config& config) {
  options.dns_servers = config.dns.servers;
  options.dns_timeout = config.dns.timeout;
  if (!config.delivery.proxy.empty()) {
    auto proxy = outbound::parse_proxy(config.delivery.proxy);
    if (!proxy) return fail(Errc::kInvalidArgument, "delivery.proxy: " + proxy.error().message);
    options.proxy = *std::move(proxy);
  }
  for (const auto& text : config.delivery.source_address) {
    const auto address = net::IpAddress::parse(text);
    if (!address) return fail(Errc::kInvalidArgument, "delivery.source_address: " + text);
    options.source_addresses.push_back(*address);
  }
  return {};
}

// Bounds are of the whole process; each of the `cores` gets its part.
delivery::EngineOptions engine_options(const config::Delivery& config, size_t cores) {
  delivery::EngineOptions out;
  out.cores = static_cast<uint32_t>(cores);
  out.max_in_flight = std::max<size_t>(1, config.max_in_flight / cores);
  out.max_per_host = std::max<size_t>(1, config.max_per_host / cores);
  out.max_exceptions = config.max_exceptions;
  out.max_recent_bytes = kRecentBytes / cores;
  out.timeout = config.timeout;
  out.success = config.success == config::Success::k2xx ? webhook::SuccessRule::kAny2xx
                                                        : webhook::SuccessRule::kOnly200;
  out.schedule = webhook::RetrySchedule(config.retry_schedule, config.retry_jitter);
  out.retry_jitter = config.retry_jitter;
  out.retry_delivered = config.retry_delivered;
  out.health.max_concurrency = config.max_concurrency_per_url;
  out.health.rate_limit = config.rate_limit;
  out.health.park_after_failures = config.park_after_failures;
  out.health.park_after = config.park_after;
  out.health.probe_interval = config.probe_interval;
  out.health.probe_max_interval = config.probe_max_interval;
  out.health.slow_start = config.slow_start;
  return out;
}

}  // namespace

/// What lives on one core.
struct Sending::Core {
  Core(asio::any_io_executor e, const net::AddressGuard& guard,
       const outbound::ClientOptions& options, const delivery::LocalBin& local)
      : executor(e), client(e, guard, options), sender(client, local) {}

  asio::any_io_executor executor;
  outbound::Client client;
  delivery::HttpSender sender;
  std::unique_ptr<delivery::Engine> engine;
};

class Sending::CoreResolver final : public outbound::Resolver {
 public:
  explicit CoreResolver(Sending& sending) : sending_(sending) {}

  Task<Result<std::vector<net::IpAddress>>> resolve(std::string host, Deadline deadline) override {
    const auto executor = co_await asio::this_coro::executor;
    auto* client = sending_.client_of(executor);
    CHECK(client != nullptr);
    auto found = co_await client->resolver().resolve(std::move(host), deadline);
    co_return found;
  }

 private:
  Sending& sending_;
};

Sending::Sending(const Parts& parts)
    : parts_(parts), resolver_(std::make_unique<CoreResolver>(*this)) {}

Sending::~Sending() = default;

Result<std::unique_ptr<Sending>> Sending::make(const Parts& parts) {
  std::unique_ptr<Sending> out(new Sending(parts));
  TRY_STATUS(out->build());
  return out;
}

Status Sending::build() {
  const auto& config = parts_.config;
  outbound::ClientOptions client_options;
  client_options.own_port = own_port_;
  client_options.connect_timeout = config.delivery.connect_timeout;
  client_options.user_agent = config.delivery.user_agent;
  client_options.max_idle_per_target = config.delivery.max_concurrency_per_url;
  TRY_STATUS(set_network(client_options, config));
  const auto options = engine_options(config.delivery, parts_.cores.size());
  for (size_t i = 0; i < parts_.cores.size(); ++i) add_core(i, client_options, options);
  if (config.alerts.url.empty()) return {};
  return build_alerts();
}

void Sending::add_core(size_t index, const outbound::ClientOptions& client_options,
                       delivery::EngineOptions options) {
  const auto executor = asio::any_io_executor(parts_.cores.at(index).get_executor());
  const delivery::LocalBin local = [&bins = parts_.local_bins](const webhook::TargetUrl& url,
                                                               std::string body,
                                                               Deadline deadline) {
    return bins.post(url, std::move(body), deadline);
  };
  auto core = std::make_unique<Core>(executor, parts_.guard, client_options, local);
  options.core = static_cast<uint32_t>(index);
  const delivery::EngineServices services{parts_.pools.delivery_readers,
                                          parts_.store,
                                          parts_.writers.progress,
                                          parts_.writers.health,
                                          parts_.notices,
                                          core->sender,
                                          parts_.clock,
                                          [&keys = parts_.keys] { return keys.signing_keys(); }};
  core->engine = std::make_unique<delivery::Engine>(executor, services, options);
  auto* engine = core->engine.get();
  deliveries_.add(*engine);
  parts_.writers.feed.subscribe([engine, executor](const store::BatchPtr& batch) {
    asio::post(executor, [engine, batch] { engine->on_commit(batch); });
  });
  cores_.push_back(std::move(core));
}

// What webhooks may not reach, notices may not: told at the start rather than at the first of them.
Status Sending::build_alerts() {
  const auto& config = parts_.config;
  TRY(const auto url, webhook::parse_target_url(config.alerts.url));
  if (!parts_.local_bins.has(url)) {
    const auto allowed = parts_.guard.check_host(url.host);
    if (!allowed) return fail(Errc::kInvalidArgument, "alerts.url: " + allowed.error().message);
  }
  delivery::AlertOptions options;
  options.url = config.alerts.url;
  options.min_interval = config.alerts.min_interval;
  options.timeout = config.delivery.timeout;
  options.after = parts_.kept_notices.alerted();
  options.settled = [&kept = parts_.kept_notices](uint64_t id) { kept.set_alerted(id); };
  auto& first = *cores_.front();
  alerts_ = std::make_unique<delivery::Alerts>(
      first.executor, parts_.notices, first.sender, parts_.clock,
      [&keys = parts_.keys] { return keys.signing_keys(); }, std::move(options));
  return {};
}

Status Sending::start() {
  auto& store = parts_.store;
  TRY(const auto domains, store.load_domains());
  TRY(const auto progress, store.load_progress());
  TRY(const auto endpoint_settings, control::load_endpoint_settings(store));
  if (progress.marks.to_be_rewritten()) TRY_STATUS(store.replace_marks(progress.marks.joined()));
  log_info("app",
           "store opened domains={} head={} settled_through={} lanes_behind={} waiting_retries={} "
           "missed={}",
           domains.size(), store.head().value, progress.marks.least().value, progress.lanes.size(),
           progress.waiting.size(), progress.missed);
  for (auto& core : cores_) {
    TRY_STATUS(block_on(core->executor,
                        core->engine->start(domains, progress, endpoint_settings, store.head())));
  }
  return {};
}

void Sending::start_alerts() {
  if (alerts_) alerts_->start();
}

void Sending::stop_sending() {
  for (auto& core : cores_) block_on(core->executor, core->engine->stop_sending());
}

void Sending::stop(Deadline deadline) {
  for (auto& core : cores_) block_on(core->executor, core->engine->stop(deadline));
  if (alerts_) block_on(cores_.front()->executor, alerts_->stop(deadline));
}

Task<void> Sending::expire(Position last) {
  for (const auto& core : cores_) co_await run_on(core->executor, core->engine->expire(last));
}

outbound::Client* Sending::client_of(const asio::any_io_executor& executor) {
  const auto found =
      std::ranges::find_if(cores_, [&](const auto& core) { return core->executor == executor; });
  return found == cores_.end() ? nullptr : &(*found)->client;
}

Task<outbound::ClientReply> Sending::post(std::string url, store::EndpointSettings for_url,
                                          std::string body, std::string extra_head,
                                          Deadline deadline) {
  outbound::ClientReply reply;
  const auto target = webhook::parse_target_url(url);
  if (!target) {
    reply.result.kind = webhook::FailureKind::kBlocked;
    reply.result.error = target.error().message;
    co_return reply;
  }
  if (auto local = parts_.local_bins.post(*target, body, deadline)) {
    reply = co_await std::move(*local);
    co_return reply;
  }
  const auto executor = co_await asio::this_coro::executor;
  auto* client = client_of(executor);
  CHECK(client != nullptr);
  const auto opened = client->open(*target, delivery::target_options(for_url));
  const std::array<std::string_view, 1> pieces = {body};
  reply =
      co_await client->post(*opened, pieces, deadline, extra_head, outbound::Connection::kFresh);
  co_return reply;
}

}  // namespace eventhorn::app
