// The index of terms: of each run of the tail, where the events of each (term, scope) are
// (tables/term_table.h).
#pragma once

#include "store/rocks/index.h"
#include "store/rocks/tables/term_table.h"

#include <cstdint>
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

  /// The width of the periods for `count` postings of a scope whose events took `span_us`.
  static unsigned width_for(size_t count, int64_t span_us);

 private:
  /// The events of a scope, in order: some of events_.
  struct Part {
    TermScope scope;
    int64_t span_us;
  };

  struct Placed {
    const TailEntry* entry;
    size_t part;
  };

  void take_domains(const TailRun& run);
  void take_account(const TailRun& run);
  void add_part(TermScope scope, size_t begin, size_t end);
  void add_term(event::Term term, size_t place);
  void put_rows(std::vector<IndexRow>& out);

  // Of the run; kept for their memory.
  std::vector<Placed> events_;  // by scope and time
  std::vector<Part> parts_;
  std::vector<uint64_t> term_events_;
};

}  // namespace eventhorn::store
