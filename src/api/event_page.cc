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

store::PageQuery store_query(DomainUid domain, const PageToken& token,
                             const event::Filter& filter) {
  store::PageQuery query;
  query.domain = domain;
  query.ascending = token.range.ascending == token.forward;
  query.first_us = query.ascending ? token.range.from_us : token.range.to_us - 1;
  query.last_us = query.ascending ? token.range.to_us : token.range.from_us - 1;
  query.beyond = token.cursor;
  query.max_scan = kMaxSliceScan;
  query.max_bytes = kMaxSliceBytes;
  if (!filter.empty()) {
    query.may_match = [&filter](event::Name name, event::Severity severity) {
      return filter.may_match(name, severity);
    };
    query.terms = filter.term_query();
    query.matches = [&filter](std::string_view bytes) { return filter.matches(bytes); };
  }
  return query;
}

// `events` in the direction they were read. `stopped_at` is set when the reading was given up with
// more rows to look at.
EventPage make_page(const PageToken& token, std::vector<store::EventPtr> events,
                    std::optional<PageCursor> stopped_at) {
  EventPage page{std::move(events), {}, {}, {}};
  auto& here = token.forward ? page.next : page.previous;
  auto& back = token.forward ? page.previous : page.next;
  if (page.events.empty()) {
    // The same cursor again: later it may show what arrives until then. All there is now lies on
    // its other side.
    here = token.cursor;
    return page;
  }
  const auto cursor_of = [](const store::EventPtr& e) {
    return PageCursor{e->event.timestamp_us, e->event.id};
  };
  back = cursor_of(page.events.front());
  // Not the last row looked at, as long as all rows were: a late event behind the last one shown
  // must still be found.
  here = stopped_at ? std::move(stopped_at) : cursor_of(page.events.back());
  if (!token.forward) std::reverse(page.events.begin(), page.events.end());
  return page;
}

}  // namespace

Task<Result<EventPage>> read_event_page(const Services& services, DomainUid domain,
                                        const PageToken& token, const http::RequestContext& context,
                                        std::function<bool(std::string_view)> wants_id) {
  CO_TRY(const auto filter, event::Filter::parse(token.terms));
  auto query = store_query(domain, token, filter);
  query.wants_id = std::move(wants_id);
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
  auto& readers = filter.empty() && !query.wants_id ? services.readers : services.searchers;
  for (size_t bytes = 0; events.size() < token.limit && bytes < kMaxPageBytes;) {
    query.max_events = std::min(token.limit - events.size(), kMaxSliceEvents);
    CO_TRY(auto slice, co_await run_blocking(readers, read));
    for (auto& e : slice.events) {
      bytes += e->event.bytes.size();
      events.push_back(std::move(e));
    }
    std::ranges::move(slice.damaged, std::back_inserter(damaged));
    if (slice.at_end) break;
    CHECK(slice.reached);
    query.beyond = std::move(slice.reached);
    if (context.client_gone()) co_return fail(Errc::kCancelled, "the client is gone");
    if (services.clock.steady_now() < deadline) continue;
    if (events.empty()) {
      co_return fail(
          Errc::kInvalidArgument,
          "the search takes too long: narrow the range with begin and end, or add a filter on "
          "recipient, message-id, tags, subject, from, to, list or attachment");
    }
    stopped_at = query.beyond;
    break;
  }
  auto page = make_page(token, std::move(events), std::move(stopped_at));
  page.damaged = std::move(damaged);
  co_return page;
}

}  // namespace eventhorn::api
