// Events in the order of their commits, each exactly once, to who keeps the position behind which
// he goes on:
//  GET /eventhorn/v1/{domain}/events?after=<position>  page by page, and waits for what comes
//  GET /eventhorn/v1/{domain}/stream                   as server-sent events
//  GET /eventhorn/v1/stream                            the same of all domains
#include "api/domains.h"
#include "api/handlers.h"
#include "api/key_shares.h"
#include "api/own/follow_query.h"
#include "api/own/follower.h"
#include "api/own/unacked.h"
#include "api/parameters.h"
#include "base/log.h"
#include "json/writer.h"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <utility>

namespace eventhorn::api {
namespace {

using Kind = FollowStart::Kind;

// What one answer holds in memory: it may have fewer events than its limit while more follow.
constexpr size_t kMaxPageBytes = size_t{8} << 20;
constexpr size_t kMaxSliceEvents = 100;

// What the routes share.
struct Follow {
  explicit Follow(Services& s)
      : services(s),
        shares(s.options.max_waits_per_key,
               metrics::gauge("eventhorn_waits", "Polls that wait and event streams")),
        gaps(metrics::counter("eventhorn_gaps_total",
                              "Positions of clients behind which events are gone")) {}

  std::string text_of(Position position) const {
    return format_position({services.store.order.generation(), position});
  }

  // {"message":..,"position":..}: where to go on.
  std::string gap(Position oldest) {
    gaps.add();
    std::string out;
    json::Writer w(out);
    w.begin_object();
    w.key("message").value(
        "events behind this position are gone, or it is of before a repair of the store: go on "
        "from the position given here, the oldest kept");
    w.key("position").value(text_of(oldest));
    w.end_object();
    return out;
  }

  // Whether the log has ever been there, in this life.
  bool is_of_this_log(const NamedPosition& at) const {
    const auto& order = services.store.order;
    return at.generation == order.generation() && at.position <= order.last_commit().position;
  }

  Services& services;
  KeyShares shares;
  metrics::Counter gaps;
};

http::Response too_many_waits() {
  auto out = http::message_response(
      429,
      "too many polls that wait and streams of this key at one time: see api.max_waits_per_key");
  out.fields.set("Retry-After", "1");
  return out;
}

// A page, as it is read.
struct Page {
  std::vector<store::EventPtr> events;
  size_t bytes = 0;
  size_t damaged = 0;
  /// Retention has dropped what is up to here, and the page begins before it.
  std::optional<Position> gone;
};

// Takes in the next slice; whether it was the last that is there now.
Task<Result<bool>> read_on(Follower& follower, size_t limit, bool from_beginning, Page& page) {
  CO_TRY(auto slice, co_await follower.read(std::min(limit - page.events.size(), kMaxSliceEvents)));
  if (slice.gone_through > follower.position()) {
    if (page.events.empty() && from_beginning) {
      follower.go_on_after(slice.gone_through);
      co_return false;
    }
    page.gone = slice.gone_through;
    co_return true;
  }
  page.damaged += slice.damaged.size();
  for (auto& event : slice.events) {
    page.bytes += event->event.bytes.size();
    page.events.push_back(std::move(event));
  }
  co_return slice.at_end;
}

// Until there are events at the end of the log, the page is full, or nothing more is waited for:
// `wait_end` for events to come, `search_end` for a filter to let some through.
Task<Result<Page>> read_page(Services& services, const http::RequestContext& context,
                             const FollowQuery& query, Follower& follower) {
  const auto started = services.clock.steady_now();
  const Deadline wait_end = std::min<Deadline>(context.deadline, started + query.wait);
  const Deadline search_end =
      std::min<Deadline>(context.deadline, started + services.options.query_timeout);
  const bool from_beginning = query.start.kind == Kind::kBeginning;
  Page page;
  while (page.events.size() < query.limit && page.bytes < kMaxPageBytes) {
    CO_TRY(const bool at_end, co_await read_on(follower, query.limit, from_beginning, page));
    const auto now = services.clock.steady_now();
    if (page.gone || (at_end && !page.events.empty())) break;
    if (context.client_gone()) co_return fail(Errc::kCancelled, "the client is gone");
    if (!at_end && now >= std::max(search_end, wait_end)) break;
    if (!at_end) continue;
    for (bool rung = false; !rung;) {
      const bool draining = services.draining != nullptr && *services.draining;
      if (draining || services.clock.steady_now() >= wait_end) co_return page;
      if (follower.key_is_gone()) co_return fail(Errc::kUnauthenticated, "Forbidden");
      if (follower.domain_is_gone()) co_return fail(Errc::kNotFound, "Domain not found");
      if (context.client_gone()) co_return fail(Errc::kCancelled, "the client is gone");
      const Deadline look = services.clock.steady_now() + Follower::kLook;
      rung = co_await follower.wait(std::min(look, wait_end));
    }
  }
  co_return page;
}

std::string render(const Page& page, const std::string& position) {
  std::string out;
  out.reserve(page.bytes + page.events.size() + position.size() + 32);
  out += R"({"items":[)";
  for (const auto& event : page.events) {
    if (&event != &page.events.front()) out += ',';
    out += event->event.bytes;
  }
  out += R"(],"position":")" + position + R"("})";
  return out;
}

Task<http::Reply> list_after(Follow& follow, http::RequestContext& context,
                             const FollowQuery& query) {
  auto& services = follow.services;
  CO_TRY(const auto domain, find_domain(services, context));
  const bool waits = query.wait.count() > 0;
  const auto place = waits ? follow.shares.take(context.caller->key_id) : std::nullopt;
  if (waits && !place) co_return too_many_waits();
  Position after = kNoPosition;
  if (query.start.kind == Kind::kNow) after = services.store.order.last_commit().position;
  if (query.start.kind == Kind::kAt) {
    if (!follow.is_of_this_log(query.start.at)) {
      CO_TRY(const auto oldest, co_await oldest_kept(services));
      co_return http::json_response(410, follow.gap(oldest));
    }
    after = query.start.at.position;
  }
  const auto executor = co_await asio::this_coro::executor;
  Follower follower(services, executor, {domain->uid, query.filter, context.caller}, after);
  CO_TRY(const auto page, co_await read_page(services, context, query, follower));
  if (page.gone && page.events.empty()) co_return http::json_response(410, follow.gap(*page.gone));
  const auto write = [&] { return render(page, follow.text_of(follower.position())); };
  auto body = co_await run_blocking(services.readers, write);
  auto response = http::json_response(200, std::move(body));
  add_position(response, {services.store.order.generation(), follower.position()},
               follower.complete_until());
  if (page.damaged > 0) response.fields.add("X-Eventhorn-Damaged", std::to_string(page.damaged));
  co_return response;
}

// The two lists of a domain's events that this path has.
Task<http::Reply> list_events(Follow& follow, http::RequestContext& context) {
  CO_TRY(const auto query, http::parse_query(context.request.query));
  if (!query.first("after")) {
    auto unacked = co_await list_unacked(follow.services, context);
    co_return unacked;
  }
  for (const auto* other : {"unacked_by", "begin", "end", "page"}) {
    if (query.first(other))
      co_return invalid("after", fmt::format("cannot be given together with {}", other));
  }
  static constexpr std::array<std::string_view, 3> kKnown = {"after", "limit", "wait"};
  CO_TRY(const auto asked, parse_follow_query(query, kKnown));
  auto out = co_await list_after(follow, context, asked);
  co_return out;
}

// One client's stream. The log is its queue: it keeps only its position, and reads on when the
// system has taken what was sent before. Lives on the connection's core.
class EventStream {
 public:
  EventStream(std::shared_ptr<Follow> follow, KeyShares::Place place,
              asio::any_io_executor executor, Followed followed, Position after, bool lost)
      : follow_(std::move(follow)),
        place_(std::move(place)),
        follower_(follow_->services, std::move(executor), std::move(followed), after),
        lost_(lost) {
    set_heartbeat();
  }

  static Task<std::optional<std::string>> next(std::shared_ptr<EventStream> self) {
    if (!std::exchange(self->begun_, true))
      co_return ":\n\n";  // clients, and proxies on the way, see that the stream is open
    for (;;) {
      if (self->follower_.key_is_gone() || self->follower_.domain_is_gone()) co_return std::nullopt;
      auto piece = co_await self->read();
      if (!piece) {
        log_error("api", "a stream of events ends, because the store cannot be read error={}",
                  piece.error().message);
        co_return std::nullopt;
      }
      if (piece->empty() && self->clock().steady_now() >= self->heartbeat_) {
        // The id without data is no event, but what the client comes back with.
        *piece = fmt::format(":\nid: {}\n\n", self->follow_->text_of(self->follower_.position()));
      }
      if (!piece->empty()) {
        self->set_heartbeat();
        co_return *std::move(piece);
      }
      if (!self->at_end_) continue;
      const Deadline look = self->clock().steady_now() + Follower::kLook;
      co_await self->follower_.wait(std::min(self->heartbeat_, look));
    }
  }

 private:
  const Clock& clock() const { return follow_->services.clock; }

  void set_heartbeat() { heartbeat_ = clock().steady_now() + follow_->services.options.heartbeat; }

  // What is to be sent next; empty when nothing is there yet.
  Task<Result<std::string>> read() {
    if (std::exchange(lost_, false)) {
      CO_TRY(const auto oldest, co_await oldest_kept(follow_->services));
      co_return write_gap(oldest);
    }
    CO_TRY(const auto slice, co_await follower_.read(kMaxSliceEvents));
    at_end_ = slice.at_end;
    if (slice.gone_through > follower_.position()) co_return write_gap(slice.gone_through);
    std::string out;
    for (const auto& event : slice.events) {
      fmt::format_to(std::back_inserter(out), "id: {}\ndata: {}\n\n",
                     follow_->text_of(event->position), event->event.bytes);
    }
    co_return out;
  }

  std::string write_gap(Position oldest) {
    at_end_ = false;
    follower_.go_on_after(oldest);
    return fmt::format("id: {}\nevent: gap\ndata: {}\n\n", follow_->text_of(oldest),
                       follow_->gap(oldest));
  }

  const std::shared_ptr<Follow> follow_;
  const KeyShares::Place place_;
  Follower follower_;
  bool lost_;  // where the client was is not of this log
  bool begun_ = false;
  bool at_end_ = false;
  Deadline heartbeat_;
};

// Where a stream begins. A client that comes back says so by the field; it repeats its old query.
Result<FollowQuery> parse_stream_query(const http::Request& request) {
  static constexpr std::array<std::string_view, 1> kKnown = {"after"};
  TRY(const auto query, http::parse_query(request.query));
  TRY(auto out, parse_follow_query(query, kKnown));
  const auto last = request.fields.get("Last-Event-ID");
  if (!last.empty()) {
    TRY(out.start, parse_follow_start("Last-Event-ID", last));
  }
  return out;
}

Task<http::Reply> open_stream(std::shared_ptr<Follow> follow, http::RequestContext& context,
                              std::optional<DomainUid> domain) {
  auto& services = follow->services;
  CO_TRY(const auto query, parse_stream_query(context.request));
  auto place = follow->shares.take(context.caller->key_id);
  if (!place) co_return too_many_waits();
  const auto& start = query.start;
  const bool lost = start.kind == Kind::kAt && !follow->is_of_this_log(start.at);
  Position after = start.at.position;
  if (start.kind == Kind::kNow) after = services.store.order.last_commit().position;
  if (start.kind == Kind::kBeginning || lost) {
    CO_TRY(after, co_await oldest_kept(services));
  }
  const auto executor = co_await asio::this_coro::executor;
  auto stream =
      std::make_shared<EventStream>(follow, *std::move(place), executor,
                                    Followed{domain, query.filter, context.caller}, after, lost);
  http::Response response;
  response.fields.add("Content-Type", "text/event-stream");
  response.fields.add("Cache-Control", "no-store");
  response.stream = [stream = std::move(stream)] { return EventStream::next(stream); };
  co_return response;
}

Task<http::Reply> open_domain_stream(std::shared_ptr<Follow> follow,
                                     http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(follow->services, context));
  auto out = co_await open_stream(follow, context, domain->uid);
  co_return out;
}

}  // namespace

std::vector<http::Route> follow_routes(Services& services) {
  const auto follow = std::make_shared<Follow>(services);
  const auto events = [follow](http::RequestContext& context) {
    return list_events(*follow, context);
  };
  const auto of_domain = [follow](http::RequestContext& context) {
    return open_domain_stream(follow, context);
  };
  const auto of_account = [follow](http::RequestContext& context) {
    return open_stream(follow, context, std::nullopt);
  };
  return {{"GET", "/eventhorn/v1/{domain}/events", Access::kKey, kNoBody, events},
          {"GET", "/eventhorn/v1/{domain}/stream", Access::kKey, kNoBody, of_domain},
          {"GET", "/eventhorn/v1/stream", Access::kKey, kNoBody, of_account}};
}

}  // namespace eventhorn::api
