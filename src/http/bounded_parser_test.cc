#include "http/bounded_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>

namespace eventhorn::http {
namespace {

namespace beast_http = boost::beast::http;

template <bool kIsRequest>
class Taker final : public BoundedParser<kIsRequest> {
 public:
  static constexpr size_t kMaxFraming = 64;

  Taker() : BoundedParser<kIsRequest>(kMaxFraming) {}

  std::string fields;
  std::string body;

  /// Takes `in`, of which more comes in each call, as a connection's buffer is.
  boost::system::error_code take(std::string& in) {
    size_t consumed = 0;
    const auto ec = this->take_body(in, consumed);
    in.erase(0, consumed);
    return ec;
  }

 private:
  void on_head_field(beast_http::field, boost::beast::string_view name,
                     boost::beast::string_view) override {
    fields += std::string(name) + ";";
  }

  void on_body(boost::beast::string_view bytes, boost::system::error_code&) override {
    body.append(bytes.data(), bytes.size());
  }
};

template <class T>
class BoundedParserTest : public ::testing::Test {
 protected:
  static constexpr bool kIsRequest = T::value;
  using Parser = Taker<kIsRequest>;

  static std::string head() {
    return std::string(kIsRequest ? "POST / HTTP/1.1\r\nHost: a" : "HTTP/1.1 200 OK") +
           "\r\nTransfer-Encoding: chunked\r\n\r\n";
  }
};

using Sides = ::testing::Types<std::true_type, std::false_type>;
TYPED_TEST_SUITE(BoundedParserTest, Sides);

// Beast alone asserts that five bytes of the last chunk are there.
TYPED_TEST(BoundedParserTest, TakesABodyInAnyPieces) {
  const std::string body = "5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\n";
  for (size_t first = 0; first <= body.size(); ++first) {
    for (size_t second = first; second <= body.size(); ++second) {
      typename TestFixture::Parser parser;
      ASSERT_FALSE(parser.take_head(TestFixture::head()));
      std::string in;
      for (const auto& piece :
           {body.substr(0, first), body.substr(first, second - first), body.substr(second)}) {
        if (parser.is_done()) continue;
        in += piece;
        ASSERT_FALSE(parser.take(in)) << first << " " << second;
      }
      EXPECT_TRUE(parser.is_done()) << first << " " << second;
      EXPECT_EQ(parser.body, "hello");
      EXPECT_EQ(parser.fields.find("X;"), std::string::npos) << "a trailer is no field";
    }
  }
}

TYPED_TEST(BoundedParserTest, TakesABodyByteByByte) {
  typename TestFixture::Parser parser;
  ASSERT_FALSE(parser.take_head(TestFixture::head()));
  std::string in;
  for (const char c : std::string("5\r\nhello\r\n0\r\n\r\n")) {
    in += c;
    ASSERT_FALSE(parser.take(in));
  }
  EXPECT_TRUE(parser.is_done());
}

// What Beast keeps nothing of is bounded, in each of the places where it does so.
TYPED_TEST(BoundedParserTest, R27FramingIsBounded) {
  for (const std::string begin :
       {"", "5;", "5;a=\"", "0;", "0\r\nX: ", "0\r\nX: y\r\n", "5\r\nhello\r\n"}) {
    typename TestFixture::Parser parser;
    ASSERT_FALSE(parser.take_head(TestFixture::head()));
    std::string in = begin;
    auto ec = parser.take(in);
    size_t added = 0;
    while (!ec && added < 10 * TestFixture::Parser::kMaxFraming) {
      in += '0';
      ++added;
      ec = parser.take(in);
    }
    EXPECT_EQ(ec, beast_http::error::header_limit) << begin;
    EXPECT_LE(in.size(), TestFixture::Parser::kMaxFraming + begin.size() + 1) << begin;
  }
}

TYPED_TEST(BoundedParserTest, ControlCharactersInExtensionsAreRefused) {
  typename TestFixture::Parser parser;
  ASSERT_FALSE(parser.take_head(TestFixture::head()));
  std::string in = "5;a=\"\n\"\r\nhello\r\n";
  EXPECT_EQ(parser.take(in), beast_http::error::bad_chunk_extension);
}

}  // namespace
}  // namespace eventhorn::http
