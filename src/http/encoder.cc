#include "http/encoder.h"

#include "base/check.h"
#include "base/strings.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <zstd.h>

namespace eventhorn::http {
namespace {

constexpr size_t kPiece = size_t{32} * 1024;
constexpr int kGzip = 16 + MAX_WBITS;  // zlib.h, deflateInit2: adding 16 writes the gzip format
constexpr int kGzipLevel = 4;
constexpr int kGzipMemory = 8;  // zlib's default
constexpr int kZstdLevel = 3;

// "gzip;q=0.5": the coding, in lower case, and its weight; 1 where none is given, 0 for one that is
// no number.
std::pair<std::string, double> parse_element(std::string_view text) {
  const auto semicolon = text.find(';');
  const std::string name = to_lower(trim(text.substr(0, semicolon)));
  if (semicolon == std::string_view::npos) return {name, 1};
  auto parameter = trim(text.substr(semicolon + 1));
  if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) return {name, 0};
  parameter.remove_prefix(2);
  double weight = 0;
  const auto* end = parameter.data() + parameter.size();
  const auto [parsed, error] = std::from_chars(parameter.data(), end, weight);
  return {name, error == std::errc() && parsed == end ? weight : 0};
}

}  // namespace

std::string_view to_string(Coding coding) {
  switch (coding) {
    case Coding::kIdentity:
      return "identity";
    case Coding::kGzip:
      return "gzip";
    case Coding::kZstd:
      return "zstd";
  }
  CHECK(false);
}

Coding choose_coding(std::string_view accept_encoding) {
  double gzip = 0;
  double zstd = 0;
  while (!accept_encoding.empty()) {
    const auto comma = std::min(accept_encoding.find(','), accept_encoding.size());
    const auto [name, weight] = parse_element(accept_encoding.substr(0, comma));
    accept_encoding.remove_prefix(std::min(comma + 1, accept_encoding.size()));
    if (name == "gzip" || name == "x-gzip") gzip = weight;
    if (name == "zstd") zstd = weight;
  }
  if (zstd > 0 && zstd >= gzip) return Coding::kZstd;
  return gzip > 0 ? Coding::kGzip : Coding::kIdentity;
}

struct Encoder::Impl {
  explicit Impl(Coding c) : coding(c) {
    if (coding == Coding::kGzip) {
      CHECK(deflateInit2(&gzip, kGzipLevel, Z_DEFLATED, kGzip, kGzipMemory, Z_DEFAULT_STRATEGY) ==
            Z_OK);
    } else if (coding == Coding::kZstd) {
      zstd = ZSTD_createCCtx();
      CHECK(zstd != nullptr);
      CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, kZstdLevel)));
    }
  }

  ~Impl() {
    if (coding == Coding::kGzip) deflateEnd(&gzip);
    ZSTD_freeCCtx(zstd);  // null is fine
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::string deflate_all(std::string_view plain, int flush) {
    std::string out;
    std::array<char, kPiece> piece;
    // zlib takes its input as a pointer to non-const, but does not write there.
    gzip.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
    gzip.avail_in = static_cast<uInt>(plain.size());
    do {
      gzip.next_out = reinterpret_cast<Bytef*>(piece.data());
      gzip.avail_out = static_cast<uInt>(piece.size());
      CHECK(deflate(&gzip, flush) != Z_STREAM_ERROR);
      out.append(piece.data(), piece.size() - gzip.avail_out);
    } while (gzip.avail_out == 0);
    return out;
  }

  std::string zstd_all(std::string_view plain, ZSTD_EndDirective directive) {
    std::string out;
    std::array<char, kPiece> piece;
    ZSTD_inBuffer in{plain.data(), plain.size(), 0};
    for (size_t left = 1; left != 0;) {
      ZSTD_outBuffer to{piece.data(), piece.size(), 0};
      left = ZSTD_compressStream2(zstd, &to, &in, directive);
      CHECK(!ZSTD_isError(left));
      out.append(piece.data(), to.pos);
    }
    return out;
  }

  const Coding coding;
  z_stream gzip{};
  ZSTD_CCtx* zstd = nullptr;
};

Encoder::Encoder(Coding coding) : impl_(std::make_unique<Impl>(coding)) {}

Encoder::~Encoder() = default;
Encoder::Encoder(Encoder&&) noexcept = default;
Encoder& Encoder::operator=(Encoder&&) noexcept = default;

std::string Encoder::encode(std::string_view plain) {
  if (impl_->coding == Coding::kGzip) return impl_->deflate_all(plain, Z_SYNC_FLUSH);
  if (impl_->coding == Coding::kZstd) return impl_->zstd_all(plain, ZSTD_e_flush);
  return std::string(plain);
}

std::string Encoder::finish() {
  if (impl_->coding == Coding::kGzip) return impl_->deflate_all({}, Z_FINISH);
  if (impl_->coding == Coding::kZstd) return impl_->zstd_all({}, ZSTD_e_end);
  return {};
}

}  // namespace eventhorn::http
