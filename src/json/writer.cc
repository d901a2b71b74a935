#include "json/writer.h"

#include "json/bytes.h"
#include "json/scan.h"

#include <charconv>
#include <cmath>

namespace eventhorn::json {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

void append_escape(std::string& out, char c) {
  constexpr char kDigits[] = "0123456789abcdef";
  out.push_back('\\');
  switch (c) {
    case '"':
    case '\\':
      out.push_back(c);
      break;
    case '\b':
      out.push_back('b');
      break;
    case '\f':
      out.push_back('f');
      break;
    case '\n':
      out.push_back('n');
      break;
    case '\r':
      out.push_back('r');
      break;
    case '\t':
      out.push_back('t');
      break;
    default:
      out += {'u', '0', '0', kDigits[c >> 4 & 15], kDigits[c & 15]};
  }
}

// The length of the character that starts at `text`, or 0 where no valid one does.
size_t character_size(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return size <= text.size() && valid_utf8(text.substr(0, size)) ? size : 0;
}

std::string replace_invalid(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t size = character_size(text);
    out += size == 0 ? kReplacement : text.substr(0, size);
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  if (!valid_utf8(text)) return append_quoted(out, replace_invalid(text));
  out.push_back('"');
  const char* p = text.data();
  const char* end = p + text.size();
  while (p != end) {
    const char* special = find_special(p, end);
    out.append(p, special);
    if (special == end) break;
    append_escape(out, *special);
    p = special + 1;
  }
  out.push_back('"');
}

std::string pretty(std::string_view minified) {
  std::string out;
  out.reserve(minified.size() * 3 / 2);
  size_t depth = 0;
  append_pretty(out, minified, depth);
  return out;
}

void append_pretty(std::string& out, std::string_view minified, size_t& depth) {
  const auto new_line = [&] { out.append("\n").append(2 * depth, ' '); };
  for (size_t i = 0; i < minified.size(); ++i) {
    const char c = minified[i];
    if (c == '"') {
      size_t end = i + 1;
      while (end < minified.size() && minified[end] != '"') end += minified[end] == '\\' ? 2 : 1;
      out.append(minified, i, end + 1 - i);
      i = end;
    } else if (c == '{' || c == '[') {
      out.push_back(c);
      const char next = i + 1 < minified.size() ? minified[i + 1] : '\0';
      if (next == '}' || next == ']') {
        out.push_back(next);
        ++i;
      } else {
        ++depth;
        new_line();
      }
    } else if (c == '}' || c == ']') {
      depth -= depth == 0 ? 0 : 1;
      new_line();
      out.push_back(c);
    } else if (c == ',') {
      out.push_back(c);
      new_line();
    } else {
      out += c == ':' ? std::string_view(": ") : minified.substr(i, 1);
    }
  }
}

Writer& Writer::open(char bracket) {
  separate();
  out_.push_back(bracket);
  comma_ = false;
  return *this;
}

Writer& Writer::close(char bracket) {
  out_.push_back(bracket);
  comma_ = true;
  return *this;
}

void Writer::separate() {
  if (comma_) out_.push_back(',');
  comma_ = true;
}

Writer& Writer::key(std::string_view name) {
  separate();
  append_quoted(out_, name);
  out_.push_back(':');
  comma_ = false;
  return *this;
}

Writer& Writer::value(std::string_view text) {
  separate();
  append_quoted(out_, text);
  return *this;
}

Writer& Writer::value(double number) {
  if (!std::isfinite(number)) return value(nullptr);
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  return raw({buffer, static_cast<size_t>(end - buffer)});
}

Writer& Writer::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

}  // namespace eventhorn::json
