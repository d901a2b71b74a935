// Walks over the postings that a query of terms asks for, in the order of time.
//
// A walk goes in one direction and never back. An AND leaps: each part in turn goes to where the
// others are already, so it costs what its rarest part does. An OR merges.
#pragma once

#include "store/rocks/tables/term_table.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace eventhorn::store {

/// One direction of travel.
struct Direction {
  bool ascending = true;

  /// Whether `a` comes before `b`.
  bool before(const Posting& a, const Posting& b) const { return ascending ? a < b : b < a; }

  /// The least that comes after `posting`.
  Posting beyond(const Posting& posting) const {
    const auto& [timestamp_us, position] = posting;
    if (ascending && position.value == UINT64_MAX) return {timestamp_us + 1, {0}};
    if (!ascending && position.value == 0) return {timestamp_us - 1, {UINT64_MAX}};
    return {timestamp_us, {position.value + (ascending ? 1 : -1)}};
  }
};

/// One thread.
class Postings {
 public:
  virtual ~Postings() = default;

  /// Goes to the first posting at `target` or beyond. `target` never goes back. After kCancelled
  /// there is none before current(), which may be none itself; the next seek() goes on from there.
  virtual Status seek(const Posting& target) = 0;

  /// nullopt at the end.
  const std::optional<Posting>& current() const { return current_; }

 protected:
  std::optional<Posting> current_;
};

struct PostingsQuery {
  TermScope scope;
  Direction direction{};
  /// Asked now and then while a walk looks for its next posting, with how far it has come; true
  /// ends that with kCancelled. Null goes on.
  std::function<bool(const Posting&)> give_up;
};

/// The postings of all of `parts`, which go in that direction. Not empty.
std::unique_ptr<Postings> join_postings(std::vector<std::unique_ptr<Postings>> parts,
                                        Direction direction);

/// `table` must outlive the walk. `terms` is not kAny.
std::unique_ptr<Postings> walk_postings(const TermTable& table, const PostingsQuery& query,
                                        const event::TermQuery& terms);

}  // namespace eventhorn::store
