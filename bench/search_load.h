// Fills an engine with the events of a corpus, and measures what its pages take.
#pragma once

#include "search_engine.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::bench {

struct Filled {
  double seconds = 0;  // from the first append until all are durable
  double settle_seconds = 0;
  uint64_t bytes = 0;  // of the events as both doors send them
};

/// Appends all events in batches of `batch`, by as many threads as the engine takes. Two more
/// threads make them meanwhile, at the cost of every engine alike.
Result<Filled> fill(const Corpus& corpus, Engine& engine, size_t batch);

struct Figures {
  std::string_view name;
  Aided aided{};
  std::vector<int64_t> took_ns;  // sorted; of pages that were answered
  uint64_t gave_up = 0;
  uint64_t events = 0;  // in all pages
  /// Of the ids of the first kCompared pages in their order: equal for all engines, unless one gave
  /// up.
  uint64_t checksum = 0;

  static constexpr uint64_t kCompared = 20;
};

struct QueryPlan {
  uint64_t warm_up = 20;
  /// Of each kind; fewer when they take longer than `seconds`, but never under kCompared.
  uint64_t queries = 500;
  double seconds = 10;
  uint64_t seed = 1;   // of the values
  std::string kind{};  // only this one, when it is given
};

/// Every kind of query, one page at a time.
Result<std::vector<Figures>> query(const Corpus& corpus, Engine& engine, const QueryPlan& plan);

struct Walked {
  uint64_t events = 0;
  uint64_t pages = 0;
  double seconds = 0;
};

/// From the newest event back, by pages of 300, over `events` or to the end.
Result<Walked> walk(Engine& engine, uint64_t events);

}  // namespace eventhorn::bench
