#include "outbound/answer_head.h"

#include "base/strings.h"

#include <algorithm>

namespace eventhorn::outbound {
namespace {

constexpr size_t kMaxRetryAfter = 4;
constexpr size_t kMaxLocationBytes = 512;
constexpr std::string_view kVersion = "HTTP/1.";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Without its end, LF alone or CR LF.
std::string_view take_line(std::string_view& in) {
  const size_t end = std::min(in.find('\n'), in.size());
  std::string_view line = in.substr(0, end);
  in.remove_prefix(std::min(end + 1, in.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// RFC 9112 section 4 allows any spaces between the words. A reason may be missing, and the space
// before it.
std::optional<int> read_status(std::string_view line) {
  if (!line.starts_with(kVersion)) return std::nullopt;
  line.remove_prefix(kVersion.size());
  if (line.empty() || !is_digit(line.front())) return std::nullopt;
  line.remove_prefix(1);
  const size_t word = line.find_first_not_of(" \t");
  if (word == 0 || word == std::string_view::npos) return std::nullopt;
  line.remove_prefix(word);
  const size_t end = std::min(line.find_first_of(" \t"), line.size());
  const auto status = parse_uint(line.substr(0, end));
  if (end != 3 || !status || *status < 100) return std::nullopt;
  return static_cast<int>(*status);
}

}  // namespace

void AnswerHead::add(std::string_view name, std::string_view value) {
  if (equals_ignore_case(name, "Retry-After") && retry_after.size() < kMaxRetryAfter)
    retry_after.emplace_back(value);
  if (equals_ignore_case(name, "Location")) location = value.substr(0, kMaxLocationBytes);
}

const char* find_status_line_fault(std::string_view in) {
  const size_t known = std::min(in.size(), kVersion.size());
  if (in.substr(0, known) != kVersion.substr(0, known))
    return "not an HTTP answer: no status line of HTTP/1.x";
  if (in.find('\n') != std::string_view::npos && !read_status(take_line(in)))
    return "not an HTTP answer: the status line is damaged";
  return nullptr;
}

size_t find_answer_head_end(std::string_view in, size_t from) {
  // An LF among the last two bytes of what came before may be the one that an empty line follows.
  from -= std::min<size_t>(from, 2);
  for (auto at = in.find('\n', from); at != std::string_view::npos; at = in.find('\n', at + 1)) {
    const std::string_view rest = in.substr(at + 1, 2);
    if (rest.starts_with('\n')) return at + 2;
    if (rest == "\r\n") return at + 3;
  }
  return 0;
}

std::optional<AnswerHead> read_loose_head(std::string_view head) {
  for (const std::string_view second : {"\nHTTP/", "\rHTTP/"})
    if (head.find(second) != std::string_view::npos) return std::nullopt;
  const auto status = read_status(take_line(head));
  if (!status) return std::nullopt;
  AnswerHead out;
  out.status = *status;
  while (!head.empty()) {
    const std::string_view line = take_line(head);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos)
      out.add(trim(line.substr(0, colon)), trim(line.substr(colon + 1)));
  }
  return out;
}

}  // namespace eventhorn::outbound
