#include "http/answer.h"

#include "base/strings.h"
#include "base/time.h"
#include "webhook/retry_after.h"

#include <boost/asio/ssl/error.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <ostream>  // beast/http/verb.hpp needs it with separate compilation (Boost 1.81)
#include <vector>

namespace eventhorn::http {
namespace {

using boost::system::error_code;
using webhook::FailureKind;

constexpr size_t kMaxInterim = 16;

/// Parses one answer with Beast's strict parser, keeping only what outcomes need: no field map is
/// built.
class AnswerParser final : public boost::beast::http::basic_parser<false> {
 public:
  explicit AnswerParser(const AnswerLimits& limits) : keep_body_bytes_(limits.keep_body_bytes) {
    eager(true);
    header_limit(static_cast<uint32_t>(limits.max_head_bytes));
    body_limit(boost::none);
  }

  int status() const { return status_; }

  const std::vector<std::string>& retry_after() const { return retry_after_; }

  const std::string& location() const { return location_; }

  /// Bytes of the body seen so far.
  size_t body_bytes() const { return body_bytes_; }

  std::string take_body() { return std::move(body_); }

 private:
  using string_view = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, string_view, string_view, int,
                       error_code&) override {}

  void on_response_impl(int code, string_view, int, error_code&) override { status_ = code; }

  void on_field_impl(boost::beast::http::field name, string_view, string_view value,
                     error_code&) override {
    if (name == boost::beast::http::field::retry_after && retry_after_.size() < 4)
      retry_after_.emplace_back(value);
    if (name == boost::beast::http::field::location) location_ = std::string(value.substr(0, 512));
  }

  void on_header_impl(error_code&) override {}

  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}

  size_t on_body_impl(string_view body, error_code&) override { return keep(body); }

  void on_chunk_header_impl(uint64_t, string_view, error_code&) override {}

  size_t on_chunk_body_impl(uint64_t, string_view body, error_code&) override { return keep(body); }

  void on_finish_impl(error_code&) override {}

  size_t keep(string_view body) {
    body_bytes_ += body.size();
    const size_t room = keep_body_bytes_ - std::min(keep_body_bytes_, body_.size());
    body_.append(body.data(), std::min(body.size(), room));
    return body.size();
  }

  size_t keep_body_bytes_;
  int status_ = 0;
  std::vector<std::string> retry_after_;
  std::string location_;
  std::string body_;
  size_t body_bytes_ = 0;
};

bool is_end(const error_code& ec) {
  return ec == asio::error::eof || ec == asio::ssl::error::stream_truncated;
}

// Has the parser take what has come. False when it is malformed before the end of its head, which
// is then told in `reply`.
bool parse_input(AnswerParser& parser, ClientConnection& connection, bool& malformed_body,
                 ClientReply& reply) {
  while (!parser.is_done() && !connection.input.empty()) {
    error_code ec;
    const size_t used = parser.put(asio::buffer(connection.input), ec);
    connection.input.erase(0, used);
    if (ec == boost::beast::http::error::need_more) return true;
    if (ec && parser.is_header_done()) {
      malformed_body = true;
      return true;
    }
    if (ec) {
      const bool too_large = ec == boost::beast::http::error::header_limit;
      reply.result = failure(too_large ? FailureKind::kTooLarge : FailureKind::kProtocol,
                             "not a valid HTTP answer: " + ec.message());
      return false;
    }
    if (used == 0) return true;
  }
  return true;
}

void tell_end(AnswerParser& parser, const ClientConnection& connection, const error_code& ec,
              ClientReply& reply) {
  if (!is_end(ec)) {
    reply.result = connection.broken(ec, "waiting for the answer");
  } else {
    reply.result = failure(FailureKind::kClosed, parser.got_some()
                                                     ? "connection closed within the answer's head"
                                                     : "connection closed without an answer");
  }
}

enum class Ended {
  kFailed,  // without the head of an answer; the reply says why
  kCut,     // there is a head, which decides; the connection is of no further use (R3, R4, R6)
  kWhole,
};

Task<Ended> read_one(AnswerParser& parser, ClientConnection& connection, const AnswerLimits& limits,
                     ClientReply& reply) {
  for (;;) {
    bool malformed_body = false;
    if (!parse_input(parser, connection, malformed_body, reply)) co_return Ended::kFailed;
    if (malformed_body) co_return Ended::kCut;
    if (parser.is_done()) co_return Ended::kWhole;
    if (parser.is_header_done() && parser.body_bytes() >= limits.max_body_bytes)
      co_return Ended::kCut;
    const error_code ec = co_await connection.read_some();
    if (!ec) continue;
    if (parser.is_header_done()) co_return Ended::kCut;
    tell_end(parser, connection, ec, reply);
    co_return Ended::kFailed;
  }
}

void fill(AnswerParser& parser, const AnswerLimits& limits, ClientReply& reply) {
  auto& result = reply.result;
  result.status = parser.status();
  if (parser.status() / 100 != 2) {
    result.error = "HTTP status " + std::to_string(parser.status());
    if (!parser.location().empty())
      result.error += ", Location: " + escape_for_log(parser.location());
  }
  if (parser.status() == 429 || parser.status() == 503) {
    const std::vector<std::string_view> values(parser.retry_after().begin(),
                                               parser.retry_after().end());
    const auto now = std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
    result.retry_after = webhook::parse_retry_after(values, now, limits.max_retry_after);
  }
  reply.body = parser.take_body();
}

}  // namespace

Task<bool> read_answer(ClientConnection& connection, const AnswerLimits& limits,
                       ClientReply& reply) {
  connection.input.clear();
  connection.answered = false;
  for (size_t interim = 0; interim <= kMaxInterim; ++interim) {
    AnswerParser parser(limits);
    const Ended ended = co_await read_one(parser, connection, limits, reply);
    if (ended == Ended::kFailed) co_return false;
    if (parser.status() == 101) {
      reply.result = failure(FailureKind::kProtocol, "the receiver switched protocols (101)");
      co_return false;
    }
    if (parser.status() / 100 == 1) continue;
    fill(parser, limits, reply);
    reply.result.phases.whole_answer = ended == Ended::kWhole;
    co_return ended == Ended::kWhole&& parser.keep_alive() && connection.input.empty();
  }
  reply.result = failure(FailureKind::kProtocol, "too many interim (1xx) answers");
  co_return false;
}

}  // namespace eventhorn::http
