// The one answer to "is this URL one of our bins?": asked when a webhook is set, and each time an
// event is sent, so that what is accepted is also reached.
#pragma once

#include "bin/bins.h"
#include "http/origin.h"
#include "webhook/url.h"

#include <optional>
#include <string_view>

namespace eventhorn::bin {

/// The id in "/bin/{id}", with or without a path below it or a query; nullopt for other targets.
/// Only 32 hexadecimal digits are an id (Bins::create).
std::optional<std::string_view> find_id(std::string_view target);

/// Thread-safe.
class OwnBins {
 public:
  /// `names`: those of the server. `bins` must outlive it.
  OwnBins(Bins& bins, http::OriginOptions names) : bins_(bins), names_(std::move(names)) {}

  /// True for /bin/{id} under a host name that we answer to or an address of this machine, whatever
  /// scheme and port: these change on the way through proxies, tunnels and containers. Under any
  /// other IP address (of the machine around a container, of a router) it is true while we have
  /// that bin, since nobody else can have its id.
  bool has(const webhook::TargetUrl& url) const;

 private:
  Bins& bins_;
  const http::OriginPolicy names_;
};

}  // namespace eventhorn::bin
