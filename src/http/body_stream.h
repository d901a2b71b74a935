// The body of a streamed response, as a connection sends it: piece by piece, while it watches
// whether the client is still there. Internal to http/.
#pragma once

#include "base/log.h"
#include "base/strings.h"
#include "http/message.h"
#include "http/server_core.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <array>
#include <iterator>
#include <string>
#include <string_view>
#include <tuple>

namespace eventhorn::http {

/// `Stream` is the connection's, plain or TLS. Lives on its core.
template <class Stream>
class BodyStream {
 public:
  /// Behind a head that was sent. `deadline` is the connection's, which the core's sweep looks at;
  /// all must outlive this.
  BodyStream(Stream& stream, Deadline& deadline, const ServerState& state, bool chunked)
      : stream_(stream), deadline_(deadline), state_(state), chunked_(chunked) {}

  /// Whether the source has said that this is all.
  bool ended() const { return ended_; }

  /// Until the source ends or fails, the client ends its side, the connection breaks, or the server
  /// stops.
  Task<void> send(const BodySource& source) {
    using boost::asio::experimental::awaitable_operators::operator||;
    deadline_ = Deadline::max();
    co_await (send_pieces(source) || watch_client());
  }

  /// Tells the client that the body is whole; nothing when it is not.
  Task<void> finish() {
    if (!chunked_ || !intact_) co_return;
    static constexpr std::string_view kLastChunk = "0\r\n\r\n";
    deadline_ = now() + state_.options.stream_write_timeout;
    std::ignore = co_await asio::async_write(stream_, asio::buffer(kLastChunk), kUse);
  }

 private:
  static constexpr auto kUse = asio::as_tuple(asio::use_awaitable);

  SteadyTime now() const { return state_.clock.steady_now(); }

  // Until the source ends or a write fails. Never throws, nor does watch_client: they run side by
  // side, and two exceptions at once would become a third.
  Task<void> send_pieces(const BodySource& source) {
    try {
      for (bool more = true; more;) more = co_await send_piece(source);
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::operation_aborted) source_failed(e.what());
    } catch (const std::exception& e) {
      source_failed(e.what());
    }
  }

  Task<bool> send_piece(const BodySource& source) {
    const auto piece = co_await source();
    ended_ = !piece;
    if (!piece) co_return false;
    if (piece->empty()) co_return true;  // as a chunk it would end the body
    intact_ = co_await write(*piece);
    co_return intact_;
  }

  Task<bool> write(const std::string& piece) {
    intact_ = false;  // should it be cut off
    deadline_ = now() + state_.options.stream_write_timeout;
    head_.clear();
    if (chunked_) fmt::format_to(std::back_inserter(head_), "{:x}\r\n", piece.size());
    const std::array<asio::const_buffer, 3> all = {asio::buffer(head_), asio::buffer(piece),
                                                   asio::buffer("\r\n", chunked_ ? 2 : 0)};
    auto [ec, n] = co_await asio::async_write(stream_, all, kUse);
    deadline_ = Deadline::max();
    co_return !ec;
  }

  void source_failed(std::string_view why) {
    log_error("http", "stream failed error={}", escape_for_log(why));
    intact_ = false;
  }

  // Until the client ends its side, the connection breaks, or the server stops. What the client
  // sends is dropped.
  Task<void> watch_client() {
    std::array<char, 1024> dropped;
    try {
      boost::system::error_code ec;
      while (!ec && !state_.draining) {
        auto [read_ec, n] = co_await stream_.async_read_some(asio::buffer(dropped), kUse);
        ec = read_ec;
      }
      if (ec && ec != asio::error::operation_aborted) intact_ = false;
    } catch (const boost::system::system_error&) {
      // Cancelled between two reads.
    }
  }

  Stream& stream_;
  Deadline& deadline_;
  const ServerState& state_;
  const bool chunked_;
  std::string head_;  // of a chunk
  bool ended_ = false;
  bool intact_ = true;  // the body is at the end of a chunk and may go on
};

}  // namespace eventhorn::http
