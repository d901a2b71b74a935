// Request bins: URLs that keep what is sent to them, so that webhooks can be looked at and retries
// be tried out (spec: "Request bin"). In memory only, gone at a restart. Thread-safe; nothing
// blocks but on a short mutex.
#pragma once

#include "base/time.h"
#include "http/message.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace eventhorn::bin {

/// A request as a bin keeps it.
struct Captured {
  std::string method;
  std::string path;  // with the query, as sent
  http::Fields fields;
  std::string body;
  std::string remote_address;
  SystemTime time;
  /// Whether the body went on; also set by the bin, which cuts it.
  bool truncated = false;
  /// Set by the bin: the request's number in it, from 1.
  uint64_t number = 0;
};

struct Listing {
  /// The kept requests, newest last.
  std::vector<std::shared_ptr<const Captured>> items;
  /// All that were ever captured, kept or not.
  uint64_t total = 0;
};

class Bins {
 public:
  struct Options {
    size_t max_bins = 1000;
    size_t max_requests = 100;          // kept in each bin
    size_t max_body_bytes = 64 << 10;   // kept of each body
    size_t max_total_bytes = 64 << 20;  // kept in all bins together
    std::chrono::milliseconds expire = std::chrono::hours(48);
  };

  /// `clock` must outlive the bins. `random_bytes(n)` gives n unpredictable bytes.
  Bins(const Clock& clock, std::function<std::string(size_t)> random_bytes, Options options);

  /// A new bin's id: 32 hexadecimal digits, 128 bits of chance. At max_bins the bin idle the
  /// longest is dropped.
  std::string create();

  /// Keeps `request` and says how often this path, query included, has now been asked of this bin:
  /// from 1, exact for the 64 paths asked last. nullopt when there is no such bin, or no longer.
  /// Over a limit the oldest requests go: the bin's own over max_requests, those of any bin over
  /// max_total_bytes. Of Cookie and Authorization only the name and the scheme are kept
  /// (reliability A6, A10).
  std::optional<uint32_t> capture(std::string_view id, Captured request);

  /// nullopt when there is no such bin, or no longer.
  std::optional<Listing> list(std::string_view id);

 private:
  struct Kept {
    std::string bin;
    std::shared_ptr<const Captured> request;
    size_t bytes = 0;
  };

  struct Bin {
    SteadyTime expires;
    SteadyTime used;
    uint64_t total = 0;
    std::deque<std::list<Kept>::iterator> requests;  // oldest first
    std::deque<std::pair<uint64_t, uint32_t>>
        repeats;  // hash of path, times asked; last asked last
  };

  using BinMap = std::unordered_map<std::string, Bin>;

  BinMap::iterator find(std::string_view id);
  void drop(BinMap::iterator bin);
  void drop_oldest(Bin& bin);
  void make_room();
  static uint32_t count_repeat(Bin& bin, std::string_view path);

  // Constant after construction
  const Clock& clock_;
  const std::function<std::string(size_t)> random_bytes_;
  const Options options_;
  // Guarded by mutex_. kept_ is in the order of capture, over all bins.
  std::mutex mutex_;
  BinMap bins_;
  std::list<Kept> kept_;
  size_t kept_bytes_ = 0;
};

}  // namespace eventhorn::bin
