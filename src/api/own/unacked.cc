// GET /eventhorn/v1/{domain}/events?unacked_by=<url>: the events that a URL has not confirmed, in
// the order of their commits, up to where the log was when the first page was asked for.
//
// A lane keeps no list of them. They are what its own segments do not have settled yet, and its
// exceptions: those that wait for a retry and those it missed. Segments of replays tell nothing:
// what they send again was settled or is an exception.
#include "api/own/unacked.h"

#include "api/domains.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/list.h"
#include "api/own/backlog.h"
#include "api/own/find_lanes.h"
#include "api/sealed_token.h"
#include "base/check.h"
#include "base/strings.h"
#include "json/writer.h"

#include <algorithm>
#include <deque>

namespace eventhorn::api {
namespace {

// What one request holds in memory is bounded by these: a page may have fewer events than its limit
// while more follow.
constexpr size_t kMaxPageBytes = size_t{8} << 20;
constexpr size_t kEventsPerRead = 64;
constexpr size_t kBytesPerRead = 256 << 10;  // a lane has up to 16 segments of each class

struct Token {
  size_t limit = 100;
  LaneId lane;
  /// The frozen end; nullopt on the first page.
  std::optional<Position> bound;
  /// The last event shown.
  Position after;
};

std::string encode(const Token& token, DomainUid domain, const crypto::HmacKey& key) {
  CHECK(token.bound);
  std::string bytes;
  put_list(bytes, TokenList::kUnacked);
  put_number(bytes, token.limit, 2);
  put_number(bytes, token.lane.value, 8);
  put_number(bytes, token.bound->value, 8);
  put_number(bytes, token.after.value, 8);
  return seal_token(std::move(bytes), domain, key);
}

Result<Token> decode(std::string_view text, DomainUid domain, const crypto::HmacKey& key) {
  TRY(const auto bytes, open_token(text, domain, key));
  TokenReader in(bytes);
  const bool is_ours = in.is_of(TokenList::kUnacked);
  Token out;
  out.limit = in.number(2);
  out.lane = {in.number(8)};
  out.bound = Position{in.number(8)};
  out.after = {in.number(8)};
  if (!is_ours || !in.ok() || !in.at_end()) return refused_token();
  return out;
}

/// Unconfirmed events of one segment, or of the exceptions, by position. Blocks on the disk.
class Source {
 public:
  virtual ~Source() = default;

  /// Null before fill(), and when there are no more.
  const store::EventPtr* front() const { return events_.empty() ? nullptr : &events_.front(); }

  void pop() { events_.pop_front(); }

  bool wants_fill() const { return events_.empty() && !at_end_; }

  /// Reads some more; may find none without being at the end.
  virtual Status fill() = 0;

 protected:
  std::deque<store::EventPtr> events_;
  bool at_end_ = false;
};

class SegmentSource final : public Source {
 public:
  SegmentSource(store::LaneLog& log, store::SegmentRow segment, store::LaneQuery query)
      : log_(log), segment_(std::move(segment)), query_(query) {
    query_.max_events = kEventsPerRead;
    query_.max_bytes = kBytesPerRead;
    at_end_ = query_.to && *query_.to <= query_.after;
  }

  Status fill() override {
    TRY(auto slice, log_.read_lane(query_));
    for (auto& event : slice.events) {
      if (!is_settled(segment_, event->position)) events_.push_back(std::move(event));
    }
    query_.after = slice.through;
    at_end_ = slice.at_end;
    return {};
  }

 private:
  store::LaneLog& log_;
  store::SegmentRow segment_;
  store::LaneQuery query_;
};

class ExceptionSource final : public Source {
 public:
  ExceptionSource(const StoreAccess& store, LaneId lane, Position after, Position bound,
                  const store::Since& since)
      : store_(store), lane_(lane), after_(after), bound_(bound), since_(since) {}

  Status fill() override {
    TRY(const auto rows, store_.progress.read_exceptions(lane_, after_, kEventsPerRead, false));
    std::vector<Position> positions;
    for (const auto& row : rows) {
      const auto& since = since_[static_cast<size_t>(row.hook)];
      if (row.position <= bound_ && since && *since < row.position)
        positions.push_back(row.position);
    }
    at_end_ = rows.size() < kEventsPerRead || rows.back().position >= bound_;
    if (!rows.empty()) after_ = rows.back().position;
    TRY(auto events, store_.log.read_events(positions));
    for (auto& event : events) {
      if (event) events_.push_back(std::move(event));
    }
    return {};
  }

 private:
  const StoreAccess& store_;
  LaneId lane_;
  Position after_;
  Position bound_;
  store::Since since_;
};

std::vector<std::unique_ptr<Source>> make_sources(const StoreAccess& store,
                                                  const store::Domain& domain,
                                                  const control::LaneStatus& lane,
                                                  const Token& token) {
  CHECK(token.bound);
  std::vector<std::unique_ptr<Source>> out;
  for (const auto& segment : lane.segments) {
    if (segment.replay != 0) continue;
    auto query = segment_query(domain, lane.id, segment, *token.bound);
    query.after = std::max(query.after, token.after);
    out.push_back(std::make_unique<SegmentSource>(store.lanes, segment, query));
  }
  out.push_back(std::make_unique<ExceptionSource>(store, lane.id, token.after, *token.bound,
                                                  domain.since(lane.id)));
  return out;
}

/// The source whose first event comes first; null when all are at their ends. Every source must be
/// filled.
Source* first_of(const std::vector<std::unique_ptr<Source>>& sources) {
  Source* out = nullptr;
  for (const auto& source : sources) {
    if (source->front() == nullptr) continue;
    if (out == nullptr || (*source->front())->position < (*out->front())->position)
      out = source.get();
  }
  return out;
}

// Moves the token behind what it gives.
Task<Result<std::vector<store::EventPtr>>> read_page(
    Services& services, const std::vector<std::unique_ptr<Source>>& sources, Token& token,
    Deadline deadline) {
  std::vector<store::EventPtr> out;
  for (size_t bytes = 0; out.size() < token.limit && bytes < kMaxPageBytes;) {
    for (const auto& source : sources) {
      while (source->wants_fill()) {
        if (services.clock.steady_now() >= deadline) {
          if (!out.empty()) co_return out;
          co_return fail(Errc::kTimeout, "the search took too long: try again");
        }
        const auto fill = [&] { return source->fill(); };
        CO_TRY_STATUS(co_await run_blocking(services.searchers, fill));
      }
    }
    auto* first = first_of(sources);
    if (first == nullptr) break;
    auto event = *first->front();
    first->pop();
    // An event may be an exception and, until its segment has moved on, in that.
    if (event->position <= token.after) continue;
    token.after = event->position;
    bytes += event->event.bytes.size();
    out.push_back(std::move(event));
  }
  co_return out;
}

std::string render(const std::vector<store::EventPtr>& events, const std::string& next) {
  List out;
  for (const auto& event : events) out.items().raw(event->event.bytes);
  return out.finish(next);
}

Task<http::Reply> answer(Services& services, http::RequestContext& context,
                         const store::Domain& domain, Token token) {
  const auto* config = domain.find_lane(token.lane);
  if (config == nullptr)
    co_return http::message_response(404, "url: no webhook of the domain names it");
  const auto lane = co_await services.deliveries.lane(token.lane, domain.uid, config->url);
  if (!token.bound) token.bound = lane.through;
  const auto sources = make_sources(services.store, domain, lane, token);
  CO_TRY(const auto events, co_await read_page(services, sources, token, context.deadline));
  const auto write = [&] {
    const auto next = context.request.base + "/eventhorn/v1/" + domain.name + "/events/" +
                      encode(token, domain.uid, services.keys.token_key());
    return render(events, next);
  };
  auto body = co_await run_blocking(services.readers, write);
  co_return http::json_response(200, std::move(body));
}

Task<http::Reply> next_page(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  CO_TRY(const auto token,
         decode(context.params.at("token"), domain->uid, services.keys.token_key()));
  auto out = co_await answer(services, context, *domain, token);
  co_return out;
}

}  // namespace

Task<http::Reply> list_unacked(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  CO_TRY(const auto query, read_list_query(context.request));
  const std::string url(query.query.first("unacked_by").value_or(""));
  if (url.empty()) co_return missing_parameter("unacked_by");
  CO_TRY(const auto lanes, find_lanes(services.directory, {domain->name, url}));
  Token token;
  token.limit = query.limit;
  token.lane = lanes.front().config->id;
  auto out = co_await answer(services, context, *domain, token);
  co_return out;
}

std::vector<http::Route> unacked_routes(Services& services) {
  return {{"GET", "/eventhorn/v1/{domain}/events/{token}", Access::kKey, kNoBody,
           bound(services, next_page)}};
}

}  // namespace eventhorn::api
