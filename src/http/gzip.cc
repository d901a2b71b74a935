#include "http/gzip.h"

#include "base/check.h"

#include <zlib.h>

#include <algorithm>
#include <array>

namespace eventhorn::http {
namespace {

constexpr int kGzipOnly =
    16 + MAX_WBITS;  // zlib.h, inflateInit2: adding 16 decodes only the gzip format
constexpr size_t kPiece = size_t{32} * 1024;

}  // namespace

struct GzipDecoder::Impl {
  explicit Impl(size_t max) : left(max) { CHECK(inflateInit2(&stream, kGzipOnly) == Z_OK); }

  ~Impl() { inflateEnd(&stream); }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  z_stream stream{};
  size_t left;           // how much may still come out
  bool between = false;  // at the end of a member
  bool full = false;
};

GzipDecoder::GzipDecoder(size_t max_inflated_bytes)
    : impl_(std::make_unique<Impl>(max_inflated_bytes)) {}

GzipDecoder::~GzipDecoder() = default;
GzipDecoder::GzipDecoder(GzipDecoder&&) noexcept = default;
GzipDecoder& GzipDecoder::operator=(GzipDecoder&&) noexcept = default;

Result<size_t> GzipDecoder::feed(std::string_view compressed, std::string& out, size_t room) {
  auto& z = impl_->stream;
  std::array<char, kPiece> piece;
  // zlib takes its input as a pointer to non-const, but does not write there.
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  z.avail_in = static_cast<uInt>(compressed.size());
  for (;;) {
    if (impl_->between && z.avail_in > 0) {
      inflateReset(&z);
      impl_->between = false;
    }
    // At the cap one byte more tells whether there is any.
    const size_t space = impl_->left == 0 ? 1 : std::min({piece.size(), room, impl_->left});
    impl_->full = space == 0;
    if (impl_->full) return compressed.size() - z.avail_in;
    z.next_out = reinterpret_cast<Bytef*>(piece.data());
    z.avail_out = static_cast<uInt>(space);
    const int rc = inflate(&z, Z_NO_FLUSH);
    const size_t produced = space - z.avail_out;
    if (produced > impl_->left) return fail(Errc::kTooLarge, "gzip body inflates beyond the limit");
    impl_->left -= produced;
    room -= produced;
    out.append(piece.data(), produced);
    if (rc == Z_STREAM_END) impl_->between = true;
    // Z_BUF_ERROR is how zlib says that it needs more input.
    const bool starved = rc == Z_BUF_ERROR && z.avail_in == 0;
    if (rc != Z_OK && rc != Z_STREAM_END && !starved) {
      return fail(Errc::kInvalidArgument, "gzip body is damaged");
    }
    // A piece that was not filled means zlib has nothing more to give for this input.
    if (z.avail_in == 0 && z.avail_out > 0) return compressed.size();
  }
}

bool GzipDecoder::is_full() const {
  return impl_->full;
}

Status GzipDecoder::finish() const {
  if (!impl_->between) return fail(Errc::kInvalidArgument, "gzip body ends too early");
  return {};
}

}  // namespace eventhorn::http
