// The rows of a page over several domains: by (timestamp, position), as postings are.
#pragma once

#include "store/rocks/page_rows.h"
#include "store/rocks/postings.h"
#include "store/rocks/tables/term_table.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace eventhorn::store {

/// Of the index, rows may be of other domains than those of the query, and of events without what
/// its terms ask for.
class AccountRows final : public PageRows {
 public:
  /// Domains whose own postings are joined, at most; of more those of the account are walked.
  static constexpr size_t kMaxDomains = 64;
  /// Walks of one term of one domain, at most: each holds some rows of the index.
  static constexpr size_t kMaxWalks = 256;

  /// All must outlive this.
  struct Parts {
    const TermTable& terms;
    const TimeTable& times;
    uint64_t floor = 0;     // of events
    bool use_terms = true;  // they are complete, and can be read
  };

  /// `query.domains` is not null. Must outlive this.
  AccountRows(const Parts& parts, const Tail::Runs& runs, const PageQuery& query);

  /// As PageRows::next(). Ids are empty.
  Result<std::optional<TimeRow>> next() override;

  bool knows_kinds() const override { return false; }

  PageCursor given_up_at() const override;

 private:
  Status start();
  Status choose_postings();
  Status move_to(const Posting& target);
  bool in_range(const Posting& at) const;
  bool gives_up(const Posting& at) const;

  const Parts parts_;
  const PageQuery& query_;
  const Direction direction_;
  std::unique_ptr<Postings> postings_;
  std::vector<TimeRow> tail_;
  size_t tail_next_ = 0;
  bool started_ = false;
  Posting start_;          // giving up there would get nowhere
  bool given_up_ = false;  // the postings cannot go on
};

}  // namespace eventhorn::store
