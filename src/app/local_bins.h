// Deliveries to our own request bins: they stay in process (design: "Targets"), so that a bin works
// behind every address guard.
#pragma once

#include "async/task.h"
#include "base/time.h"
#include "bin/bins.h"
#include "http/client.h"
#include "webhook/url.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace eventhorn::app {

/// Thread-safe.
class LocalBins {
 public:
  LocalBins(bin::Bins& bins, const Clock& clock) : bins_(bins), clock_(clock) {}

  /// Under which users reach us: origins ("https://events.example"), and every address of this
  /// machine at `port`.
  void set_origins(const std::vector<std::string>& origins, uint16_t port);

  /// True when the URL is /bin/{id} under an origin of ours.
  bool has(const webhook::TargetUrl& url) { return url.target.starts_with("/bin/") && is_own(url); }

  /// The answer of one of our bins; nullopt unless has(url).
  std::optional<Task<http::ClientReply>> post(const webhook::TargetUrl& url, std::string body,
                                              Deadline deadline);

 private:
  bool is_own(const webhook::TargetUrl& url);
  Task<http::ClientReply> answer(std::string path, std::string body, Deadline deadline);

  bin::Bins& bins_;
  const Clock& clock_;
  std::mutex mutex_;
  std::vector<std::string> origins_;  // guarded by mutex_
  uint16_t port_ = 0;                 // guarded by mutex_
};

}  // namespace eventhorn::app
