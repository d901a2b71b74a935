#include "event/erasure.h"

#include "base/strings.h"
#include "event/edits.h"
#include "json/cursor.h"
#include "json/writer.h"

#include <algorithm>
#include <array>

namespace eventhorn::event {
namespace {

using json::Cursor;
using json::Kind;

constexpr size_t kMaxAddressBytes = 254;  // RFC 5321 section 4.5.3.1.3, without brackets

// Of an event that is the recipient's own: what stays of its members.
constexpr std::array<std::string_view, 12> kKeptMembers = {
    "event", "id",        "timestamp", "log-level", "severity", "reason",
    "tags",  "campaigns", "flags",     "domain",    "account",  "method"};

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_beyond_ascii(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

// What an address goes on with to the left. Other characters may stand in one too (RFC 5322,
// atext), but more often stand before one.
bool is_plain_local(char c) {
  return is_alnum(c) || c == '.' || c == '_' || c == '+' || c == '-' || is_beyond_ascii(c);
}

bool is_atext(char c) {
  return is_plain_local(c) ||
         std::string_view("!#$%&'*/=?^`{|}~").find(c) != std::string_view::npos;
}

bool is_domain_char(char c) {
  return is_alnum(c) || c == '-' || c == '.' || is_beyond_ascii(c);
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

struct Decoded {
  char byte;
  size_t size;
};

// The byte at a place, percent-decoded.
Decoded decode_at(std::string_view text, size_t at) {
  if (text[at] == '%' && text.size() - at >= 3) {
    const int high = hex_value(text[at + 1]);
    const int low = hex_value(text[at + 2]);
    if (high >= 0 && low >= 0) return {static_cast<char>(high * 16 + low), 3};
  }
  return {text[at], 1};
}

// The byte before a place, percent-decoded.
char decode_before(std::string_view text, size_t at) {
  if (at >= 3 && text[at - 3] == '%') {
    const auto decoded = decode_at(text, at - 3);
    if (decoded.size == 3) return decoded.byte;
  }
  return text[at - 1];
}

// Where an address that begins at `at` ends; 0 when there is none.
size_t match_at(std::string_view text, size_t at, std::string_view address) {
  for (const char expected : address) {
    if (at == text.size()) return 0;
    const auto [byte, size] = decode_at(text, at);
    if (lower(byte) != expected) return 0;
    at += size;
  }
  return at;
}

bool goes_on(std::string_view text, size_t end) {
  if (end == text.size()) return false;
  const auto [next, size] = decode_at(text, end);
  if (next != '.') return is_domain_char(next);
  return end + size < text.size() && is_alnum(text[end + size]);
}

// Calls `key` and `value` with all keys and all strings among the values.
template <class K, class V>
void walk_strings(Cursor& cursor, const K& key, const V& value) {
  switch (cursor.kind()) {
    case Kind::kObject: {
      json::Text name;
      for (cursor.enter(); cursor.next_key(name);) {
        key(name);
        walk_strings(cursor, key, value);
      }
      return;
    }
    case Kind::kArray:
      for (cursor.enter(); cursor.next();) walk_strings(cursor, key, value);
      return;
    case Kind::kString:
      value(cursor.string());
      return;
    default:
      cursor.skip();
  }
}

std::string decoded(const json::Text& text) {
  std::string out;
  json::append_unescaped(out, text.raw);
  return out;
}

// The string of a member of the event itself; empty when there is none.
std::string member(std::string_view bytes, std::string_view name) {
  std::string out;
  Cursor cursor(bytes);
  if (cursor.kind() != Kind::kObject) return out;
  json::Text key;
  for (cursor.enter(); cursor.next_key(key);) {
    if (key.raw == name && cursor.kind() == Kind::kString) {
      out = decoded(cursor.string());
    } else {
      cursor.skip();
    }
  }
  return out;
}

// The value of a member, as it came; empty when there is none.
std::string_view raw_member(std::string_view object, std::string_view name) {
  Cursor cursor(object);
  if (object.empty() || cursor.kind() != Kind::kObject) return {};
  json::Text key;
  std::string_view out;
  for (cursor.enter(); cursor.next_key(key);) {
    cursor.kind();
    const char* begin = cursor.position();
    cursor.skip();
    if (key.raw == name) out = {begin, static_cast<size_t>(cursor.position() - begin)};
  }
  return out;
}

std::string bare(std::string_view bytes) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  for (const auto name : kKeptMembers) {
    const auto value = raw_member(bytes, name);
    if (!value.empty()) w.key(name).raw(value);
  }
  w.key("recipient").value(kErasedAddress);
  w.key("user-variables").raw("{}");
  const auto headers = raw_member(raw_member(bytes, "message"), "headers");
  if (const auto id = raw_member(headers, "message-id"); !id.empty()) {
    w.key("message").begin_object().key("headers").begin_object();
    w.key("message-id").raw(id).end_object().end_object();
  }
  if (const auto code = raw_member(raw_member(bytes, "delivery-status"), "code"); !code.empty())
    w.key("delivery-status").begin_object().key("code").raw(code).end_object();
  w.end_object();
  return out;
}

// Of a text as it is.
void for_each_plain_address(std::string_view text,
                            const std::function<void(std::string_view)>& each) {
  for (size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    size_t end = at + 1;
    while (end < text.size() && is_domain_char(text[end])) ++end;
    while (end > at + 1 && text[end - 1] == '.') --end;
    size_t begin = at;
    while (begin > 0 && is_plain_local(text[begin - 1])) --begin;
    if (begin < at) each(to_lower(text.substr(begin, end - begin)));
    const size_t plain_begin = begin;
    while (begin > 0 && is_atext(text[begin - 1])) --begin;
    if (begin < plain_begin) each(to_lower(text.substr(begin, end - begin)));
  }
}

std::string json_string(std::string_view text) {
  std::string out;
  json::append_quoted(out, text);
  return out;
}

std::string replaced_in(const std::string& bytes, const AddressPattern& pattern) {
  Edits edits;
  edits.reset(bytes);
  const auto replace = [&](const json::Text& text) {
    const auto by = text.escaped ? pattern.replaced(decoded(text)) : pattern.replaced(text.raw);
    if (!by) return;
    // With its quotes.
    edits.replace({text.raw.data() - 1, text.raw.size() + 2}, json_string(*by));
  };
  Cursor cursor(bytes);
  walk_strings(cursor, replace, replace);
  return edits.apply();
}

std::string with_id(const std::string& bytes, const std::string& id) {
  const auto old = raw_member(bytes, "id");
  if (old.empty()) return bytes;
  Edits edits;
  edits.reset(bytes);
  edits.replace(old, json_string(id));
  return edits.apply();
}

}  // namespace

Result<std::string> normal_address(std::string_view text) {
  text = trim(text);
  if (text.size() > 2 && text.front() == '<' && text.back() == '>')
    text = trim(text.substr(1, text.size() - 2));
  const auto at = text.rfind('@');
  const auto is_bad = [](char c) {
    return is_control(c) || std::string_view(" \"<>(),;:\\[]").find(c) != std::string_view::npos;
  };
  if (text.size() > kMaxAddressBytes || at == std::string_view::npos || at == 0 ||
      at + 1 == text.size() || std::ranges::any_of(text, is_bad)) {
    return fail(Errc::kInvalidArgument,
                "address: must be an e-mail address of at most 254 bytes, such as "
                "dana@example.com");
  }
  return to_lower(text);
}

std::optional<AddressPattern::Place> AddressPattern::find(std::string_view text,
                                                          size_t from) const {
  const char first = address_.front();
  for (size_t at = from; at < text.size(); ++at) {
    if (lower(text[at]) != first && text[at] != '%') continue;
    const size_t end = match_at(text, at, address_);
    if (end == 0 || goes_on(text, end)) continue;
    if (at > 0 && is_plain_local(decode_before(text, at))) continue;
    return Place{at, end};
  }
  return std::nullopt;
}

std::optional<std::string> AddressPattern::replaced(std::string_view text) const {
  auto place = find(text, 0);
  if (!place) return std::nullopt;
  std::string out;
  size_t done = 0;
  for (; place; place = find(text, done)) {
    out += text.substr(done, place->begin - done);
    out += kErasedAddress;
    done = place->end;
  }
  out += text.substr(done);
  return out;
}

// Decoded once, as AddressPattern does: what is encoded time and again could cost its square.
void for_each_address(std::string_view text, const std::function<void(std::string_view)>& each) {
  for_each_plain_address(text, each);
  if (text.find('%') == std::string_view::npos) return;
  std::string decoded;
  for (size_t at = 0; at < text.size();) {
    const auto [byte, size] = decode_at(text, at);
    decoded += byte;
    at += size;
  }
  if (decoded != text) for_each_plain_address(decoded, each);
}

Trace find_trace(const Event& event, const AddressPattern& pattern) {
  bool found = pattern.in(event.id);
  // Where nothing is escaped, the bytes have every string as it is.
  const bool escaped = event.bytes.find('\\') != std::string::npos;
  if (!found && !escaped) found = pattern.in(event.bytes);
  if (!found && escaped) {
    const auto look = [&](const json::Text& text) {
      found = found || (text.escaped ? pattern.in(decoded(text)) : pattern.in(text.raw));
    };
    Cursor cursor(event.bytes);
    walk_strings(cursor, look, look);
    // An address that was cut in two by what cannot be read is not looked for.
    found = found || (cursor.failed() && pattern.in(event.bytes));
  }
  if (!found) return Trace::kNone;
  const auto recipient = normal_address(member(event.bytes, "recipient"));
  return recipient && *recipient == pattern.address() ? Trace::kOwn : Trace::kMention;
}

Event without_trace(const Event& event, const AddressPattern& pattern, Trace trace,
                    const std::string& new_id) {
  Event out = event;
  if (trace == Trace::kOwn) {
    out.bytes = bare(out.bytes);
    out.order_key = 0;  // a hash of the recipient
  }
  if (pattern.in(out.id)) {
    out.id = new_id;
    out.bytes = with_id(out.bytes, new_id);
  }
  out.bytes = replaced_in(out.bytes, pattern);
  return out;
}

void for_each_address_of(const Event& event, const std::function<void(std::string_view)>& each) {
  if (const auto recipient = normal_address(member(event.bytes, "recipient"))) each(*recipient);
  const auto look = [&](const json::Text& text) {
    text.escaped ? for_each_address(decoded(text), each) : for_each_address(text.raw, each);
  };
  Cursor cursor(event.bytes);
  walk_strings(cursor, look, look);
}

}  // namespace eventhorn::event
