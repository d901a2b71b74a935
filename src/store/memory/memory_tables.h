// The rows that a MemoryStore keeps, a table for each kind. A value; MemoryDisk has it.
#pragma once

#include "store/model.h"
#include "store/store.h"

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace eventhorn::store {

struct MemoryTables {
  /// An event of the log. Retention drops first the event itself, its bytes and its place in the
  /// pages, and 7 days later the row, with the id and what is counted.
  struct Event {
    NewEvent event;
    SystemTime committed;
    uint64_t content_hash = 0;  // tells a duplicate from a conflict when the bytes are gone
    uint32_t bytes = 0;         // as long

    /// As readers get it. The copy counts among live_event_bytes(), the row does not.
    EventPtr at(Position position) const;
  };

  /// What a lane sees of an event: only those that are pushed and have a hook.
  struct LaneEvent {
    webhook::Hook hook{};
    uint32_t bytes = 0;
  };

  /// Attempts of a lane in the order of their writing. Successes at the first try are apart,
  /// because their time of writing is that of the whole pack.
  struct AttemptKey {
    LaneId lane;
    SystemTime written;
    SystemTime at;
    Position position;
    bool first_try = false;
    friend auto operator<=>(const AttemptKey&, const AttemptKey&) = default;
  };

  using IdKey = std::pair<DomainUid, std::string>;
  using TimeKey = std::tuple<DomainUid, int64_t, std::string>;
  using LaneKey = std::tuple<DomainUid, webhook::Class, Position>;
  using ExceptionKey = std::pair<LaneId, Position>;

  std::map<Position, Event> events;
  std::map<IdKey, Position> ids;
  std::map<TimeKey, Position> times;
  std::map<LaneKey, LaneEvent> lane_events;
  /// The next position that is given. Visible is what lies before it.
  Position next{1};

  std::map<std::string, DomainPtr> domains;  // by name

  std::map<LaneId, LaneRow> lanes;
  std::map<ExceptionKey, ExceptionRow> exceptions;
  std::map<std::string, EndpointRow> endpoints;
  std::map<uint64_t, Position> marks;  // by SlotSet::bits
  std::map<AttemptKey, AttemptRow> attempts;

  std::map<std::string, std::string> values;

  std::optional<KeptClock::Saved> clock;

  /// Names the log's life: there is no repair that would end it.
  static constexpr uint64_t kGeneration = 1;

  /// Events before it are dropped.
  Position gone_below;
  /// Of those before it nothing is known any more: ids, counts, missed rows.
  Position forgotten_below;
  /// For each time that retention was given: `gone_below` as of then. Tells what is to be forgotten
  /// 7 days later, when nobody knows any more when the events were committed.
  std::map<SystemTime, Position> gone_at;

  /// The first event that is left; the end when there is none.
  std::map<Position, Event>::const_iterator first_event() const {
    return events.lower_bound(gone_below);
  }

  /// Null for those that are dropped, and for places without an event.
  const Event* find_event(Position position) const;

  /// One after the last event committed before `time`, of those that are left; `gone_below` when
  /// there is none.
  Position first_since(SystemTime time) const;

  /// Removes the rows that the two limits have left behind.
  void drop_expired();
  void drop_attempts(SystemTime before);

  /// Cheap: for every step of a simulation.
  void check_invariants() const;

 private:
  void forget(Position position, const Event& event);

  Position dropped_below_;  // by drop_expired()
};

}  // namespace eventhorn::store
