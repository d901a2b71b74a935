// The events of a domain, or of many, by their time, a page at a time.
#pragma once

#include "base/result.h"
#include "event/terms.h"
#include "store/model.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::store {

/// Where a page begins: strictly beyond it in the direction of the query. The events of one domain
/// are ordered by (timestamp, id), and cursors have no position; those of many domains, whose ids
/// may be the same, by (timestamp, position), and cursors have no id.
struct PageCursor {
  int64_t timestamp_us = 0;
  std::string id{};
  Position position{};
  friend auto operator<=>(const PageCursor&, const PageCursor&) = default;
};

/// Some domains of an account.
struct DomainSet {
  AccountId account;
  std::vector<DomainUid> domains;  // in order, each once

  bool has(DomainUid domain) const { return std::ranges::binary_search(domains, domain); }
};

/// A slice of the events of one domain, or of several.
struct PageQuery {
  DomainUid domain;
  /// In place of `domain`, when not null: the events of all these.
  std::shared_ptr<const DomainSet> domains{};
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
  /// damaged. In the direction of travel. Of several domains, where ids are not known, it names
  /// places; also of events that are of none of the query's domains.
  std::vector<std::string> damaged{};
};

class Pages {
 public:
  virtual ~Pages() = default;

  virtual Result<PageSlice> read_page(const PageQuery& query) = 0;
};

}  // namespace eventhorn::store
