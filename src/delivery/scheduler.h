// Who may send next. Lanes with work stand in the ring of their endpoint; an endpoint sends as much
// at once as its health, its share of the places of core and host, and the bound of unsaved
// outcomes allow.
//
//   lane -> Endpoint::ring --next()--> Attempt (place + job) -> Listener::start()
//             no place: Places::queues, until one is free
//             not yet by its health: Timers, until it may
//             too many outcomes unsaved: the core's queue, until a save is written
#pragma once

#include "base/metrics.h"
#include "delivery/attempt.h"
#include "delivery/endpoint.h"
#include "delivery/retry_book.h"
#include "delivery/saver.h"
#include "delivery/timers.h"

#include <optional>

namespace eventhorn::delivery {

/// Owned by the engine; on the core's executor. Outlives its places.
///
/// Invariants:
/// - An endpoint with work, room and a place has a worker that takes it, or stands in a queue, or
///   has a wake set: no work waits for nothing.
/// - Each place is freed once, with the standing that it was taken with.
/// - An endpoint stands in one queue at most.
class Scheduler {
 public:
  /// Who makes the attempts.
  class Listener {
   public:
    virtual ~Listener() = default;
    /// A worker of the endpoint begins with this attempt, and not within the call; it goes on with
    /// what next() gives it.
    virtual void start(Attempt attempt) = 0;
    /// A lane that is behind may want a read.
    virtual void read_more(const LanePtr& lane) = 0;
    /// Time has changed the endpoint's health.
    virtual void on_health(const EndpointPtr& endpoint, Health::Change change) = 0;
  };

  /// What it works with; everything outlives it.
  struct Parts {
    const Clock& clock;
    Timers& timers;
    Saver& saver;
    const RetryBook& retries;
    crypto::RandomPool& random;
    Listener& listener;
  };

  /// `look_again`: how soon after a refusal for unsaved outcomes it is looked again, because the
  /// bound is shared by the cores, and another core's save wakes nobody here.
  Scheduler(Parts parts, size_t max_in_flight, std::chrono::milliseconds look_again);

  /// The lane may have something to send.
  void schedule(const LanePtr& lane);
  /// All lanes of the endpoint may.
  void schedule_all(Endpoint& endpoint);
  /// Starts as many workers as the endpoint may have.
  void pump(const EndpointPtr& endpoint);

  /// Those who wait for a place of the core come first.
  void pump_queues() { pump_queues(places_); }

  /// The next attempt of an endpoint, for a worker that has ended its last one. Nullopt when there
  /// is none, it may not send now (then it is woken), or waits for a place.
  std::optional<Attempt> next(const EndpointPtr& endpoint);

  /// Wakes the endpoint when it may send, or is to be parked. `now` is the time at which the caller
  /// found that it may not send yet: with a later one its time may have come already, and no wake
  /// would be set.
  void arm(const EndpointPtr& endpoint, SteadyTime now);

  /// No new attempts.
  void stop() { stopping_ = true; }

  size_t in_flight() const { return places_.budget.taken(); }

 private:
  friend class Place;
  friend class Attempt;

  bool has_place(const EndpointPtr& endpoint, Standing standing);
  std::optional<Job> take(Endpoint& endpoint, LanePtr& lane, SteadyTime now);
  void pump_queues(Places& places);
  void look_again_soon();
  void free(Endpoint& endpoint, Standing standing);
  void abandon(const LanePtr& lane, const Job& job);

  const Parts parts_;
  const std::chrono::milliseconds look_again_;
  Places places_;
  bool looking_again_ = false;
  bool stopping_ = false;
  metrics::Gauge in_flight_;
};

}  // namespace eventhorn::delivery
