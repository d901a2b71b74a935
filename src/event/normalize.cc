#include "event/normalize.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/strings.h"
#include "event/inspect.h"
#include "json/bytes.h"
#include "json/writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace eventhorn::event {
namespace {

using json::Kind;

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kYear2000 = 946'684'800;
// Readers that keep four decimals (PHP's 14 digits) see no whole second within these.
constexpr int64_t kLeastFraction = 51;
constexpr int64_t kMostFraction = 999'949;

// Mailgun's levels (spec/event-types.md "Common fields").
std::string_view log_level(Name name, Severity severity) {
  switch (name) {
    case Name::kRejected:
    case Name::kComplained:
      return "warn";
    case Name::kFailed:
      return severity == Severity::kTemporary ? "warn" : "error";
    case Name::kListMemberUploadError:
      return "error";
    default:
      return "info";
  }
}

bool is_valid_id(std::string_view id) {
  return !id.empty() && id.size() <= kMaxIdBytes &&
         std::all_of(id.begin(), id.end(), [](char c) { return is_printable(c); });
}

// Seconds with six decimals.
std::string format_seconds(int64_t us) {
  std::string digits = std::to_string(us % kSecond + kSecond);
  digits.front() = '.';
  return std::to_string(us / kSecond) + digits;
}

// Also spaces, which come with a header's folding. All of them, so that doing it again changes
// nothing.
std::string_view strip_angle_brackets(std::string_view id) {
  const size_t first = std::min(id.find_first_not_of("< \t"), id.size());
  id.remove_prefix(first);
  return id.substr(0, id.find_last_not_of("> \t") + 1);
}

}  // namespace

class Normalizer::Impl {
 public:
  explicit Impl(std::function<std::string()> make_id) : make_id_(std::move(make_id)) {}

  Result<Event> normalize(std::string_view item, const NormalizeContext& context);

 private:
  Status set_name(Event& event);
  Status set_id(Event& event);
  Status set_timestamp(Event& event, const NormalizeContext& context);
  void set_owner(Fact object, std::string_view key, Fact member, std::string_view member_key,
                 std::string_view value);
  void set_order_key(Event& event);
  void fill(Fact fact, std::string_view key, std::string_view value);
  void fill_quoted(Fact fact, std::string_view key, std::string_view text);
  std::string_view text(Fact fact);

  const std::function<std::string()> make_id_;
  Inspection found_;
  Edits edits_;
  std::string additions_;
  std::string scratch_;  // what one function makes, kept so that the next need not allocate
  std::array<std::string, kFacts> decoded_;
};

// A string's bytes; empty when it is missing or null.
std::string_view Normalizer::Impl::text(Fact fact) {
  const Found& found = found_[fact];
  if (found.kind != Kind::kString) return {};
  const std::string_view raw = found.raw.substr(1, found.raw.size() - 2);
  if (!found.escaped) return raw;
  std::string& decoded = decoded_[static_cast<size_t>(fact)];
  decoded.clear();
  json::append_unescaped(decoded, raw);
  return decoded;
}

// Sets a field to `value`, which is JSON.
void Normalizer::Impl::fill(Fact fact, std::string_view key, std::string_view value) {
  const Found& found = found_[fact];
  if (found.kind != Kind::kNone) {
    if (found.raw != value) edits_.replace(found.raw, value);
    return;
  }
  additions_ += ",\"";
  additions_ += key;
  additions_ += "\":";
  additions_ += value;
}

void Normalizer::Impl::fill_quoted(Fact fact, std::string_view key, std::string_view text) {
  scratch_.clear();
  json::append_quoted(scratch_, text);
  fill(fact, key, scratch_);
}

Status Normalizer::Impl::set_name(Event& event) {
  if (found_[Fact::kEvent].absent()) return fail(Errc::kInvalidArgument, "event: missing");
  const auto name = parse_name(text(Fact::kEvent));
  if (!name) return fail(Errc::kInvalidArgument, "event: not a known event name");
  event.name = *name;
  const auto severity = parse_severity(text(Fact::kSeverity));
  if (event.name == Name::kFailed) {
    if (!severity) {
      return fail(Errc::kInvalidArgument,
                  "severity: must be temporary or permanent for a failed event");
    }
    event.severity = *severity;
  } else if (!severity && !found_[Fact::kSeverity].absent()) {
    return fail(Errc::kInvalidArgument, "severity: must be temporary, permanent or null");
  }
  // One spelling, so that whoever looks into the bytes needs no JSON reader.
  for (const auto& [fact, key] :
       {std::pair(Fact::kEvent, "event"), {Fact::kSeverity, "severity"}}) {
    if (found_[fact].escaped) fill_quoted(fact, key, text(fact));
  }
  if (found_[Fact::kLogLevel].absent()) {
    const std::string_view level = log_level(event.name, event.severity);
    fill(Fact::kLogLevel, "log-level", '"' + std::string(level) + '"');
  }
  return {};
}

Status Normalizer::Impl::set_id(Event& event) {
  const bool absent = found_[Fact::kId].absent();
  event.id = absent ? make_id_() : std::string(text(Fact::kId));
  if (!is_valid_id(event.id)) {
    CHECK(!absent);
    return fail(Errc::kInvalidArgument, "id: must be 1 to 128 bytes of printable ascii");
  }
  if (!absent && !found_[Fact::kId].escaped) return {};
  fill_quoted(Fact::kId, "id", event.id);
  return {};
}

Status Normalizer::Impl::set_timestamp(Event& event, const NormalizeContext& context) {
  const Found& found = found_[Fact::kTimestamp];
  int64_t us = to_micros(context.now);
  if (!found.absent()) {
    const double seconds = json::to_double(found.raw);
    if (seconds < static_cast<double>(kYear2000)) {
      return fail(Errc::kInvalidArgument, "timestamp: before the year 2000");
    }
    // Far beyond any clock; keeps the conversion below defined.
    us = seconds > 1e12 ? INT64_MAX : std::llround(seconds * static_cast<double>(kSecond));
  }
  const int64_t fraction = us % kSecond;
  if (fraction < kLeastFraction || fraction > kMostFraction) {
    const auto by_id = 1 + static_cast<int64_t>(hash_bytes(event.id) % (kSecond - 1));
    us += std::clamp(by_id, kLeastFraction, kMostFraction) - fraction;
  }
  // After the microseconds were added: what is taken now is taken again.
  if (us > to_micros(context.latest)) {
    return fail(Errc::kInvalidArgument,
                "timestamp: further in the future than events.max_ahead allows");
  }
  event.timestamp_us = us;
  fill(Fact::kTimestamp, "timestamp", format_seconds(us));
  return {};
}

// Makes the object `key` hold {member_key: value}, keeping its other members.
void Normalizer::Impl::set_owner(Fact object, std::string_view key, Fact member,
                                 std::string_view member_key, std::string_view value) {
  if (found_[member].kind != Kind::kNone) return fill_quoted(member, member_key, value);
  const Found& found = found_[object];
  const bool whole = found.kind != Kind::kObject;
  scratch_ = whole ? "{\"" : "\"";
  scratch_.append(member_key).append("\":");
  json::append_quoted(scratch_, value);
  if (whole) {
    scratch_ += '}';
    return fill(object, key, scratch_);
  }
  const std::string_view rest = found.raw.substr(1);
  if (rest[rest.find_first_not_of(" \t\r\n")] != '}') scratch_ += ',';
  edits_.replace(rest.substr(0, 0), scratch_);
}

void Normalizer::Impl::set_order_key(Event& event) {
  const std::string_view as_sent = text(Fact::kMessageId);
  const std::string_view message_id = strip_angle_brackets(as_sent);
  if (message_id.size() != as_sent.size()) fill_quoted(Fact::kMessageId, "message-id", message_id);
  const std::string_view recipient = text(Fact::kRecipient);
  if (message_id.empty() && recipient.empty()) return;
  scratch_.assign(message_id).push_back('\0');
  scratch_ += to_lower(recipient);
  event.order_key = hash_bytes(scratch_);
}

Result<Event> Normalizer::Impl::normalize(std::string_view item, const NormalizeContext& context) {
  if (item.size() > context.max_item_bytes) {
    return fail(Errc::kTooLarge,
                "item: larger than " + std::to_string(context.max_item_bytes) + " bytes");
  }
  edits_.reset(item);
  additions_.clear();
  TRY_STATUS(found_.inspect(item, edits_));
  Event event;
  TRY_STATUS(set_name(event));
  TRY_STATUS(set_id(event));
  TRY_STATUS(set_timestamp(event, context));
  set_owner(Fact::kAccount, "account", Fact::kAccountId, "id", context.account_id);
  set_owner(Fact::kDomain, "domain", Fact::kDomainName, "name", context.domain);
  set_order_key(event);
  if (found_[Fact::kTags].absent()) fill(Fact::kTags, "tags", "[]");
  // Some clients expect objects in it, others strings (spec/event-types.md).
  fill(Fact::kCampaigns, "campaigns", "[]");
  if (found_[Fact::kUserVariables].kind != Kind::kObject) {
    fill(Fact::kUserVariables, "user-variables", "{}");
  }
  edits_.replace(found_.end(), additions_);
  event.bytes = edits_.apply();
  if (found_.spaced()) event.bytes = json::minify(event.bytes);
  return event;
}

Normalizer::Normalizer(std::function<std::string()> make_id)
    : impl_(std::make_unique<Impl>(std::move(make_id))) {}

Normalizer::~Normalizer() = default;

Result<Event> Normalizer::normalize(std::string_view item, const NormalizeContext& context) {
  return impl_->normalize(item, context);
}

std::string peek_id(std::string_view item) {
  json::Cursor cursor(item);
  if (cursor.kind() != Kind::kObject) return {};
  json::Text key;
  for (cursor.enter(); cursor.next_key(key); cursor.skip()) {
    if (key.raw != "id" || cursor.kind() != Kind::kString) continue;
    std::string id;
    json::append_unescaped(id, cursor.string().raw);
    return is_valid_id(id) ? id : std::string();
  }
  return {};
}

}  // namespace eventhorn::event
