// What the handlers of all resources share. Built by app/, lives as long as the server; every
// member is safe to use from any core.
#pragma once

#include "async/pool.h"
#include "async/task.h"
#include "base/time.h"
#include "bin/bins.h"
#include "bin/own_bins.h"
#include "control/api_keys.h"
#include "control/audit_trail.h"
#include "control/deliveries.h"
#include "control/erasures.h"
#include "control/keys.h"
#include "control/notices.h"
#include "http/basic_auth.h"
#include "http/router.h"
#include "net/address.h"
#include "outbound/client.h"
#include "outbound/resolver.h"
#include "store/append_queue.h"
#include "store/directory.h"
#include "store/doorbells.h"
#include "store/store.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace eventhorn::api {

struct Options {
  /// A webhook or ingest call on an unknown, well-formed domain creates it.
  bool auto_create = false;
  /// The host of a webhook's URL must resolve when it is configured.
  bool verify_host = false;
  size_t max_item_bytes = 1 << 20;
  size_t max_batch_items = 10'000;
  /// Items whose own timestamp is further ahead of the clock are refused.
  std::chrono::milliseconds max_ahead = std::chrono::minutes(5);
  /// For one page of a search.
  std::chrono::milliseconds query_timeout{10'000};
  /// Bytes of a request's body that a bin takes.
  size_t bin_body_bytes = size_t{64} << 10;
  /// Webhook configuration calls per minute; 0 is no limit.
  unsigned webhook_rate_limit = 0;
  /// Items whose own timestamp is older are stored but not pushed: id rows live that long beyond
  /// their events, so an old log that is read again never re-sends.
  std::chrono::hours id_window{24 * 7};
  std::chrono::milliseconds attempt_timeout{10'000};
  /// Polls that wait and event streams of one key at one time.
  size_t max_waits_per_key = 1000;
  /// Between the comments that keep an idle stream open.
  std::chrono::milliseconds heartbeat{15'000};
};

/// The store by what is asked of it: functions below the handlers take the one that they need.
struct StoreAccess {
  // NOLINTNEXTLINE(google-explicit-constructor): a whole store gives access to all of it
  StoreAccess(store::Store& of)
      : log(of),
        lanes(of),
        pages(of),
        order(of),
        progress(of),
        values(of),
        kept_clock(of.kept_clock()) {}

  store::EventLog& log;
  store::LaneLog& lanes;
  store::Pages& pages;
  store::CommitOrder& order;
  store::ProgressReader& progress;
  store::Values& values;
  const store::KeptClock& kept_clock;
};

struct Services {
  const Clock& clock;
  StoreAccess store;
  store::Directory& directory;
  store::AppendQueue& appends;
  const store::StoreHealth& health;
  /// For blocking reads.
  Pool& readers;
  /// For searches, which may read all there is: a few at a time, in turns, so that they never hold
  /// all readers.
  Pool& searchers;
  /// One thread: changes of settings and of records of replays are made there, one after the other,
  /// so that none undoes another and no reader waits for the disk.
  Pool& writer;
  control::Keys& keys;
  control::ApiKeys& api_keys;
  control::AuditTrail& audit;
  http::AuthLimiter& limiter;
  bin::Bins& bins;
  const bin::OwnBins& own_bins;
  const net::AddressGuard& guard;
  const Options& options;
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
  /// Who waits for events.
  store::Doorbells& doorbells;
  control::Erasures& erasures;
  /// Names what an erasure does not reach: copies of the store beside it.
  std::function<std::vector<std::string>()> quarantines;
  /// Set when the server is about to end; null: never.
  const std::atomic<bool>* draining = nullptr;
};

/// The kept or the wall clock, whichever is later: what is stamped by either is not beyond "now".
SystemTime later_now(const Services& services);

using http::Access;
using http::kAnyBody;
using http::kFormBody;
using http::kNoBody;

}  // namespace eventhorn::api
