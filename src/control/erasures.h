// Erasing recipients: what was asked for and how far it is, over restarts, and the work itself,
// behind everything else.
//
// The record of an erasure, the value "erasures/{domain uid}/{mark}", is written before anybody is
// told of it. It has the address until all that mentions the address is gone; then only the mark is
// left of it, for ever, because what was exported before may be imported later.
#pragma once

#include "async/bell.h"
#include "async/pool.h"
#include "async/task.h"
#include "control/erased.h"
#include "event/erasure.h"
#include "store/eraser.h"
#include "store/event_log.h"
#include "store/values.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eventhorn::control {

/// What is left of the recipient's own events.
enum class EraseMode : uint8_t { kRemove, kRedact };

/// How far an erasure is. In the order in which it goes; on disk: do not change the values.
enum class ErasePhase : uint8_t {
  kEvents = 0,    // of the log, with all that finds them
  kAttempts = 1,  // answers of receivers that repeat the address
  kBins = 2,      // requests that bins have captured
  kPurge = 3,     // tables of the store are written anew; the address is forgotten
  kDone = 4,
};

struct Erasure {
  DomainUid domain;
  AddressMark mark{};
  SystemTime at;
  ErasePhase phase = ErasePhase::kEvents;
  /// Empty from kPurge on.
  std::string address;
  /// Where the events end that are looked at; kNoPosition while that is not known.
  Position through{};
  Position reached{};
  std::optional<store::PositionRange> changed{};
  uint64_t looked_at = 0;
  uint64_t removed = 0;
  uint64_t redacted = 0;
  uint64_t damaged = 0;
  uint64_t attempts = 0;
  uint64_t bin_requests = 0;
};

class Erasures {
 public:
  static constexpr size_t kMax = 100'000;

  /// Whether a text mentions the address.
  using Mentions = std::function<bool(std::string_view)>;

  /// What lies in other modules.
  struct Elsewhere {
    /// As Deliveries::forget_events().
    std::function<Task<Result<bool>>(DomainUid, Position through, Mentions)> forget_deliveries;
    /// Drops requests that bins have captured; how many.
    std::function<size_t(Mentions)> forget_bins;
    /// The ids of the domain's lanes.
    std::function<std::vector<LaneId>(DomainUid)> lanes;
  };

  struct Options {
    EraseMode mode = EraseMode::kRemove;
    /// As long an attempt that is under way may go on.
    std::chrono::milliseconds attempt_timeout{10'000};
  };

  /// All must outlive run(). Reads and writes of the store run on `pool`, which is for this alone:
  /// some take minutes.
  struct Parts {
    store::EventLog& log;
    store::Eraser& eraser;
    store::Values& values;
    const crypto::HmacKey& key;
    const Clock& clock;
    Pool& pool;
  };

  Erasures(const Parts& parts, Elsewhere elsewhere, const Options& options);
  Erasures(const Erasures&) = delete;
  Erasures& operator=(const Erasures&) = delete;

  /// Takes up what was asked for before. kCorruption for a record that is damaged: what must not
  /// come back would.
  Status load();

  /// Until it is cancelled. On `executor`, which is the caller's.
  Task<void> run(asio::any_io_executor executor);

  /// What ingest asks. An erasure waits until nobody holds what this gave before it began: an
  /// append must end while it is held.
  std::shared_ptr<const Erased> erased() const;

  /// Begins an erasure, or gives the one of the address that is under way. `address` is
  /// event::normal_address(). It is on disk when this returns; blocks on that. kConflict when there
  /// are kMax.
  Result<Erasure> begin(DomainUid domain, const std::string& address);

  /// That of an address; nullopt when there was none.
  std::optional<Erasure> find(DomainUid domain, std::string_view address) const;

 private:
  using Key = std::pair<DomainUid, AddressMark>;

  void show(const Erasure& erasure);
  Status save(const Erasure& erasure);
  std::optional<Erasure> next() const;
  Task<Status> step(Erasure& erasure);
  Task<Status> erase_events(Erasure& erasure);
  Task<Status> erase_attempts(Erasure& erasure);
  Task<Status> erase_bins(Erasure& erasure);
  Status find_end(Erasure& erasure);
  Status erase_slice(Erasure& erasure);
  bool old_views_are_gone(uint64_t number);

  const Parts parts_;
  const Elsewhere elsewhere_;
  const Options options_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<Key, Erasure> all_;
  std::shared_ptr<const Erased> erased_;
  std::deque<std::weak_ptr<const Erased>> views_;  // that somebody may hold, by number
  std::shared_ptr<Bell> bell_;
  std::mutex beginning_;  // held over begin()
};

/// {"state":"running",...}: an erasure as clients see it. `more` is added as it is.
std::string to_json(const Erasure& erasure, std::string_view more);

}  // namespace eventhorn::control
