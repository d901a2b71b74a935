// What must be written of one core's delivery. Changes are gathered for a few milliseconds into one
// store::Progress, and one save is under way at a time.
//
//   mark(), put_*(), end_*()  ->  changes  --save()-->  under way  --saved-->  on_saved()
//
// A healthy delivery writes no row of its own: what no row says is unsettled is settled up to
// `settled_through`. So a lane is written while something of it is unsettled, and its row is ended
// once nothing is.
#pragma once

#include "async/timer.h"
#include "base/metrics.h"
#include "delivery/endpoint.h"
#include "delivery/lane.h"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace eventhorn::delivery {

struct SaverOptions {
  /// Whose lanes are all saved here: they have the mark. Without any there is none.
  store::SlotSet slots{};
  /// From the first change to the save that has it.
  std::chrono::milliseconds interval{5};
  /// Outcomes that `unsaved`, which the cores share, may count: what a crash repeats beyond the
  /// attempts under way.
  size_t max_unsaved = 256;
  std::shared_ptr<std::atomic<size_t>> unsaved = std::make_shared<std::atomic<size_t>>(0);
};

/// Owned by the engine. Every member runs on the core's executor.
///
/// Invariants:
/// - begin() comes before the first save, because until then what is known is not complete.
/// - A change that is not in a save that is under way has a save set, or waits for the one that is.
/// - A lane or an endpoint stands in the changes once.
/// - `unsaved` holds the outcomes of this core that are not written, once each.
class Saver {
 public:
  /// Writes progress and calls `saved`, on any thread, once it is written (store::ProgressSaver).
  using Save = std::function<void(store::Progress progress, std::function<void()> saved)>;

  /// Whom a save concerns.
  class Listener {
   public:
    virtual ~Listener() = default;
    /// Nothing of the lane is left to be kept: it is to be forgotten.
    virtual void on_settled(const LanePtr& lane) = 0;
    /// A save is written: there is room for outcomes again.
    virtual void on_saved() = 0;
  };

  /// `clock` and `listener` outlive the saver.
  Saver(asio::any_io_executor executor, const Clock& clock, SaverOptions options, Save save,
        Listener& listener);
  ~Saver();

  /// All that earlier processes left is known; everything up to `through` is handed over.
  void begin(Position through);
  /// The loop that saves; until it is cancelled.
  Task<void> run();
  /// Saves what is left, by the deadline and five seconds more; after run() has ended.
  Task<void> finish(Deadline deadline);

  /// A lane, or an endpoint, has changed.
  void mark(const LanePtr& lane);
  void mark(const EndpointPtr& endpoint);

  /// True when the lane has a row, or will have one with the next save.
  bool keeps(const Lane& lane) const { return lane.saving.has_row_ || lane.saving.dirty_; }

  /// Takes up that the store has a row of the endpoint, or the lane.
  void found(Endpoint& endpoint) { endpoint.saving.has_row_ = true; }

  void found(Lane& lane) { lane.saving.has_row_ = true; }

  /// True when the endpoint stands in the changes.
  bool holds(const Endpoint& endpoint) const { return endpoint.saving.dirty_; }

  /// The lane is no more.
  void forget(Lane& lane);

  void put_exception(store::ExceptionRow row);
  void end_exception(LaneId lane, Position position);
  void put_attempt(store::AttemptRow row);
  /// The webhook was removed: everything of the lane goes.
  void end_lane(LaneId lane);
  /// No domain names the URL: its row goes.
  void end_endpoint(std::string url);
  /// Everything up to `through` is handed over to the lanes.
  void handed_over(Position through);

  /// Counts an outcome that a crash would repeat, together with put_attempt() of it.
  void count_outcome();
  /// Saves at once when many outcomes of this core wait for it.
  void save_many();

  /// No attempt may start: as many outcomes are unsaved, of all cores, as may.
  bool full() const { return *options_.unsaved >= options_.max_unsaved; }

  /// True when an event that was missed is not yet in the store's list.
  bool misses_unsaved() const;

  /// Ends when all that is changed now is written. kUnavailable when the store does not take it
  /// within ten seconds; it is written later.
  Task<Status> flushed();

 private:
  using Waits = std::vector<std::shared_ptr<Timer>>;  // cancelled when what they wait for is saved

  struct Changes {
    store::Progress rows;
    std::vector<LanePtr> lanes;
    std::vector<EndpointPtr> endpoints;
    size_t outcomes = 0;
    Waits waits;

    bool any() const {
      return !lanes.empty() || !endpoints.empty() || !rows.empty() || !waits.empty();
    }
  };

  /// Of a save that is under way.
  struct Saving {
    size_t outcomes = 0;
    size_t missed = 0;
    Waits waits;
  };

  void save_soon();
  void save_now();
  store::Progress gather(Changes& changes);
  void gather_lane(const LanePtr& lane, store::Progress& progress);
  void gather_endpoint(const EndpointPtr& endpoint, store::Progress& progress);
  void on_saved();
  void give_back(size_t outcomes);

  const asio::any_io_executor executor_;
  const Clock& clock_;
  const SaverOptions options_;
  const Save save_;
  Listener& listener_;
  Changes changes_;
  std::optional<Saving> saving_;
  Position through_;        // handed over,
  Position saved_through_;  // and what of it the last save says
  bool begun_ = false;
  Timer timer_;
  bool soon_ = false;  // timer_ is set for changes
  metrics::Counter missed_;
  metrics::Gauge behind_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

inline void Saver::mark(const LanePtr& lane) {
  if (!lane->saving.dirty_) {
    lane->saving.dirty_ = true;
    changes_.lanes.push_back(lane);
  }
  save_soon();
}

}  // namespace eventhorn::delivery
