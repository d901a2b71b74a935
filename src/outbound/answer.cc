#include "outbound/answer.h"

#include "base/strings.h"
#include "base/time.h"
#include "http/bounded_parser.h"
#include "outbound/answer_head.h"
#include "webhook/retry_after.h"

#include <boost/asio/ssl/error.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace eventhorn::outbound {
namespace {

using boost::system::error_code;
using webhook::FailureKind;
namespace beast_http = boost::beast::http;

constexpr size_t kMaxInterim = 16;

/// Parses one answer with Beast's strict parser, keeping only what outcomes need: no field map is
/// built.
class AnswerParser final : public http::BoundedParser<false> {
 public:
  explicit AnswerParser(const AnswerLimits& limits)
      : BoundedParser(limits.max_head_bytes), keep_body_bytes_(limits.keep_body_bytes) {}

  AnswerHead take_head_fields() { return std::move(head_); }

  std::string take_body_text() { return std::move(body_); }

  /// Whether the next answer begins where this one ends: there is one way to find its end. To be
  /// asked after the head.
  bool has_clear_end() const {
    const bool chunked_1_0 = version_ < 11 && has_transfer_encoding_;  // RFC 9112 section 6.1
    return keep_alive() && !chunked_1_0 && !(has_transfer_encoding_ && has_length_);
  }

 private:
  void on_response_impl(int code, string_view, int version, error_code&) override {
    head_.status = code;
    version_ = version;
  }

  void on_head_field(beast_http::field field, string_view name, string_view value) override {
    has_length_ = has_length_ || field == beast_http::field::content_length;
    has_transfer_encoding_ =
        has_transfer_encoding_ || field == beast_http::field::transfer_encoding;
    head_.add({name.data(), name.size()}, {value.data(), value.size()});
  }

  void on_body(string_view bytes, error_code&) override {
    const size_t room = keep_body_bytes_ - std::min(keep_body_bytes_, body_.size());
    body_.append(bytes.data(), std::min(bytes.size(), room));
  }

  const size_t keep_body_bytes_;
  AnswerHead head_;
  std::string body_;
  int version_ = 0;
  bool has_length_ = false;
  bool has_transfer_encoding_ = false;
};

bool is_end(const error_code& ec) {
  return ec == asio::error::eof || ec == asio::ssl::error::stream_truncated;
}

webhook::AttemptResult cut_head(const ClientConnection& connection, const error_code& ec) {
  if (!is_end(ec)) return connection.broken(ec, "waiting for the answer");
  return failure(FailureKind::kClosed, connection.input.empty()
                                           ? "connection closed without an answer"
                                           : "connection closed within the answer's head");
}

/// Reads until a whole head stands at the start of `connection.input`: its size.
Task<Attempted<size_t>> await_head(ClientConnection& connection, const AnswerLimits& limits) {
  size_t scanned = 0;
  for (;;) {
    const auto& input = connection.input;
    if (const char* fault = find_status_line_fault(input))
      co_return failed(FailureKind::kProtocol, fault);
    const size_t size = find_answer_head_end(input, scanned);
    if ((size > 0 ? size : input.size()) > limits.max_head_bytes)
      co_return failed(FailureKind::kTooLarge, "the answer's head is over its limit");
    if (size > 0) co_return size;
    scanned = input.size();
    const error_code ec = co_await connection.read_some();
    if (ec) co_return Attempted<size_t>(tl::unexpect, cut_head(connection, ec));
  }
}

/// Judges a whole head, as `parser` reads it or, with the `fault` that it finds, more loosely.
Attempted<AnswerHead> read_head(AnswerParser& parser, std::string_view text, std::string& fault) {
  const error_code ec = parser.take_head(text);
  auto head = ec ? read_loose_head(text) : parser.take_head_fields();
  if (ec) fault = "malformed head: " + ec.message();
  const bool interim = head && head->status / 100 == 1;
  // What follows an interim answer is another one: both must be sound to be told apart.
  if (!head || (ec && interim))
    return failed(FailureKind::kProtocol, "not a valid HTTP answer: " + ec.message());
  if (head->status < 100)
    return failed(FailureKind::kProtocol, "not a valid HTTP answer: status below 100");
  if (head->status == 101)
    return failed(FailureKind::kProtocol, "the receiver switched protocols (101)");
  return *std::move(head);
}

enum class BodyEnd : uint8_t { kCut, kWhole };

/// Reads the body that `parser` expects, to its end or as far as is of use; whatever happens, the
/// head has decided (reliability R3, R4, R6).
Task<BodyEnd> read_body(AnswerParser& parser, ClientConnection& connection,
                        const AnswerLimits& limits, std::string& fault) {
  size_t taken = 0;
  while (!parser.is_done()) {
    size_t used = 0;
    if (const error_code ec = parser.take_body(connection.input, used)) {
      fault = "malformed body: " + ec.message();
      co_return BodyEnd::kCut;
    }
    connection.input.erase(0, used);
    taken += used;
    if (parser.is_done()) break;
    if (taken >= limits.max_body_bytes) co_return BodyEnd::kCut;
    const error_code ec = co_await connection.read_some();
    if (!ec) continue;
    error_code incomplete = ec;
    if (ec == asio::error::eof) parser.put_eof(incomplete);
    if (incomplete) co_return BodyEnd::kCut;
  }
  co_return BodyEnd::kWhole;
}

void fill(const AnswerHead& head, const std::string& fault, const AnswerLimits& limits,
          webhook::AttemptResult& result) {
  result.status = head.status;
  if (head.status / 100 != 2) {
    result.error = "HTTP status " + std::to_string(head.status);
    if (!head.location.empty()) result.error += ", Location: " + escape_for_log(head.location);
  }
  if (!fault.empty()) result.error += (result.error.empty() ? "" : ", ") + fault;
  if (head.status == 429 || head.status == 503) {
    const std::vector<std::string_view> values(head.retry_after.begin(), head.retry_after.end());
    const auto now = std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
    result.retry_after = webhook::parse_retry_after(values, now, limits.max_retry_after);
  }
}

}  // namespace

Task<bool> read_answer(ClientConnection& connection, const AnswerLimits& limits,
                       ClientReply& reply) {
  connection.input.clear();
  connection.answered = false;
  for (size_t interim = 0; interim <= kMaxInterim; ++interim) {
    const auto size = co_await await_head(connection, limits);
    if (!size) {
      reply.result = size.error();
      co_return false;
    }
    AnswerParser parser(limits);
    std::string fault;
    const auto text = std::string_view(connection.input).substr(0, *size);
    const auto head = read_head(parser, text, fault);
    if (!head) {
      reply.result = head.error();
      co_return false;
    }
    connection.input.erase(0, *size);
    if (head->status / 100 == 1) continue;
    const bool sound = fault.empty();
    bool whole = false;
    if (sound) {
      const auto end = co_await read_body(parser, connection, limits, fault);
      whole = end == BodyEnd::kWhole;
      reply.body = parser.take_body_text();
    }
    fill(*head, fault, limits, reply.result);
    reply.result.phases.whole_answer = whole;
    co_return whole&& parser.has_clear_end() && connection.input.empty();
  }
  reply.result = failure(FailureKind::kProtocol, "too many interim (1xx) answers");
  co_return false;
}

}  // namespace eventhorn::outbound
