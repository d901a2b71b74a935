// The segments of a lane: what of the log it has to send. A lane owns one; it lives on the lane's
// core. Pure state.
//
//   urgent   [closed][closed][open ->      own segments of a class, oldest first; the last is open,
//   normal   [closed][open ->              or the class has none
//   bulk     [open ->
//   replays  [closed][closed]              in the order in which they were asked for
//
// A class whose open segment falls behind gets a live one at the head of the log, so that new
// events go past the backlog. Closed segments of a class that nobody holds are joined to the one
// before, so that a lane that falls behind time and again keeps few.
//
// Invariants: own segments come before replays, and by class; only the last of a class is open;
// they do not overlap. A class has at most kMaxClosed closed ones more than its last.
#pragma once

#include "delivery/segment.h"

#include <functional>
#include <list>
#include <vector>

namespace eventhorn::delivery {

/// Closed segments of its own that a lane has of one class, at most; an open one that falls behind
/// beyond it stays so.
inline constexpr size_t kMaxClosed = 16;

class SegmentSet {
 public:
  /// Called before entries that are not in flight leave the memory of a segment.
  using BeforeSpill = std::function<void(Segment&)>;

  // Segments stay where they are in memory until remove_settled() or a join ends them.
  auto begin() { return segments_.begin(); }

  auto end() { return segments_.end(); }

  auto begin() const { return segments_.begin(); }

  auto end() const { return segments_.end(); }

  size_t size() const { return segments_.size(); }

  Segment& back() { return segments_.back(); }

  /// A stored one, or a replay: at the end.
  void add(const store::SegmentRow& row) { segments_.emplace_back(row); }

  /// The open segment of a class; made, starting after `after`, when there is none. `caught_up`
  /// says whether a new one gets its events from commits or begins by reading the log.
  Segment& open(Class cls, Position after, bool caught_up);

  /// Closes the open segment of a class at `at`, where it is behind, and opens a live one there.
  /// Null when the class has so many closed ones that the open one has to do.
  Segment* begin_live(Class cls, Position at, const BeforeSpill& before_spill);

  /// The first segment, in order, that has fewer than `below` fresh entries and more to read; null
  /// when there is none, or a read is under way.
  Segment* wants_read(size_t below);

  /// Removes segments of which nothing is left to do. Pointers to those end.
  void remove_settled();

  /// True when nothing is left to do of any, and no read is under way.
  bool settled() const;
  /// True when one reads the log.
  bool behind() const;
  /// True when something up to the position is to be read from the log.
  bool reaches_back_to(Position position) const;

  /// The durable form of those that are not settled.
  std::vector<store::SegmentRow> rows() const;

  /// Aborts when an invariant of the above, or of a segment, does not hold. For tests.
  void check_invariants() const;

 private:
  void join(const BeforeSpill& before_spill);

  std::list<Segment> segments_;
};

}  // namespace eventhorn::delivery
