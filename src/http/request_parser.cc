#include "http/request_parser.h"

#include "base/check.h"
#include "base/strings.h"
#include "http/bounded_parser.h"
#include "http/gzip.h"

#include <algorithm>
#include <optional>

namespace eventhorn::http {
namespace {

namespace beast_http = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;
using Step = RequestParser::Step;

// Beast's parser, one per request, writing into our values. It is more lenient than we are: see
// check_head.
class Message final : public BoundedParser<true> {
 public:
  explicit Message(size_t max_framing_bytes) : BoundedParser(max_framing_bytes) {}

  Request request;
  std::optional<std::string> authority;  // of a target that was a whole URL
  int version = 0;
  size_t received_left = 0;  // of the body as received
  size_t decoded_left = 0;   // of the body as kept
  bool cut = false;
  bool dropping = false;  // nothing more is kept
  size_t room = SIZE_MAX;
  std::string waiting;  // what found no room
  std::optional<GzipDecoder> gzip;
  std::optional<Error> body_error;

  bool lacks_room() const { return !waiting.empty() || (gzip && gzip->is_full()); }

  // To be called when there is room for more.
  Status keep_what_waits() {
    TRY(const size_t used, keep(waiting));
    waiting.erase(0, used);
    if (waiting.empty()) waiting.shrink_to_fit();
    return {};
  }

 private:
  void on_request_impl(beast_http::verb, string_view method, string_view target, int http_version,
                       error_code&) override {
    request.method = std::string(method);
    request.target = std::string(target);
    for (const std::string_view known : {"http://", "https://"}) {
      if (!equals_ignore_case(std::string_view(request.target).substr(0, known.size()), known))
        continue;
      const auto end = request.target.find_first_of("/?", known.size());
      authority = request.target.substr(known.size(), end - known.size());
      request.target.erase(0, end);
      if (!request.target.starts_with('/')) request.target.insert(0, 1, '/');
    }
    const auto mark = std::min(request.target.find('?'), request.target.size());
    request.path = request.target.substr(0, mark);
    if (mark < request.target.size()) request.query = request.target.substr(mark + 1);
    version = http_version;
  }

  void on_head_field(beast_http::field, string_view name, string_view value) override {
    request.fields.add(std::string(name), std::string(value));
  }

  void on_chunk(std::uint64_t size, error_code& ec) override {
    if (size > received_left) stop_on_error(over_limit(), ec);
  }

  void on_body(string_view bytes, error_code& ec) override {
    const std::string_view body(bytes.data(), bytes.size());
    if (body.size() > received_left) {
      stop_on_error(over_limit(), ec);
    } else if (!dropping && lacks_room()) {
      waiting.append(body);
    } else if (!dropping) {
      auto used = keep(body);
      if (used) {
        waiting.append(body.substr(*used));
      } else {
        stop_on_error(fail(std::move(used).error()), ec);
      }
    }
    received_left -= std::min(received_left, body.size());
  }

  // Adds to the body what there is room for; how much of `bytes` that was.
  Result<size_t> keep(std::string_view bytes) {
    auto used = gzip ? gzip->feed(bytes, request.body, room - request.body.size()) : copy(bytes);
    if (used || used.error().code != Errc::kTooLarge || !cut) return used;
    dropping = request.truncated = true;
    gzip.reset();
    return bytes.size();
  }

  Result<size_t> copy(std::string_view bytes) {
    const size_t taken = std::min({bytes.size(), decoded_left, room - request.body.size()});
    request.body.append(bytes.substr(0, taken));
    decoded_left -= taken;
    if (taken < bytes.size() && decoded_left == 0) return over_limit();
    return taken;
  }

  static tl::unexpected<Error> over_limit() {
    return fail(Errc::kTooLarge, "request body is over the limit");
  }

  void stop_on_error(Status status, error_code& ec) {
    if (status) return;
    body_error = std::move(status).error();
    ec = beast_http::error::body_limit;
  }
};

// Where the head that starts `in` ends.
struct HeadEnd {
  size_t size = 0;              // 0: not here yet
  const char* error = nullptr;  // what is wrong with its lines
};

HeadEnd find_head_end(std::string_view in, size_t from) {
  for (auto at = in.find('\n', from); at != std::string_view::npos; at = in.find('\n', at + 1)) {
    if (at == 0 || in[at - 1] != '\r') return {0, "lines must end with CR LF"};
    if (in.substr(0, at).ends_with("\r\n\r")) return {at + 1, nullptr};
    if (at + 1 < in.size() && (in[at + 1] == ' ' || in[at + 1] == '\t'))
      return {0, "folded header lines are refused"};
  }
  return {};
}

// What Beast 1.81 lets pass: equal or listed Content-Lengths, transfer codings other than chunked
// (the body would then be read as the next request), chunked in HTTP/1.0, missing and repeated
// Host, targets of any form.
const char* check_head(const Message& message) {
  const auto& request = message.request;
  const auto& fields = request.fields;
  const bool http11 = message.version >= 11;
  if (!request.target.starts_with('/')) return "request target must be a path or a URL of http";
  const auto hosts = fields.count("Host");
  if (hosts > 1 || (http11 && hosts == 0)) return "exactly one host field is needed";
  if (message.authority && message.authority->empty()) return "request target has no host";
  if (fields.has("Transfer-Encoding")) {
    const bool chunked = equals_ignore_case(fields.get("Transfer-Encoding"), "chunked");
    if (!chunked || fields.count("Transfer-Encoding") > 1)
      return "transfer-encoding: only chunked is known";
    if (!http11) return "transfer-encoding needs HTTP/1.1";
    if (fields.has("Content-Length"))
      return "content-length and transfer-encoding exclude each other";
  }
  if (fields.has("Content-Length")) {
    const bool number = parse_uint(fields.get("Content-Length")).has_value();
    if (!number || fields.count("Content-Length") > 1) return "content-length must be one number";
  }
  return nullptr;
}

}  // namespace

struct RequestParser::Impl {
  explicit Impl(size_t max) : max_head_bytes(max) {}

  Step refuse(int status, std::string_view text) {
    refusal = message_response(status, text);
    return Step::kRefused;
  }

  Step refuse(const Error& error) {
    return refuse(error.code == Errc::kTooLarge ? 413 : 400, error.message);
  }

  // All of the body has come.
  Step finish() {
    auto& gzip = message->gzip;
    const auto whole = gzip ? gzip->finish() : Status();
    return whole ? Step::kReady : refuse(whole.error());
  }

  const size_t max_head_bytes;
  std::unique_ptr<Message> message = std::make_unique<Message>(max_head_bytes);
  size_t scanned = 0;  // this far there is no end of the head
  bool wants_continue = false;
  bool keep_alive = false;
  Response refusal;
};

RequestParser::RequestParser(size_t max_head_bytes)
    : impl_(std::make_unique<Impl>(max_head_bytes)) {}

RequestParser::~RequestParser() = default;

void RequestParser::reset() {
  impl_->message = std::make_unique<Message>(impl_->max_head_bytes);
  impl_->scanned = 0;
}

Step RequestParser::read_head(std::string_view in, size_t& consumed) {
  auto& self = *impl_;
  auto& message = *self.message;
  consumed = 0;
  // RFC 9112 section 2.2: some clients send an empty line after a body.
  while (self.scanned == 0 && in.starts_with("\r\n")) {
    in.remove_prefix(2);
    consumed += 2;
  }
  const auto end = find_head_end(in, self.scanned);
  if (end.error != nullptr) return self.refuse(400, end.error);
  if ((end.size > 0 ? end.size : in.size()) > self.max_head_bytes) {
    return self.refuse(431, "request header is over the limit of " +
                                std::to_string(self.max_head_bytes) + " bytes");
  }
  if (end.size == 0) {
    self.scanned =
        in.size() > 1 ? in.size() - 1 : 0;  // a line that ended in the last byte may yet be folded
    return Step::kMore;
  }

  if (const auto ec = message.take_head(in.substr(0, end.size)))
    return self.refuse(400, "malformed request: " + ec.message());
  consumed += end.size;
  if (const char* error = check_head(message)) return self.refuse(400, error);
  // RFC 9112 section 3.2.2: it takes the place of Host.
  if (message.authority) message.request.fields.set("Host", *message.authority);

  const auto expect = message.request.fields.get("Expect");
  self.wants_continue = message.version >= 11 && equals_ignore_case(expect, "100-continue");
  if (message.version >= 11 && !expect.empty() && !self.wants_continue) {
    return self.refuse(417, "expect: only 100-continue is known");
  }
  self.keep_alive = message.version >= 11 && message.keep_alive();
  return Step::kReady;
}

Step RequestParser::start_body(const BodyLimits& limits) {
  auto& message = *impl_->message;
  message.received_left = limits.received;
  message.decoded_left = limits.decoded;
  message.cut = limits.cut;
  if (!has_body()) return Step::kReady;
  const auto length = message.content_length();
  if (length && *length > limits.received) {
    return impl_->refuse(
        413, "request body is over the limit of " + std::to_string(limits.received) + " bytes");
  }
  const auto& fields = message.request.fields;
  const auto encoding = fields.get("Content-Encoding");
  if (equals_ignore_case(encoding, "gzip") || equals_ignore_case(encoding, "x-gzip")) {
    message.gzip.emplace(limits.decoded);
  } else if (!encoding.empty() && !equals_ignore_case(encoding, "identity")) {
    return impl_->refuse(415, "content-encoding: only gzip and identity are known");
  }
  if (fields.count("Content-Encoding") > 1)
    return impl_->refuse(415, "content-encoding: only one is allowed");
  return Step::kReady;
}

Step RequestParser::drop_body(size_t max_bytes) {
  auto& message = *impl_->message;
  message.gzip.reset();
  message.waiting.clear();
  message.dropping = true;
  message.received_left = max_bytes;
  const auto length = message.content_length();
  return length && *length > max_bytes ? Step::kRefused : Step::kReady;
}

void RequestParser::make_room(size_t bytes) {
  auto& message = *impl_->message;
  message.room = bytes;
  auto& body = message.request.body;
  if (bytes <= body.capacity()) return;
  std::string larger;  // because reserve() may take twice what body has
  larger.reserve(bytes);
  larger.append(body);
  body.swap(larger);
}

Step RequestParser::read_body(std::string_view in, size_t& consumed) {
  auto& message = *impl_->message;
  CHECK(has_body());
  consumed = 0;
  if (message.lacks_room()) {
    const auto kept = message.keep_what_waits();
    if (!kept) return impl_->refuse(kept.error());
    if (message.lacks_room()) return Step::kFull;
    if (message.is_done()) return impl_->finish();
  }
  const auto ec = message.take_body(in, consumed);
  if (message.body_error) return impl_->refuse(*message.body_error);
  if (ec == beast_http::error::header_limit)
    return impl_->refuse(400, "malformed body: chunk header or trailer too long");
  if (ec) return impl_->refuse(400, "malformed body: " + ec.message());
  if (message.lacks_room()) return Step::kFull;
  return message.is_done() ? impl_->finish() : Step::kMore;
}

Request& RequestParser::request() {
  return impl_->message->request;
}

Response& RequestParser::refusal() {
  return impl_->refusal;
}

bool RequestParser::has_body() const {
  const auto& message = *impl_->message;
  return message.is_header_done() && (!message.is_done() || message.lacks_room());
}

size_t RequestParser::body_to_come() const {
  const auto left = impl_->message->content_length_remaining();
  return left ? static_cast<size_t>(*left) : SIZE_MAX;
}

bool RequestParser::is_compressed() const {
  return impl_->message->gzip.has_value();
}

bool RequestParser::wants_continue() const {
  return impl_->wants_continue;
}

bool RequestParser::keep_alive() const {
  return impl_->keep_alive;
}

bool RequestParser::takes_chunks() const {
  return impl_->message->version >= 11;
}

}  // namespace eventhorn::http
