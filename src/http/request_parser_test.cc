#include "http/request_parser.h"

#include "http/bad_requests_test_data.h"
#include "http/gzip_test_data.h"

#include <gtest/gtest.h>

namespace eventhorn::http {
namespace {

using Step = RequestParser::Step;
using testing::gzip;

constexpr size_t kMaxHead = 1000;
constexpr size_t kMaxBody = 100'000;

// A connection's buffer: what was received and not yet consumed.
class Reader {
 public:
  explicit Reader(std::string bytes, size_t piece) : all_(std::move(bytes)), piece_(piece) {}

  // One whole request; the status of the refusal, 200 when there is none, 0 when the bytes end too
  // early.
  int read(size_t max_body = kMaxBody, size_t max_inflated = kMaxBody) {
    parser.reset();
    auto step = run([&](std::string_view in, size_t& used) { return parser.read_head(in, used); });
    if (step == Step::kReady) step = parser.start_body({max_body, max_inflated});
    if (step == Step::kReady && parser.has_body()) {
      step = run([&](std::string_view in, size_t& used) { return parser.read_body(in, used); });
    }
    if (step == Step::kMore) return 0;
    return step == Step::kReady ? 200 : parser.refusal().status;
  }

  RequestParser parser{kMaxHead};

 private:
  template <class F>
  Step run(F parse) {
    for (;;) {
      size_t used = 0;
      const auto step = parse(std::string_view(all_).substr(begin_, end_ - begin_), used);
      begin_ += used;
      if (step != Step::kMore || end_ == all_.size()) return step;
      end_ = std::min(end_ + piece_, all_.size());
    }
  }

  std::string all_;
  size_t piece_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

const std::string kPost = "POST /a%20b?x=1&y HTTP/1.1\r\nHost: localhost\r\n";

TEST(RequestParser, ReadsWholeRequestsInPiecesOfAnySize) {
  const std::string bytes =
      "\r\n" + kPost + "X-Tag:  two words \t\r\nX-Empty:\r\nContent-Length: 5\r\n\r\nhello\r\n" +
      kPost +
      "Transfer-Encoding: Chunked\r\n\r\n5;a=b;c=\"d;e\"\r\nhello\r\n00A\r\n, 10 bytes\r\n" +
      "0\r\nX-Tag: late\r\n\r\n" + kPost + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
      "GET /last HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n";
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    Reader reader(bytes, piece);
    ASSERT_EQ(reader.read(), 200) << piece;
    auto& request = reader.parser.request();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.target, "/a%20b?x=1&y");
    EXPECT_EQ(request.path, "/a%20b");
    EXPECT_EQ(request.query, "x=1&y");
    EXPECT_EQ(request.fields.get("x-tag"), "two words");
    EXPECT_TRUE(request.fields.has("X-Empty"));
    EXPECT_EQ(request.body, "hello");
    EXPECT_TRUE(reader.parser.keep_alive());

    ASSERT_EQ(reader.read(), 200) << piece;
    EXPECT_EQ(reader.parser.request().body, "hello, 10 bytes");
    EXPECT_FALSE(reader.parser.request().fields.has("X-Tag"));  // trailers are dropped

    ASSERT_EQ(reader.read(), 200) << piece;
    EXPECT_EQ(reader.parser.request().body, "");

    ASSERT_EQ(reader.read(), 200) << piece;
    EXPECT_EQ(reader.parser.request().path, "/last");
    EXPECT_EQ(reader.parser.request().body, "");
    EXPECT_FALSE(reader.parser.keep_alive());
  }
}

TEST(RequestParser, Http10IsReadAndClosed) {
  Reader reader("GET / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: anything\r\n\r\n", 1000);
  ASSERT_EQ(reader.read(), 200);
  EXPECT_FALSE(reader.parser.keep_alive());
  EXPECT_FALSE(reader.parser.wants_continue());
}

// A7
TEST(RequestParser, RefusesWhatCouldBeReadTwoWays) {
  for (const auto& bad : testing::bad_requests()) {
    for (const size_t piece : {size_t{1}, size_t{7}, bad.bytes.size()}) {
      Reader reader(bad.bytes, piece);
      EXPECT_EQ(reader.read(), bad.status) << bad.what << ", pieces of " << piece;
    }
  }
}

TEST(RequestParser, LimitsTheHead) {
  const auto with = [](size_t size) {
    const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nX-Fill: ";
    return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(Reader(with(kMaxHead), 100).read(), 200);
  EXPECT_EQ(Reader(with(kMaxHead), 10'000).read(), 200);
  EXPECT_EQ(Reader(with(kMaxHead + 1), 100).read(), 431);
  EXPECT_EQ(Reader(with(kMaxHead + 1), 10'000).read(), 431);
  EXPECT_EQ(Reader("GET /" + std::string(kMaxHead, 'x'), 100).read(), 431);
}

TEST(RequestParser, LimitsChunkHeadersAndTrailers) {
  const auto chunked = kPost + "Transfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(Reader(chunked + "5;a=" + std::string(2000, 'x'), 10).read(), 400);
  EXPECT_EQ(Reader(chunked + "5;a=\"" + std::string(2000, 'x'), 10).read(), 400);
  EXPECT_EQ(Reader(chunked + "0\r\nX-Tag: " + std::string(2000, 'x'), 10).read(), 400);
}

TEST(RequestParser, LimitsTheBody) {
  const auto sized = [](const std::string& size) {
    return kPost + "Content-Length: " + size + "\r\n\r\n";
  };
  EXPECT_EQ(Reader(sized("10") + "0123456789", 3).read(10), 200);
  EXPECT_EQ(Reader(sized("11"), 100).read(10), 413);  // before a byte of it is read
  const auto chunked = kPost + "Transfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(Reader(chunked + "6\r\n012345\r\n4\r\n6789\r\n0\r\n\r\n", 3).read(10), 200);
  EXPECT_EQ(Reader(chunked + "6\r\n012345\r\n5\r\n", 3).read(10), 413);  // likewise
  EXPECT_EQ(Reader(chunked + "fffffffffffffff0\r\n", 3).read(10), 413);
}

TEST(RequestParser, DecodesGzip) {
  const std::string plain(50'000, 'z');
  for (const char* name : {"gzip", "X-GZip"}) {
    const auto packed = gzip(plain);
    const auto bytes = kPost + "Content-Encoding: " + name +
                       "\r\nContent-Length: " + std::to_string(packed.size()) + "\r\n\r\n" + packed;
    Reader reader(bytes, 10);
    ASSERT_EQ(reader.read(), 200);
    EXPECT_EQ(reader.parser.request().body, plain);
    EXPECT_EQ(Reader(bytes, 10'000).read(kMaxBody, plain.size()), 200);
    EXPECT_EQ(Reader(bytes, 10'000).read(kMaxBody, plain.size() - 1), 413);
  }
}

TEST(RequestParser, RefusesBadGzipAndOtherEncodings) {
  const auto with = [](const std::string& encoding, const std::string& body) {
    return kPost + encoding + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  EXPECT_EQ(Reader(with("Content-Encoding: gzip\r\n", "not gzip"), 100).read(), 400);
  EXPECT_EQ(Reader(with("Content-Encoding: gzip\r\n", gzip("text") + "more"), 100).read(), 400);
  EXPECT_EQ(Reader(with("Content-Encoding: gzip\r\n", gzip("text").substr(0, 10)), 100).read(),
            400);
  EXPECT_EQ(Reader(with("Content-Encoding: identity\r\n", "text"), 100).read(), 200);
  EXPECT_EQ(Reader(with("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", gzip("text")), 100)
                .read(),
            415);
  EXPECT_EQ(Reader(with("Content-Encoding: gzip, gzip\r\n", gzip("text")), 100).read(), 415);
  Reader reader(with("Content-Encoding: br\r\n", "text"), 100);
  EXPECT_EQ(reader.read(), 415);
  EXPECT_EQ(reader.parser.refusal().body,
            "{\"message\":\"content-encoding: only gzip and identity are known\"}\n");
}

TEST(RequestParser, AWholeUrlIsTakenApart) {
  const auto asked = [](const std::string& target) {
    Reader reader("GET " + target + " HTTP/1.1\r\nHost: proxy.example\r\n\r\n", 1000);
    EXPECT_EQ(reader.read(), 200) << target;
    const auto& request = reader.parser.request();
    return std::string(request.fields.get("Host")) + " " + request.path + " " + request.query;
  };
  EXPECT_EQ(asked("http://localhost:8480/v3/domains?limit=1"),
            "localhost:8480 /v3/domains limit=1");
  EXPECT_EQ(asked("HTTPS://a.example"), "a.example / ");
  EXPECT_EQ(asked("http://a.example?x"), "a.example / x");
  EXPECT_EQ(asked("/http://a.example/"), "proxy.example /http://a.example/ ");
}

// A11: memory is asked for before it is taken, whatever the bytes decode to.
TEST(RequestParser, A11BodiesNeverTakeMoreThanTheirRoom) {
  const std::string text(50'000, 'x');
  const std::string chunks = "4\r\nxxxx\r\nc34c\r\n" + text.substr(4) + "\r\n0\r\n\r\n";
  const std::string zipped = gzip(text);
  const std::string length = "Content-Length: ";
  for (const auto& message : {kPost + length + std::to_string(text.size()) + "\r\n\r\n" + text,
                              kPost + "Transfer-Encoding: chunked\r\n\r\n" + chunks,
                              kPost + "Content-Encoding: gzip\r\n" + length +
                                  std::to_string(zipped.size()) + "\r\n\r\n" + zipped}) {
    RequestParser parser(kMaxHead);
    size_t used = 0;
    ASSERT_EQ(parser.read_head(message, used), Step::kReady);
    ASSERT_EQ(parser.start_body({kMaxBody, kMaxBody}), Step::kReady);
    std::string_view rest = std::string_view(message).substr(used);
    size_t room = 1000;
    parser.make_room(room);
    auto step = parser.read_body(rest, used);
    for (rest.remove_prefix(used); step == Step::kFull; rest.remove_prefix(used)) {
      EXPECT_TRUE(parser.has_body());
      EXPECT_EQ(parser.request().body.size(), room);
      room *= 2;
      parser.make_room(room);
      EXPECT_EQ(parser.request().body.capacity(), room);
      step = parser.read_body(rest, used);
    }
    EXPECT_EQ(step, Step::kReady);
    EXPECT_FALSE(parser.has_body());
    EXPECT_EQ(parser.request().body, text);
  }
}

}  // namespace
}  // namespace eventhorn::http
