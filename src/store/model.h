// The values that the store keeps and hands out: events with their place in the log, domains with
// their hooks, and the progress of lanes. Values only; immutable once shared.
#pragma once

#include "base/ids.h"
#include "base/time.h"
#include "event/event.h"
#include "event/terms.h"
#include "store/slots.h"
#include "webhook/hook.h"
#include "webhook/outcome.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::store {

/// An event on its way in.
struct NewEvent {
  DomainUid domain;
  ShardId shard;
  /// False for items older than the id window: stored and listed, but no lane sees them.
  bool push = true;
  event::Event event;
  /// event::terms_of() the event: what it is found by. Where there are none the engine makes them,
  /// on the thread that commits.
  std::vector<event::Term> terms{};
};

/// An event in the log. Never changes after its commit.
struct StoredEvent {
  Position position;
  DomainUid domain;
  ShardId shard;
  bool push = true;
  SystemTime committed;  // by the kept clock; never falls from one position to the next
  event::Event event;

  StoredEvent() = default;
  StoredEvent(const StoredEvent&) = delete;
  StoredEvent& operator=(const StoredEvent&) = delete;
  ~StoredEvent();

  /// Counts the bytes among live_event_bytes() until destruction. Call once, when the event is
  /// complete.
  void hold();

 private:
  size_t held_ = 0;
};

/// Bytes of all StoredEvents alive in the process: what lanes keep in memory is bounded by it.
size_t live_event_bytes();

using EventPtr = std::shared_ptr<const StoredEvent>;

/// What the start needs of an event, without its bytes.
struct EventHead {
  Position position;
  DomainUid domain;
  bool push = true;
  event::Name name{};
  event::Severity severity{};
};

/// A URL of a hook: events of that hook at positions after `since` belong to the lane.
struct Subscription {
  LaneId lane;
  Position since;
};

/// A lane of a domain: the delivery of that domain's events to one URL, whatever their hooks.
struct LaneConfig {
  LaneId id;
  std::string url;
};

/// For each hook that names a lane: the position after which its events belong to the lane.
using Since = std::array<std::optional<Position>, webhook::kHooks>;

/// Of a replay, which takes whatever the hooks name, however old.
Since since_ever(Since since);

/// One life of a domain, with its hooks. A change makes a new value.
struct Domain {
  DomainUid uid;
  std::string name;  // lower case
  std::string id;    // 24 hex digits, as Mailgun's API shows it
  SystemTime created_at;
  /// In place of the installation's; a URL's own wins over it.
  std::optional<std::vector<std::chrono::milliseconds>> retry_schedule;
  std::vector<LaneConfig> lanes;
  std::array<std::vector<Subscription>, webhook::kHooks> hooks;  // in the order of the URLs given

  const LaneConfig* find_lane(LaneId lane) const;
  Since since(LaneId lane) const;
  /// The URLs of a hook in the order given.
  std::vector<std::string> urls(webhook::Hook hook) const;
};

using DomainPtr = std::shared_ptr<const Domain>;

/// A configuration change as the lanes see it: events before `at` belong to `before`, later ones to
/// `after`.
struct DomainChange {
  Position at;
  DomainPtr before;  // null when the domain was created
  DomainPtr after;   // null when it was deleted
};

/// Makes `hook` of `domain` name exactly `urls`: a URL that stays keeps its lane and its `since`; a
/// new one starts after `at`; a lane that no hook names any more is removed. `at` also names a new
/// lane, together with its index.
void set_hook_urls(Domain& domain, webhook::Hook hook, const std::vector<std::string>& urls,
                   Position at);

/// The end of what lies before `position`, which must not be kNoPosition: an event after it is at
/// `position` or later. For ranges that begin after, or end at, a position. There may be no event.
constexpr Position just_before(Position position) {
  return {position.value - 1};
}

/// The first position behind `position`. There may be no event.
constexpr Position just_after(Position position) {
  return {position.value + 1};
}

/// Closed range of positions.
struct PositionRange {
  Position first;
  Position last;
  friend bool operator==(const PositionRange&, const PositionRange&) = default;
};

/// The durable form of one segment of a lane (delivery/lane.h).
struct SegmentRow {
  /// Where the events come from. Stored on disk: do not change the values.
  enum class Source : uint8_t {
    kLog = 0,     // the log, by the index of (domain, class, position)
    kMissed = 1,  // the lane's missed rows of the class
  };

  webhook::Class cls{};
  /// Events at positions after this one belong to the segment ...
  Position after;
  /// ... up to and including this one; nullopt while the segment is open.
  std::optional<Position> to;
  /// Every event of the segment up to and including this one is settled.
  Position acked_through;
  /// Settled beyond that, in order, disjoint. At most 8192.
  std::vector<PositionRange> settled;
  Source source = Source::kLog;
  /// The replay that asked for it; 0 for the lane's own segments. A replay takes every event whose
  /// hook names the URL now, whatever its `since`.
  uint64_t replay = 0;
  /// A replay that its operator holds.
  bool paused = false;
  friend bool operator==(const SegmentRow&, const SegmentRow&) = default;
};

struct LaneRow {
  LaneId lane;
  DomainUid domain;
  std::vector<SegmentRow> segments;
};

/// An event of a lane that waits for another attempt, or was missed.
struct ExceptionRow {
  LaneId lane;
  Position position;
  bool missed = false;
  uint16_t attempts = 0;
  SystemTime last_attempt;
  Micros delay{};
  int last_status = 0;  // 0: no status line came
  /// Of its event: replays go by class.
  webhook::Hook hook{};
  /// The position after which the hook's events belonged to the lane as the row was written. A hook
  /// that begins after it was removed meanwhile. nullopt in rows of version 2 and before.
  std::optional<Position> hook_since = std::nullopt;
};

/// The health of an endpoint, kept while it is not simply well.
struct EndpointRow {
  /// Stored on disk: do not change the values.
  enum class State : uint8_t {
    kActive = 0,
    kParked = 1,  // fails: only probes
    kGone = 2,    // answered 410: nothing is sent until it is resumed or configured again
    kPaused = 3,  // by its operator
  };

  std::string url;
  State state = State::kActive;
  /// When the state began.
  SystemTime since;
  /// The epoch when there was none.
  SystemTime last_success;
  SystemTime last_failure{};
  uint32_t failures = 0;  // in a row
  /// Failed probes in a row: the step of their backoff.
  uint32_t probes = 0;
  /// Most attempts in flight while it was last well.
  uint32_t healthy_peak = 0;
  /// What went wrong, in one line without credentials.
  std::string reason;
  friend bool operator==(const EndpointRow&, const EndpointRow&) = default;
};

/// What an operator sets for one URL; the defaults are the installation's.
struct EndpointSettings {
  struct Secret {
    std::string id;    // names it in the API
    std::string text;  // "whsec_" and base64
    SystemTime created;
    friend bool operator==(const Secret&, const Secret&) = default;
  };

  /// Attempts per second; 0 is the installation's.
  double rate_limit = 0;
  /// Attempts under way at once; 0 is the installation's.
  uint32_t max_concurrency = 0;
  std::optional<std::vector<std::chrono::milliseconds>> retry_schedule;
  /// Checked by webhook::check_custom_header. A bearer token is an Authorization field here.
  std::vector<std::pair<std::string, std::string>> headers;
  /// Sends the Standard Webhooks fields, signed with every secret.
  bool standard_webhooks = false;
  std::vector<Secret> secrets;     // at most two, newest first
  std::string client_certificate;  // PEM, with its chain
  std::string client_key;          // PEM
  friend bool operator==(const EndpointSettings&, const EndpointSettings&) = default;
};

/// The record of an attempt. Of a sound success at the first try (no `failure`, no `error`) an
/// engine keeps 16 to 32 bytes, without `response` and `phases`; of everything else all.
struct AttemptRow {
  LaneId lane;
  Position position;
  SystemTime at;
  std::chrono::milliseconds took{};
  int attempt = 1;
  int status = 0;
  std::string failure;   // outcome label, empty for a success
  std::string error;     // one line, bounded; of a success: what was not sound HTTP in the answer
  std::string response;  // first KiB of the body
  /// Not of a sound success at the first try, nor of what older versions wrote.
  std::optional<webhook::Phases> phases{};
  /// The place of the row among those of its lane, by the kept clock, because `at` is of a wall
  /// clock and would order and expire rows by its jumps. Sound successes at the first try of one
  /// lane in one Progress have all the last one's when they are read.
  SystemTime written{};
};

/// The end of an exception row.
struct EndedException {
  LaneId lane;
  Position position;
  /// So many of the progress's `exceptions` are written before it; the default is all of them.
  size_t after = SIZE_MAX;
};

/// What a core saves in one atomic write. Everything in it is idempotent.
struct Progress {
  /// Of the slots of the core.
  std::optional<SlotMark> mark;
  std::vector<LaneRow> lanes;
  std::vector<LaneId> settled_lanes;  // rows to delete
  std::vector<ExceptionRow> exceptions;
  std::vector<EndedException> ended_exceptions;  // see end_exception()
  std::vector<LaneId> ended_lanes;  // the URL was removed: rows, exceptions and missed go
  std::vector<EndpointRow> endpoints;
  std::vector<std::string> well_endpoints;  // URLs whose rows to delete
  std::vector<AttemptRow> attempts;

  bool empty() const;

  /// Of a row that is put again later, and of one that was put before, the last word holds.
  void end_exception(LaneId lane, Position position) {
    ended_exceptions.push_back({lane, position, exceptions.size()});
  }
};

/// What the start reads back.
struct LoadedProgress {
  SlotMarks marks;
  std::vector<LaneRow> lanes;
  std::vector<ExceptionRow> waiting;
  std::vector<EndpointRow> endpoints;
  uint64_t missed = 0;
};

}  // namespace eventhorn::store
