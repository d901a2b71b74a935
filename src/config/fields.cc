#include "config/fields.h"

#include "base/check.h"
#include "base/duration.h"
#include "base/strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace eventhorn::config {
namespace {

using std::chrono::milliseconds;

constexpr double kSecond = 1000;
constexpr double kMinute = 60 * kSecond;
constexpr double kDay = 24 * 60 * kMinute;
constexpr double kKiB = 1024;
constexpr double kMiB = 1024 * kKiB;
constexpr double kGiB = 1024 * kMiB;
constexpr double kText = 4096;

constexpr Field kFields[] = {
    {"dev", [](Config& c) -> FieldRef { return &c.dev; }},

    {"server.listen", [](Config& c) -> FieldRef { return &c.server.listen; }, 1, kText},
    {"server.public_url", [](Config& c) -> FieldRef { return &c.server.public_url; }, 0, kText},
    {"server.tls_cert", [](Config& c) -> FieldRef { return &c.server.tls_cert; }, 0, kText},
    {"server.tls_key", [](Config& c) -> FieldRef { return &c.server.tls_key; }, 0, kText},
    {"server.trusted_proxies", [](Config& c) -> FieldRef { return &c.server.trusted_proxies; }},
    {"server.allowed_hosts", [](Config& c) -> FieldRef { return &c.server.allowed_hosts; }},
    {"server.max_body_bytes", [](Config& c) -> FieldRef { return &c.server.max_body_bytes; }, kKiB,
     kGiB},
    {"server.max_buffered_bytes",
     [](Config& c) -> FieldRef { return &c.server.max_buffered_bytes; }, kMiB, 1024 * kGiB},
    {"server.max_connections", [](Config& c) -> FieldRef { return &c.server.max_connections; }, 1,
     1e6},
    {"server.idle_timeout", [](Config& c) -> FieldRef { return &c.server.idle_timeout; }, 100,
     kDay},
    {"server.request_timeout", [](Config& c) -> FieldRef { return &c.server.request_timeout; }, 100,
     kDay},
    {"server.threads", [](Config& c) -> FieldRef { return &c.server.threads; }, 0, 256},

    {"store.url", [](Config& c) -> FieldRef { return &c.store.url; }, 0, kText},
    {"store.data", [](Config& c) -> FieldRef { return &c.store.data; }, 1, kText},
    {"store.min_free", [](Config& c) -> FieldRef { return &c.store.min_free_bytes; }, 0,
     1024 * kGiB},

    {"delivery.allow_networks", [](Config& c) -> FieldRef { return &c.delivery.allow_networks; }},
    {"delivery.retry_schedule", [](Config& c) -> FieldRef { return &c.delivery.retry_schedule; }, 1,
     7 * kDay},
    {"delivery.retry_delivered", [](Config& c) -> FieldRef { return &c.delivery.retry_delivered; }},
    {"delivery.retry_jitter", [](Config& c) -> FieldRef { return &c.delivery.retry_jitter; }, 0,
     0.5},
    {"delivery.timeout", [](Config& c) -> FieldRef { return &c.delivery.timeout; }, 10,
     10 * kMinute},
    {"delivery.connect_timeout", [](Config& c) -> FieldRef { return &c.delivery.connect_timeout; },
     10, 10 * kMinute},
    {"delivery.max_in_flight", [](Config& c) -> FieldRef { return &c.delivery.max_in_flight; }, 1,
     100'000},
    {"delivery.max_concurrency_per_url",
     [](Config& c) -> FieldRef { return &c.delivery.max_concurrency_per_url; }, 1, 100'000},
    {"delivery.max_per_host", [](Config& c) -> FieldRef { return &c.delivery.max_per_host; }, 1,
     100'000},
    {"delivery.rate_limit", [](Config& c) -> FieldRef { return &c.delivery.rate_limit; }, 0, 1e6},
    {"delivery.park_after_failures",
     [](Config& c) -> FieldRef { return &c.delivery.park_after_failures; }, 1, 1e6},
    {"delivery.park_after", [](Config& c) -> FieldRef { return &c.delivery.park_after; }, 0,
     7 * kDay},
    {"delivery.probe_interval", [](Config& c) -> FieldRef { return &c.delivery.probe_interval; },
     10, kDay},
    {"delivery.probe_max_interval",
     [](Config& c) -> FieldRef { return &c.delivery.probe_max_interval; }, 10, kDay},
    {"delivery.slow_start", [](Config& c) -> FieldRef { return &c.delivery.slow_start; }, 0, kDay},
    {"delivery.success", [](Config& c) -> FieldRef { return &c.delivery.success; }},
    {"delivery.max_exceptions", [](Config& c) -> FieldRef { return &c.delivery.max_exceptions; }, 1,
     1e6},
    {"delivery.drain_timeout", [](Config& c) -> FieldRef { return &c.delivery.drain_timeout; }, 0,
     60 * kMinute},
    {"delivery.user_agent", [](Config& c) -> FieldRef { return &c.delivery.user_agent; }, 1, 256},
    {"delivery.proxy", [](Config& c) -> FieldRef { return &c.delivery.proxy; }, 0, 2048},
    {"delivery.source_address", [](Config& c) -> FieldRef { return &c.delivery.source_address; }},

    {"dns.servers", [](Config& c) -> FieldRef { return &c.dns.servers; }},
    {"dns.timeout", [](Config& c) -> FieldRef { return &c.dns.timeout; }, 100, kMinute},

    {"domains.auto_create", [](Config& c) -> FieldRef { return &c.domains.auto_create; }},
    {"webhooks.verify_host", [](Config& c) -> FieldRef { return &c.webhooks.verify_host; }},

    {"events.retention", [](Config& c) -> FieldRef { return &c.events.retention; }, kSecond,
     3650 * kDay},
    {"events.retention_bytes", [](Config& c) -> FieldRef { return &c.events.retention_bytes; }, 0,
     1024 * 1024 * kGiB},
    {"events.max_item_bytes", [](Config& c) -> FieldRef { return &c.events.max_item_bytes; }, kKiB,
     16 * kMiB},
    {"events.max_batch_items", [](Config& c) -> FieldRef { return &c.events.max_batch_items; }, 1,
     1e6},
    // An event without a timestamp may get one that is almost a second ahead.
    {"events.max_ahead", [](Config& c) -> FieldRef { return &c.events.max_ahead; }, kSecond, kDay},
    {"events.query_timeout", [](Config& c) -> FieldRef { return &c.events.query_timeout; }, 100,
     10 * kMinute},
    {"events.erase", [](Config& c) -> FieldRef { return &c.events.erase; }},
    {"attempts.retention", [](Config& c) -> FieldRef { return &c.attempts.retention; }, kSecond,
     3650 * kDay},
    {"api.webhook_rate_limit", [](Config& c) -> FieldRef { return &c.api.webhook_rate_limit; }, 0,
     1e6},
    {"api.max_waits_per_key", [](Config& c) -> FieldRef { return &c.api.max_waits_per_key; }, 1,
     1e6},

    {"bins.max", [](Config& c) -> FieldRef { return &c.bins.max; }, 1, 100'000},
    {"bins.max_requests", [](Config& c) -> FieldRef { return &c.bins.max_requests; }, 1, 10'000},
    {"bins.max_body_bytes", [](Config& c) -> FieldRef { return &c.bins.max_body_bytes; }, 0, kMiB},
    {"bins.expire", [](Config& c) -> FieldRef { return &c.bins.expire; }, kSecond, 30 * kDay},

    {"alerts.url", [](Config& c) -> FieldRef { return &c.alerts.url; }, 0, 2048},
    {"alerts.min_interval", [](Config& c) -> FieldRef { return &c.alerts.min_interval; }, 0, kDay},

    {"log.level", [](Config& c) -> FieldRef { return &c.log.level; }},
};

// Names of enumerators, in their order.
constexpr std::array<std::string_view, 2> kSuccessNames = {"2xx", "200"};
constexpr std::array<std::string_view, 2> kEraseNames = {"remove", "redact"};
constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};

struct SizeUnit {
  std::string_view suffix;
  uint64_t bytes;
};

// Largest first, for format_size.
constexpr std::array<SizeUnit, 4> kSizeUnits = {
    {{"TiB", 1ULL << 40}, {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}}};

tl::unexpected<Error> refuse(std::string rule) {
  return fail(Errc::kInvalidArgument, std::move(rule));
}

Result<uint64_t> parse_size(std::string_view text) {
  const auto refusal = [] {
    return refuse(R"(must be a size such as 1048576, "512KiB", "64MiB" or "1GiB")");
  };
  uint64_t unit_bytes = 1;
  for (const SizeUnit& unit : kSizeUnits) {
    if (!text.ends_with(unit.suffix)) continue;
    unit_bytes = unit.bytes;
    text = trim(text.substr(0, text.size() - unit.suffix.size()));
  }
  const auto number = parse_uint(text);
  if (!number || *number > std::numeric_limits<int64_t>::max() / unit_bytes) return refusal();
  return *number * unit_bytes;
}

std::string format_size(uint64_t bytes) {
  for (const SizeUnit& unit : kSizeUnits) {
    if (bytes != 0 && bytes % unit.bytes == 0)
      return std::to_string(bytes / unit.bytes).append(unit.suffix);
  }
  return std::to_string(bytes);
}

Result<milliseconds> to_duration(std::string_view text) {
  auto parsed = parse_duration(text);
  if (!parsed) return refuse(R"(must be a duration such as "500ms", "10s", "5m", "2h" or "30d")");
  return parsed;
}

template <class Enum, size_t N>
Status assign_name(Enum& member, const Value& value, const std::array<std::string_view, N>& names) {
  std::string text;
  if (const auto* s = std::get_if<std::string>(&value)) text = *s;
  // `success = 200` is clear enough.
  if (const auto* n = std::get_if<int64_t>(&value)) text = std::to_string(*n);
  const auto at = std::find(names.begin(), names.end(), text);
  if (at == names.end())
    return refuse(fmt::format("must be one of \"{}\"", fmt::join(names, "\", \"")));
  member = static_cast<Enum>(at - names.begin());
  return {};
}

// One overload for each type of field.
struct Assign {
  const Value& value;

  Status operator()(bool* member) const {
    const auto* flag = std::get_if<bool>(&value);
    if (flag == nullptr) return refuse("must be true or false");
    *member = *flag;
    return {};
  }

  Status operator()(uint32_t* member) const {
    const auto* number = std::get_if<int64_t>(&value);
    if (number == nullptr || *number < 0 || *number > std::numeric_limits<uint32_t>::max()) {
      return refuse("must be a whole number, not negative");
    }
    *member = static_cast<uint32_t>(*number);
    return {};
  }

  Status operator()(uint64_t* member) const {
    std::string text;
    if (const auto* number = std::get_if<int64_t>(&value)) text = std::to_string(*number);
    if (const auto* s = std::get_if<std::string>(&value)) text = *s;
    TRY(*member, parse_size(text));
    return {};
  }

  Status operator()(double* member) const {
    if (const auto* number = std::get_if<int64_t>(&value)) {
      *member = static_cast<double>(*number);
    } else if (const auto* fraction = std::get_if<double>(&value)) {
      *member = *fraction;
    } else {
      return refuse("must be a number");
    }
    return {};
  }

  Status operator()(milliseconds* member) const {
    const auto* text = std::get_if<std::string>(&value);
    TRY(*member, to_duration(text == nullptr ? "" : *text));
    return {};
  }

  Status operator()(std::string* member) const {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return refuse("must be a string");
    *member = *text;
    return {};
  }

  Status operator()(std::vector<std::string>* member) const {
    const auto* list = std::get_if<std::vector<std::string>>(&value);
    if (list == nullptr) return refuse(R"(must be a list of strings such as ["a", "b"])");
    *member = *list;
    return {};
  }

  Status operator()(std::vector<milliseconds>* member) const {
    const auto* list = std::get_if<std::vector<std::string>>(&value);
    if (list == nullptr) return refuse(R"(must be a list of durations such as ["5m", "1h"])");
    std::vector<milliseconds> durations;
    for (const std::string& text : *list) {
      TRY(const milliseconds duration, to_duration(text));
      durations.push_back(duration);
    }
    *member = std::move(durations);
    return {};
  }

  Status operator()(Success* member) const { return assign_name(*member, value, kSuccessNames); }

  Status operator()(Erase* member) const { return assign_name(*member, value, kEraseNames); }

  Status operator()(LogLevel* member) const { return assign_name(*member, value, kLevelNames); }
};

struct Format {
  std::string operator()(const bool* v) const { return *v ? "true" : "false"; }

  std::string operator()(const uint32_t* v) const { return std::to_string(*v); }

  std::string operator()(const uint64_t* v) const {
    const std::string text = format_size(*v);
    return parse_uint(text) ? text : quote_toml(text);
  }

  std::string operator()(const double* v) const {
    // A TOML float needs its point.
    const std::string text = fmt::format("{}", *v);
    return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
  }

  std::string operator()(const milliseconds* v) const { return quote_toml(format_duration(*v)); }

  std::string operator()(const std::string* v) const { return quote_toml(*v); }

  template <class T>
  std::string operator()(const std::vector<T>* v) const {
    std::vector<std::string> items;
    for (const T& item : *v) items.push_back((*this)(&item));
    return fmt::format("[{}]", fmt::join(items, ", "));
  }

  std::string operator()(const Erase* v) const {
    return quote_toml(kEraseNames.at(static_cast<size_t>(*v)));
  }

  std::string operator()(const Success* v) const {
    return quote_toml(kSuccessNames.at(static_cast<size_t>(*v)));
  }

  std::string operator()(const LogLevel* v) const {
    return quote_toml(kLevelNames.at(static_cast<size_t>(*v)));
  }
};

struct BrokenBound {
  const Field& field;

  template <class Write>
  std::optional<std::string> check(double value, Write write) const {
    // Negated so that NaN breaks it.
    if (!(value < field.min) && !(value > field.max) && !std::isnan(value)) return std::nullopt;
    return fmt::format("must be between {} and {}", write(field.min), write(field.max));
  }

  static std::string plain(double v) { return fmt::format("{}", v); }

  static std::string size(double v) { return format_size(static_cast<uint64_t>(v)); }

  static std::string time(double v) {
    return format_duration(milliseconds(static_cast<int64_t>(v)));
  }

  std::optional<std::string> operator()(const uint32_t* v) const { return check(*v, plain); }

  std::optional<std::string> operator()(const uint64_t* v) const {
    return check(static_cast<double>(*v), size);
  }

  std::optional<std::string> operator()(const double* v) const { return check(*v, plain); }

  std::optional<std::string> operator()(const milliseconds* v) const {
    return check(static_cast<double>(v->count()), time);
  }

  std::optional<std::string> operator()(const std::string* v) const {
    if (!check(static_cast<double>(v->size()), plain)) return std::nullopt;
    return v->empty() ? "must not be empty" : fmt::format("must be at most {} bytes", field.max);
  }

  template <class T>
  std::optional<std::string> operator()(const std::vector<T>* v) const {
    if (v->size() > kMaxListItems) return fmt::format("must have at most {} items", kMaxListItems);
    if constexpr (std::is_same_v<T, milliseconds>) {
      for (const T& item : *v) {
        if (auto rule = (*this)(&item)) return "each item " + *rule;
      }
    }
    return std::nullopt;
  }

  template <class T>
  std::optional<std::string> operator()(const T*) const {
    return std::nullopt;
  }

  static constexpr size_t kMaxListItems = 100;
};

// Levenshtein distance.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replace = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replace, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

std::string_view last_segment(std::string_view key) {
  return key.substr(key.rfind('.') + 1);
}

}  // namespace

std::span<const Field> fields() {
  return kFields;
}

const Field* find_field(std::string_view key) {
  const auto* at = std::find_if(std::begin(kFields), std::end(kFields),
                                [&](const Field& f) { return f.key == key; });
  return at == std::end(kFields) ? nullptr : at;
}

std::string_view nearest_key(std::string_view unknown) {
  // Nobody means a key by a text that long, and the search is quadratic.
  if (unknown.size() > 100) return {};
  std::string_view best;
  // At most three edits, fewer for short texts: everything is near "x".
  size_t best_distance = std::min<size_t>(4, unknown.size() / 3 + 2);
  for (const Field& field : kFields) {
    // The right name in a wrong section is one mistake, however far apart the sections' names are.
    const size_t distance =
        last_segment(field.key) == last_segment(unknown) ? 2 : edit_distance(field.key, unknown);
    if (distance < best_distance) {
      best = field.key;
      best_distance = distance;
    }
  }
  return best;
}

std::string environment_name(std::string_view key) {
  std::string name = "EVENTHORN_";
  for (const char c : key) {
    name.push_back(c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return name;
}

Status assign(const Field& field, Config& config, const Value& value) {
  return std::visit(Assign{value}, field.member(config));
}

Result<Value> parse_text(const Field& field, std::string_view text) {
  Config scratch;
  const FieldRef ref = field.member(scratch);
  const std::string_view trimmed = trim(text);
  const bool is_text = std::holds_alternative<std::string*>(ref);
  const bool is_list = std::holds_alternative<std::vector<std::string>*>(ref) ||
                       std::holds_alternative<std::vector<milliseconds>*>(ref);
  // An address such as [::1]:80 is no list.
  const bool quoted = trimmed.find_first_of(is_list ? "[" : "\"'") == 0;
  // A string such as 2026 or true stays what it is.
  if (quoted || (!is_text && !is_list)) {
    auto value = parse_toml_value(trimmed);
    if (value || quoted) return value;
  }
  if (!is_list) return Value(std::string(text));
  std::vector<std::string> items;
  if (!trimmed.empty()) {
    for (const std::string_view item : split(trimmed, ',')) items.emplace_back(trim(item));
  }
  return Value(std::move(items));
}

std::optional<std::string> broken_bound(const Field& field, const Config& config) {
  Config copy = config;
  return std::visit(BrokenBound{field}, field.member(copy));
}

std::string format_value(const Field& field, const Config& config) {
  Config copy = config;
  return std::visit(Format{}, field.member(copy));
}

}  // namespace eventhorn::config
