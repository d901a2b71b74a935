// Deliveries to our own request bins: they stay in process (design: "Targets"), so that a bin works
// behind every address guard.
#pragma once

#include "async/task.h"
#include "base/time.h"
#include "bin/bins.h"
#include "bin/own_bins.h"
#include "outbound/client.h"
#include "webhook/url.h"

#include <string>

namespace eventhorn::app {

/// Thread-safe. The constructor's references must outlive it.
class LocalBins {
 public:
  LocalBins(bin::Bins& bins, const bin::OwnBins& own, const Clock& clock)
      : bins_(bins), own_(own), clock_(clock) {}

  /// Whether the URL is one of our bins.
  bool has(const webhook::TargetUrl& url) const { return own_.has(url); }

  /// The answer of one of our bins; nullopt when the URL is none.
  std::optional<Task<outbound::ClientReply>> post(const webhook::TargetUrl& url, std::string body,
                                                  Deadline deadline);

 private:
  Task<outbound::ClientReply> answer(std::string path, std::string body, Deadline deadline);

  bin::Bins& bins_;
  const bin::OwnBins& own_;
  const Clock& clock_;
};

}  // namespace eventhorn::app
