// Reads the requests of one connection from its bytes; no I/O. Strict on purpose: whatever two
// parsers could understand differently is refused, so that nothing can be smuggled past a proxy in
// front of us (reliability A7; RFC 9112 section 11.2). Used as: read_head until kReady, start_body,
// read_body until kReady, reset. Not thread-safe.
#pragma once

#include "http/message.h"

#include <memory>
#include <string_view>

namespace eventhorn::http {

class RequestParser {
 public:
  /// `max_head_bytes` bounds request line and fields together, and also each chunk header and the
  /// trailer.
  explicit RequestParser(size_t max_head_bytes);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// What a step came to. kFull: the body needs make_room, before or without more bytes. After
  /// kRefused the connection can't be read any further: answer refusal() and close.
  enum class Step { kMore, kReady, kRefused, kFull };

  /// Looks for a whole head at the start of `in`, which begins where the last call's `consumed`
  /// ended. On kReady request() holds all but the body. Refusals: 431 for a head over the limit;
  /// 417 for an expectation other than 100-continue; 400 for the rest: not HTTP/1.0 or 1.1, a
  /// target that is neither a path nor a URL of http or https (whose authority becomes Host),
  /// folded lines, bare CR or LF, control characters, no Host or several, Content-Length twice, as
  /// a list, or beside Transfer-Encoding, and a Transfer-Encoding other than chunked or in
  /// HTTP/1.0.
  Step read_head(std::string_view in, size_t& consumed);

  struct BodyLimits {
    size_t received = 0;
    size_t decoded = 0;
    bool cut = false;  // what is over `decoded` is dropped, and request().truncated set
  };

  /// Refusals: 413 when Content-Length is over the limit, 415 for a Content-Encoding other than
  /// gzip, x-gzip and identity.
  Step start_body(const BodyLimits& limits);

  /// Instead of start_body: what comes of the body is dropped. kRefused when it is longer than
  /// `max_bytes`, as far as its length is told; else read_body finds out.
  Step drop_body(size_t max_bytes);

  /// From the first call on request().body never takes more memory than `bytes`, which grows from
  /// call to call; what finds no room is kept as it came until the next one.
  void make_room(size_t bytes);

  /// Takes body bytes from `in`, as read_head does; request().body grows, decoded. Call only when
  /// has_body(). Refusals: 413 over a limit, 400 for bad chunking or damaged gzip. Trailer fields
  /// are dropped.
  Step read_body(std::string_view in, size_t& consumed);

  /// Ready for the next head.
  void reset();

  Request& request();
  Response& refusal();

  // Facts of the head, from kReady of read_head on.
  bool has_body() const;
  bool wants_continue() const;  // RFC 9110 section 10.1.1
  bool keep_alive() const;      // false for HTTP/1.0 and "Connection: close"
  /// Bytes that the body has yet to come to, as received; SIZE_MAX when that is not told.
  size_t body_to_come() const;
  bool is_compressed() const;
  bool takes_chunks() const;  // an answer may be chunked: HTTP/1.1 (RFC 9112 section 7.1)

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace eventhorn::http
