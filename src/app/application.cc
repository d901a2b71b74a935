#include "app/application.h"

#include "app/front.h"
#include "app/local_bins.h"
#include "app/pools.h"
#include "app/process_limits.h"
#include "app/sending.h"
#include "async/block_on.h"
#include "async/cores.h"
#include "async/task_group.h"
#include "base/log.h"
#include "bin/kept_bins.h"
#include "control/erasures.h"
#include "control/kept_notices.h"
#include "control/retention.h"
#include "crypto/random.h"
#include "store/rocks/rocks_store.h"
#include "store/writers.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <thread>

namespace eventhorn::app {
namespace {

constexpr size_t kShortKey = 20;  // characters
// Beside the cores': those of Pools, those of commits, progress, the index, notices and bins,
// RocksDB's, jemalloc's, and a few to spare.
constexpr size_t kOtherThreads = 28;

size_t core_count(const config::Config& config) {
  return config.server.threads > 0 ? config.server.threads
                                   : std::max(1U, std::thread::hardware_concurrency());
}

store::RocksOptions store_options(const config::Config& config, Workers& workers) {
  store::RocksOptions out;
  out.directory = config.store.data;
  out.workers = &workers;
  out.clock_hold = control::Retention::clock_hold(config.events.retention);
  // What was dropped takes up a quarter more at most; sooner would only write all of it more often.
  out.rewrite_after = std::max<std::chrono::seconds>(
      std::chrono::hours(1),
      std::chrono::duration_cast<std::chrono::seconds>(config.events.retention / 4));
  return out;
}

bin::Bins::Options bin_options(const config::BinLimits& config) {
  bin::Bins::Options out;
  out.max_bins = config.max;
  out.max_requests = config.max_requests;
  out.max_body_bytes = config.max_body_bytes;
  out.expire = config.expire;
  return out;
}

std::vector<LaneId> lanes_of(const store::Directory& directory, DomainUid domain) {
  std::vector<LaneId> out;
  const auto found = directory.find(domain);
  if (!found) return out;
  for (const auto& lane : found->lanes) out.push_back(lane.id);
  return out;
}

}  // namespace

// Members in the order in which they are built; destroyed in reverse.
struct Application::Impl {
  Impl(config::Config c, Secrets s) : config(std::move(c)), secrets(std::move(s)) {}

  Status open_store();
  Status load_keys();
  Status build_bins();
  Status build_erasures();
  Status build_halves();
  void start_housekeeping();
  Task<void> end_housekeeping();

  const config::Config config;
  const Secrets secrets;
  SystemClock clock;
  WorkerThreads workers;
  std::unique_ptr<store::RocksStore> store;
  std::unique_ptr<store::KeptTime> kept_time;
  std::unique_ptr<control::Keys> keys;
  std::unique_ptr<control::ApiKeys> api_keys;
  std::unique_ptr<control::AuditTrail> audit;
  store::Directory directory;
  control::NoticeBoard notices;
  std::unique_ptr<control::KeptNotices> kept_notices;
  std::unique_ptr<store::Writers> writers;
  std::unique_ptr<Pools> pools;
  std::unique_ptr<Cores> cores;
  std::unique_ptr<bin::Bins> bins;
  std::unique_ptr<bin::KeptBins> kept_bins;
  std::unique_ptr<bin::OwnBins> own_bins;
  std::unique_ptr<LocalBins> local_bins;
  std::unique_ptr<net::AddressGuard> guard;
  std::unique_ptr<Sending> sending;
  std::unique_ptr<control::Erasures> erasures;
  std::unique_ptr<Front> front;
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
  TRY(store, store::RocksStore::open(store_options(config, workers), clock));
  kept_time = std::make_unique<store::KeptTime>(clock, store->kept_clock());
  TRY_STATUS(load_keys());
  kept_notices = std::make_unique<control::KeptNotices>(*store, notices, clock, workers);
  TRY_STATUS(kept_notices->load(!config.alerts.url.empty()));
  kept_notices->start();
  store::WriterOptions writer_options;
  writer_options.min_free_bytes = config.store.min_free_bytes;
  writers = std::make_unique<store::Writers>(*store, directory, clock, workers, writer_options);
  TRY(const auto domains, store->load_domains());
  directory.replace_all(domains, kNoPosition);
  return {};
}

Status Application::Impl::load_keys() {
  TRY(auto loaded,
      control::Keys::load(config.store.data, secrets.api_key, secrets.signing_key, *kept_time));
  keys = std::make_unique<control::Keys>(std::move(loaded));
  TRY(api_keys, control::ApiKeys::load(*keys, *store, clock));
  TRY(audit, control::AuditTrail::load(*store));
  if (!secrets.api_key.empty() && secrets.api_key.size() < kShortKey) {
    log_warn("app",
             "EVENTHORN_API_KEY has less than {} characters and may be guessed: wrong keys are "
             "slowed, but nothing else protects it",
             kShortKey);
  }
  if (keys->generated())
    log_info("app", "made an API key; it is kept in {}/api_key, the signing key in {}/signing_key",
             config.store.data, config.store.data);
  return {};
}

Status Application::Impl::build_bins() {
  bins = std::make_unique<bin::Bins>(
      clock, [](size_t n) { return crypto::random_bytes(n); }, bin_options(config.bins));
  kept_bins = std::make_unique<bin::KeptBins>(*store, *store, *bins, clock, workers,
                                              config.store.min_free_bytes);
  TRY_STATUS(kept_bins->load());
  kept_bins->start();
  TRY(auto names, own_names(config.server));
  own_bins = std::make_unique<bin::OwnBins>(*bins, std::move(names));
  local_bins = std::make_unique<LocalBins>(*bins, *own_bins, clock);
  return {};
}

Status Application::Impl::build_erasures() {
  control::Erasures::Elsewhere elsewhere;
  elsewhere.forget_deliveries = [this](DomainUid domain, Position through,
                                       control::Erasures::Mentions mentions) {
    return sending->deliveries().forget_events(domain, through, std::move(mentions));
  };
  elsewhere.forget_bins = [this](const control::Erasures::Mentions& mentions) {
    return bins->forget(mentions);
  };
  elsewhere.lanes = [this](DomainUid domain) { return lanes_of(directory, domain); };
  const control::Erasures::Options options{config.events.erase == config::Erase::kRemove
                                               ? control::EraseMode::kRemove
                                               : control::EraseMode::kRedact,
                                           config.delivery.timeout};
  erasures = std::make_unique<control::Erasures>(
      control::Erasures::Parts{*store, *store, *store, keys->token_key(), clock, pools->erasures},
      std::move(elsewhere), options);
  return erasures->load();
}

// What sends, and what clients reach.
Status Application::Impl::build_halves() {
  TRY(auto allowed, net::parse_networks(config.delivery.allow_networks));
  guard = std::make_unique<net::AddressGuard>(std::move(allowed));
  const Sending::Parts sending_parts{config,        clock,  *store, *writers,    *keys, notices,
                                     *kept_notices, *cores, *pools, *local_bins, *guard};
  TRY(sending, Sending::make(sending_parts));
  TRY_STATUS(build_erasures());
  const Front::Parts front_parts{config,    clock,  *store,   directory, *writers,  *keys,
                                 *api_keys, *audit, notices,  *bins,     *own_bins, *guard,
                                 *cores,    *pools, *sending, *erasures};
  front = std::make_unique<Front>(front_parts);
  return {};
}

void Application::Impl::start_housekeeping() {
  const auto executor = asio::any_io_executor(cores->at(0).get_executor());
  housekeeping = std::make_unique<TaskGroup>(executor, clock);
  const control::RetentionOptions options{config.events.retention, config.attempts.retention,
                                          config.events.retention_bytes};
  retention =
      std::make_unique<control::Retention>(options, *store, *store, notices, clock, pools->readers,
                                           [this](Position last) { return sending->expire(last); });
  asio::post(executor, [this, executor] {
    housekeeping->spawn("retention", retention->run());
    housekeeping->spawn("erasures", erasures->run(executor));
  });
}

Task<void> Application::Impl::end_housekeeping() {
  housekeeping->cancel();
  co_await housekeeping->join(Deadline::max());
}

Result<std::string> Application::start() {
  auto& i = *impl_;
  const size_t threads = core_count(i.config);
  TRY_STATUS(check_threads(threads + kOtherThreads));
  TRY_STATUS(i.open_store());
  i.pools = std::make_unique<Pools>();
  i.cores = std::make_unique<Cores>(threads);
  TRY_STATUS(i.build_bins());
  TRY_STATUS(i.build_halves());
  i.cores->start();
  // Serving comes before delivery, so that lanes can reach our own bins at once; until delivery has
  // started, ingest and /readyz answer 503.
  TRY_STATUS(i.front->listen());
  auto base = i.front->serve();
  TRY_STATUS(i.sending->start());
  i.writers->start();
  i.front->set_started();
  i.sending->start_alerts();
  i.start_housekeeping();
  return base;
}

void Application::stop() {
  auto& i = *impl_;
  i.front->set_draining();
  const auto deadline = i.clock.steady_now() + i.config.delivery.drain_timeout;
  // Attempts end while requests do: neither uses up the time of the other.
  i.sending->stop_sending();
  i.store->end_purges();
  i.front->stop(deadline);
  block_on(i.cores->at(0).get_executor(), i.end_housekeeping());
  i.sending->stop(deadline);
  i.kept_notices->stop();
  i.kept_bins->stop();
  i.writers->stop();
  i.cores->stop();
  i.pools->join();
  log_info("app", "stopped");
}

}  // namespace eventhorn::app
