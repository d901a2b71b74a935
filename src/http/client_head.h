// The head of an answer, as far as the client reads it. Internal to http/client*.cc.
#pragma once

#include <ostream>  // beast/http/verb.hpp needs it with separate compilation (Boost 1.81)

#include <boost/beast/http/basic_parser.hpp>

#include <string>
#include <vector>

namespace eventhorn::http {

/// Parses one answer with Beast's strict parser, keeping only what outcomes need: no field map is built.
class AnswerParser final : public boost::beast::http::basic_parser<false> {
 public:
  explicit AnswerParser(size_t keep_body_bytes) : keep_body_bytes_(keep_body_bytes) {}

  int status() const { return status_; }

  const std::vector<std::string>& retry_after() const { return retry_after_; }

  const std::string& location() const { return location_; }

  /// Bytes of the body seen so far.
  size_t body_bytes() const { return body_bytes_; }

  std::string take_body() { return std::move(body_); }

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, string_view, string_view, int, error_code&) override {}

  void on_response_impl(int code, string_view, int, error_code&) override { status_ = code; }

  void on_field_impl(boost::beast::http::field name, string_view, string_view value, error_code&) override {
    if (name == boost::beast::http::field::retry_after && retry_after_.size() < 4) retry_after_.emplace_back(value);
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
    body_.append(body.data(), std::min(body.size(), keep_body_bytes_ - std::min(keep_body_bytes_, body_.size())));
    return body.size();
  }

  size_t keep_body_bytes_;
  int status_ = 0;
  std::vector<std::string> retry_after_;
  std::string location_;
  std::string body_;
  size_t body_bytes_ = 0;
};

}  // namespace eventhorn::http
