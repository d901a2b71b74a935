// A client that walks through a domain's events, page after page, as long as it likes between two;
// and what must hold of that: events come in the order of their times, those of before the walk
// began exactly once unless retention takes them meanwhile, later ones at most once. What a page
// has is durable, so it is handed over at some time, or by the next process at the latest.
#pragma once

#include "simulation/model.h"
#include "store/pages.h"

#include <optional>
#include <set>
#include <string>

namespace eventhorn::simulation {

class PageWalk {
 public:
  /// `query` is that of the first page. `model` outlives the walk.
  PageWalk(Model& model, store::PageQuery query);

  /// Of the page that comes next.
  const store::PageQuery& query() const { return query_; }

  /// A page came. What is wrong with it; nullopt when nothing is.
  std::optional<std::string> on_page(const store::PageSlice& page);

  bool at_end() const { return at_end_; }

 private:
  bool in_range(int64_t timestamp_us) const;
  std::optional<std::string> check_event(const store::StoredEvent& event);
  std::optional<std::string> check_all() const;

  Model& model_;
  store::PageQuery query_;
  const Position before_;  // of what was handed over when it began
  std::optional<store::PageCursor> last_;
  std::set<std::string> seen_;  // ids
  bool at_end_ = false;
};

}  // namespace eventhorn::simulation
