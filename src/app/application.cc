#include "app/application.h"

#include "api/admission.h"
#include "api/routes.h"
#include "app/local_bins.h"
#include "app/process_limits.h"
#include "async/block_on.h"
#include "async/cores.h"
#include "async/hop.h"
#include "async/pool.h"
#include "async/task_group.h"
#include "base/check.h"
#include "base/log.h"
#include "base/strings.h"
#include "bin/kept_bins.h"
#include "control/endpoint_settings.h"
#include "control/kept_notices.h"
#include "control/retention.h"
#include "crypto/random.h"
#include "delivery/alerts.h"
#include "delivery/deliveries.h"
#include "delivery/http_sender.h"
#include "http/server.h"
#include "store/rocks/rocks_store.h"
#include "store/writers.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace eventhorn::app {
namespace {

constexpr size_t kShortKey = 20;  // characters
// Requests may ask for searches that take all of their threads; deliveries that are behind, retries
// and probes read beside them.
constexpr size_t kReaderThreads = 3;
constexpr size_t kDeliveryReaderThreads = 2;
constexpr size_t kSearchThreads = 2;
constexpr size_t kRecentBytes = 16 << 20;  // last successes of URLs in full
// Beside the cores': the readers', the searchers', the writer of settings, those of commits,
// progress, the index, notices and bins, RocksDB's, jemalloc's, and a few to spare.
constexpr size_t kOtherThreads = 27;

size_t core_count(const config::Config& config) {
  return config.server.threads > 0 ? config.server.threads
                                   : std::max(1U, std::thread::hardware_concurrency());
}

Result<std::vector<net::Cidr>> parse_networks(const char* key,
                                              const std::vector<std::string>& texts) {
  std::vector<net::Cidr> out;
  for (const auto& text : texts) {
    auto network = net::parse_cidr(text);
    if (!network)
      return fail(Errc::kInvalidArgument,
                  std::string(key) + ": " + text + ": " + network.error().message);
    out.push_back(*network);
  }
  return out;
}

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

/// Under which names users reach us, at whatever port.
http::OriginOptions own_names(const config::Server& config, const config::ListenAddress& address) {
  http::OriginOptions options;
  options.listen_address = address.address;
  options.listen_port = address.port;
  options.public_url = config.public_url;
  options.allowed_hosts = config.allowed_hosts;
  return options;
}

}  // namespace

/// What lives on one core.
struct CoreServices {
  CoreServices(asio::any_io_executor e, const net::AddressGuard& guard,
               const outbound::ClientOptions& options, const delivery::LocalBin& local)
      : executor(e), client(e, guard, options), sender(client, local) {}

  asio::any_io_executor executor;
  outbound::Client client;
  delivery::HttpSender sender;
  std::unique_ptr<delivery::Engine> engine;
};

/// The resolver of the core that asks.
class CoreResolver final : public outbound::Resolver {
 public:
  explicit CoreResolver(const std::vector<std::unique_ptr<CoreServices>>& cores) : cores_(cores) {}

  Task<Result<std::vector<net::IpAddress>>> resolve(std::string host, Deadline deadline) override {
    const auto executor = co_await asio::this_coro::executor;
    const auto here = std::find_if(cores_.begin(), cores_.end(),
                                   [&](const auto& core) { return core->executor == executor; });
    CHECK(here != cores_.end());
    auto found = co_await (*here)->client.resolver().resolve(std::move(host), deadline);
    co_return found;
  }

 private:
  const std::vector<std::unique_ptr<CoreServices>>& cores_;
};

// Members in the order in which they are built; destroyed in reverse.
struct Application::Impl {
  Impl(config::Config c, Secrets s) : config(std::move(c)), secrets(std::move(s)) {}

  Status open_store();
  Status build_cores();
  Status start_delivery();
  Task<void> expire_lanes(Position last);
  Task<void> end_housekeeping();
  Result<std::string> listen();
  Status check_alerts_url() const;
  http::ServerOptions server_options(const config::ListenAddress& address) const;
  Task<outbound::ClientReply> post(std::string url, store::EndpointSettings for_url,
                                   std::string body, std::string extra_head, Deadline deadline);

  http::Verdict admit(const http::Request& head) {
    // The progress of lanes is not loaded yet: an answer would say that nothing is behind.
    if (!started && head.path.starts_with("/eventhorn/v1/")) return tl::unexpected(starting());
    return admission->admit(head);
  }

  static http::Response starting() {
    auto response = http::message_response(503, "the server is starting: try again");
    response.fields.set("Retry-After", "1");
    return response;
  }

  config::Config config;
  Secrets secrets;
  SystemClock clock;
  WorkerThreads workers;
  std::unique_ptr<store::RocksStore> store;
  std::unique_ptr<store::KeptTime> kept_time;
  std::unique_ptr<control::Keys> keys;
  store::Directory directory;
  control::NoticeBoard notices;
  std::unique_ptr<control::KeptNotices> kept_notices;
  std::unique_ptr<store::Writers> writers;
  std::unique_ptr<Pool> readers;           // of requests, and retention
  std::unique_ptr<Pool> searchers;         // see api::Services
  std::unique_ptr<Pool> delivery_readers;  // of the engines
  std::unique_ptr<Pool> writer;            // one thread: see api::Services
  std::unique_ptr<Cores> cores;
  std::unique_ptr<bin::Bins> bins;
  std::unique_ptr<bin::KeptBins> kept_bins;
  std::unique_ptr<bin::OwnBins> own_bins;
  std::unique_ptr<LocalBins> local_bins;
  std::unique_ptr<net::AddressGuard> guard;
  std::unique_ptr<http::AuthLimiter> limiter;
  std::vector<std::unique_ptr<CoreServices>> per_core;
  std::unique_ptr<delivery::Alerts> alerts;  // on the first core
  CoreResolver resolver{per_core};
  api::Options api_options;
  delivery::EngineDeliveries deliveries;
  std::unique_ptr<api::Services> services;
  http::Router router;
  std::unique_ptr<api::Admission> admission;
  std::shared_ptr<http::TlsContext> tls;
  std::shared_ptr<std::atomic<uint16_t>> own_port = std::make_shared<std::atomic<uint16_t>>(0);
  std::atomic<bool> started = false;
  std::atomic<bool> draining = false;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<control::Retention> retention;
  std::unique_ptr<TaskGroup> housekeeping;  // on the first core
};

Application::Application(config::Config config, Secrets secrets)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(secrets))) {}

Application::~Application() = default;

Status Application::Impl::open_store() {
  if (!config.store.url.empty())
    return fail(
        Errc::kInvalidArgument,
        "store.url: only the embedded store is built in; leave it empty and set store.data");
  store::RocksOptions options;
  options.directory = config.store.data;
  options.workers = &workers;
  options.clock_hold = control::Retention::clock_hold(config.events.retention);
  // What was dropped takes up a quarter more at most; sooner would only write all of it more often.
  options.rewrite_after = std::max<std::chrono::seconds>(
      std::chrono::hours(1),
      std::chrono::duration_cast<std::chrono::seconds>(config.events.retention / 4));
  TRY(store, store::RocksStore::open(options, clock));
  kept_time = std::make_unique<store::KeptTime>(clock, store->kept_clock());
  TRY(auto loaded,
      control::Keys::load(config.store.data, secrets.api_key, secrets.signing_key, *kept_time));
  keys = std::make_unique<control::Keys>(std::move(loaded));
  if (!secrets.api_key.empty() && secrets.api_key.size() < kShortKey) {
    log_warn("app",
             "EVENTHORN_API_KEY has less than {} characters and may be guessed: wrong keys are "
             "slowed, but nothing else protects it",
             kShortKey);
  }
  if (keys->generated())
    log_info("app", "made an API key; it is kept in {}/api_key, the signing key in {}/signing_key",
             config.store.data, config.store.data);
  kept_notices = std::make_unique<control::KeptNotices>(*store, notices, clock, workers);
  TRY_STATUS(kept_notices->load(!config.alerts.url.empty()));
  kept_notices->start();
  store::WriterOptions writer_options;
  writer_options.min_free_bytes = config.store.min_free_bytes;
  writers = std::make_unique<store::Writers>(*store, directory, clock, workers, writer_options);
  return {};
}

Status Application::Impl::build_cores() {
  const size_t threads = core_count(config);
  readers = std::make_unique<Pool>("readers", kReaderThreads);
  searchers = std::make_unique<Pool>("searchers", kSearchThreads);
  delivery_readers = std::make_unique<Pool>("delivery reads", kDeliveryReaderThreads);
  writer = std::make_unique<Pool>("writer", 1);
  cores = std::make_unique<Cores>(threads);
  bin::Bins::Options bin_options;
  bin_options.max_bins = config.bins.max;
  bin_options.max_requests = config.bins.max_requests;
  bin_options.max_body_bytes = config.bins.max_body_bytes;
  bin_options.expire = config.bins.expire;
  bins = std::make_unique<bin::Bins>(
      clock, [](size_t n) { return crypto::random_bytes(n); }, bin_options);
  kept_bins = std::make_unique<bin::KeptBins>(*store, *store, *bins, clock, workers,
                                              config.store.min_free_bytes);
  TRY_STATUS(kept_bins->load());
  kept_bins->start();
  TRY(const auto address, config::parse_listen_address(config.server.listen));
  own_bins = std::make_unique<bin::OwnBins>(*bins, own_names(config.server, address));
  local_bins = std::make_unique<LocalBins>(*bins, *own_bins, clock);
  TRY(auto allowed, parse_networks("delivery.allow_networks", config.delivery.allow_networks));
  guard = std::make_unique<net::AddressGuard>(std::move(allowed));
  limiter = std::make_unique<http::AuthLimiter>(clock);

  outbound::ClientOptions client_options;
  client_options.own_port = own_port;
  client_options.connect_timeout = config.delivery.connect_timeout;
  client_options.user_agent = config.delivery.user_agent;
  client_options.max_idle_per_target = config.delivery.max_concurrency_per_url;
  TRY_STATUS(set_network(client_options, config));
  const delivery::LocalBin local = [this](const webhook::TargetUrl& url, std::string body,
                                          Deadline deadline) {
    return local_bins->post(url, std::move(body), deadline);
  };
  auto options = engine_options(config.delivery, threads);
  for (size_t i = 0; i < threads; ++i) {
    auto executor = asio::any_io_executor(cores->at(i).get_executor());
    auto core = std::make_unique<CoreServices>(executor, *guard, client_options, local);
    options.core = static_cast<uint32_t>(i);
    const delivery::EngineServices engine_services{*delivery_readers,
                                                   *store,
                                                   writers->progress,
                                                   writers->health,
                                                   notices,
                                                   core->sender,
                                                   clock,
                                                   [this] { return keys->signing_keys(); }};
    core->engine = std::make_unique<delivery::Engine>(executor, engine_services, options);
    deliveries.add(*core->engine);
    writers->feed.subscribe([engine = core->engine.get(), executor](const store::BatchPtr& batch) {
      asio::post(executor, [engine, batch] { engine->on_commit(batch); });
    });
    per_core.push_back(std::move(core));
  }
  if (!config.alerts.url.empty()) {
    delivery::AlertOptions alert_options;
    alert_options.url = config.alerts.url;
    alert_options.min_interval = config.alerts.min_interval;
    alert_options.timeout = config.delivery.timeout;
    alert_options.after = kept_notices->alerted();
    alert_options.settled = [this](uint64_t id) { kept_notices->set_alerted(id); };
    auto& first = *per_core.front();
    alerts = std::make_unique<delivery::Alerts>(
        first.executor, notices, first.sender, clock, [this] { return keys->signing_keys(); },
        alert_options);
  }
  return {};
}

Status Application::Impl::start_delivery() {
  TRY(const auto domains, store->load_domains());
  TRY(const auto progress, store->load_progress());
  TRY(const auto endpoint_settings, control::load_endpoint_settings(*store));
  if (progress.marks.to_be_rewritten()) TRY_STATUS(store->replace_marks(progress.marks.joined()));
  log_info("app",
           "store opened domains={} head={} settled_through={} lanes_behind={} waiting_retries={} "
           "missed={}",
           domains.size(), store->head().value, progress.marks.least().value, progress.lanes.size(),
           progress.waiting.size(), progress.missed);
  for (auto& core : per_core) {
    TRY_STATUS(block_on(core->executor,
                        core->engine->start(domains, progress, endpoint_settings, store->head())));
  }
  writers->start();
  started = true;
  if (alerts) alerts->start();
  const auto executor = per_core.front()->executor;
  housekeeping = std::make_unique<TaskGroup>(executor, clock);
  retention = std::make_unique<control::Retention>(
      control::RetentionOptions{config.events.retention, config.attempts.retention}, *store, *store,
      notices, clock, *readers, [this](Position last) { return expire_lanes(last); });
  asio::post(executor, [this] { housekeeping->spawn("retention", retention->run()); });
  return {};
}

Task<void> Application::Impl::expire_lanes(Position last) {
  for (const auto& core : per_core) co_await run_on(core->executor, core->engine->expire(last));
}

Task<void> Application::Impl::end_housekeeping() {
  housekeeping->cancel();
  co_await housekeeping->join(Deadline::max());
}

Task<outbound::ClientReply> Application::Impl::post(std::string url,
                                                    store::EndpointSettings for_url,
                                                    std::string body, std::string extra_head,
                                                    Deadline deadline) {
  outbound::ClientReply reply;
  const auto target = webhook::parse_target_url(url);
  if (!target) {
    reply.result.kind = webhook::FailureKind::kBlocked;
    reply.result.error = target.error().message;
    co_return reply;
  }
  if (auto local = local_bins->post(*target, body, deadline)) {
    reply = co_await std::move(*local);
    co_return reply;
  }
  const auto executor = co_await asio::this_coro::executor;
  const auto here = std::find_if(per_core.begin(), per_core.end(),
                                 [&](const auto& core) { return core->executor == executor; });
  auto& client = here == per_core.end() ? per_core.front()->client : (*here)->client;
  const auto opened = client.open(*target, delivery::target_options(for_url));
  const std::array<std::string_view, 1> pieces = {body};
  reply = co_await client.post(*opened, pieces, deadline, extra_head, outbound::Connection::kFresh);
  co_return reply;
}

http::ServerOptions Application::Impl::server_options(const config::ListenAddress& address) const {
  http::ServerOptions options;
  options.address = address.address;
  options.port = address.port;
  options.max_body_bytes = config.server.max_body_bytes;
  options.max_inflated_bytes = config.server.max_body_bytes;
  options.max_buffered_bytes = config.server.max_buffered_bytes;
  options.max_connections = config.server.max_connections;
  options.idle_timeout = config.server.idle_timeout;
  options.request_timeout = config.server.request_timeout;
  options.public_url = config.server.public_url;
  options.allowed_hosts = config.server.allowed_hosts;
  options.tls = tls;
  return options;
}

// What webhooks may not reach, notices may not: told at the start rather than at the first of them.
Status Application::Impl::check_alerts_url() const {
  if (config.alerts.url.empty()) return {};
  TRY(const auto url, webhook::parse_target_url(config.alerts.url));
  if (own_bins->has(url)) return {};
  const auto allowed = guard->check_host(url.host);
  if (allowed) return {};
  return fail(Errc::kInvalidArgument, "alerts.url: " + allowed.error().message);
}

Result<std::string> Application::Impl::listen() {
  api_options.auto_create = config.domains.auto_create;
  api_options.verify_host = config.webhooks.verify_host;
  api_options.max_item_bytes = config.events.max_item_bytes;
  api_options.max_batch_items = config.events.max_batch_items;
  api_options.max_ahead = config.events.max_ahead;
  // One more than a bin keeps, because it cuts between characters and so looks at the next byte.
  api_options.bin_body_bytes = config.bins.max_body_bytes + 1;
  api_options.webhook_rate_limit = config.api.webhook_rate_limit;
  api_options.attempt_timeout = config.delivery.timeout;
  services.reset(new api::Services{
      clock, *store, directory, writers->appends, writers->health, *readers, *searchers, *writer,
      *keys, *limiter, *bins, *own_bins, *guard, api_options, deliveries,
      [this](const std::string& url, const store::EndpointSettings& for_url, std::string body,
             std::string extra_head, Deadline deadline) {
        return post(url, for_url, std::move(body), std::move(extra_head), deadline);
      },
      resolver, notices, &draining});
  router = api::make_router(*services);
  admission = std::make_unique<api::Admission>(*services, router);
  TRY(const auto address, config::parse_listen_address(config.server.listen));
  if (!config.server.tls_cert.empty()) {
    TRY(tls, http::TlsContext::load(config.server.tls_cert, config.server.tls_key, clock));
  }
  auto options = server_options(address);
  TRY(auto proxies, parse_networks("server.trusted_proxies", config.server.trusted_proxies));
  if (!proxies.empty()) {
    options.trusted_proxy = [proxies](std::string_view ip) {
      const auto parsed = net::IpAddress::parse(ip);
      return parsed && std::any_of(proxies.begin(), proxies.end(),
                                   [&](const net::Cidr& c) { return c.contains(*parsed); });
    };
  }
  server = std::make_unique<http::Server>(
      *cores, options, [this](const http::Request& head) { return admit(head); });
  *own_port = address.port;  // before the first request; 0 is not known before it is bound
  TRY(const uint16_t port, server->listen());
  *own_port = port;
  const std::string scheme = tls ? "https://" : "http://";
  const bool v6 = address.address.find(':') != std::string::npos;
  const std::string base =
      scheme + (v6 ? "[" + address.address + "]" : address.address) + ":" + std::to_string(port);
  TRY_STATUS(check_alerts_url());
  // Not before the guard knows our own port, and what is a bin of ours.
  server->serve();
  return base;
}

Result<std::string> Application::start() {
  TRY_STATUS(check_threads(core_count(impl_->config) + kOtherThreads));
  TRY_STATUS(impl_->open_store());
  TRY_STATUS(impl_->build_cores());
  TRY(const auto domains, impl_->store->load_domains());
  impl_->directory.replace_all(domains, kNoPosition);
  impl_->cores->start();
  // Listening comes before delivery, so that lanes can reach our own bins at once; until delivery
  // has started, ingest and /readyz answer 503.
  TRY(auto base, impl_->listen());
  TRY_STATUS(impl_->start_delivery());
  return base;
}

void Application::stop() {
  auto& i = *impl_;
  i.draining = true;
  const auto deadline = i.clock.steady_now() + i.config.delivery.drain_timeout;
  // Attempts end while requests do: neither uses up the time of the other.
  if (i.cores) {
    for (auto& core : i.per_core) block_on(core->executor, core->engine->stop_sending());
  }
  if (i.server) {
    i.server->stop_accepting();
    i.server->drain(deadline);
  }
  if (i.housekeeping) block_on(i.per_core.front()->executor, i.end_housekeeping());
  for (auto& core : i.per_core) block_on(core->executor, core->engine->stop(deadline));
  if (i.alerts) block_on(i.per_core.front()->executor, i.alerts->stop(deadline));
  if (i.kept_notices) i.kept_notices->stop();
  if (i.kept_bins) i.kept_bins->stop();
  if (i.writers) i.writers->stop();
  if (i.cores) i.cores->stop();
  for (auto* pool :
       {i.readers.get(), i.searchers.get(), i.delivery_readers.get(), i.writer.get()}) {
    if (pool != nullptr) pool->join();
  }
  log_info("app", "stopped");
}

}  // namespace eventhorn::app
