#include "http/body_stream.h"

#include "async/block_on.h"
#include "async/cores.h"
#include "async/timer.h"

#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace eventhorn::http {
namespace {

using Socket = asio::local::stream_protocol::socket;
using Pieces = std::deque<std::string>;

enum class Then { kEnd, kThrow, kWait };

Task<std::optional<std::string>> take(std::shared_ptr<Pieces> pieces, Then then) {
  static const SystemClock clock;
  if (!pieces->empty()) {
    auto piece = std::move(pieces->front());
    pieces->pop_front();
    co_return piece;
  }
  if (then == Then::kThrow) throw std::runtime_error("broken");
  if (then == Then::kWait) co_await sleep_until(clock, Deadline::max());
  co_return std::nullopt;
}

BodySource source(Pieces given, Then then = Then::kEnd) {
  return [pieces = std::make_shared<Pieces>(std::move(given)), then] { return take(pieces, then); };
}

/// Both ends of a connection, ours served by a core.
struct BodyStreamTest : testing::Test {
  BodyStreamTest() {
    asio::local::connect_pair(ours, theirs);
    cores.start();
  }

  /// What the client gets, to the end of the connection.
  std::string sent(bool chunked, const BodySource& from) {
    block_on(cores.at(0).get_executor(), send(chunked, from));
    std::string out;
    boost::system::error_code ec;
    asio::read(theirs, asio::dynamic_buffer(out), ec);
    return out;
  }

  Task<void> send(bool chunked, const BodySource& from) {
    BodyStream<Socket> body(ours, deadline, state, chunked);
    co_await body.send(from);
    co_await body.finish();
    ours.close();
  }

  ServerState state{ServerOptions(), [](const Request&) { return Verdict(Admitted()); }};
  Cores cores{1};
  Socket ours{cores.at(0)};
  Socket theirs{cores.at(0)};
  Deadline deadline;
};

TEST_F(BodyStreamTest, ChunksSayWhereTheBodyEnds) {
  EXPECT_EQ(sent(true, source({"a", "", "0123456789abcdef0"})),
            "1\r\na\r\n11\r\n0123456789abcdef0\r\n0\r\n\r\n");
}

TEST_F(BodyStreamTest, WithoutChunksTheConnectionDoes) {
  EXPECT_EQ(sent(false, source({"a", "bc"})), "abc");
}

TEST_F(BodyStreamTest, ASourceThatFailsLeavesTheBodyOpen) {
  EXPECT_EQ(sent(true, source({"a"}, Then::kThrow)), "1\r\na\r\n");
}

TEST_F(BodyStreamTest, TellsWhetherItsSourceCameToItsEnd) {
  for (const auto then : {Then::kEnd, Then::kThrow}) {
    BodyStream<Socket> body(ours, deadline, state, true);
    const auto from = source({"a"}, then);
    EXPECT_FALSE(body.ended());
    block_on(cores.at(0).get_executor(), body.send(from));
    EXPECT_EQ(body.ended(), then == Then::kEnd);
  }
}

TEST_F(BodyStreamTest, AClientThatEndsItsSideEndsTheBody) {
  theirs.shutdown(Socket::shutdown_send);
  EXPECT_EQ(sent(true, source({}, Then::kWait)), "");
  EXPECT_EQ(deadline, Deadline::max()) << "nothing was being written";
}

}  // namespace
}  // namespace eventhorn::http
