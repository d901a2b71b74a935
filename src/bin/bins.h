// Request bins: URLs that keep what is sent to them, so that webhooks can be looked at and retries
// be tried out (spec: "Request bin"). They live in memory; kept_bins.h takes them over restarts.
// Thread-safe; nothing blocks but on a short mutex.
#pragma once

#include "base/time.h"
#include "http/message.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
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

/// A bin without its requests.
struct BinState {
  std::string id;
  /// Until it expires. The clock on the wall has no part in it: while we don't run no bin ages.
  std::chrono::milliseconds left{};
  uint64_t total = 0;
  std::vector<std::pair<uint64_t, uint32_t>> repeats;  // hash of path, times asked
};

/// What is to be written to keep the bins as they are; nullopt and nullptr: it is no longer kept.
struct Changes {
  std::map<std::string, std::optional<BinState>> bins;  // by id
  std::map<std::pair<std::string, uint64_t>, std::shared_ptr<const Captured>>
      requests;      // by bin and number
  size_t bytes = 0;  // of the requests

  bool empty() const { return bins.empty() && requests.empty(); }
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

  static constexpr size_t kIdDigits = 32;

  /// A new bin's id: kIdDigits hexadecimal digits, 128 bits of chance. At max_bins the bin idle the
  /// longest is dropped.
  std::string create();

  /// Keeps `request` and says how often this path, query included, has now been asked of this bin:
  /// from 1, exact for the 64 paths asked last. nullopt when there is no such bin, or no longer.
  /// Over a limit the oldest requests go: the bin's own over max_requests, those of any bin over
  /// max_total_bytes. Of Cookie and Authorization only the name and the scheme are kept
  /// (reliability A6, A10).
  std::optional<uint32_t> capture(std::string_view id, Captured request);

  /// Whether there is such a bin; asking does not use it.
  bool has(std::string_view id);

  /// nullopt when there is no such bin, or no longer.
  std::optional<Listing> list(std::string_view id);

  /// Drops the requests of which the path, a header field or the body satisfies `mentions`; how
  /// many they are. Looks at them without holding up captures.
  size_t forget(const std::function<bool(std::string_view)>& mentions);

  /// Takes up what an earlier process had, within the limits, and from then on calls `on_change`,
  /// which must be quick, whenever take_changes() has something to give. Before anything else.
  void restore(const std::vector<BinState>& bins,
               std::vector<std::pair<std::string, Captured>> requests,
               std::function<void()> on_change);

  /// What changed since it was last taken, up to `max_bytes` and one request more.
  Changes take_changes(size_t max_bytes);

  /// Changes that could not be written, to be taken again.
  void give_back(Changes changes);

  /// Every bin has changed, because time has passed.
  void mark_all();

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
  void drop(Bin& bin, size_t place);
  void make_room();
  void keep(BinMap::iterator bin, Captured request);
  void keep_within_limits(Bin& bin);
  void mark(const std::string& bin);
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
  std::function<void()> on_change_;  // empty: nobody takes changes, none are noted
  std::set<std::string> changed_bins_;
  std::map<std::pair<std::string, uint64_t>, std::shared_ptr<const Captured>> changed_requests_;
};

}  // namespace eventhorn::bin
