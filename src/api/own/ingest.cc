// POST /v3/{domain}/events: one event, an array, or NDJSON, gzip allowed (design: "Surface").
#include "api/domains.h"
#include "api/fields.h"
#include "api/parameters.h"
#include "api/services.h"
#include "base/dates.h"
#include "base/strings.h"
#include "crypto/random.h"
#include "event/normalize.h"
#include "http/forms.h"
#include "json/split.h"
#include "json/writer.h"

#include <algorithm>

namespace eventhorn::api {
namespace {

using store::AppendQueue;

// Items normalised before the loop gets its turn: about half a millisecond.
constexpr size_t kItemsPerTurn = 128;

struct Rejected {
  size_t index;
  std::string id;
  std::string message;
};

// What an ingest call makes of the timestamps of its items.
struct IngestWindow {
  SystemTime now;        // for items without one
  SystemTime latest;     // later ones are refused
  SystemTime push_from;  // earlier ones are stored only
};

// By the kept clock or the wall clock, whichever is kinder to the event: a producer is not refused,
// nor an event held back, because our clock is wrong.
IngestWindow window_of(const Services& services) {
  const SystemTime wall = services.clock.now();
  const SystemTime kept = services.store.kept_clock.now();
  return {wall, std::max(wall, kept) + services.options.max_ahead,
          std::min(wall, kept) - services.options.id_window};
}

struct Batch {
  std::vector<store::NewEvent> events;
  std::vector<std::string> ids;
  std::vector<size_t> stored_only;  // indices in events
  std::vector<Rejected> rejected;
};

std::string make_event_id() {
  return base64url_encode(crypto::random_bytes(16));
}

// One for each core: normalising keeps buffers, and handlers never leave their core.
event::Normalizer& normalizer() {
  thread_local event::Normalizer instance(make_event_id);
  return instance;
}

bool is_ndjson(std::string_view content_type) {
  const auto type = http::media_type(content_type);
  return type == "application/x-ndjson" || type == "application/ndjson" ||
         type == "application/jsonl";
}

std::string erased_message(SystemTime at) {
  return "an address of this event was erased at " + format_rfc3339(at) +
         ": only later events of it are taken";
}

// The events lack the domain's uid yet. `uid` is nullopt while there is no such domain.
Task<Batch> normalize_all(const Services& services, const std::string& domain,
                          std::optional<DomainUid> uid, const control::Erased& erased,
                          const std::vector<std::string_view>& items, std::optional<bool> deliver) {
  Batch batch;
  batch.events.reserve(items.size());
  batch.ids.reserve(items.size());
  event::NormalizeContext context;
  context.domain = domain;
  context.account_id = services.keys.account_id();
  const auto window = window_of(services);
  context.now = window.now;
  context.latest = window.latest;
  context.max_item_bytes = services.options.max_item_bytes;
  const ShardId shard = shard_of(domain);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && i % kItemsPerTurn == 0) co_await yield_now();
    auto event = normalizer().normalize(items[i], context);
    if (!event) {
      batch.rejected.push_back({i, event::peek_id(items[i]), std::move(event).error().message});
      continue;
    }
    if (const auto at = uid ? erased.refuses(*uid, *event) : std::nullopt) {
      batch.rejected.push_back({i, event->id, erased_message(*at)});
      continue;
    }
    batch.ids.push_back(event->id);
    const bool push = deliver.value_or(from_micros(event->timestamp_us) >= window.push_from);
    if (!push) batch.stored_only.push_back(batch.events.size());
    batch.events.push_back({{}, shard, push, *std::move(event)});
  }
  co_return batch;
}

std::string render(const Batch& batch, const std::vector<AppendQueue::Outcome>& outcomes) {
  const auto count = [&](AppendQueue::Outcome outcome) {
    return static_cast<size_t>(std::ranges::count(outcomes, outcome));
  };
  const size_t stored = count(AppendQueue::Outcome::kStored);
  const auto not_pushed = std::ranges::count_if(
      batch.stored_only, [&](size_t i) { return outcomes[i] == AppendQueue::Outcome::kStored; });
  std::string out;
  out.reserve(64 + batch.ids.size() * 28);
  json::Writer w(out);
  w.begin_object();
  if (batch.ids.empty() && !batch.rejected.empty())
    w.key("message").value("no item could be accepted: " + batch.rejected.front().message);
  w.key("stored").value(stored);
  w.key("duplicates").value(outcomes.size() - stored);
  w.key("conflicts").value(count(AppendQueue::Outcome::kConflicting));
  w.key("not_pushed").value(not_pushed);
  w.key("rejected").begin_array();
  for (const auto& r : batch.rejected) {
    w.begin_object()
        .key("index")
        .value(r.index)
        .key("id")
        .value(r.id)
        .key("message")
        .value(r.message)
        .end_object();
  }
  w.end_array().key("ids").begin_array();
  for (const auto& id : batch.ids) w.value(id);
  w.end_array().end_object();
  return out;
}

Task<http::Reply> ingest(Services& services, http::RequestContext& context) {
  const auto& request = context.request;
  const auto type = http::form_type(request.fields.get("Content-Type"));
  if (type == http::FormType::kMultipart)
    co_return http::message_response(415, "events are JSON: an object, an array, or NDJSON");
  CO_TRY(const auto query, http::parse_query(request.query));
  static constexpr FieldRule kKnown[] = {{"deliver"}};
  CO_TRY_STATUS(check_fields(query.fields(), kKnown));
  CO_TRY(const auto deliver, parse_flag("deliver", query.first("deliver").value_or("")));
  CO_TRY(const auto items,
         json::split_items(request.body, is_ndjson(request.fields.get("Content-Type")),
                           services.options.max_batch_items));
  const std::string name = to_lower(context.params.at("domain"));
  auto domain = find_domain(services, name);
  if (!domain && !services.options.auto_create) co_return fail(domain.error());
  // Held until the append has ended: an erasure waits for it.
  const auto erased = services.erasures.erased();
  const auto uid = domain ? std::optional((*domain)->uid) : std::nullopt;
  auto batch = co_await normalize_all(services, name, uid, *erased, items, deliver);
  std::vector<AppendQueue::Outcome> outcomes;
  if (!batch.events.empty()) {
    // Created only for events that can be stored.
    if (!domain) domain = co_await find_or_create_domain(services, name);
    if (!domain) co_return fail(domain.error());
    for (auto& e : batch.events) e.domain = (*domain)->uid;
    CO_TRY(auto committed, co_await services.appends.append(std::move(batch.events)));
    outcomes = std::move(committed);
  }
  const bool refused = batch.ids.empty() && !batch.rejected.empty();
  co_return http::json_response(refused ? 400 : 200, render(batch, outcomes));
}

}  // namespace

std::vector<http::Route> ingest_routes(Services& services) {
  return {{"POST", "/v3/{domain}/events", Access::kIngest, kAnyBody,
           [&services](auto& context) { return ingest(services, context); }}};
}

}  // namespace eventhorn::api
