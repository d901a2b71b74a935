#include "api/own/endpoint_settings_fields.h"

#include "api/fields.h"
#include "api/own/find_endpoints.h"
#include "api/own/schedule.h"
#include "api/own/write.h"
#include "api/parameters.h"
#include "base/strings.h"
#include "json/writer.h"
#include "outbound/tls.h"
#include "webhook/headers.h"
#include "webhook/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace eventhorn::api {
namespace {

using store::EndpointSettings;
using webhook::Header;

constexpr double kMinRate = 0.001;
constexpr double kMaxRate = 1'000'000;
constexpr uint64_t kMaxConcurrency = 10'000;
constexpr size_t kMaxPemBytes = 64 << 10;
constexpr std::string_view kAuthorization = "Authorization";
constexpr std::string_view kBearer = "Bearer ";

Result<double> parse_rate(std::string_view text) {
  text = trim(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = text.empty() || (error == std::errc() && end == text.data() + text.size());
  if (!whole || !(value == 0 || (value >= kMinRate && value <= kMaxRate)))
    return invalid("rate_limit", "must be 0 (none) or a number from 0.001 to 1000000");
  return value;
}

Result<uint32_t> parse_concurrency(std::string_view text) {
  text = trim(text);
  if (text.empty()) return 0;
  TRY(const auto value, parse_number("max_concurrency", text, 0, kMaxConcurrency));
  return static_cast<uint32_t>(value);
}

bool is_authorization(const Header& header) {
  return equals_ignore_case(header.first, kAuthorization);
}

bool is_bearer(const Header& header) {
  return is_authorization(header) && header.second.starts_with(kBearer);
}

bool has_line_break(std::string_view text) {
  return text.find_first_of("\r\n") != std::string_view::npos;
}

// Not checked but for their form.
Result<std::vector<Header>> parse_headers(const http::Form& form,
                                          const std::vector<Header>& known) {
  std::vector<Header> out;
  for (const auto text : form.all("headers")) {
    if (trim(text).empty()) continue;
    if (has_line_break(text))
      return invalid("headers", "must have no line breaks; give one field for each header");
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return invalid("headers", "must be \"Name: value\"");
    Header header(trim(text.substr(0, colon)), trim(text.substr(colon + 1)));
    if (header.second == kHidden) {
      const auto same = std::ranges::find_if(
          known, [&](const Header& h) { return equals_ignore_case(h.first, header.first); });
      if (same == known.end()) return invalid("headers", "*** stands for a value that is not set");
      header.second = same->second;
    }
    out.push_back(std::move(header));
  }
  return out;
}

// Headers and the bearer token are one list in the store.
Status apply_headers(const http::Form& form, EndpointSettings& settings) {
  std::vector<Header> headers;
  std::string bearer;
  for (const auto& header : settings.headers) {
    if (is_bearer(header)) {
      bearer = header.second.substr(kBearer.size());
    } else {
      headers.push_back(header);
    }
  }
  if (form.first("headers")) {
    TRY(headers, parse_headers(form, headers));
  }
  if (const auto text = form.first("bearer"); text && *text != kHidden) {
    if (has_line_break(*text)) return invalid("bearer", "must have no line breaks");
    bearer = trim(*text);
  }
  if (!bearer.empty()) {
    if (std::ranges::any_of(headers, is_authorization))
      return invalid("bearer", "can't be set beside an Authorization in headers");
    if (!webhook::check_custom_header(kAuthorization, bearer))
      return invalid("bearer", "must be printable ASCII");
    headers.emplace_back(kAuthorization, std::string(kBearer) + bearer);
  }
  TRY_STATUS(webhook::check_custom_headers(headers));
  settings.headers = std::move(headers);
  return {};
}

// What the field has, without what is not a PEM block of one of these kinds.
Status apply_pem(const http::Form& form, std::string_view field, std::string_view kind,
                 std::string& out) {
  const auto given = form.first(field);
  if (!given || *given == kHidden) return {};
  std::string text(trim(*given));
  std::erase(text, '\r');  // of files from Windows and textareas of browsers
  if (!text.empty()) {
    const auto begin = text.find("-----BEGIN ");
    const auto label_end = text.find("-----\n", begin == std::string_view::npos ? 0 : begin);
    const bool good = begin == 0 && label_end != std::string_view::npos &&
                      std::string_view(text).substr(0, label_end).ends_with(kind) &&
                      text.rfind(fmt::format("{}-----", kind)) > label_end &&
                      text.ends_with("-----");
    if (!good) return invalid(field, fmt::format("must be a {} in PEM", to_lower(kind)));
    if (text.size() > kMaxPemBytes) return invalid(field, "must be at most 64 KiB");
  }
  if (!text.empty()) text += '\n';
  out = std::move(text);
  return {};
}

void write_hidden(json::Writer& w, std::string_view key, bool set) {
  write_text(w, key, set ? kHidden : "");
}

}  // namespace

std::span<const FieldRule> settings_fields() {
  static constexpr FieldRule kFields[] = {{"url"},
                                          {"rate_limit"},
                                          {"max_concurrency"},
                                          {"retry_schedule", Shape::kMany},
                                          {"headers", Shape::kPairs},
                                          {"bearer"},
                                          {"standard_webhooks"},
                                          {"client_certificate"},
                                          {"client_key"}};
  return kFields;
}

Status apply_endpoint_settings(const http::Form& form, EndpointSettings& settings) {
  if (const auto text = form.first("rate_limit")) {
    TRY(settings.rate_limit, parse_rate(*text));
  }
  if (const auto text = form.first("max_concurrency")) {
    TRY(settings.max_concurrency, parse_concurrency(*text));
  }
  if (form.first("retry_schedule")) {
    TRY(settings.retry_schedule, parse_schedule(form));
  }
  TRY_STATUS(apply_headers(form, settings));
  if (const auto text = form.first("standard_webhooks")) {
    TRY(const auto flag, parse_flag("standard_webhooks", *text));
    settings.standard_webhooks = flag.value_or(false);
    if (settings.standard_webhooks && settings.secrets.empty())
      return invalid("standard_webhooks", "needs a secret: make one at .../secrets first");
  }
  TRY_STATUS(apply_pem(form, "client_certificate", "CERTIFICATE", settings.client_certificate));
  TRY_STATUS(apply_pem(form, "client_key", "PRIVATE KEY", settings.client_key));
  if (settings.client_certificate.empty() != settings.client_key.empty()) {
    return invalid("client_certificate", "must be set together with client_key");
  }
  const auto usable =
      outbound::check_client_certificate(settings.client_certificate, settings.client_key);
  if (usable) return {};
  const std::string_view why = usable.error().message;
  const auto rule = why.substr(why.find(": ") + 2);
  return invalid(why.starts_with("client key") ? "client_key" : "client_certificate", rule);
}

void write_endpoint_settings(json::Writer& w, std::string_view url,
                             const EndpointSettings& settings) {
  w.begin_object().key("id").value(endpoint_id(url)).key("url").value(webhook::masked(url));
  w.key("rate_limit").value(settings.rate_limit);
  w.key("max_concurrency").value(settings.max_concurrency);
  write_schedule(w, "retry_schedule", settings.retry_schedule);
  w.key("headers").begin_object();
  bool bearer = false;
  for (const auto& header : settings.headers) {
    if (is_bearer(header)) {
      bearer = true;
    } else {
      w.key(header.first).value(kHidden);
    }
  }
  w.end_object();
  write_hidden(w, "bearer", bearer);
  w.key("standard_webhooks").value(settings.standard_webhooks);
  w.key("secrets").value(settings.secrets.size());
  write_text(w, "client_certificate", settings.client_certificate);
  write_hidden(w, "client_key", !settings.client_key.empty());
  w.end_object();
}

}  // namespace eventhorn::api
