// Writing JSON. What comes out is always valid UTF-8 and minified. Values; one thread each.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace eventhorn::json {

/// Appends `text` as a JSON string. Escapes quotes, backslashes and control characters; every byte
/// that is not part of valid UTF-8 becomes U+FFFD.
void append_quoted(std::string& out, std::string_view text);

/// `minified`, which must be valid JSON, with a line for each member and element, indented by two
/// spaces for each level; empty containers stay on one line. No newline at the end.
std::string pretty(std::string_view minified);

/// The same piece by piece: `part` is cut between tokens, and not within an empty container.
/// `depth` begins at 0 and is that of the next part.
void append_pretty(std::string& out, std::string_view part, size_t& depth);

/// Appends to a string of the caller, who keeps brackets balanced and gives each member a key.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  Writer& begin_object() { return open('{'); }

  Writer& end_object() { return close('}'); }

  Writer& begin_array() { return open('['); }

  Writer& end_array() { return close(']'); }

  Writer& key(std::string_view name);

  Writer& value(std::string_view text);

  Writer& value(const char* text) { return value(std::string_view(text)); }

  Writer& value(const std::string& text) { return value(std::string_view(text)); }

  Writer& value(bool flag) { return raw(flag ? "true" : "false"); }

  template <std::integral T>
  Writer& value(T number) {
    return raw(std::to_string(number));
  }

  /// The shortest text that reads back as `number`; null for infinities and NaN.
  Writer& value(double number);

  Writer& value(std::nullptr_t) { return raw("null"); }

  /// null for nullopt.
  template <class T>
  Writer& value(const std::optional<T>& of) {
    return of ? value(*of) : value(nullptr);
  }

  /// A value that is JSON already.
  Writer& raw(std::string_view json);

 private:
  Writer& open(char bracket);
  Writer& close(char bracket);
  void separate();

  std::string& out_;
  bool comma_ = false;  // a value precedes in this container
};

}  // namespace eventhorn::json
