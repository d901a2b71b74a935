// The events of a domain by their time, a page at a time.
#pragma once

#include "base/result.h"
#include "event/terms.h"
#include "store/model.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::store {

/// Where a page begins: strictly beyond (timestamp, id) in the direction of the query.
struct PageCursor {
  int64_t timestamp_us = 0;
  std::string id;
  friend auto operator<=>(const PageCursor&, const PageCursor&) = default;
};

/// A slice of one domain's events by (timestamp, id).
struct PageQuery {
  DomainUid domain;
  bool ascending = true;
  /// Half-open in the direction of travel: ascending [first_us, last_us), descending (last_us,
  /// first_us].
  int64_t first_us = 0;
  int64_t last_us = 0;
  std::optional<PageCursor> beyond;
  /// At most so many rows are looked at; at least one.
  size_t max_scan = 4096;
  /// At most so many events come back; at least one.
  size_t max_events = 100;
  /// The slice ends with the event at which so many bytes were looked at, whether `matches` took
  /// them or not.
  size_t max_bytes = SIZE_MAX;
  /// Looked at before the bytes are read; null takes all.
  std::function<bool(event::Name, event::Severity)> may_match;
  /// Looked at before the bytes are read, where the engine knows the id then; null takes all.
  std::function<bool(std::string_view id)> wants_id;
  /// What every event that `matches` takes has of terms: an engine need not look at others.
  event::TermQuery terms{};
  /// Decides on the bytes; null takes all.
  std::function<bool(std::string_view bytes)> matches;
  /// Asked between two events that are looked at; true ends the slice there. Null goes on.
  std::function<bool()> give_up;
};

struct PageSlice {
  std::vector<EventPtr> events;  // in the direction of travel
  /// The last row looked at: where the next slice goes on.
  std::optional<PageCursor> reached;
  /// True when the range holds nothing more.
  bool at_end = false;
  /// Ids of the events up to `reached` that are left out because their records in the log are
  /// damaged. In the direction of travel.
  std::vector<std::string> damaged{};
};

class Pages {
 public:
  virtual ~Pages() = default;

  virtual Result<PageSlice> read_page(const PageQuery& query) = 0;
};

}  // namespace eventhorn::store
