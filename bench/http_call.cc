#include "http_call.h"

#include "base/strings.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <thread>

namespace eventhorn::bench {
namespace {

constexpr auto kWaitAfter429 = std::chrono::milliseconds(20);
constexpr size_t kRoomBytes = 64 << 10;

tl::unexpected<Error> broken(const char* what) {
  return fail(Errc::kUnavailable, fmt::format("{}: {}", what, std::strerror(errno)));
}

void wait_for(const Fd& fd, short events) {
  pollfd wanted{.fd = fd.get(), .events = events, .revents = 0};
  ::poll(&wanted, 1, -1);
}

bool gave_up(const HttpAnswer& answer) {
  return answer.status == 503 ||
         (answer.status == 400 && answer.body.find("narrow") != std::string::npos);
}

}  // namespace

Result<HttpAnswer> HttpCaller::call(std::string_view request) {
  for (;;) {
    TRY(auto answer, exchange(request));
    if (answer.status == 200) return answer;
    if (gave_up(answer)) return fail(Errc::kTimeout, clipped(answer.body, 300));
    if (answer.status != 429) {
      return fail(Errc::kInternal,
                  fmt::format("answered {}: {}", answer.status, clipped(answer.body, 300)));
    }
    std::this_thread::sleep_for(kWaitAfter429);
  }
}

Result<HttpAnswer> HttpCaller::exchange(std::string_view request) {
  if (fd_.get() < 0) {
    TRY(fd_, connect_to(address_));
  }
  TRY_STATUS(send(request));
  used_ = 0;
  std::optional<Head> head;
  while (!head) {
    TRY_STATUS(receive());
    TRY(head, parse_head(received()));
  }
  // "HTTP/1.1 200 OK"
  const auto status = parse_uint(received().substr(sizeof "HTTP/1.1", 3));
  if (!status) return fail(Errc::kInternal, "an answer without a status");
  while (used_ < head->body_at + head->body_bytes) TRY_STATUS(receive());
  return HttpAnswer{static_cast<int>(*status),
                    std::string(received().substr(head->body_at, head->body_bytes))};
}

Status HttpCaller::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) bytes.remove_prefix(static_cast<size_t>(n));
    if (n < 0 && errno != EAGAIN) return broken("send");
    if (n < 0) wait_for(fd_, POLLOUT);
  }
  return {};
}

Status HttpCaller::receive() {
  if (buffer_.size() - used_ < kRoomBytes) buffer_.resize(buffer_.size() * 2 + kRoomBytes);
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), buffer_.data() + used_, buffer_.size() - used_, 0);
    if (n == 0) return fail(Errc::kUnavailable, "the server closed the connection");
    if (n > 0) {
      used_ += static_cast<size_t>(n);
      return {};
    }
    if (errno != EAGAIN) return broken("recv");
    wait_for(fd_, POLLIN);
  }
}

}  // namespace eventhorn::bench
