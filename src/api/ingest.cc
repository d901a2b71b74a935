// POST /v3/{domain}/events: one event, an array, or NDJSON, gzip allowed (design: "Surface").
#include "api/services.h"
#include "base/strings.h"
#include "crypto/random.h"
#include "event/normalize.h"
#include "http/forms.h"
#include "json/split.h"
#include "json/writer.h"

namespace eventhorn::api {
namespace {

using store::CommitQueue;

// Items normalised before the loop gets its turn: about half a millisecond.
constexpr size_t kItemsPerTurn = 128;

struct Rejected {
  size_t index;
  std::string id;
  std::string message;
};

struct Batch {
  std::vector<store::NewEvent> events;
  std::vector<std::string> ids;
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
  const auto type = to_lower(trim(content_type.substr(0, content_type.find(';'))));
  return type == "application/x-ndjson" || type == "application/ndjson" ||
         type == "application/jsonl";
}

Task<Batch> normalize_all(const Services& services, const store::Domain& domain,
                          const std::vector<std::string_view>& items, bool deliver_old) {
  Batch batch;
  batch.events.reserve(items.size());
  batch.ids.reserve(items.size());
  event::NormalizeContext context;
  context.domain = domain.name;
  context.account_id = services.keys.account_id();
  context.now = services.clock.now();
  context.max_item_bytes = services.settings.max_item_bytes;
  const int64_t push_from = to_micros(context.now - services.settings.id_window);
  const ShardId shard = shard_of(domain.name);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && i % kItemsPerTurn == 0) co_await yield_now();
    auto event = normalizer().normalize(items[i], context);
    if (!event) {
      batch.rejected.push_back({i, event::peek_id(items[i]), std::move(event).error().message});
      continue;
    }
    batch.ids.push_back(event->id);
    const bool push = deliver_old || event->timestamp_us >= push_from;
    batch.events.push_back({domain.uid, shard, push, *std::move(event)});
  }
  co_return batch;
}

std::string render(const Batch& batch, const std::vector<CommitQueue::Outcome>& outcomes) {
  size_t duplicates = 0;
  for (const auto o : outcomes) duplicates += o == CommitQueue::Outcome::kStored ? 0 : 1;
  std::string out;
  out.reserve(64 + batch.ids.size() * 28);
  json::Writer w(out);
  w.begin_object();
  if (batch.ids.empty())
    w.key("message").value("no item could be accepted: " + batch.rejected.front().message);
  w.key("stored")
      .value(outcomes.size() - duplicates)
      .key("duplicates")
      .value(duplicates)
      .key("rejected")
      .begin_array();
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

Task<http::Response> ingest(Services& services, http::RequestContext& context) {
  const auto& request = context.request;
  const auto type = http::form_type(request.fields.get("Content-Type"));
  if (type == http::FormType::kMultipart)
    co_return http::message_response(415, "events are JSON: an object, an array, or NDJSON");
  auto domain = co_await find_domain(services, context.params.at("domain"), true);
  if (!domain) co_return error_response(domain.error());
  const auto items = json::split_items(request.body, is_ndjson(request.fields.get("Content-Type")),
                                       services.settings.max_batch_items);
  if (!items) co_return error_response(items.error());
  if (items->empty()) {
    co_return http::json_response(200, R"({"stored":0,"duplicates":0,"rejected":[],"ids":[]})");
  }
  const auto query = http::parse_query(request.query);
  const bool deliver_old = query && query->first("deliver") == "yes";
  auto batch = co_await normalize_all(services, **domain, *items, deliver_old);
  std::vector<CommitQueue::Outcome> outcomes;
  if (!batch.events.empty()) {
    auto committed = co_await services.commits.append(std::move(batch.events));
    if (!committed) co_return error_response(committed.error());
    outcomes = *std::move(committed);
  }
  co_return http::json_response(batch.ids.empty() ? 400 : 200, render(batch, outcomes));
}

}  // namespace

std::vector<http::Route> ingest_routes(Services& services) {
  return {{"POST", "/v3/{domain}/events", authenticated(services, [&services](auto& context) {
             return ingest(services, context);
           })}};
}

}  // namespace eventhorn::api
