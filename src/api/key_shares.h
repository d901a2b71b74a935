// What the holders of one key may have open at one time, so that none takes what others need.
// Thread-safe.
#pragma once

#include "base/metrics.h"

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace eventhorn::api {

class KeyShares {
 public:
  /// At most `max_per_key` at one time of each key; `open` shows how many there are of all.
  KeyShares(size_t max_per_key, metrics::Gauge open) : max_per_key_(max_per_key), open_(open) {}

  KeyShares(const KeyShares&) = delete;
  KeyShares& operator=(const KeyShares&) = delete;

  /// A place within a key's share, until it is destroyed. The shares outlive it.
  class Place {
   public:
    Place(KeyShares& shares, std::string key) : shares_(&shares), key_(std::move(key)) {}

    Place(Place&& other) noexcept
        : shares_(std::exchange(other.shares_, nullptr)), key_(std::move(other.key_)) {}

    Place& operator=(Place&&) = delete;

    ~Place() {
      if (shares_ != nullptr) shares_->give_back(key_);
    }

   private:
    KeyShares* shares_;
    std::string key_;
  };

  /// nullopt when all places of the key are taken.
  std::optional<Place> take(const std::string& key) {
    const std::lock_guard lock(mutex_);
    auto& taken = taken_[key];
    if (taken >= max_per_key_) return std::nullopt;
    ++taken;
    open_.add(1);
    return Place(*this, key);
  }

 private:
  void give_back(const std::string& key) {
    const std::lock_guard lock(mutex_);
    open_.add(-1);
    if (--taken_[key] == 0) taken_.erase(key);
  }

  const size_t max_per_key_;
  metrics::Gauge open_;
  std::mutex mutex_;
  std::map<std::string, size_t> taken_;  // guarded by mutex_
};

}  // namespace eventhorn::api
