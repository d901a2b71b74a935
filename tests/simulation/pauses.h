// Which URLs are paused, as their operators were told. A part of the model: what it does not know
// for sure it forgets.
#pragma once

#include "base/time.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace eventhorn::simulation {

class Pauses {
 public:
  /// A pause is asked for: what on_paused() is to be told.
  uint64_t ask(const std::string& url) { return by_url_[url].resumes; }

  /// It was answered.
  void on_paused(const std::string& url, uint64_t asked, SteadyTime now) {
    auto& pause = by_url_[url];
    if (asked == pause.resumes && !pause.since) pause.since = now;
  }

  /// The URL is asked to go on, or nobody names it any more: a pause that was asked for before may
  /// be over.
  void end(const std::string& url) {
    auto& pause = by_url_[url];
    ++pause.resumes;
    pause.since.reset();
  }

  /// A process is no more. Pauses since then may not have been saved.
  void on_lost(SteadyTime since) {
    for (auto& [url, pause] : by_url_) {
      ++pause.resumes;  // nobody answers what was asked
      if (pause.since && *pause.since >= since) pause.since.reset();
    }
  }

  /// Since when it is paused; nullopt when it may not be.
  std::optional<SteadyTime> since(const std::string& url) const {
    const auto at = by_url_.find(url);
    return at == by_url_.end() ? std::nullopt : at->second.since;
  }

 private:
  struct Pause {
    std::optional<SteadyTime> since;
    uint64_t resumes = 0;
  };

  std::map<std::string, Pause> by_url_;
};

}  // namespace eventhorn::simulation
