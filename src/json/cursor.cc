#include "json/cursor.h"

#include "json/bytes.h"
#include "json/scan.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace eventhorn::json {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool fits_int64(std::string_view digits) {
  int64_t value = 0;
  return std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc();
}

// from_chars reports overflow and underflow alike. A number below one can only underflow, and that
// is a finite value (zero): tell them apart by the decimal exponent of the first non-zero digit.
bool rounds_to_zero(std::string_view raw) {
  const size_t e = raw.find_first_of("eE");
  const std::string_view mantissa = raw.substr(0, e);
  const size_t first = mantissa.find_first_of("123456789");
  if (first == std::string_view::npos) return true;
  // No mantissa is long enough to outweigh an exponent of 32 bits and more.
  int32_t exponent = 0;
  if (e != std::string_view::npos) {
    std::string_view text = raw.substr(e + 1);
    if (text.front() == '+') text.remove_prefix(1);
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), exponent);
    if (parsed.ec != std::errc()) return text.front() == '-';
  }
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  return int64_t{exponent} + static_cast<int64_t>(point) - static_cast<int64_t>(first) < 0;
}

void append_utf8(std::string& out, uint32_t code) {
  const auto byte = [&out](uint32_t value) { out.push_back(static_cast<char>(value)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | (code >> 6));
    byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | (code >> 12));
    byte(0x80 | ((code >> 6) & 0x3f));
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | (code >> 18));
    byte(0x80 | ((code >> 12) & 0x3f));
    byte(0x80 | ((code >> 6) & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

uint32_t hex4(std::string_view digits) {
  uint32_t code = 0;
  for (const char c : digits) code = code << 4 | static_cast<uint32_t>(hex_digit(c));
  return code;
}

}  // namespace

void append_unescaped(std::string& out, std::string_view raw) {
  for (size_t i = 0; i < raw.size();) {
    const size_t slash = std::min(raw.find('\\', i), raw.size());
    out.append(raw, i, slash - i);
    if (slash == raw.size()) return;
    i = slash + 2;
    switch (const char c = raw[slash + 1]) {
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u': {
        uint32_t code = hex4(raw.substr(i, 4));
        i += 4;
        if (code >= 0xd800 && code < 0xdc00) {
          code = 0x10000 + ((code - 0xd800) << 10) + (hex4(raw.substr(i + 2, 4)) - 0xdc00);
          i += 6;
        }
        append_utf8(out, code);
        break;
      }
      default:
        out.push_back(c);
    }
  }
}

double to_double(std::string_view raw) {
  double value = 0;
  std::from_chars(raw.data(), raw.data() + raw.size(), value);
  return value;
}

Cursor::Cursor(std::string_view text)
    : begin_(text.data()), end_(text.data() + text.size()), p_(text.data()) {
  if (!valid_utf8(text)) fail("not utf-8");
}

void Cursor::fail(const char* reason) {
  if (reason_ == nullptr) {
    reason_ = reason;
    failed_at_ = p_;
  }
  p_ = end_;
}

Error Cursor::error() const {
  return {Errc::kInvalidArgument,
          "invalid json at byte " + std::to_string(failed_at_ - begin_) + ": " + reason_};
}

// False at the end of the text, which is a failure wherever something must follow.
bool Cursor::skip_space() {
  while (p_ != end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) {
    ++p_;
    saw_space_ = true;
  }
  if (p_ != end_) return true;
  fail("unexpected end");
  return false;
}

Kind Cursor::kind() {
  if (!skip_space()) return Kind::kNone;
  switch (*p_) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 't':
      return Kind::kTrue;
    case 'f':
      return Kind::kFalse;
    case 'n':
      return Kind::kNull;
    default:
      break;
  }
  if (*p_ == '-' || is_digit(*p_)) return Kind::kNumber;
  fail("expected a value");
  return Kind::kNone;
}

void Cursor::enter() {
  if (failed()) return;
  if (depth_ == kMaxDepth) return fail("nested more than 64 levels deep");
  const uint64_t bit = uint64_t{1} << depth_;
  objects_ = *p_ == '{' ? objects_ | bit : objects_ & ~bit;
  ++depth_;
  ++p_;
  first_ = true;
}

// Past the comma to the next member or element, or past the closing bracket.
bool Cursor::open_next(char close) {
  if (!skip_space()) return false;
  if (*p_ == close) {
    ++p_;
    --depth_;
    first_ = false;
    return false;
  }
  if (!first_) {
    if (*p_ != ',') {
      fail("expected a comma or a closing bracket");
      return false;
    }
    ++p_;
  }
  first_ = false;
  return true;
}

bool Cursor::next() {
  return open_next(']');
}

bool Cursor::next_key(Text& key) {
  if (!open_next('}') || !skip_space()) return false;
  if (*p_ != '"') {
    fail("expected a key");
    return false;
  }
  key = string();
  if (!skip_space()) return false;
  if (*p_ != ':') {
    fail("expected a colon");
    return false;
  }
  ++p_;
  return true;
}

Text Cursor::string() {
  if (failed()) return {};
  const char* start = ++p_;
  bool escaped = false;
  while (true) {
    p_ = find_special(p_, end_);
    if (p_ == end_) {
      fail("unterminated string");
      return {};
    }
    if (*p_ == '"') return {{start, static_cast<size_t>(p_++ - start)}, escaped};
    if (*p_ != '\\') {
      fail("control character in a string");
      return {};
    }
    escaped = true;
    if (!pass_escape()) return {};
  }
}

bool Cursor::pass_escape() {
  ++p_;
  if (p_ == end_) {
    fail("unterminated string");
    return false;
  }
  if (*p_ != 'u') {
    if (std::string_view(R"("\/bfnrt)").find(*p_) == std::string_view::npos) {
      fail("unknown escape in a string");
      return false;
    }
    ++p_;
    return true;
  }
  const int code = pass_hex4();
  if (code < 0xd800 || code > 0xdfff) return code >= 0;
  if (code < 0xdc00 && end_ - p_ >= 2 && p_[0] == '\\' && p_[1] == 'u') {
    ++p_;
    const int low = pass_hex4();
    if (low < 0) return false;
    if (low >= 0xdc00 && low <= 0xdfff) return true;
  }
  fail("lone surrogate in a string");
  return false;
}

// The code after the 'u' at p_, or -1 after a failure.
int Cursor::pass_hex4() {
  int code = 0;
  for (int i = 1; i <= 4; ++i) {
    const int digit = end_ - p_ > i ? hex_digit(p_[i]) : -1;
    if (digit < 0) {
      fail("broken \\u escape in a string");
      return -1;
    }
    code = code << 4 | digit;
  }
  p_ += 5;
  return code;
}

bool Cursor::pass_digits() {
  const char* start = p_;
  while (p_ != end_ && is_digit(*p_)) ++p_;
  if (p_ != start) return true;
  fail("expected a digit");
  return false;
}

Number Cursor::number() {
  if (failed()) return {};
  const char* start = p_;
  if (*p_ == '-') ++p_;
  const char* digits = p_;
  if (!pass_digits()) return {};
  if (*digits == '0' && p_ - digits > 1) {
    p_ = digits;
    fail("number with a leading zero");
    return {};
  }
  const bool fraction = p_ != end_ && *p_ == '.';
  if (fraction) {
    ++p_;
    if (!pass_digits()) return {};
  }
  const bool exponent = p_ != end_ && (*p_ == 'e' || *p_ == 'E');
  if (exponent) {
    ++p_;
    if (p_ != end_ && (*p_ == '+' || *p_ == '-')) ++p_;
    if (!pass_digits()) return {};
  }
  const std::string_view raw(start, static_cast<size_t>(p_ - start));
  if (raw.size() > kMaxNumberBytes) {
    p_ = start;
    fail("number of more than 1000 characters");
    return {};
  }
  // Fewer digits than this cannot exceed a double without an exponent.
  if (exponent || raw.size() > std::numeric_limits<double>::max_exponent10) {
    double value = 0;
    const auto parsed = std::from_chars(raw.data(), raw.data() + raw.size(), value);
    if (parsed.ec != std::errc() && !rounds_to_zero(raw)) {
      p_ = start;
      fail("number too large");
      return {};
    }
  }
  return {raw, !fraction && !exponent && (raw.size() <= 18 || fits_int64(raw))};
}

void Cursor::pass_literal(std::string_view word) {
  if (std::string_view(p_, static_cast<size_t>(end_ - p_)).substr(0, word.size()) != word) {
    return fail("expected a value");
  }
  p_ += word.size();
}

void Cursor::skip() {
  const int base = depth_;
  Text key;
  while (true) {
    switch (kind()) {
      case Kind::kNone:
        return;
      case Kind::kObject:
      case Kind::kArray:
        enter();
        break;
      case Kind::kString:
        string();
        break;
      case Kind::kNumber:
        number();
        break;
      case Kind::kTrue:
        pass_literal("true");
        break;
      case Kind::kFalse:
        pass_literal("false");
        break;
      case Kind::kNull:
        pass_literal("null");
        break;
    }
    // To the next value, leaving the containers that end here.
    while (true) {
      if (depth_ == base || failed()) return;
      const bool in_object = (objects_ >> (depth_ - 1) & 1) != 0;
      if (in_object ? next_key(key) : next()) break;
    }
  }
}

void Cursor::finish() {
  while (p_ != end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) {
    ++p_;
    saw_space_ = true;
  }
  if (p_ != end_) fail("text after the value");
}

}  // namespace eventhorn::json
