#include "control/endpoint_settings.h"

#include "store/codec.h"

#include <bit>

namespace eventhorn::control {
namespace {

constexpr std::string_view kPrefix = "endpoint/";
constexpr uint8_t kVersion = 1;

tl::unexpected<Error> damaged() {
  return fail(Errc::kCorruption, "damaged endpoint settings in the store");
}

}  // namespace

std::string endpoint_settings_key(std::string_view url) {
  return std::string(kPrefix).append(url);
}

std::string encode_endpoint_settings(const store::EndpointSettings& s) {
  store::codec::Writer w;
  w.u8(kVersion);
  w.u64(std::bit_cast<uint64_t>(s.rate_limit));
  w.u32(s.max_concurrency);
  w.u8(s.retry_schedule ? 1 : 0);
  if (s.retry_schedule) w.durations(*s.retry_schedule);
  w.u16(s.headers.size());
  for (const auto& [name, value] : s.headers) {
    w.text(name);
    w.text(value);
  }
  w.u8(s.standard_webhooks ? 1 : 0);
  w.u8(s.secrets.size());
  for (const auto& secret : s.secrets) {
    w.text(secret.id);
    w.text(secret.text);
    w.i64(to_micros(secret.created));
  }
  w.text(s.client_certificate);
  w.text(s.client_key);
  return w.take();
}

Result<store::EndpointSettings> decode_endpoint_settings(std::string_view value) {
  store::codec::Reader in(value);
  if (const uint8_t version = in.u8(); version > kVersion) {
    return fail(Errc::kCorruption,
                "endpoint settings in the store are of a newer version of eventhorn");
  } else if (version == 0) {
    return damaged();
  }
  store::EndpointSettings s;
  s.rate_limit = std::bit_cast<double>(in.u64());
  s.max_concurrency = in.u32();
  if (in.u8() != 0) s.retry_schedule = in.durations();
  for (uint16_t n = in.u16(); n > 0 && in.ok(); --n) {
    std::string name(in.text());
    s.headers.emplace_back(std::move(name), std::string(in.text()));
  }
  s.standard_webhooks = in.u8() != 0;
  for (uint8_t n = in.u8(); n > 0 && in.ok(); --n) {
    store::EndpointSettings::Secret secret;
    secret.id = std::string(in.text());
    secret.text = std::string(in.text());
    secret.created = from_micros(in.i64());
    s.secrets.push_back(std::move(secret));
  }
  s.client_certificate = std::string(in.text());
  s.client_key = std::string(in.text());
  if (!in.done()) return damaged();
  return s;
}

Result<store::EndpointSettings> load_endpoint_settings(store::Values& values,
                                                       const std::string& url) {
  TRY(const auto value, values.load_value(endpoint_settings_key(url)));
  if (!value) return store::EndpointSettings();
  return decode_endpoint_settings(*value);
}

std::vector<webhook::StandardSecret> standard_secrets(const store::EndpointSettings& settings) {
  std::vector<webhook::StandardSecret> out;
  if (!settings.standard_webhooks) return out;
  for (const auto& secret : settings.secrets) {
    if (auto parsed = webhook::parse_standard_secret(secret.text))
      out.push_back(*std::move(parsed));
  }
  return out;
}

Result<std::unordered_map<std::string, store::EndpointSettings>> load_endpoint_settings(
    store::Values& values) {
  TRY(const auto kept, values.load_values(std::string(kPrefix)));
  std::unordered_map<std::string, store::EndpointSettings> out;
  for (const auto& [key, value] : kept) {
    TRY(auto settings, decode_endpoint_settings(value));
    out.emplace(key.substr(kPrefix.size()), std::move(settings));
  }
  return out;
}

}  // namespace eventhorn::control
