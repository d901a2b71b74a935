// Reads an export, and begins it again behind the last whole line where the connection breaks.
#include "base/strings.h"
#include "client/commands.h"
#include "http/encoder.h"
#include "json/reader.h"
#include "json/writer.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace eventhorn::client {
namespace {

constexpr size_t kMaxLine = size_t{64} << 20;
constexpr size_t kMaxMessage = size_t{1} << 20;
constexpr int kTries = 8;  // without a line between

http::Coding coding_of(const std::string& file) {
  if (file.ends_with(".gz")) return http::Coding::kGzip;
  if (file.ends_with(".zst")) return http::Coding::kZstd;
  return http::Coding::kIdentity;
}

// Where the lines go: a file gets its name once it is whole.
class Output {
 public:
  explicit Output(std::string path)
      : path_(std::move(path)),
        part_(path_.empty() ? std::string() : path_ + ".part"),
        encoder_(coding_of(path_)) {}

  ~Output() {
    if (file_ < 0 || path_.empty()) return;
    close(file_);
    unlink(part_.c_str());
  }

  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  const std::string& unfinished() const { return part_; }

  Outcome<void> open() {
    constexpr int kMode = 0666;
    file_ = path_.empty() ? STDOUT_FILENO
                          : ::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode);
    if (file_ < 0) return failed(Exit::kUsage);
    return {};
  }

  Outcome<void> write(std::string_view lines) { return write_all(encoder_.encode(lines)); }

  Outcome<void> finish() {
    if (auto written = write_all(encoder_.finish()); !written) return written;
    if (path_.empty()) return {};
    if (fsync(file_) != 0 || rename(part_.c_str(), path_.c_str()) != 0) return failed();
    close(file_);
    file_ = -1;
    return {};
  }

 private:
  Outcome<void> write_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = ::write(file_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed();
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return {};
  }

  tl::unexpected<Failure> failed(Exit code = Exit::kFailed) const {
    const std::string why = errno == EPIPE ? "nobody reads it any more" : std::strerror(errno);
    return tl::unexpected(Failure{code, (path_.empty() ? "stdout" : part_) + ": " + why});
  }

  const std::string path_;
  const std::string part_;
  http::Encoder encoder_;
  int file_ = -1;
};

class Export {
 public:
  Export(const ExportOptions& options, Output& output)
      : options_(options), session_(options.server), output_(output) {}

  /// The number of events.
  Outcome<size_t> run() {
    if (auto opened = session_.open(); !opened) return tl::unexpected(opened.error());
    for (int tries = 0;;) {
      const size_t before = events_;
      const auto whole = read_once();
      if (!whole) return tl::unexpected(whole.error());
      if (*whole) return events_;
      tries = events_ > before ? 0 : tries + 1;
      if (tries == kTries)
        return tl::unexpected(Failure{Exit::kFailed, "the connection to the server breaks"});
    }
  }

 private:
  std::string target() const {
    std::string out = "/eventhorn/v1/" + percent_encode(options_.domain) + "/export";
    char separator = '?';
    const auto add = [&](const std::string& name, const std::string& value) {
      if (value.empty()) return;
      out += separator + percent_encode(name) + "=" + percent_encode(value);
      separator = '&';
    };
    add("begin", options_.begin);
    add("end", options_.end);
    for (const auto& [name, value] : options_.filters) add(name, value);
    add("resume_after", last_line_.empty() ? options_.resume_after : last_id());
    return out;
  }

  std::string last_id() const {
    const auto event = json::parse(last_line_);
    const auto* id = event ? event->find("id") : nullptr;
    return id != nullptr && id->as_string() != nullptr ? *id->as_string() : std::string();
  }

  // Whether the export came to its end.
  Outcome<bool> read_once() {
    const auto status = session_.begin({"GET", target()});
    if (!status) return tl::unexpected(status.error());
    auto& client = session_.client();
    if (*status != 200) {
      auto body = client.read_all(kMaxMessage);
      return tl::unexpected(Session::refused({*status, body ? *std::move(body) : std::string()}));
    }
    std::string begun;  // a line that has not ended yet
    for (;;) {
      auto piece = client.read();
      if (!piece) return false;
      if (!*piece) return begun.empty();
      begun += **piece;
      const auto end = begun.rfind('\n');
      if (end == std::string::npos && begun.size() > kMaxLine)
        return tl::unexpected(Failure{Exit::kFailed, "the server sent a line that is too long"});
      if (end == std::string::npos) continue;
      if (auto taken = take(std::string_view(begun).substr(0, end + 1)); !taken)
        return tl::unexpected(taken.error());
      begun.erase(0, end + 1);
    }
  }

  Outcome<void> take(std::string_view lines) {
    events_ += static_cast<size_t>(std::count(lines.begin(), lines.end(), '\n'));
    const auto before = lines.substr(0, lines.size() - 1).rfind('\n');
    last_line_ = lines.substr(before == std::string_view::npos ? 0 : before + 1);
    line_.show([&] { return fmt::format("{} events", events_); });
    return output_.write(lines);
  }

  const ExportOptions& options_;
  Session session_;
  Output& output_;
  size_t events_ = 0;
  std::string last_line_;
  ProgressLine line_;
};

}  // namespace

int export_events(const ExportOptions& options) {
  Output output(options.output);
  end_when_interrupted("\neventhorn: interrupted: the export is not whole\n", output.unfinished());
  if (auto opened = output.open(); !opened) return end_with(opened.error());
  const auto events = Export(options, output).run();
  if (!events) return end_with(events.error());
  if (auto finished = output.finish(); !finished) return end_with(finished.error());
  if (options.output.empty()) return static_cast<int>(Exit::kDone);
  if (options.json) {
    std::string out;
    json::Writer(out).begin_object().key("events").value(*events).end_object();
    fmt::print("{}\n", out);
  } else {
    fmt::print("{} events in {}\n", *events, options.output);
  }
  return static_cast<int>(Exit::kDone);
}

}  // namespace eventhorn::client
