// Which lanes want an event: the configuration of the domains, as far as its URLs live on this
// core. Pure state, no I/O.
//
//   (domain, hook) -> routes: lane, URL, and the position since when the hook's events are the
//   lane's
//
// The configuration is the one as of `through()`, the position up to which commits were handed
// over: the log may hold events behind it already, which belong to a later configuration.
#pragma once

#include "delivery/lane_hooks.h"
#include "store/model.h"
#include "webhook/hook.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace eventhorn::delivery {

/// Owned by the engine; on the core's executor.
///
/// Invariants:
/// - A route's URL lives on this core, and its lane is one of the domain that the router keeps.
/// - A domain that the router keeps has a route; each domain has one entry at most.
/// - `through()` never falls.
class Router {
 public:
  struct Route {
    LaneId lane;
    Position since;
    const std::string* url;  // in the domain that is kept
  };

  /// What an event finds. `domain` is null when nothing of it lives here.
  struct Match {
    const store::Domain* domain = nullptr;
    std::span<const Route> routes;
  };

  /// What a change of the configuration makes of a lane that was there before.
  struct LaneChange {
    LaneId lane;
    bool ended = false;  // no hook names it any more
  };

  /// Of the URLs of these slots.
  explicit Router(store::SlotSet slots) : slots_(slots) {}

  store::SlotSet slots() const { return slots_; }

  /// True when the URL lives on this core. Any thread.
  bool owns(const std::string& url) const;

  void add(const store::DomainPtr& domain);

  /// Takes up a change: the lanes of this core that it ends or may have changed.
  std::vector<LaneChange> apply(const store::DomainChange& change);

  /// Good until the next add() or apply().
  Match match(DomainUid domain, webhook::Hook hook) const;

  /// Null when nothing of the domain lives here. Good until the next add() or apply().
  const store::Domain* find(DomainUid domain) const;

  /// The URL of a lane; null when it is none of this core's.
  const std::string* url_of(DomainUid domain, LaneId lane) const;

  /// True while a domain names the URL. Looks at all of them: for rare moments.
  bool names(const std::string& url) const;

  /// Everything up to here was handed over.
  Position through() const { return through_; }

  void handed_over(Position through);

  void check_invariants() const;

 private:
  struct Routes {
    store::DomainPtr domain;
    std::vector<Route> all{};  // hook after hook
    std::array<uint8_t, webhook::kHooks + 1> begins{};

    std::span<const Route> of(webhook::Hook hook) const {
      const auto index = static_cast<size_t>(hook);
      return std::span(all).subspan(begins[index], begins[index + 1] - begins[index]);
    }
  };

  const store::SlotSet slots_;
  std::unordered_map<DomainUid, Routes> domains_;
  Position through_;
};

}  // namespace eventhorn::delivery
