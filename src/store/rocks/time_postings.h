// The events of domains by their time as postings, from the index `times`: for searches that no
// term narrows, and those that the index of terms cannot serve.
#pragma once

#include "store/rocks/postings.h"
#include "store/rocks/tables/time_table.h"

#include <span>
#include <vector>

namespace eventhorn::store {

/// Holds a bounded number of postings, however many domains there are and however many events have
/// one timestamp; the next of them cost a look into each domain.
class TimePostings final : public Postings {
 public:
  static constexpr size_t kFirstAtOnce = 128;
  static constexpr size_t kMaxAtOnce = 4096;

  /// In the direction and within the range of `query`. All must outlive this.
  TimePostings(const TimeTable& table, std::span<const DomainUid> domains, const PageQuery& query);

  Status seek(const Posting& target) override;

 private:
  Status fill(const Posting& target);
  Status add_domain(DomainUid domain, const Posting& target);

  const TimeTable& table_;
  const std::span<const DomainUid> domains_;
  const PageQuery& query_;
  const Direction direction_;

  size_t at_once_ = kFirstAtOnce;
  bool ended_ = false;             // nothing comes after postings_
  std::vector<Posting> postings_;  // in the direction of travel; while they are found: a heap
  size_t next_ = 0;
};

}  // namespace eventhorn::store
