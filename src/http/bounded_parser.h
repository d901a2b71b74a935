// Beast's message parser with what it lacks for peers that nobody trusts, the same for requests and
// answers: a bound on what it leaves unparsed, guards against its own assertions, trailers dropped.
// Internal to http/.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <ostream>  // beast/http/verb.hpp needs it with separate compilation (Boost 1.81)
#include <string_view>

namespace eventhorn::http {

/// One message. Callers find the end of the head themselves and bound it, then call take_head once
/// and take_body until is_done().
template <bool kIsRequest>
class BoundedParser : public boost::beast::http::basic_parser<kIsRequest> {
 public:
  using error_code = boost::system::error_code;
  using string_view = boost::beast::string_view;

  /// `max_framing_bytes` bounds each chunk header, and the trailer: Beast keeps nothing of them
  /// until they are whole, so the caller's buffer would grow with them.
  explicit BoundedParser(size_t max_framing_bytes) : max_framing_bytes_(max_framing_bytes) {
    this->eager(true);
    this->body_limit(boost::none);                             // counted by the subclass
    this->header_limit(std::numeric_limits<uint32_t>::max());  // counted by the caller
  }

  /// Takes a whole head, its empty line included, and nothing behind it.
  error_code take_head(std::string_view head) {
    error_code ec;
    const size_t used = this->put(boost::asio::buffer(head.data(), head.size()), ec);
    if (ec == boost::beast::http::error::need_more) ec = {};
    if (!ec && (!this->is_header_done() || used != head.size()))
      ec = boost::beast::http::error::bad_line_ending;
    return ec;
  }

  /// Takes from `in`, which begins where the last call's `consumed` ended; header_limit when a
  /// chunk header or the trailer is too long. Call only after the head and before is_done().
  error_code take_body(std::string_view in, size_t& consumed) {
    // Whatever is still to come of a chunked body is no shorter than this, and Beast 1.81 asserts
    // so.
    constexpr std::string_view kLastChunk = "0\r\n\r\n";
    consumed = 0;
    error_code ec;
    if (in.empty() || (this->chunked() && in.size() < kLastChunk.size())) return ec;
    consumed = this->put(boost::asio::buffer(in.data(), in.size()), ec);
    if (ec && ec != boost::beast::http::error::need_more) return ec;
    ec = {};
    const bool framing_too_long = !this->is_done() && in.size() - consumed > max_framing_bytes_;
    if (framing_too_long) ec = boost::beast::http::error::header_limit;
    return ec;
  }

 protected:
  /// A field of the head; those of a trailer are dropped (RFC 9110 section 6.5.1).
  virtual void on_head_field(boost::beast::http::field field, string_view name,
                             string_view value) = 0;

  /// The size of a chunk that begins.
  virtual void on_chunk(uint64_t /*size*/, error_code& /*ec*/) {}

  /// A piece of the body.
  virtual void on_body(string_view bytes, error_code& ec) = 0;

  void on_finish_impl(error_code& /*ec*/) override {}

 private:
  void on_request_impl(boost::beast::http::verb, string_view, string_view, int,
                       error_code&) override {}

  void on_response_impl(int, string_view, int, error_code&) override {}

  void on_field_impl(boost::beast::http::field field, string_view name, string_view value,
                     error_code&) final {
    if (!this->is_header_done()) on_head_field(field, name, value);
  }

  void on_header_impl(error_code&) final {}

  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) final {}

  size_t on_body_impl(string_view body, error_code& ec) final {
    on_body(body, ec);
    return body.size();
  }

  void on_chunk_header_impl(uint64_t size, string_view extensions, error_code& ec) final {
    // Beast lets anything pass inside quotes; some proxies take a bare LF there for the end of the
    // line.
    const auto is_control = [](char c) {
      return static_cast<unsigned char>(c) < 0x20 && c != '\t';
    };
    if (std::any_of(extensions.begin(), extensions.end(), is_control))
      ec = boost::beast::http::error::bad_chunk_extension;
    else
      on_chunk(size, ec);
  }

  size_t on_chunk_body_impl(uint64_t, string_view body, error_code& ec) final {
    on_body(body, ec);
    return body.size();
  }

  const size_t max_framing_bytes_;
};

}  // namespace eventhorn::http
