#include "store/rocks/ballast.h"

#include "base/log.h"

#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace eventhorn::store {
namespace {

constexpr std::chrono::seconds kBetweenTries{10};

}  // namespace

Ballast::Ballast(std::filesystem::path path, uint64_t bytes, std::function<uint64_t()> free_bytes,
                 const Clock& clock)
    : path_(std::move(path)), bytes_(bytes), free_bytes_(std::move(free_bytes)), clock_(clock) {}

void Ballast::keep() {
  const MutexLock lock(mutex_);
  if (there_ || bytes_ == 0 || clock_.steady_now() < not_before_) return;
  std::error_code ec;
  there_ = std::filesystem::exists(path_, ec);
  if (there_ || free_bytes_() < 4 * bytes_) return;
  const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  const int error = posix_fallocate(fd, 0, static_cast<off_t>(bytes_));
  close(fd);
  there_ = error == 0;
  if (there_) return;
  not_before_ = clock_.steady_now() + kBetweenTries;
  std::filesystem::remove(path_, ec);
  log_warn("store", "no ballast file error={}", std::strerror(error));
}

void Ballast::yield() {
  if (free_bytes_() < bytes_) give_up();
}

void Ballast::give_up() {
  const MutexLock lock(mutex_);
  std::error_code ec;
  if (std::filesystem::remove(path_, ec))
    log_warn("store",
             "the disk takes no more: gave up the ballast file so that progress can be written");
  there_ = false;
}

}  // namespace eventhorn::store
