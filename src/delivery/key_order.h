// Order by key: whose turn it is among the first attempts of one message and recipient (the key). A
// lane owns one; it lives on the lane's core. Pure state.
//
// A claim is an event that wants to be sent, as its owner names it. One claim of a key has the
// turn. The others queue, and their owner goes on without them. The end of a turn passes it to the
// first of the queue, which is ready then: it is to be sent before anything else.
//
//   claim() --turn is free--> its owner sends it, or keeps it at hand ------> end()
//      |                          ^               |                            |
//   turn is taken                 |               | give_back()                | passes the turn on
//      v                          |               v                            v
//    queued --jump()--------------+         ready (has the turn) <---- first of the queue
//                                 '---take_ready()---'
//
// A key may have more than one turn, because jump() adds one. Then the turn is passed on when the
// last of them ends. Events without a key (0) never queue, and come here only to be given back.
//
// In a queue a live claim goes before those that are not, which may be many; otherwise first come,
// first served.
//
// Invariants: a queue is not empty, and its key has a turn. No queue has the key 0.
#pragma once

#include "base/check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

namespace eventhorn::delivery {

/// `Claim` is copied, compared, and tells `key()` and whether it is `live()` now.
template <class Claim>
class KeyOrder {
 public:
  /// True: the claim has the turn of its key. False: it is queued.
  bool claim(const Claim& claim) {
    CHECK(claim.key() != 0);
    if (turns_.try_emplace(claim.key(), 1).second) return true;
    auto& queue = queues_[claim.key()];
    const auto is_backlog = [](const Claim& c) { return !c.live(); };
    const bool overtakes = claim.live() && !queue.empty() && is_backlog(queue.back());
    queue.insert(overtakes ? std::ranges::find_if(queue, is_backlog) : queue.end(), claim);
    return false;
  }

  /// A turn of the key has ended. The claim that has the turn now, if any: it is ready.
  std::optional<Claim> end(uint64_t key) {
    if (key == 0) return std::nullopt;
    const auto turns = turns_.find(key);
    CHECK(turns != turns_.end() && turns->second > 0);
    if (--turns->second > 0) return std::nullopt;
    const auto queue = queues_.empty() ? queues_.end() : queues_.find(key);
    if (queue == queues_.end()) {
      turns_.erase(turns);
      return std::nullopt;
    }
    turns->second = 1;
    const Claim next = queue->second.front();
    queue->second.pop_front();
    if (queue->second.empty()) queues_.erase(queue);
    ready_.push_back(next);
    return next;
  }

  /// A queued claim leaves the queue, and has a turn beside the one that has it.
  void jump(const Claim& claim) {
    const auto queue = queues_.find(claim.key());
    CHECK(queue != queues_.end());
    const auto at = std::ranges::find(queue->second, claim);
    CHECK(at != queue->second.end());
    queue->second.erase(at);
    if (queue->second.empty()) queues_.erase(queue);
    ++turns_[claim.key()];
  }

  /// The claim is ready again, before all others. It keeps the turn that it has.
  void give_back(const Claim& claim) { ready_.push_front(claim); }

  bool has_ready() const { return !ready_.empty(); }

  /// The first ready claim that `may` names, no longer kept here; it keeps its turn.
  template <class May>
  std::optional<Claim> take_ready(const May& may) {
    const auto at = std::ranges::find_if(ready_, may);
    if (at == ready_.end()) return std::nullopt;
    const Claim out = *at;
    ready_.erase(at);
    return out;
  }

  /// Takes the claims that `which` names from the queues and from the ready ones, and gives them.
  /// Those that were ready keep their turns: their owner ends them.
  template <class Which>
  std::vector<Claim> withdraw(const Which& which) {
    std::vector<Claim> out;
    const auto take = [&](const Claim& claim) {
      if (!which(claim)) return false;
      out.push_back(claim);
      return true;
    };
    for (auto& [key, queue] : queues_) std::erase_if(queue, take);
    std::erase_if(queues_, [](const auto& entry) { return entry.second.empty(); });
    std::erase_if(ready_, take);
    return out;
  }

  /// Claims that are kept here, queued or ready. Walks the queues.
  size_t size() const {
    size_t out = ready_.size();
    for (const auto& [key, queue] : queues_) out += queue.size();
    return out;
  }

  /// Aborts when an invariant of the above does not hold. For tests: walks all.
  void check_invariants() const {
    for (const auto& [key, count] : turns_) CHECK(key != 0 && count > 0);
    for (const auto& [key, queue] : queues_) {
      CHECK(!queue.empty() && turns_.contains(key));
      for (const auto& claim : queue) CHECK(claim.key() == key);
    }
  }

 private:
  std::unordered_map<uint64_t, uint32_t> turns_;            // by key: how many have the turn
  std::unordered_map<uint64_t, std::deque<Claim>> queues_;  // by key: who waits for it
  std::deque<Claim> ready_;
};

}  // namespace eventhorn::delivery
