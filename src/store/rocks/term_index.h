// The index of terms: of each run of the tail, where the events of each (domain, term) are
// (tables/term_table.h).
#pragma once

#include "store/rocks/index.h"
#include "store/rocks/tables/term_table.h"

#include <cstdint>
#include <span>
#include <vector>

namespace eventhorn::store {

/// Keeps nothing between runs.
class TermIndex final : public Index {
 public:
  /// A period is as wide as it can be with no more postings than that, if events go on coming as
  /// those of the run did.
  static constexpr double kPostingsPerPeriod = 256;

  Family family() const override { return Family::kTerms; }

  bool merges() const override { return true; }

  Status add_rows(const TailRun& run, Reads reads, std::vector<IndexRow>& out) override;

  /// The width of the periods for `count` postings of a domain whose events took `span_us`.
  static unsigned width_for(size_t count, int64_t span_us);

 private:
  void add_domain(DomainUid domain, std::vector<const TailEntry*>& events,
                  std::vector<IndexRow>& out);

  std::vector<uint64_t> term_events_;  // of one domain; kept for its memory
};

}  // namespace eventhorn::store
