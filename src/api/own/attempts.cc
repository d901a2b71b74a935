// What was tried: the attempts of one event, and the last ones of one endpoint.
#include "api/domains.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/list.h"
#include "api/own/find_endpoints.h"
#include "api/own/find_lanes.h"
#include "api/own/read_events.h"
#include "api/own/write.h"
#include "base/strings.h"
#include "json/writer.h"
#include "webhook/url.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace eventhorn::api {
namespace {

using store::AttemptRow;

constexpr size_t kMaxAttemptsOfEvent = 100;  // in each lane; a schedule has at most 32 retries

struct Attempt {
  LaneRef lane;
  AttemptRow row;
};

// Milliseconds with as many decimals as they have.
double in_ms(std::chrono::microseconds time) {
  return static_cast<double>(time.count()) / 1000;
}

void write_phases(json::Writer& w, const std::optional<webhook::Phases>& phases) {
  w.key("phases");
  if (!phases) {
    w.value(nullptr);
    return;
  }
  w.begin_object().key("dns_ms").value(in_ms(phases->dns));
  w.key("connect_ms").value(in_ms(phases->connect)).key("tls_ms").value(in_ms(phases->tls));
  w.key("exchange_ms").value(in_ms(phases->exchange));
  w.key("kept_connection").value(phases->kept_connection);
  w.key("whole_answer").value(phases->whole_answer).end_object();
}

// `event` is its id, empty when it is gone.
void write_attempt(json::Writer& w, const Attempt& attempt, std::string_view event) {
  const auto& row = attempt.row;
  w.begin_object();
  write_text(w, "event", event);
  w.key("domain").value(attempt.lane.domain->name);
  w.key("url").value(webhook::masked(attempt.lane.config->url));
  w.key("lane").value(std::to_string(attempt.lane.config->id.value));
  w.key("attempt").value(row.attempt);
  write_time(w, "time", row.at);
  w.key("took_ms").value(row.took.count());
  w.key("outcome").value(row.failure.empty() ? std::string("success") : row.failure);
  write_status(w, "status", row.status);
  w.key("error").value(row.error);
  w.key("response").value(row.response);
  write_phases(w, row.phases);
  w.end_object();
}

// The store has a few bytes of a success at the first try; the last of them are known in full.
Task<void> complete(Services& services, std::vector<Attempt>& attempts) {
  std::map<std::string, std::vector<AttemptRow>> recent;
  for (auto& attempt : attempts) {
    if (attempt.row.phases || !attempt.row.failure.empty()) continue;
    const auto& url = attempt.lane.config->url;
    auto known = recent.find(url);
    if (known == recent.end()) {
      auto of_url = co_await services.deliveries.recent_successes(url);
      known = recent.emplace(url, std::move(of_url)).first;
    }
    const auto same = std::ranges::find_if(known->second, [&](const AttemptRow& row) {
      return row.lane == attempt.row.lane && row.position == attempt.row.position &&
             row.at == attempt.row.at;
    });
    if (same == known->second.end()) continue;
    const auto written = attempt.row.written;
    attempt.row = *same;
    attempt.row.written = written;
  }
}

// Of the lanes that the event's domain has now.
Result<std::vector<Attempt>> event_attempts(const Services& services, const store::Domain& domain,
                                            const std::string& id) {
  const auto no_event = [] { return fail(Errc::kNotFound, "Event not found"); };
  TRY(const auto positions, services.store.log.find_events(domain.uid, {id}));
  if (positions.front() == kNoPosition) return no_event();
  TRY(const auto events, services.store.log.read_events(positions));
  const auto& event = events.front();
  if (!event) return no_event();
  std::vector<Attempt> attempts;
  TRY(const auto lanes, find_lanes(services.directory, {domain.name, ""}));
  for (const auto& lane : lanes) {
    TRY(auto rows, services.store.progress.read_attempts(lane.config->id, event->position,
                                                         event->committed, kMaxAttemptsOfEvent));
    for (auto& row : rows) attempts.push_back({lane, std::move(row)});
  }
  std::ranges::sort(attempts, {}, [](const Attempt& a) {
    return std::tuple(a.row.at, a.lane.config->id, a.row.attempt);
  });
  return attempts;
}

Task<http::Reply> of_event(Services& services, http::RequestContext& context) {
  CO_TRY(const auto query, http::parse_query(context.request.query));
  const std::string name(query.first("domain").value_or(""));
  const std::string id(query.first("event").value_or(""));
  if (name.empty()) co_return missing_parameter("domain");
  if (id.empty()) co_return missing_parameter("event");
  CO_TRY(const auto domain, find_domain(services, name));
  const auto read = [&] { return event_attempts(services, *domain, id); };
  CO_TRY(auto attempts, co_await run_blocking(services.readers, read));
  co_await complete(services, attempts);
  List out;
  for (const auto& attempt : attempts) write_attempt(out.items(), attempt, id);
  co_return http::json_response(200, out.finish());
}

/// A place in the list, newest first: `skip` rows of that time were shown already.
struct Place {
  SystemTime written = SystemTime::max();
  size_t skip = 0;
};

Result<Place> read_place(std::string_view page) {
  if (page.empty()) return Place{};
  TRY(const auto numbers, parse_place(page, 2));
  const auto [written, skip] = std::pair(numbers[0], numbers[1]);
  // Rows of one time are those of one save of a core: some hundreds.
  if (written > uint64_t{1} << 60 || skip > 65'536) return not_of_this_list();
  return Place{from_micros(static_cast<int64_t>(written)), skip};
}

// Times of writing are the order, since they are how the store goes back in time; within one, the
// rest only has to be the same every time.
bool comes_first(const Attempt& a, const Attempt& b) {
  const auto key = [](const Attempt& x) {
    return std::tuple(x.row.written, x.row.at, x.lane.config->id, x.row.position, x.row.attempt);
  };
  return key(b) < key(a);
}

// The newest of all lanes from `place` on, and the place behind them.
Task<Result<std::vector<Attempt>>> last_attempts(Services& services, const std::string& url,
                                                 Place& place, size_t limit, Deadline deadline) {
  const auto find = [&] { return find_lanes(services.directory, {"", url}); };
  CO_TRY(const auto lanes, co_await run_blocking(services.readers, find));
  const bool at_begin = place.written == SystemTime::max();
  const SystemTime before = at_begin ? place.written : place.written + Micros(1);
  const size_t wanted = place.skip + limit;
  std::vector<Attempt> found;
  for (const auto& lane : lanes) {
    if (services.clock.steady_now() >= deadline)
      co_return fail(Errc::kTimeout, "the url has too many lanes to read their attempts in time");
    const auto read = [&]() -> Status {
      TRY(auto rows, services.store.progress.last_attempts(lane.config->id, before, wanted));
      for (auto& row : rows) found.push_back({lane, std::move(row)});
      return {};
    };
    CO_TRY_STATUS(co_await run_blocking(services.readers, read));
    std::ranges::sort(found, comes_first);
    if (found.size() > wanted) found.resize(wanted);
  }
  found.erase(found.begin(),
              found.begin() + static_cast<std::ptrdiff_t>(std::min(place.skip, found.size())));
  if (found.empty()) co_return found;
  const SystemTime last = found.back().row.written;
  const auto of_last = static_cast<size_t>(
      std::ranges::count_if(found, [&](const Attempt& a) { return a.row.written == last; }));
  place = {last, of_last + (last == place.written ? place.skip : 0)};
  co_return found;
}

Task<http::Reply> of_endpoint(Services& services, http::RequestContext& context) {
  CO_TRY(const auto query, read_list_query(context.request));
  CO_TRY(auto place, read_place(query.page));
  CO_TRY(const auto url, co_await find_endpoint_url(services, context));
  CO_TRY(auto attempts,
         co_await last_attempts(services, url, place, query.limit, context.deadline));
  co_await complete(services, attempts);
  List out;
  std::vector<Position> positions;
  for (const auto& each : attempts) positions.push_back(each.row.position);
  const auto write = [&](size_t i, const store::EventPtr& event) {
    write_attempt(out.items(), attempts[i], event ? std::string_view(event->event.id) : "");
  };
  CO_TRY_STATUS(co_await with_events(services, positions, write));
  std::string page = query.page;
  if (!attempts.empty())
    page = format_place({static_cast<uint64_t>(to_micros(place.written)), place.skip});
  co_return http::json_response(200, out.finish(next_url(context.request, page)));
}

}  // namespace

std::vector<http::Route> attempt_routes(Services& services) {
  return {{"GET", "/eventhorn/v1/attempts", Access::kKey, kNoBody, bound(services, of_event)},
          {"GET", "/eventhorn/v1/endpoints/{id}/attempts", Access::kKey, kNoBody,
           bound(services, of_endpoint)}};
}

}  // namespace eventhorn::api
