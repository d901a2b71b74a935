#include "http/session.h"

#include "base/check.h"
#include "base/log.h"
#include "base/strings.h"
#include "http/body_stream.h"
#include "http/request_parser.h"
#include "http/response_head.h"
#include "http/stream_slot.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/system/system_error.hpp>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <poll.h>
#include <tuple>

namespace eventhorn::http {
namespace {

using asio::ip::tcp;
using TlsStream = asio::ssl::stream<tcp::socket>;
using Step = RequestParser::Step;

constexpr auto kUse = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kLinger{2};         // for the peer to read our last words
constexpr size_t kMaxDropped = size_t{64} * 1024;  // of a refused request's body
constexpr size_t kSmallRead = size_t{4} * 1024;    // of heads; also what an idle connection keeps
constexpr size_t kLargeRead = size_t{64} * 1024;   // of bodies
constexpr size_t kFirstRoom = size_t{16} * 1024;   // for bodies whose length is not told
constexpr size_t kFirstRoomOfKnown = size_t{64} * 1024;  // for others, at most
constexpr size_t kDecoderBytes = size_t{44} * 1024;      // of zlib: its window and tables
constexpr std::chrono::milliseconds kRoomPoll{50};       // how often a body looks for room
constexpr size_t kGatherBody =
    size_t{16} * 1024;  // from this size on bodies are not copied behind the head

std::string make_request_id() {
  std::array<unsigned char, 8> bytes{};
  CHECK(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
  return to_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Response failed(const Request& request, std::string_view why) {
  const auto id = make_request_id();
  log_error("http", "handler failed request_id={} method={} path={} error={}", id,
            escape_for_log(request.method), escape_for_log(request.path), escape_for_log(why));
  return message_response(500, "internal error, request id " + id);
}

tcp::socket& socket_of(tcp::socket& stream) {
  return stream;
}

tcp::socket& socket_of(TlsStream& stream) {
  return stream.next_layer();
}

template <class Stream>
class Session final : public Connection, public Peer {
 public:
  Session(ServerCore& core, Stream& stream, std::string peer)
      : core_(core),
        state_(core.state),
        stream_(stream),
        peer_(std::move(peer)),
        parser_(state_.options.max_header_bytes),
        slot_(state_) {
    at_ = core_.open.insert(core_.open.end(), this);
    entry_->core = core_.index;
    entry_->connection = this;
    entry_->set_useless(now());
    state_.table.add(peer_, entry_);
  }

  ~Session() override {
    state_.table.remove(peer_, *entry_);
    entry_->connection = nullptr;
    core_.open.erase(at_);
  }

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void abort() override {
    boost::system::error_code ignored;
    socket_of(stream_).close(ignored);
  }

  void end_stream() override {
    boost::system::error_code ignored;
    socket_of(stream_).cancel(ignored);
  }

  // Also after abort.
  bool gone() const override {
    if (!socket_of(stream_).is_open()) return true;
    pollfd socket{socket_of(stream_).native_handle(), 0, 0};  // of no events: only errors are told
    return poll(&socket, 1, 0) == 1;
  }

  Task<void> run(bool overloaded) {
    deadline = now() + state_.options.header_timeout;
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      auto [ec] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kUse);
      if (ec) co_return;
    }
    if (overloaded) {
      auto response = message_response(503, "too many connections");
      response.fields.add("Retry-After", "1");
      const bool sent = co_await write(response, false, false);
      if (!sent) co_return;
    } else {
      bool more = true;
      while (more && !state_.draining) more = co_await serve_one();
      if (source_) co_await send_stream();
    }
    co_await say_goodbye(overloaded ? kLinger : state_.options.request_timeout);
  }

 private:
  SteadyTime now() const { return state_.clock.steady_now(); }

  // One request from its first byte to its response. False when the connection is to end.
  Task<bool> serve_one() {
    parser_.reset();
    admitted_ = {};
    const bool head = co_await read_head();
    if (!head) co_return false;
    const auto started = now();
    const auto handler_deadline = started + state_.options.request_timeout;
    deadline = handler_deadline;

    BodyMemory::Share share(state_.memory);
    std::optional<Response> response;
    if (refused_) {
      response = std::move(parser_.refusal());
    } else {
      response = check_head();
    }
    if (!refused_ && parser_.has_body()) {
      bool read = false;
      if (response) {
        read = co_await drop_body();
      } else {
        read = co_await read_body(share, response);
      }
      if (!read) co_return false;
    }
    // A body that was not read to its end would be taken for the next request.
    bool keep_alive = parser_.keep_alive() && !parser_.has_body() && !refused_;
    const bool is_head = parser_.request().method == "HEAD";
    deadline = handler_deadline + state_.options.answer_timeout;
    if (!response) response = co_await call_handler(handler_deadline);
    if (response->stream && !slot_.take()) {
      response = message_response(503, "too many streams");
      response->fields.add("Retry-After", "1");
    }
    const bool streams = response->stream && !is_head && has_content(response->status);
    keep_alive = keep_alive && !state_.draining && !response->stream;
    const bool sent = co_await write(*response, keep_alive, is_head);
    account(*response, started);
    if (sent && streams) {
      source_ = std::move(response->stream);
      source_must_end_ = response->must_end;
    } else {
      entry_->set_useless(now());
    }
    co_return sent&& keep_alive;
  }

  // False when the peer has gone or there is nothing to wait for; otherwise a head is there, or
  // refused_ is set.
  Task<bool> read_head() {
    idle = buffer_.size() == 0;
    const auto& options = state_.options;
    deadline = now() + (idle ? options.idle_timeout : options.header_timeout);
    // What bodies were read with, beside what is here of the head.
    if (buffer_.capacity() > buffer_.size() + kSmallRead) buffer_.shrink_to_fit();
    auto step = step_with(&RequestParser::read_head);
    while (step == Step::kMore) {
      const bool read = co_await read_more(kSmallRead);
      if (!read) co_return false;
      if (idle) deadline = now() + options.header_timeout;
      idle = false;
      step = step_with(&RequestParser::read_head);
    }
    refused_ = step == Step::kRefused;
    co_return true;
  }

  // What is refused before the body is read.
  std::optional<Response> check_head() {
    auto& request = parser_.request();
    if (auto refusal = state_.origin->admit(request, peer_)) return refusal;
    auto verdict = state_.admit(request);
    if (!verdict) return std::move(verdict).error();
    admitted_ = *std::move(verdict);
    if (admitted_.caller) entry_->set_useful();
    const auto& options = state_.options;
    const auto& limit = admitted_.route->max_body;
    RequestParser::BodyLimits limits;
    limits.cut = limit.cut;
    limits.received =
        limit.cut ? options.max_body_bytes : std::min(limit.bytes, options.max_body_bytes);
    limits.decoded = std::min(limit.bytes, options.max_inflated_bytes);
    if (parser_.start_body(limits) == Step::kRefused) return std::move(parser_.refusal());
    return std::nullopt;
  }

  // Reads the body of a refused request, if that is short, so that the connection can go on. False
  // when the peer has gone. Who waits for 100 Continue gets the refusal in its place, and may send
  // the body all the same or not: the connection can't go on.
  Task<bool> drop_body() {
    if (parser_.wants_continue() && buffer_.size() == 0) co_return true;
    if (parser_.drop_body(kMaxDropped) == Step::kRefused) co_return true;
    for (;;) {
      const auto step = step_with(&RequestParser::read_body);
      refused_ = step == Step::kRefused;
      if (step != Step::kMore) co_return true;
      const bool read = co_await read_more(kSmallRead);
      if (!read) co_return false;
    }
  }

  // False when the peer has gone. Otherwise the body is whole, or `refusal` is set.
  Task<bool> read_body(BodyMemory::Share& share, std::optional<Response>& refusal) {
    share.belongs_to(admitted_.caller ? BodyMemory::key(admitted_.caller->key_id)
                                      : BodyMemory::address(parser_.request().remote_address));
    const size_t limit =
        std::min(admitted_.route->max_body.bytes, state_.options.max_inflated_bytes);
    const size_t told = parser_.is_compressed() ? SIZE_MAX : parser_.body_to_come();
    size_t room = told == SIZE_MAX ? kFirstRoom : std::min(told, kFirstRoomOfKnown);
    auto step = Step::kFull;
    bool invited = !parser_.wants_continue() || buffer_.size() > 0;
    while (step != Step::kReady) {
      if (step == Step::kFull) {
        room = std::min({room, told, limit});
        const size_t bytes = bytes_for(room);
        bool found = share.grow_to(bytes);
        if (!found) found = co_await wait_for_room(share, bytes);
        if (!found && gone()) co_return false;
        if (!found) {
          refused_ = true;
          refusal = message_response(429, "too many request bodies at once");
          refusal->fields.add("Retry-After", "10");
          co_return true;
        }
        parser_.make_room(room);
        room *= 2;
      }
      if (!invited) {
        static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        auto [ec, n] = co_await asio::async_write(stream_, asio::buffer(kContinue), kUse);
        if (ec) co_return false;
        invited = true;
      }
      if (step == Step::kMore) {
        const bool read =
            co_await read_more(std::clamp(parser_.body_to_come(), kSmallRead, kLargeRead));
        if (!read) co_return false;
      }
      step = step_with(&RequestParser::read_body);
      if (step == Step::kRefused) {
        refused_ = true;
        refusal = std::move(parser_.refusal());
        co_return true;
      }
    }
    co_return true;
  }

  // What a body takes together with reading it.
  size_t bytes_for(size_t body) const {
    const size_t to_come = parser_.body_to_come();
    // Twice, because the parser keeps what finds no room.
    const size_t read = to_come <= buffer_.size() ? 0 : 2 * std::min(to_come, kLargeRead);
    return body + read + (parser_.is_compressed() ? kDecoderBytes : 0);
  }

  // The peer is held back meanwhile. False when there was none in time, or the peer has gone.
  Task<bool> wait_for_room(BodyMemory::Share& share, size_t bytes) {
    const auto give_up = now() + state_.options.room_timeout;
    while (now() < give_up && !gone()) {
      co_await sleep_until(state_.clock, std::min(now() + kRoomPoll, give_up));
      if (share.grow_to(bytes)) co_return true;
    }
    co_return false;
  }

  // Lets the parser consume from the buffer.
  Step step_with(Step (RequestParser::*parse)(std::string_view, size_t&)) {
    const auto bytes = buffer_.data();
    size_t used = 0;
    const auto step =
        (parser_.*parse)({static_cast<const char*>(bytes.data()), bytes.size()}, used);
    buffer_.consume(used);
    return step;
  }

  Task<bool> read_more(size_t room) {
    auto [ec, n] = co_await stream_.async_read_some(buffer_.prepare(room), kUse);
    if (ec) co_return false;
    buffer_.commit(n);
    co_return true;
  }

  Task<Response> call_handler(Deadline handler_deadline) {
    bool cancelled = false;
    std::string why;
    RequestContext context{parser_.request(), std::move(admitted_.params), handler_deadline,
                           std::move(admitted_.caller), this};
    try {
      auto response = co_await http::run(admitted_, context);
      if (response.status >= 200 && response.status <= 599) co_return response;
      why = "status " + std::to_string(response.status);
    } catch (const boost::system::system_error& e) {
      cancelled = e.code() == asio::error::operation_aborted;
      why = e.what();
    } catch (const std::exception& e) {
      why = e.what();
    }
    const auto state = co_await asio::this_coro::cancellation_state;
    if (cancelled && state.cancelled() != asio::cancellation_type::none) {
      throw boost::system::system_error(asio::error::operation_aborted);
    }
    co_return failed(parser_.request(), why);
  }

  Task<bool> write(const Response& response, bool keep_alive, bool is_head) {
    out_.clear();
    if (response.stream) {
      append_stream_head(out_, response, parser_.takes_chunks(), core_.date);
    } else {
      append_response_head(out_, response, keep_alive, core_.date);
    }
    const bool with_body = !is_head && has_content(response.status) && !response.stream;
    if (!with_body || response.body.size() < kGatherBody) {
      if (with_body) out_ += response.body;
      auto [ec, n] = co_await asio::async_write(stream_, asio::buffer(out_), kUse);
      co_return !ec;
    }
    const std::array<asio::const_buffer, 2> both = {asio::buffer(out_),
                                                    asio::buffer(response.body)};
    auto [ec, n] = co_await asio::async_write(stream_, both, kUse);
    co_return !ec;
  }

  // Of a body nothing is kept beyond its Share.
  void forget_request() {
    parser_.reset();
    buffer_ = boost::beast::flat_buffer();
  }

  // The body of a streamed response, whose head was sent.
  Task<void> send_stream() {
    const bool chunked = parser_.takes_chunks();
    BodyStream<Stream> body(stream_, deadline, state_, chunked);
    forget_request();
    streaming = true;
    co_await body.send(source_);
    streaming = false;
    slot_.release();
    source_ = nullptr;  // after the release: who sees it gone may open the next
    if (body.ended() || !source_must_end_) {
      co_await body.finish();
    } else if (!chunked) {
      reset();  // a client takes the end of the connection for that of the body
    }
  }

  // Ends the connection in such a way that the client sees an error.
  void reset() {
    boost::system::error_code ignored;
    socket_of(stream_).set_option(asio::socket_base::linger(true, 0), ignored);
    socket_of(stream_).close(ignored);
  }

  void account(const Response& response, SteadyTime started) {
    const std::chrono::duration<double> took = now() - started;
    state_.requests[static_cast<size_t>(response.status / 100 - 1)].add();
    state_.latency.observe(took.count());
    if (!log_enabled(LogLevel::kDebug)) return;
    const auto& request = parser_.request();
    log_debug("http", "request peer={} method={} path={} status={} seconds={:.6f}", peer_,
              escape_for_log(request.method), escape_for_log(request.path), response.status,
              took.count());
  }

  // Closing a socket that still has input makes the kernel reset the connection, and our last
  // response may be lost on the way. So: end our side, then read until the peer ends its own, at
  // most for `longest`: an upload may take long to come to its end, and only then is the answer
  // read.
  Task<void> say_goodbye(std::chrono::milliseconds longest) {
    idle = false;
    forget_request();
    entry_->set_useless(now());
    deadline = now() + kLinger;
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      std::ignore = co_await stream_.async_shutdown(kUse);
    }
    auto& socket = socket_of(stream_);
    boost::system::error_code ec;
    socket.shutdown(tcp::socket::shutdown_send, ec);
    const auto last = now() + longest;
    while (!ec) {
      if (!state_.draining) deadline = std::min(now() + kLinger, last);
      auto [read_ec, n] = co_await socket.async_read_some(buffer_.prepare(kSmallRead), kUse);
      ec = read_ec;
    }
  }

  ServerCore& core_;
  ServerState& state_;
  Stream& stream_;
  const std::string peer_;
  std::list<Connection*>::iterator at_;
  const ConnectionEntryPtr entry_ = std::make_shared<ConnectionEntry>();
  RequestParser parser_;
  boost::beast::flat_buffer buffer_;
  std::string out_;
  Admitted admitted_;
  bool refused_ = false;  // the parser can't go on
  BodySource source_;     // of the stream to send
  bool source_must_end_ = false;
  StreamSlot slot_;
};

}  // namespace

Task<void> serve(ServerCore& core, tcp::socket socket, std::shared_ptr<ssl_ctx_st> tls,
                 bool overloaded) {
  boost::system::error_code ec;
  const auto peer = socket.remote_endpoint(ec);
  if (ec) co_return;
  auto peer_ip = peer.address().to_string();
  if (!tls) {
    Session<tcp::socket> session(core, socket, std::move(peer_ip));
    co_await session.run(overloaded);
    co_return;
  }
  SSL* ssl = SSL_new(tls.get());
  CHECK(ssl != nullptr);
  TlsStream stream(std::move(socket), ssl);
  Session<TlsStream> session(core, stream, std::move(peer_ip));
  co_await session.run(overloaded);
}

}  // namespace eventhorn::http
