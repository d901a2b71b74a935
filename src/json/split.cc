#include "json/split.h"

#include "base/strings.h"
#include "json/scan.h"

#include <algorithm>
#include <string>

namespace eventhorn::json {
namespace {

// Past the string whose opening quote is before `p`; `end` if it is not closed.
const char* pass_string(const char* p, const char* end) {
  while (true) {
    p = find_special(p, end);
    if (p == end) return end;
    if (*p == '"') return p + 1;
    p += *p == '\\' && end - p > 1 ? 2 : 1;
  }
}

// The end of the value at the front of `text`: where its brackets are closed, or, outside brackets,
// before a comma or a closing bracket.
size_t value_size(std::string_view text) {
  const char* p = text.data();
  const char* end = p + text.size();
  size_t depth = 0;
  while (p != end) {
    const char c = *p;
    const bool closes = c == '}' || c == ']';
    if (depth == 0 && (closes || c == ',')) break;
    ++p;
    if (c == '"') {
      p = pass_string(p, end);
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (closes && --depth == 0) {
      break;
    }
  }
  return static_cast<size_t>(p - text.data());
}

// Whether `body`, which starts with a brace, holds one object on its first line and more lines.
bool looks_like_ndjson(std::string_view body) {
  const size_t line = body.find('\n');
  if (line == std::string_view::npos) return false;
  const std::string_view first = trim(body.substr(0, line));
  return value_size(first) == first.size() && first.back() == '}';
}

class Items {
 public:
  explicit Items(size_t max) : max_(max) {}

  // False when there are too many.
  bool add(std::string_view item) {
    if (items_.size() == max_) return false;
    items_.push_back(item);
    return true;
  }

  tl::unexpected<Error> too_many() const {
    return fail(Errc::kTooLarge, "body: more than " + std::to_string(max_) + " items");
  }

  std::vector<std::string_view> take() { return std::move(items_); }

 private:
  const size_t max_;
  std::vector<std::string_view> items_;
};

Result<std::vector<std::string_view>> split_lines(std::string_view body, size_t max_items) {
  Items items(max_items);
  while (!body.empty()) {
    const size_t line = std::min(body.find('\n'), body.size());
    const std::string_view item = trim(body.substr(0, line));
    if (!item.empty() && !items.add(item)) return items.too_many();
    body.remove_prefix(std::min(line + 1, body.size()));
  }
  return items.take();
}

// `body` starts with the bracket.
Result<std::vector<std::string_view>> split_array(std::string_view body, size_t max_items) {
  Items items(max_items);
  std::string_view rest = trim(body.substr(1));
  if (rest.starts_with(']')) {
    rest = trim(rest.substr(1));
    if (!rest.empty() && !items.add(rest)) return items.too_many();
    return items.take();
  }
  while (true) {
    // What stands between a value and its comma belongs to the item, so that it is refused there.
    size_t size = value_size(rest);
    while (size < rest.size() && rest[size] != ',' && rest[size] != ']') {
      size += std::max<size_t>(1, value_size(rest.substr(size)));
    }
    if (!items.add(trim(rest.substr(0, size)))) return items.too_many();
    if (size == rest.size()) return items.take();
    const bool last = rest[size] == ']';
    rest = trim(rest.substr(size + 1));
    if (!last) continue;
    if (!rest.empty() && !items.add(rest)) return items.too_many();
    return items.take();
  }
}

}  // namespace

Result<std::vector<std::string_view>> split_items(std::string_view body, bool ndjson,
                                                  size_t max_items) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
  body = trim(body);
  if (body.empty()) return fail(Errc::kInvalidArgument, "body: empty");
  if (ndjson) return split_lines(body, max_items);
  if (body.front() == '[') return split_array(body, max_items);
  if (body.front() != '{') {
    return fail(Errc::kInvalidArgument,
                "body: must be a JSON object, an array of objects, or one object a line");
  }
  if (looks_like_ndjson(body)) return split_lines(body, max_items);
  return std::vector<std::string_view>{body};
}

}  // namespace eventhorn::json
