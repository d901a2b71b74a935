#include "api/event_page.h"

#include "base/check.h"
#include "event/filter.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace eventhorn::api {
namespace {

using store::PageCursor;

// What one request holds in memory is bounded by these: a page may have fewer events than its limit
// while more follow.
constexpr size_t kMaxSliceEvents = 100;
constexpr size_t kMaxPageBytes = size_t{8} << 20;
// Rows and bytes looked at by one call of the store: a few milliseconds of a reader's thread, then
// other requests have their turn.
constexpr size_t kMaxSliceScan = 4096;
constexpr size_t kMaxSliceBytes = size_t{2} << 20;
// The same for filters that take long over large events.
constexpr std::chrono::milliseconds kMaxSliceTime{50};

store::PageQuery store_query(const EventSearch& search, const PageToken& token) {
  store::PageQuery query;
  query.domain = search.domain;
  query.domains = search.domains;
  query.ascending = token.range.ascending == token.forward;
  query.first_us = query.ascending ? token.range.from_us : token.range.to_us - 1;
  query.last_us = query.ascending ? token.range.to_us : token.range.from_us - 1;
  query.beyond = token.cursor;
  query.max_scan = kMaxSliceScan;
  query.max_bytes = kMaxSliceBytes;
  query.wants_id = search.wants_id;
  query.may_match = search.may_match;
  query.terms = search.terms;
  query.matches = search.matches;
  return query;
}

// `events` in the direction they were read. `stopped_at` is set when the reading was given up with
// more rows to look at.
EventPage make_page(const EventSearch& search, const PageToken& token,
                    std::vector<store::EventPtr> events, std::optional<PageCursor> stopped_at) {
  EventPage page;
  page.events = std::move(events);
  auto& here = token.forward ? page.next : page.previous;
  auto& back = token.forward ? page.previous : page.next;
  if (page.events.empty()) {
    // The same cursor again: later it may show what arrives until then. All there is now lies on
    // its other side.
    here = token.cursor;
    return page;
  }
  const auto cursor_of = [&](const store::EventPtr& e) {
    return search.domains ? PageCursor{e->event.timestamp_us, {}, e->position}
                          : PageCursor{e->event.timestamp_us, e->event.id, {}};
  };
  back = cursor_of(page.events.front());
  // Not the last row looked at, as long as all rows were: a late event behind the last one shown
  // must still be found.
  here = stopped_at ? std::move(stopped_at) : cursor_of(page.events.back());
  if (!token.forward) std::reverse(page.events.begin(), page.events.end());
  return page;
}

}  // namespace

void EventSearch::filter_by(const event::Filter& filter) {
  if (filter.empty()) return;
  may_match = [&filter](event::Name name, event::Severity severity) {
    return filter.may_match(name, severity);
  };
  terms = filter.term_query();
  matches = [&filter](std::string_view bytes) { return filter.matches(bytes); };
}

std::shared_ptr<const store::DomainSet> domains_of_account(const Services& services) {
  return std::make_shared<store::DomainSet>(
      store::DomainSet{kOnlyAccount, services.directory.uids()});
}

Task<Result<EventPage>> read_event_page(const Services& services, const EventSearch& search,
                                        const PageToken& token,
                                        const http::RequestContext& context) {
  auto query = store_query(search, token);
  std::vector<store::EventPtr> events;
  std::vector<std::string> damaged;
  std::optional<PageCursor> stopped_at;
  const Deadline deadline = std::min<Deadline>(
      context.deadline, services.clock.steady_now() + services.options.query_timeout);
  SteadyTime slice_end{};
  query.give_up = [&] { return services.clock.steady_now() >= slice_end; };
  const auto read = [&] {
    slice_end = std::min<SteadyTime>(deadline, services.clock.steady_now() + kMaxSliceTime);
    return services.store.pages.read_page(query);
  };
  const bool plain = !query.matches && !query.wants_id && !query.domains;
  auto& readers = plain ? services.readers : services.searchers;
  bool at_end = false;
  for (size_t bytes = 0; events.size() < token.limit && bytes < kMaxPageBytes;) {
    query.max_events = std::min(token.limit - events.size(), kMaxSliceEvents);
    CO_TRY(auto slice, co_await run_blocking(readers, read));
    for (auto& e : slice.events) {
      bytes += e->event.bytes.size();
      events.push_back(std::move(e));
    }
    std::ranges::move(slice.damaged, std::back_inserter(damaged));
    at_end = slice.at_end;
    if (at_end) break;
    CHECK(slice.reached);
    query.beyond = std::move(slice.reached);
    if (context.client_gone()) co_return fail(Errc::kCancelled, "the client is gone");
    if (services.clock.steady_now() < deadline) continue;
    if (events.empty()) {
      co_return fail(Errc::kInvalidArgument,
                     "the search takes too long: " + std::string(search.advice));
    }
    stopped_at = query.beyond;
    break;
  }
  auto page = make_page(search, token, std::move(events), std::move(stopped_at));
  page.at_end = at_end;
  page.damaged = std::move(damaged);
  co_return page;
}

}  // namespace eventhorn::api
