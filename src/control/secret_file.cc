#include "control/secret_file.h"

#include "base/strings.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace eventhorn::control {
namespace {

constexpr size_t kMaxBytes = 64 * 1024;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}

  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<Error> failed(const char* what, const std::filesystem::path& path) {
  const int error = errno;
  return fail(Errc::kUnavailable, std::string("cannot ") + what + " the key file " + path.string() +
                                      ": " + std::strerror(error));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

Result<std::optional<std::string>> read_secret_file(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    // Anything but absence is an error: a key that we may not read must not be taken for none, and
    // replaced.
    if (errno == ENOENT) return std::nullopt;
    return failed("read", path);
  }
  std::string text(kMaxBytes + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t n = ::read(file.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read", path);
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  if (size > kMaxBytes)
    return fail(Errc::kUnavailable, "the key file " + path.string() + " is over 64 KiB");
  text.resize(size);
  return text;
}

Status write_secret_file(const std::filesystem::path& path, std::string_view text) {
  const std::filesystem::path part = path.string() + ".part";
  {
    const Descriptor file(
        ::open(part.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600));
    // What an earlier crash has left may have another mode.
    const bool written = file.get() >= 0 && ::fchmod(file.get(), 0600) == 0 &&
                         write_all(file.get(), text) && ::fsync(file.get()) == 0;
    if (!written) return failed("write", path);
  }
  if (std::rename(part.c_str(), path.c_str()) != 0) return failed("write", path);
  // The new name is on disk only with its directory.
  const Descriptor directory(
      ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) return failed("write", path);
  return {};
}

Result<std::string> read_or_make_secret(const std::filesystem::path& path,
                                        const std::string& made) {
  TRY(const auto text, read_secret_file(path));
  if (text && !trim(*text).empty()) return std::string(trim(*text));
  TRY_STATUS(write_secret_file(path, made + "\n"));
  return made;
}

}  // namespace eventhorn::control
