#include "spool.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace eventhorn::bench {
namespace {

constexpr size_t kWriteBytes = 4 << 20;

tl::unexpected<Error> system_error(const char* call) {
  return fail(Errc::kUnavailable, fmt::format("spool: {}: {}", call, std::strerror(errno)));
}

Status write_all(const Fd& file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n < 0) return system_error("write");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace

Result<Spool> Spool::make(const Generator& generator, const Plan& plan) {
  const Fd file(::open(plan.directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.get() < 0) return system_error("open");
  Spool spool(plan.events, plan.batch);
  uint64_t end = 0;
  std::string body;
  std::string pending;
  for (uint64_t event = 0; event < plan.events;) {
    body = "[";
    const uint64_t batch_end = std::min(plan.events, event + plan.batch);
    for (; event < batch_end; ++event) {
      if (body.size() > 1) body.push_back(',');
      generator.append_event(event, body);
    }
    body.push_back(']');
    const size_t before = pending.size();
    pending += fmt::format("{}Content-Length: {}\r\n\r\n{}", plan.request_start, body.size(), body);
    end += pending.size() - before;
    spool.ends_.push_back(end);
    if (pending.size() < kWriteBytes && event < plan.events) continue;
    TRY_STATUS(write_all(file, pending));
    pending.clear();
  }
  if (::fdatasync(file.get()) != 0) return system_error("fdatasync");
  TRY_STATUS(spool.map(file));
  return spool;
}

Status Spool::map(const Fd& file) {
  void* const data =
      ::mmap(nullptr, ends_.back(), PROT_READ, MAP_SHARED | MAP_POPULATE, file.get(), 0);
  if (data == MAP_FAILED) return system_error("mmap");
  data_ = static_cast<const char*>(data);
  return {};
}

Spool::Spool(Spool&& other) noexcept
    : events_(other.events_),
      batch_(other.batch_),
      ends_(std::move(other.ends_)),
      data_(std::exchange(other.data_, nullptr)) {}

Spool::~Spool() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), ends_.back());
}

std::string_view Spool::request(size_t n) const {
  const uint64_t begin = n == 0 ? 0 : ends_[n - 1];
  return {data_ + begin, ends_[n] - begin};
}

}  // namespace eventhorn::bench
