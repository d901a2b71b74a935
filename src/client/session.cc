#include "client/session.h"

#include "base/strings.h"
#include "json/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>
#include <unistd.h>

namespace eventhorn::client {
namespace {

constexpr size_t kMaxAnswer = size_t{64} << 20;
constexpr int kTriesOfBreaks = 8;  // with pauses that double: half a minute
constexpr int kTriesOfRefusals = 300;
constexpr std::chrono::milliseconds kFirstPause{250};
constexpr std::chrono::milliseconds kLongestPause{8000};
constexpr std::chrono::milliseconds kBetweenLines{500};

// What the handler of signals needs: it may not allocate.
std::array<char, 512> last_words{};
std::array<char, 4096> unfinished_file{};

void on_signal(int) {
  const auto ignored = write(STDERR_FILENO, last_words.data(), std::strlen(last_words.data()));
  (void)ignored;
  if (unfinished_file[0] != '\0') unlink(unfinished_file.data());
  _exit(static_cast<int>(Exit::kFailed));
}

template <size_t N>
void copy_text(std::array<char, N>& to, std::string_view text) {
  const size_t size = std::min(text.size(), N - 1);
  std::copy_n(text.begin(), size, to.begin());
  to[size] = '\0';
}

}  // namespace

Outcome<void> Session::open() {
  auto server = outbound::ServerAddress::parse(options_.url);
  if (!server) return tl::unexpected(Failure{Exit::kUsage, server.error().message});
  if (options_.key.empty()) {
    return tl::unexpected(Failure{
        Exit::kUsage, "EVENTHORN_API_KEY is not set: it must have the key of the server's API"});
  }
  client_ = std::make_unique<outbound::BlockingClient>(*std::move(server), options_.key);
  return {};
}

void Session::pause(std::chrono::milliseconds time) {
  std::this_thread::sleep_for(time);
}

Outcome<int> Session::begin(const outbound::BlockingClient::Request& request) {
  auto wait = kFirstPause;
  int refusals = 0;
  for (int breaks = 0;;) {
    const auto head = client_->send(request);
    if (!head) {
      const bool no_server = client_->is_unreachable();
      if (!reached_ || ++breaks == kTriesOfBreaks)
        return tl::unexpected(
            Failure{no_server ? Exit::kNoServer : Exit::kFailed, head.error().message});
      pause(wait);
      wait = std::min(2 * wait, kLongestPause);
      continue;
    }
    reached_ = true;
    const bool no_room = head->status == 429 || head->status == 503;
    if (!no_room || ++refusals == kTriesOfRefusals) return head->status;
    const auto body = client_->read_all(kMaxAnswer);
    (void)body;
    pause(std::chrono::seconds(std::max(1U, head->retry_after.value_or(1))));
  }
}

Outcome<Session::Reply> Session::call(const outbound::BlockingClient::Request& request) {
  for (int breaks = 0;;) {
    const auto status = begin(request);
    if (!status) return tl::unexpected(status.error());
    auto body = client_->read_all(kMaxAnswer);
    if (body) return Reply{*status, *std::move(body)};
    if (++breaks == kTriesOfBreaks)
      return tl::unexpected(Failure{Exit::kFailed, body.error().message});
  }
}

Failure Session::refused(const Reply& reply) {
  std::string why;
  if (const auto json = json::parse(reply.body)) {
    const auto* message = json->find("message");
    if (message != nullptr && message->as_string() != nullptr) why = *message->as_string();
  }
  if (reply.status == 401 && why.empty())
    why = "the key in EVENTHORN_API_KEY is not one of the server's";
  if (why.empty()) why = clipped(trim(reply.body), 200);
  const bool ours = reply.status >= 400 && reply.status < 500 && reply.status != 429;
  return {ours ? Exit::kRefused : Exit::kFailed,
          fmt::format("the server answered {}: {}", reply.status, escape_for_log(why))};
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

void end_when_interrupted(std::string_view words, std::string_view unfinished) {
  copy_text(last_words, words);
  copy_text(unfinished_file, unfinished);
  struct sigaction action{};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

ProgressLine::ProgressLine() : wanted_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  clear();
}

void ProgressLine::clear() {
  if (std::exchange(shown_, false)) fmt::print(stderr, "\r\033[K");
}

void ProgressLine::show(const std::function<std::string()>& text) {
  if (!wanted_ || clock_.steady_now() < next_) return;
  next_ = clock_.steady_now() + kBetweenLines;
  shown_ = true;
  fmt::print(stderr, "\r\033[K{}", text());
  std::fflush(stderr);
}

int end_with(const Failure& failure) {
  fmt::print(stderr, "eventhorn: {}\n", failure.message);
  return static_cast<int>(failure.code);
}

}  // namespace eventhorn::client
