#include "client/input.h"

#include "http/gzip.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <zstd.h>

namespace eventhorn::client {
namespace {

constexpr size_t kPiece = size_t{64} << 10;
constexpr std::string_view kGzipMagic("\x1f\x8b", 2);
constexpr std::string_view kZstdMagic("\x28\xb5\x2f\xfd", 4);
constexpr int kLargestWindow = 27;  // of zstd, 128 MiB: what its own program takes

}  // namespace

struct Input::Impl {
  Impl(std::string p, int f) : path(std::move(p)), file(f) {}

  ~Impl() {
    if (file != STDIN_FILENO) close(file);
    ZSTD_freeDCtx(zstd);
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // The next bytes as they are in the file; empty at its end.
  Result<std::string> read_raw() {
    std::string out(kPiece, '\0');
    for (;;) {
      const auto n = ::read(file, out.data(), out.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail(Errc::kUnavailable, path + ": " + std::strerror(errno));
      out.resize(static_cast<size_t>(n));
      done += out.size();
      return out;
    }
  }

  // What of a compressed form is at the beginning may come in pieces.
  Status look_at_form() {
    while (raw.size() < kZstdMagic.size()) {
      TRY(const auto more, read_raw());
      if (more.empty()) break;
      raw += more;
    }
    if (raw.starts_with(kGzipMagic)) gzip.emplace(SIZE_MAX);
    if (raw.starts_with(kZstdMagic)) {
      zstd = ZSTD_createDCtx();
      ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, kLargestWindow);
    }
    return {};
  }

  tl::unexpected<Error> damaged(const std::string& why) const {
    return fail(Errc::kCorruption, path + ": " + why);
  }

  // Of `raw`, all or a part, which goes from it.
  Result<std::string> decompress() {
    std::string out;
    if (gzip) {
      const auto used = gzip->feed(raw, out, kPiece);
      if (!used) return damaged(used.error().message);
      raw.erase(0, *used);
      full = gzip->is_full();
      return out;
    }
    out.resize(kPiece);
    ZSTD_inBuffer in{raw.data(), raw.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const size_t left = ZSTD_decompressStream(zstd, &to, &in);
    if (ZSTD_isError(left)) return damaged(std::string("zstd: ") + ZSTD_getErrorName(left));
    between_frames = left == 0;
    full = to.pos == to.size;
    raw.erase(0, in.pos);
    out.resize(to.pos);
    return out;
  }

  Status check_end() const {
    if (gzip && !gzip->finish()) return damaged("gzip: the file ends too early");
    if (zstd != nullptr && !between_frames) return damaged("zstd: the file ends too early");
    return {};
  }

  Result<std::optional<std::string>> read() {
    if (!std::exchange(looked, true)) TRY_STATUS(look_at_form());
    for (;;) {
      if (raw.empty() && !full) {
        TRY(raw, read_raw());
        if (raw.empty()) {
          TRY_STATUS(check_end());
          return std::optional<std::string>();
        }
      }
      if (!gzip && zstd == nullptr) return std::optional(std::exchange(raw, {}));
      TRY(auto out, decompress());
      if (!out.empty()) return std::optional(std::move(out));
    }
  }

  const std::string path;
  const int file;
  size_t size = 0;
  size_t done = 0;
  std::string raw;
  bool looked = false;
  bool full = false;  // the decoder has more to give of what it took
  bool between_frames = true;
  std::optional<http::GzipDecoder> gzip;
  ZSTD_DCtx* zstd = nullptr;
};

Input::Input(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Input::Input(Input&&) noexcept = default;
Input& Input::operator=(Input&&) noexcept = default;
Input::~Input() = default;

Result<Input> Input::open(const std::string& path) {
  if (path == "-") return Input(std::make_unique<Impl>("stdin", STDIN_FILENO));
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return fail(Errc::kNotFound, path + ": " + std::strerror(errno));
  auto impl = std::make_unique<Impl>(path, file);
  struct stat about{};
  if (fstat(file, &about) == 0 && S_ISREG(about.st_mode))
    impl->size = static_cast<size_t>(about.st_size);
  return Input(std::move(impl));
}

Result<std::optional<std::string>> Input::read() {
  return impl_->read();
}

std::optional<int> Input::percent() const {
  if (impl_->size == 0) return std::nullopt;
  return static_cast<int>(100 * impl_->done / impl_->size);
}

}  // namespace eventhorn::client
