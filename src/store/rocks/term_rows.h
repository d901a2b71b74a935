// The rows of a page whose filter asks for terms: only those of events that have them.
//
// The index has no ids, and pages are ordered by (timestamp, id). Where one event of the answer has
// a timestamp for itself its row comes without an id, which the event tells; of several with the
// same, and where the cursor is, the ids are read from the index `times`.
#pragma once

#include "store/rocks/page_rows.h"
#include "store/rocks/postings.h"
#include "store/rocks/tables/term_table.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace eventhorn::store {

class TermRows final : public PageRows {
 public:
  /// Events of the answer with one and the same timestamp. Of more the index is of no use.
  static constexpr size_t kMaxAtOnce = 2048;

  /// All must outlive this; `floor` is that of events.
  struct Parts {
    const TermTable& terms;
    const TimeTable& times;
    uint64_t floor = 0;
  };

  /// `query.terms` is not kAny. Must outlive this.
  TermRows(const Parts& parts, const Tail::Runs& runs, const PageQuery& query);

  /// As PageRows::next(). The `id` of a row from the index may be empty. kInvalidArgument where
  /// more than kMaxAtOnce have one timestamp.
  Result<std::optional<TimeRow>> next() override;

  bool knows_kinds() const override { return false; }

  PageCursor given_up_at() const override;

  /// The id of an event of the index; empty when it is not there.
  static Result<std::string> find_id(const TimeTable& times, DomainUid domain, const TimeRow& row);

 private:
  Status start();
  Status fill();
  Status take_postings(int64_t timestamp_us, std::vector<Posting>& out);
  Status take_named(int64_t timestamp_us, const std::vector<Posting>& postings);
  Status move_to(const Posting& target);
  bool in_range(int64_t timestamp_us) const;
  bool gives_up(const Posting& at) const;

  const Parts parts_;
  const PageQuery& query_;
  const Direction direction_;
  const std::unique_ptr<Postings> postings_;
  std::vector<TimeRow> tail_;
  size_t tail_next_ = 0;
  bool started_ = false;
  // Of the event that was looked for last: all with that timestamp are found before it is given up,
  // so that each slice of a search gets somewhere.
  int64_t looked_for_us_ = 0;
  bool given_up_ = false;      // the postings cannot go on
  std::deque<TimeRow> ready_;  // all of one timestamp
};

}  // namespace eventhorn::store
