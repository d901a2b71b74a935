// A strict JSON reader that walks the text once, from left to right, and checks every byte it
// passes (RFC 8259). It exists beside simdjson because ingest must check values that it does not
// look at, keep the text of numbers and strings as it came, and name the place of an error. It does
// not allocate or recurse. A Cursor and the views it gives out live as long as the text; one
// thread.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace eventhorn::json {

/// Objects and arrays within each other; the outermost counts as one.
inline constexpr int kMaxDepth = 64;

/// Of a number's text. Jackson refuses longer ones.
inline constexpr size_t kMaxNumberBytes = 1000;

enum class Kind : uint8_t { kNone, kObject, kArray, kString, kNumber, kTrue, kFalse, kNull };

/// What is between the quotes, as it came; `escaped` when it holds a backslash (see unescape).
struct Text {
  std::string_view raw;
  bool escaped = false;
};

/// `integral`: without fraction and exponent, and within int64. Others, among them longer integers,
/// are within a double.
struct Number {
  std::string_view raw;
  bool integral = false;
};

/// The bytes that `raw`, checked by a Cursor, stands for; appended to `out`.
void append_unescaped(std::string& out, std::string_view raw);

/// The finite value of a number checked by a Cursor.
double to_double(std::string_view raw);

/// Use: look at kind(), then read that value; for a container enter() it, and read one value after
/// each next_key() or next() that gives true. After a failure kind() is kNone and everything else
/// does nothing and gives false or empty, so that loops end; ask failed() when they have.
///
/// Failures: text that is not JSON or not UTF-8, a lone surrogate, a number beyond a double (Go
/// gives up on it) or of more than kMaxNumberBytes, more than kMaxDepth levels.
class Cursor {
 public:
  explicit Cursor(std::string_view text);

  /// The kind of the value that starts here; kNone after a failure.
  Kind kind();

  /// Steps into the object or array that starts here.
  void enter();
  /// To the next member; false at the end of the object, which is then passed.
  bool next_key(Text& key);
  /// To the next element; false at the end of the array, which is then passed.
  bool next();

  Text string();
  Number number();
  /// Passes any value, checking all of it.
  void skip();
  /// Checks that nothing but space follows.
  void finish();

  /// The next byte to read. After kind(): the first of the value; after a value: the one behind it.
  const char* position() const { return p_; }

  /// Whether there was space between tokens so far.
  bool saw_space() const { return saw_space_; }

  bool failed() const { return reason_ != nullptr; }

  /// After a failure: kInvalidArgument, "invalid json at byte 17: expected a comma or a bracket".
  Error error() const;

 private:
  void fail(const char* reason);
  bool skip_space();
  bool open_next(char close);
  bool pass_digits();
  void pass_literal(std::string_view word);
  bool pass_escape();
  int pass_hex4();

  const char* begin_;
  const char* end_;
  const char* p_;
  const char* reason_ = nullptr;
  const char* failed_at_ = nullptr;
  uint64_t objects_ = 0;  // bit n: level n + 1 is an object
  int depth_ = 0;
  bool first_ = false;  // nothing was read yet in the container just entered
  bool saw_space_ = false;
};

}  // namespace eventhorn::json
