// GET /eventhorn/v1/{domain}/digest: for each minute of a range how many events there are, and a
// hash of their ids. Who has millions compares these first, and then the minutes that differ.
#include "api/domains.h"
#include "api/event_page.h"
#include "api/own/range_query.h"
#include "base/dates.h"
#include "base/strings.h"
#include "crypto/hash.h"
#include "http/forms.h"
#include "json/writer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::api {
namespace {

constexpr int64_t kMinuteUs = 60'000'000;
// Ids are held until their minute ends.
constexpr size_t kMaxPerMinute = 200'000;

/// The minutes that are done, as JSON, and the ids of the one under way.
class Digest {
 public:
  Digest() : writer_(out_) { writer_.begin_object().key("items").begin_array(); }

  /// In the order of time.
  void add(const event::Event& event) {
    const int64_t minute = event.timestamp_us / kMinuteUs;
    if (minute != minute_) end_minute();
    minute_ = minute;
    ids_.push_back(event.id);
  }

  size_t of_minute() const { return ids_.size(); }

  std::string take() {
    end_minute();
    writer_.end_array().end_object();
    return std::move(out_);
  }

 private:
  void end_minute() {
    if (ids_.empty()) return;
    std::ranges::sort(ids_);
    std::string lines;
    for (const auto& id : ids_) lines.append(id).push_back('\n');
    writer_.begin_object();
    // Without the milliseconds, which are zero.
    const auto when = format_iso8601(from_micros(minute_ * kMinuteUs));
    writer_.key("minute").value(when.substr(0, when.find('.')) + "Z");
    writer_.key("count").value(static_cast<int64_t>(ids_.size()));
    writer_.key("sha256").value(to_hex(crypto::bytes_of(crypto::sha256(lines))));
    writer_.end_object();
    ids_.clear();
  }

  std::string out_;
  json::Writer writer_;
  int64_t minute_ = 0;
  std::vector<std::string> ids_;
};

Task<http::Reply> digest(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  CO_TRY(const auto query, http::parse_query(context.request.query));
  CO_TRY(auto page, parse_range_query(query, later_now(services)));
  page.limit = kMaxPageLimit;
  const Deadline deadline = std::min<Deadline>(
      context.deadline, services.clock.steady_now() + services.options.query_timeout);
  CO_TRY(const auto filter, event::Filter::parse(page.terms));
  EventSearch search;
  search.domain = domain->uid;
  search.filter_by(filter);
  Digest out;
  size_t damaged = 0;
  for (;;) {
    CO_TRY(auto found, co_await read_event_page(services, search, page, context));
    damaged += found.damaged.size();
    if (found.events.empty()) break;
    const auto add = [&] {
      for (const auto& e : found.events) out.add(e->event);
    };
    co_await run_blocking(services.searchers, add);
    if (services.clock.steady_now() >= deadline)
      co_return fail(Errc::kInvalidArgument,
                     "the range is too long to digest in time: narrow begin and end");
    if (out.of_minute() > kMaxPerMinute)
      co_return fail(Errc::kInvalidArgument,
                     "a minute of the range has more than 200 000 events: narrow begin and end "
                     "to a part of it");
    page.cursor = std::move(found.next);
  }
  const auto take = [&] { return out.take(); };
  auto response = http::json_response(200, co_await run_blocking(services.searchers, take));
  if (damaged > 0) response.fields.add("X-Eventhorn-Damaged", std::to_string(damaged));
  co_return response;
}

}  // namespace

std::vector<http::Route> digest_routes(Services& services) {
  return {{"GET", "/eventhorn/v1/{domain}/digest", Access::kKey, kNoBody,
           [&services](auto& context) { return digest(services, context); }}};
}

}  // namespace eventhorn::api
