#include "http/encoder.h"

#include "http/gzip.h"

#include <gtest/gtest.h>

#include <array>
#include <zstd.h>

namespace eventhorn::http {
namespace {

// What a client has after each piece, decoded.
std::string decode_gzip(const std::string& compressed) {
  GzipDecoder decoder(SIZE_MAX);
  std::string out;
  EXPECT_TRUE(decoder.feed(compressed, out));
  return out;
}

std::string decode_zstd(const std::string& compressed) {
  std::string out;
  auto* context = ZSTD_createDCtx();
  ZSTD_inBuffer in{compressed.data(), compressed.size(), 0};
  std::array<char, 1000> piece;
  for (bool more = true; more;) {
    ZSTD_outBuffer to{piece.data(), piece.size(), 0};
    EXPECT_FALSE(ZSTD_isError(ZSTD_decompressStream(context, &to, &in)));
    out.append(piece.data(), to.pos);
    more = in.pos < in.size || to.pos == to.size;
  }
  ZSTD_freeDCtx(context);
  return out;
}

std::string decode(Coding coding, const std::string& encoded) {
  if (coding == Coding::kGzip) return decode_gzip(encoded);
  return coding == Coding::kZstd ? decode_zstd(encoded) : encoded;
}

TEST(Encoder, EachPieceCanBeDecodedWhenItIsThere) {
  for (const auto coding : {Coding::kIdentity, Coding::kGzip, Coding::kZstd}) {
    Encoder encoder(coding);
    std::string plain;
    std::string encoded;
    for (int i = 0; i < 20; ++i) {
      std::string piece;
      for (int n = 0; n < i * 1000; ++n) piece += std::to_string(n * i) + "\n";
      plain += piece;
      encoded += encoder.encode(piece);
      ASSERT_EQ(decode(coding, encoded), plain) << to_string(coding);
    }
    encoded += encoder.finish();
    EXPECT_EQ(decode(coding, encoded), plain);
    if (coding != Coding::kIdentity) EXPECT_LT(encoded.size(), plain.size() / 2);
  }
}

TEST(Encoder, TheEndTellsThatItIsWhole) {
  Encoder gzip(Coding::kGzip);
  const std::string begun = gzip.encode("abc");
  std::string out;
  GzipDecoder partial(100);
  ASSERT_TRUE(partial.feed(begun, out));
  EXPECT_FALSE(partial.finish());
  ASSERT_TRUE(partial.feed(gzip.finish(), out));
  EXPECT_TRUE(partial.finish());

  Encoder zstd(Coding::kZstd);
  const std::string whole = zstd.encode("abc") + zstd.finish();
  std::array<char, 100> plain;
  EXPECT_EQ(ZSTD_decompress(plain.data(), plain.size(), whole.data(), whole.size()), 3U);
}

TEST(Encoder, NothingAtAllIsABodyToo) {
  EXPECT_EQ(decode_gzip(Encoder(Coding::kGzip).finish()), "");
  EXPECT_EQ(decode_zstd(Encoder(Coding::kZstd).finish()), "");
}

TEST(ChooseCoding, TakesWhatTheClientLikesBest) {
  EXPECT_EQ(choose_coding(""), Coding::kIdentity);
  EXPECT_EQ(choose_coding("gzip, deflate, br"), Coding::kGzip);
  EXPECT_EQ(choose_coding("gzip, zstd"), Coding::kZstd);
  EXPECT_EQ(choose_coding("zstd;q=0.5 , GZIP"), Coding::kGzip);
  EXPECT_EQ(choose_coding("zstd;q=0, gzip;q=0.0"), Coding::kIdentity);
  EXPECT_EQ(choose_coding("x-gzip"), Coding::kGzip);
  EXPECT_EQ(choose_coding("*"), Coding::kIdentity);
  EXPECT_EQ(choose_coding("gzip;q=much"), Coding::kIdentity);
  EXPECT_EQ(choose_coding(",,;q=1,gzip;level=1"), Coding::kIdentity);
}

}  // namespace
}  // namespace eventhorn::http
