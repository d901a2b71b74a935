#include "selftest/server_process.h"

#include "base/strings.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace eventhorn::selftest {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::minutes kPatience{1};
constexpr std::string_view kReady = "eventhorn ready http://127.0.0.1:";

tl::unexpected<Error> unavailable(std::string_view what) {
  return fail(Errc::kUnavailable, fmt::format("{}: {}", what, std::strerror(errno)));
}

/// Closes at the end of the block.
struct Socket {
  explicit Socket(int f) : fd(f) {}

  ~Socket() {
    if (fd >= 0) ::close(fd);
  }

  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  const int fd;
};

/// The first line; empty when the writer ends or the deadline comes before.
std::string read_line(int fd, steady_clock::time_point deadline) {
  std::string line;
  for (char c = 0; c != '\n'; line.push_back(c)) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now());
    pollfd polled{.fd = fd, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&polled, 1, static_cast<int>(left.count())) <= 0) return {};
    if (::read(fd, &c, 1) != 1) return {};
  }
  return line;
}

/// In the child after fork(): only what is safe there.
[[noreturn]] void become(const char* executable, char* const* arguments, char* const* environment,
                         int out, int log, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execve(executable, arguments, environment);
  ::_exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// Ours without our own settings, and the key.
std::vector<std::string> environment_with(const std::string& api_key) {
  std::vector<std::string> out = {"EVENTHORN_API_KEY=" + api_key};
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("EVENTHORN_")) out.emplace_back(*entry);
  }
  return out;
}

}  // namespace

ServerProcess::~ServerProcess() {
  kill();
}

Status ServerProcess::start() {
  std::vector<std::string> arguments = {options_.executable, "serve",       "--data", options_.data,
                                        "--listen",          "127.0.0.1:0", "--dev"};
  for (const auto& setting : options_.settings) {
    arguments.emplace_back("--set");
    arguments.push_back(setting);
  }
  std::vector<std::string> environment = environment_with(options_.api_key);
  const std::vector<char*> argument_pointers = pointers(arguments);
  const std::vector<char*> environment_pointers = pointers(environment);
  const Socket log(::open(options_.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (log.fd < 0) return unavailable(options_.log);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return unavailable("pipe");
  const Socket out(ends[0]);
  {
    const Socket in(ends[1]);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      become(options_.executable.c_str(), argument_pointers.data(), environment_pointers.data(),
             in.fd, log.fd, parent);
    }
    if (pid_ < 0) return unavailable("fork");
  }
  const std::string line = read_line(out.fd, steady_clock::now() + kPatience);
  const auto port = line.starts_with(kReady)
                        ? parse_uint(trim(std::string_view(line).substr(kReady.size())))
                        : std::nullopt;
  if (!port) {
    kill();
    return fail(Errc::kUnavailable, "the server did not start; see " + options_.log);
  }
  port_ = static_cast<uint16_t>(*port);
  return {};
}

void ServerProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Status ServerProcess::stop() {
  if (pid_ < 0) return {};
  ::kill(pid_, SIGTERM);
  int status = 0;
  if (!wait_until(steady_clock::now() + kPatience, status)) {
    kill();
    return fail(Errc::kUnavailable, "the server did not stop within a minute of SIGTERM");
  }
  pid_ = -1;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail(Errc::kUnavailable, "the server ended badly on SIGTERM; see " + options_.log);
  return {};
}

bool ServerProcess::wait_until(steady_clock::time_point deadline, int& status) {
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

Result<Answer> ServerProcess::call(std::string_view method, std::string_view path,
                                   std::string_view type, std::string_view body) const {
  const Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{.tv_sec = std::chrono::seconds(kPatience).count(), .tv_usec = 0};
  ::setsockopt(socket.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port_);
  if (::connect(socket.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return unavailable("connect");
  // With such a key both alphabets of base64 give the same, without padding.
  std::string request =
      fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Basic {}\r\n", method,
                  path, port_.load(), base64url_encode("api:" + options_.api_key));
  if (!type.empty())
    request += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", type, body.size());
  request += fmt::format("Connection: close\r\n\r\n{}", body);
  for (std::string_view rest = request; !rest.empty();) {
    const ssize_t n = ::send(socket.fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n <= 0) return unavailable("send");
    rest.remove_prefix(static_cast<size_t>(n));
  }
  std::string text;
  std::array<char, 16 * 1024> bytes{};
  for (ssize_t n = 1; n > 0;) {
    n = ::recv(socket.fd, bytes.data(), bytes.size(), 0);
    if (n < 0) return unavailable("recv");
    text.append(bytes.data(), static_cast<size_t>(n));
  }
  const size_t end = text.find("\r\n\r\n");
  const auto status = parse_uint(text.size() > 12 ? std::string_view(text).substr(9, 3) : "");
  if (end == std::string::npos || !status)
    return fail(Errc::kUnavailable, "the server broke off its answer");
  return Answer{static_cast<int>(*status), text.substr(end + 4)};
}

}  // namespace eventhorn::selftest
