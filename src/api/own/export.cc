// GET /eventhorn/v1/{domain}/export: the events of a range, a line each, in the order of their
// commits, up to the last commit of when it began.
#include "api/domains.h"
#include "api/event_range.h"
#include "api/handlers.h"
#include "api/key_shares.h"
#include "api/own/follower.h"
#include "api/page_token.h"
#include "api/parameters.h"
#include "api/positions.h"
#include "base/log.h"
#include "base/strings.h"
#include "http/encoder.h"
#include "http/forms.h"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace eventhorn::api {
namespace {

using http::Coding;

constexpr size_t kMaxSliceEvents = 1000;
constexpr size_t kMaxExportsPerKey = 8;

struct ExportQuery {
  EventRange range;
  event::Filter filter;
  /// The id of the last event that the client has; empty for none.
  std::string resume_after;
  /// Of the file that the client wants; nullopt leaves it to Accept-Encoding.
  std::optional<Coding> file{};
};

Result<Coding> parse_compression(std::string_view text) {
  if (text == "none") return Coding::kIdentity;
  for (const auto coding : {Coding::kGzip, Coding::kZstd})
    if (text == to_string(coding)) return coding;
  return invalid("compression", "must be gzip, zstd or none");
}

Result<ExportQuery> parse_export_query(const http::Form& query, SystemTime now) {
  ExportQuery out;
  event::Filter::Terms terms;
  std::set<std::string_view> given;
  std::string_view begin = "0";
  std::string_view end;
  for (const auto& field : query.fields()) {
    const auto name = http::list_name(field.name);
    if (event::Filter::is_field(name)) {
      terms.emplace_back(name, field.value);
      continue;
    }
    if (!given.insert(field.name).second) return invalid(field.name, "must be given once");
    const auto value = trim(field.value);
    if (field.name == "begin") {
      if (!value.empty()) begin = value;
    } else if (field.name == "end") {
      end = value;
    } else if (field.name == "resume_after") {
      if (value.empty()) return invalid("resume_after", "must be the id of an event");
      out.resume_after = std::string(value);
    } else if (field.name == "compression") {
      TRY(out.file, parse_compression(value));
    } else {
      return invalid(field.name,
                     "is not known here: may be a filter or begin, end, resume_after, compression");
    }
  }
  TRY(out.range, parse_event_range(begin, end, "yes", now));
  TRY_STATUS(check_terms_size(terms));
  TRY(out.filter, event::Filter::parse(std::move(terms)));
  return out;
}

// One client's export. It keeps its position and what the encoder needs, and reads on when the
// system has taken what was sent before. Lives on the connection's core.
class Export {
 public:
  /// `shares` is kept alive for `place`.
  Export(Services& services, std::shared_ptr<KeyShares> shares, KeyShares::Place place,
         asio::any_io_executor executor, Followed followed, EventRange range, Coding coding,
         Position after, Position end)
      : services_(services),
        shares_(std::move(shares)),
        place_(std::move(place)),
        follower_(services, std::move(executor), std::move(followed), after),
        range_(range),
        encoder_(coding),
        end_(end) {}

  /// Throws where the export cannot come to its end: the body is not whole then.
  static Task<std::optional<std::string>> next(std::shared_ptr<Export> self) {
    if (self->done_) co_return std::nullopt;
    if (self->follower_.key_is_gone()) throw std::runtime_error("the key of the export is gone");
    if (self->follower_.domain_is_gone())
      throw std::runtime_error("the domain of the export is gone");
    const auto slice = co_await self->follower_.read(kMaxSliceEvents);
    if (!slice) throw std::runtime_error(slice.error().message);
    if (slice->gone_through > self->follower_.position()) {
      // Retention was faster. What it has dropped is not there to be exported.
      self->follower_.go_on_after(slice->gone_through);
      co_return std::string();
    }
    self->damaged_ += slice->damaged.size();
    self->done_ = slice->at_end || self->follower_.position() >= self->end_;
    const auto write = [&] { return self->write(*slice); };
    co_return co_await run_blocking(self->services_.readers, write);
  }

 private:
  std::string write(const store::OrderSlice& slice) {
    std::string lines;
    for (const auto& event : slice.events) {
      if (event->position > end_) break;
      const int64_t time = event->event.timestamp_us;
      if (time < range_.from_us || time >= range_.to_us) continue;
      lines += event->event.bytes;
      lines += '\n';
    }
    auto out = lines.empty() ? std::string() : encoder_.encode(lines);
    if (!done_) return out;
    if (damaged_ > 0)
      log_error("api", "an export lacks events whose records are damaged events={}", damaged_);
    return out + encoder_.finish();
  }

  Services& services_;
  const std::shared_ptr<KeyShares> shares_;
  const KeyShares::Place place_;
  Follower follower_;
  const EventRange range_;
  http::Encoder encoder_;
  const Position end_;
  bool done_ = false;
  size_t damaged_ = 0;
};

// The position behind which an export goes on.
Task<Result<Position>> find_resumed(const Services& services, DomainUid domain, std::string id) {
  if (id.empty()) co_return kNoPosition;
  const std::vector<std::string> ids = {std::move(id)};
  const auto find = [&] { return services.store.log.find_events(domain, ids); };
  CO_TRY(const auto found, co_await run_blocking(services.readers, find));
  if (found.front() == kNoPosition) {
    co_return invalid("resume_after",
                      "no event of this domain has that id; it may have been dropped or erased "
                      "since: begin the export anew");
  }
  co_return found.front();
}

void add_form(http::Response& response, const ExportQuery& query, Coding coding,
              const std::string& domain) {
  std::string_view type = "application/x-ndjson";
  std::string_view ending;
  if (query.file && coding == Coding::kGzip) type = "application/gzip", ending = ".gz";
  if (query.file && coding == Coding::kZstd) type = "application/zstd", ending = ".zst";
  response.fields.add("Content-Type", std::string(type));
  response.fields.add("Content-Disposition",
                      fmt::format("attachment; filename=\"{}.ndjson{}\"", domain, ending));
  response.fields.add("Cache-Control", "no-store");
  if (query.file) return;
  response.fields.add("Vary", "Accept-Encoding");
  if (coding != Coding::kIdentity)
    response.fields.add("Content-Encoding", std::string(to_string(coding)));
}

Task<http::Reply> open_export(Services& services, std::shared_ptr<KeyShares> shares,
                              http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  CO_TRY(const auto form, http::parse_query(context.request.query));
  CO_TRY(auto query, parse_export_query(form, later_now(services)));
  auto place = shares->take(context.caller->key_id);
  if (!place) {
    auto out = http::message_response(
        429, fmt::format("a key may have {} exports at one time", kMaxExportsPerKey));
    out.fields.set("Retry-After", "1");
    co_return out;
  }
  CO_TRY(const Position after, co_await find_resumed(services, domain->uid, query.resume_after));
  const Coding coding =
      query.file.value_or(http::choose_coding(context.request.fields.get("Accept-Encoding")));
  const auto seen = services.store.order.last_commit();
  const auto executor = co_await asio::this_coro::executor;
  http::Response response;
  add_form(response, query, coding, domain->name);
  add_position(response, {services.store.order.generation(), seen.position}, seen.at);
  auto stream =
      std::make_shared<Export>(services, std::move(shares), *std::move(place), executor,
                               Followed{domain->uid, std::move(query.filter), context.caller},
                               query.range, coding, after, seen.position);
  response.stream = [stream = std::move(stream)] { return Export::next(stream); };
  response.must_end = true;
  co_return response;
}

}  // namespace

std::vector<http::Route> export_routes(Services& services) {
  const auto shares = std::make_shared<KeyShares>(
      kMaxExportsPerKey, metrics::gauge("eventhorn_exports", "Exports under way"));
  const auto open = [&services, shares](http::RequestContext& context) {
    return open_export(services, shares, context);
  };
  return {{"GET", "/eventhorn/v1/{domain}/export", Access::kKey, kNoBody, open}};
}

}  // namespace eventhorn::api
