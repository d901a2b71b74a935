// Wakes those who wait for events: a bell for each, by the domain that it waits for. What is
// committed in other domains costs a waiter nothing.
#pragma once

#include "async/bell.h"
#include "base/ids.h"
#include "store/feed.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>

namespace eventhorn::store {

/// Owned by Writers. Rung by the feed on the committing thread; everything else from any thread.
class Doorbells {
 public:
  /// Before `feed` starts. It must not outlive this.
  explicit Doorbells(Feed& feed);
  Doorbells(const Doorbells&) = delete;
  Doorbells& operator=(const Doorbells&) = delete;

  /// A place among those who wait; it ends with the object.
  class Place {
   public:
    /// Rung for events of `domain` and for the domain's end; nullopt: for every commit.
    Place(Doorbells& doorbells, std::optional<DomainUid> domain, std::shared_ptr<Bell> bell);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    Doorbells& doorbells_;
    const std::optional<DomainUid> domain_;
    const std::shared_ptr<Bell> bell_;
  };

  /// Everybody looks again at what he waits for.
  void ring_all();

 private:
  using Bells = std::unordered_set<std::shared_ptr<Bell>>;

  void ring(const CommittedBatch& batch);

  std::atomic<size_t> places_{0};
  std::mutex mutex_;
  std::unordered_map<DomainUid, Bells> by_domain_;  // guarded by mutex_
  Bells of_all_;                                    // guarded by mutex_
};

}  // namespace eventhorn::store
