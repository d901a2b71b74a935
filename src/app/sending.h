// The sending half of the server: on each core a client and an engine, and alerts on the first.
//
// Built before the cores run. start() takes deliveries up, stop() ends them; both block, and are
// called by the thread that owns the application. Everything else may be called from any core.
#pragma once

#include "app/local_bins.h"
#include "app/pools.h"
#include "async/cores.h"
#include "config/config.h"
#include "control/kept_notices.h"
#include "control/keys.h"
#include "control/notices.h"
#include "delivery/alerts.h"
#include "delivery/deliveries.h"
#include "net/address.h"
#include "outbound/client.h"
#include "outbound/resolver.h"
#include "store/store.h"
#include "store/writers.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace eventhorn::app {

class Sending {
 public:
  /// All must outlive it.
  struct Parts {
    const config::Config& config;
    const Clock& clock;
    store::Store& store;
    store::Writers& writers;
    const control::Keys& keys;
    control::NoticeBoard& notices;
    control::KeptNotices& kept_notices;
    Cores& cores;
    Pools& pools;
    LocalBins& local_bins;
    const net::AddressGuard& guard;
  };

  /// Subscribes the engines to the feed of `parts.writers`. kInvalidArgument names the setting that
  /// cannot be used.
  static Result<std::unique_ptr<Sending>> make(const Parts& parts);
  ~Sending();
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;

  /// The port that we listen on, which webhooks of this machine may not name.
  void set_own_port(uint16_t port) { *own_port_ = port; }

  /// Takes up deliveries where they were, from the store. The cores run, the writers do not yet.
  Status start();
  /// Once what is sent can be noted: the writers run.
  void start_alerts();

  /// From now on no attempt begins.
  void stop_sending();
  /// Lets attempts end until the deadline, and saves progress.
  void stop(Deadline deadline);

  /// Everything up to the position is gone.
  Task<void> expire(Position last);

  /// As api::Services::post.
  Task<outbound::ClientReply> post(std::string url, store::EndpointSettings for_url,
                                   std::string body, std::string extra_head, Deadline deadline);

  control::Deliveries& deliveries() { return deliveries_; }

  /// Of the core that asks.
  outbound::Resolver& resolver() { return *resolver_; }

 private:
  struct Core;
  class CoreResolver;

  explicit Sending(const Parts& parts);
  Status build();
  void add_core(size_t index, const outbound::ClientOptions& client_options,
                delivery::EngineOptions options);
  Status build_alerts();
  /// Null on a thread that is no core's.
  outbound::Client* client_of(const asio::any_io_executor& executor);

  const Parts parts_;
  const std::shared_ptr<std::atomic<uint16_t>> own_port_ =
      std::make_shared<std::atomic<uint16_t>>(0);
  std::vector<std::unique_ptr<Core>> cores_;
  std::unique_ptr<delivery::Alerts> alerts_;  // on the first core; null: none are wanted
  const std::unique_ptr<outbound::Resolver> resolver_;
  delivery::EngineDeliveries deliveries_;
};

}  // namespace eventhorn::app
