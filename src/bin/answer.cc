#include "bin/answer.h"

#include "base/dates.h"
#include "base/duration.h"
#include "base/strings.h"
#include "http/forms.h"
#include "json/bytes.h"
#include "json/writer.h"

#include <optional>

namespace eventhorn::bin {
namespace {

constexpr uint64_t kMaxCount = 1'000'000;

Result<std::chrono::milliseconds> parse_delay(std::string_view text) {
  const auto refusal =
      fail(Errc::kInvalidArgument, "delay: must be a duration such as 500ms or 2s, at most 30s");
  auto delay = parse_duration(parse_uint(text) ? std::string(text) + "s" : std::string(text));
  if (!delay || *delay > kMaxDelay) return refusal;
  return delay;
}

void write_item(json::Writer& out, const Captured& request) {
  out.begin_object();
  out.key("id").value(request.number);
  out.key("time").value(format_iso8601(request.time));
  out.key("method").value(request.method);
  out.key("path").value(request.path);
  out.key("remote_address").value(request.remote_address);
  out.key("headers").begin_array();
  for (const auto& [name, value] : request.fields.all()) {
    out.begin_array().value(name).value(value).end_array();
  }
  out.end_array();
  out.key("body").value(request.body);
  if (!json::valid_utf8(request.body)) out.key("body_base64").value(base64_encode(request.body));
  out.key("truncated").value(request.truncated);
  out.end_object();
}

}  // namespace

Result<AnswerOptions> parse_answer_options(std::string_view query) {
  TRY(const http::Form form, http::parse_query(query));
  AnswerOptions options;
  if (const auto text = form.first("status")) {
    const auto status = parse_uint(*text);
    if (!status || *status < 200 || *status > 599) {
      return fail(Errc::kInvalidArgument, "status: must be from 200 to 599");
    }
    options.status = static_cast<int>(*status);
  }
  if (const auto text = form.first("delay")) {
    TRY(options.delay, parse_delay(*text));
  }
  if (const auto text = form.first("count")) {
    const auto count = parse_uint(*text);
    if (!count || *count > kMaxCount)
      return fail(Errc::kInvalidArgument, "count: must be from 0 to 1000000");
    options.count = static_cast<uint32_t>(*count);
  }
  return options;
}

Answer bin_answer(const AnswerOptions& options, uint32_t repeat) {
  const bool granted = options.count == 0 || repeat <= options.count;
  Answer answer;
  if (granted) answer.delay = options.delay;
  const int status = granted ? options.status : 200;
  answer.response = http::json_response(
      status, status < 300 ? R"({"message":"Post received. Thanks!"})"
                           : R"({"message":"Post received. Status as asked for."})");
  // RFC 9110 section 15: these have no content.
  if (status == 204 || status == 205 || status == 304) answer.response.body.clear();
  answer.response.fields.set("X-Content-Type-Options", "nosniff");
  answer.response.fields.set("Content-Security-Policy", "sandbox; default-src 'none'");
  return answer;
}

Result<Answer> take_request(Bins& bins, std::string_view id, Captured request) {
  const size_t query_at = request.path.find('?');
  const std::string query =
      query_at == std::string::npos ? std::string() : request.path.substr(query_at + 1);
  const auto repeat = bins.capture(id, std::move(request));
  if (!repeat) return fail(Errc::kNotFound, "Bin not found");
  TRY(const auto options, parse_answer_options(query));
  return bin_answer(options, *repeat);
}

std::string listing_json(const Listing& listing) {
  std::string text;
  json::Writer out(text);
  out.begin_object().key("items").begin_array();
  for (const auto& request : listing.items) write_item(out, *request);
  out.end_array().key("total").value(listing.total).end_object();
  return text;
}

}  // namespace eventhorn::bin
