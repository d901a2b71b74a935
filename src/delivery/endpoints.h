// The endpoints of a core: of URLs in use, and of those that are not well. What is well and idle is
// forgotten, and made again when it is needed.
#pragma once

#include "base/time.h"
#include "delivery/endpoint.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace eventhorn::delivery {

using SettingsByUrl = std::unordered_map<std::string, store::EndpointSettings>;

struct EndpointsOptions {
  HealthOptions health;
  double retry_jitter = 0.1;  // of schedules that a URL has of its own
  size_t max_per_host = 256;  // attempts in flight to one host and port
};

/// Owned by the engine; on the core's executor.
///
/// Invariants: each endpoint that has an id is one that has a URL; endpoints of one host and port
/// share their places.
class Endpoints {
 public:
  /// `clock` and `sender` outlive it.
  Endpoints(EndpointsOptions options, const Clock& clock, Sender& sender);

  /// The one of the URL; made when there is none.
  const EndpointPtr& of(const std::string& url);

  /// Null when there is none.
  EndpointPtr find(const std::string& url) const;

  /// The first one after `after` (nullopt: of all) by id; null when there is none.
  const EndpointPtr* next(std::optional<store::EndpointId> after) const;

  /// Forgets one that nobody else holds. By value: the caller's may be the one in a map.
  void forget(EndpointPtr endpoint);

  /// Lets go of hosts that no endpoint has any more.
  void forget_hosts();

  /// At the start: what is set for a URL.
  void load_settings(const std::string& url, const store::EndpointSettings& settings);

  /// Takes up settings unless newer ones are known: by `version`, which grows. Null when there is
  /// no endpoint to look at, or nothing new.
  EndpointPtr set(const std::string& url, const store::EndpointSettings& settings,
                  uint64_t version);

  /// As one that nobody has sent to yet.
  Health fresh_health() const { return Health(options_.health); }

  size_t size() const { return by_url_.size(); }

  void check_invariants() const;

 private:
  void apply(Endpoint& endpoint);

  const EndpointsOptions options_;
  const Clock& clock_;
  Sender& sender_;
  std::unordered_map<std::string, EndpointPtr> by_url_;
  std::map<store::EndpointId, EndpointPtr> by_id_;
  std::unordered_map<std::string, std::weak_ptr<Places>> hosts_;
  SettingsByUrl settings_;                              // of the URLs that have some
  std::unordered_map<std::string, uint64_t> versions_;  // of those changed in this life
};

}  // namespace eventhorn::delivery
