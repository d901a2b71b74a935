// What the handlers of all resources share. Built by app/, lives as long as the server; every
// member is safe to use from any core.
#pragma once

#include "async/task.h"
#include "base/time.h"
#include "bin/bins.h"
#include "bin/own_bins.h"
#include "control/deliveries.h"
#include "control/keys.h"
#include "control/notices.h"
#include "http/basic_auth.h"
#include "http/router.h"
#include "net/address.h"
#include "outbound/client.h"
#include "outbound/resolver.h"
#include "store/commit_queue.h"
#include "store/directory.h"
#include "store/store.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace eventhorn::api {

struct Settings {
  /// A webhook or ingest call on an unknown, well-formed domain creates it.
  bool auto_create = false;
  /// The host of a webhook's URL must resolve when it is configured.
  bool verify_host = false;
  size_t max_item_bytes = 1 << 20;
  size_t max_batch_items = 10'000;
  /// Items whose own timestamp is further ahead of the clock are refused.
  std::chrono::milliseconds max_ahead = std::chrono::minutes(5);
  /// Bytes of a request's body that a bin takes.
  size_t bin_body_bytes = size_t{64} << 10;
  /// Webhook configuration calls per minute; 0 is no limit.
  unsigned webhook_rate_limit = 0;
  /// Items whose own timestamp is older are stored but not pushed: id rows live that long beyond
  /// their events, so an old log that is read again never re-sends.
  std::chrono::hours id_window{24 * 7};
  std::chrono::milliseconds attempt_timeout{10'000};
  /// Between the comments that keep an idle stream open.
  std::chrono::milliseconds heartbeat{15'000};
};

struct Services {
  const Clock& clock;
  store::Store& store;
  store::Directory& directory;
  store::CommitQueue& commits;
  /// For blocking reads.
  asio::thread_pool& readers;
  /// For searches, which may read all there is: a few at a time, in turns, so that they never hold
  /// all readers.
  asio::thread_pool& searchers;
  /// One thread: changes of settings and of records of replays are made there, one after the other,
  /// so that none undoes another and no reader waits for the disk.
  asio::thread_pool& writer;
  control::Keys& keys;
  http::AuthLimiter& limiter;
  bin::Bins& bins;
  const bin::OwnBins& own_bins;
  const net::AddressGuard& guard;
  const Settings& settings;
  control::Deliveries& deliveries;
  /// POSTs a body to a webhook URL from the current core, under the guard of deliveries, bins in
  /// process included, with the header fields and the client certificate that are set for it.
  /// `extra_head`: as of outbound::Client::post; bins do not record it.
  std::function<Task<outbound::ClientReply>(
      const std::string& url, const store::EndpointSettings& for_url, std::string body,
      std::string extra_head, Deadline deadline)>
      post;
  /// Host names, on any core.
  outbound::Resolver& resolver;
  control::NoticeBoard& notices;
  /// Set when the server is about to end; null: never.
  const std::atomic<bool>* draining = nullptr;
};

/// The kept or the wall clock, whichever is later: what is stamped by either is not beyond "now".
SystemTime later_now(const Services& services);

/// The domain of the path parameter `domain`, lower-cased. kNotFound "Domain not found" when there
/// is none; kInvalidArgument when auto_create is on and the name is not well-formed. With
/// settings.auto_create an unknown well-formed name is created first; `create` false never creates.
Task<Result<store::DomainPtr>> find_domain(Services& services, const std::string& name,
                                           bool create);

/// What a domain that is to be created will be.
struct NewDomain {
  NewDomain(const Services& services, std::string_view lower_case_name);

  /// For the edit that creates it.
  std::shared_ptr<store::Domain> made_at(Position at) const;

  std::string name;
  std::string id;
  SystemTime created_at;
};

/// Creates the domain, or returns the one that is there. kInvalidArgument for a name that is not
/// one.
Task<Result<store::DomainPtr>> create_domain(Services& services, const std::string& name,
                                             bool* existed);

/// A domain has a dot or is `localhost`: labels of 1-63 letters, digits and hyphens, 253 bytes at
/// most (RFC 1035 section 2.3.4). Takes lower case.
Status check_domain_name(std::string_view name);

using http::Access;
using http::kAnyBody;
using http::kFormBody;
using http::kNoBody;

// One table per resource; routes.cc lists them.
std::vector<http::Route> ingest_routes(Services& services);             // ingest.cc
std::vector<http::Route> domain_routes(Services& services);             // domains.cc
std::vector<http::Route> webhook_routes(Services& services);            // webhooks.cc
std::vector<http::Route> event_routes(Services& services);              // events.cc
std::vector<http::Route> bin_routes(Services& services);                // bins.cc
std::vector<http::Route> endpoint_routes(Services& services);           // endpoints.cc
std::vector<http::Route> endpoint_settings_routes(Services& services);  // endpoint_settings.cc
std::vector<http::Route> domain_settings_routes(Services& services);    // domain_settings.cc
std::vector<http::Route> lane_routes(Services& services);               // lanes.cc
std::vector<http::Route> attempt_routes(Services& services);            // attempts.cc
std::vector<http::Route> missed_routes(Services& services);             // missed.cc
std::vector<http::Route> notice_routes(Services& services);             // notices.cc
std::vector<http::Route> replay_routes(Services& services);             // replay.cc
std::vector<http::Route> signing_key_routes(Services& services);        // signing_key.cc
std::vector<http::Route> unacked_routes(Services& services);            // unacked.cc
std::vector<http::Route> system_routes(
    Services& services);  // system.cc: healthz, readyz, metrics, the root

}  // namespace eventhorn::api
