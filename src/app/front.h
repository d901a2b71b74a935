// The front of the server: the routes of the API, and the HTTP server that admits requests to them.
#pragma once

#include "api/admission.h"
#include "api/services.h"
#include "app/pools.h"
#include "app/sending.h"
#include "async/cores.h"
#include "config/config.h"
#include "http/server.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace eventhorn::app {

/// Where the server listens and under which names users reach it, at whatever port.
Result<http::OriginOptions> own_names(const config::Server& config);

class Front {
 public:
  /// All must outlive it.
  struct Parts {
    const config::Config& config;
    const Clock& clock;
    store::Store& store;
    store::Directory& directory;
    store::Writers& writers;
    control::Keys& keys;
    control::ApiKeys& api_keys;
    control::AuditTrail& audit;
    control::NoticeBoard& notices;
    bin::Bins& bins;
    const bin::OwnBins& own_bins;
    const net::AddressGuard& guard;
    Cores& cores;
    Pools& pools;
    Sending& sending;
    control::Erasures& erasures;
  };

  explicit Front(const Parts& parts);
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

  /// Takes the port and tells `parts.sending` which. Nobody is served yet.
  Status listen();
  /// Serves; the base URL. Until set_started() the routes of /eventhorn/v1 answer 503, because the
  /// progress of lanes is not loaded and an answer would say that nothing is behind.
  std::string serve();

  void set_started() { started_ = true; }

  /// From now on /readyz says that the server ends, and nobody waits for events.
  void set_draining() {
    draining_ = true;
    parts_.writers.doorbells.ring_all();
  }

  /// Closes the port and lets requests end until the deadline. Blocks.
  void stop(Deadline deadline);

 private:
  Result<http::ServerOptions> server_options() const;
  http::Verdict admit(const http::Request& head);

  const Parts parts_;
  const api::Options options_;
  http::AuthLimiter limiter_;
  std::atomic<bool> started_ = false;
  std::atomic<bool> draining_ = false;
  api::Services services_;
  http::Router router_;
  api::Admission admission_;
  std::string base_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace eventhorn::app
