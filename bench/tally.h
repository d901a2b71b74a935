// What bench_receiver knows about the POSTs it got: how many, how many different events, when each
// arrived.
#pragma once

#include "base/result.h"
#include "generator.h"

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::bench {

/// Distinct 64-bit values, which must be hashes (the low bits choose the slot), in an
/// open-addressing table, so that millions of ids cost 16 bytes each and one cache miss. Two ids of
/// n collide with probability n^2 / 2^65: never in practice.
class HashSet {
 public:
  /// Whether `hash` was new.
  bool insert(uint64_t hash);

  size_t size() const { return size_; }

 private:
  bool put(uint64_t hash);

  std::vector<uint64_t> slots_ = std::vector<uint64_t>(1U << 16);  // 0 is empty
  size_t size_ = 0;
};

/// The event id of a webhook body: the first `"id":"..."` whose value has kIdBytes characters.
/// (Events of the generator have one such value; account ids are longer.) nullopt when there is
/// none.
std::optional<std::string_view> find_event_id(std::string_view body);

/// Thread-safe.
class Tally {
 public:
  struct Options {
    bool unique = false;
    bool arrivals = false;
  };

  explicit Tally(Options options) : options_(options) {}

  /// Counts one POST that arrived at `now_ns`; returns how many there are now.
  uint64_t add(std::string_view body, int64_t now_ns);
  void reset();

  uint64_t count() const;
  /// Different event ids so far; 0 without Options::unique. A POST without an id adds none.
  uint64_t distinct() const;
  /// "{"posts":3,"distinct":3,"seconds":0.002,"posts_per_s":1500}": from the first POST to the
  /// last.
  std::string summary() const;
  /// Writes "id ns" lines in order of arrival. kUnavailable when the file cannot be written.
  Status write_arrivals(const std::string& path) const;

 private:
  struct Arrival {
    std::array<char, kIdBytes> id;
    int64_t at_ns;
  };

  const Options options_;
  mutable std::mutex mutex_;
  // Guarded by mutex_
  uint64_t count_ = 0;
  int64_t first_ns_ = 0;
  int64_t last_ns_ = 0;
  HashSet ids_;
  std::vector<Arrival> arrivals_;
};

}  // namespace eventhorn::bench
