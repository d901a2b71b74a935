#include "json/reader.h"

#include "json/cursor.h"

#include <algorithm>
#include <charconv>

namespace eventhorn::json {
namespace {

std::string to_string(Text text) {
  if (!text.escaped) return std::string(text.raw);
  std::string out;
  append_unescaped(out, text.raw);
  return out;
}

Value to_value(Number number) {
  if (!number.integral) return Value(to_double(number.raw));
  int64_t value = 0;
  std::from_chars(number.raw.data(), number.raw.data() + number.raw.size(), value);
  return Value(value);
}

// Recursion is bounded: the cursor refuses more than kMaxDepth levels.
Value read(Cursor& cursor) {
  const Kind kind = cursor.kind();
  switch (kind) {
    case Kind::kObject: {
      Object object;
      Text key;
      for (cursor.enter(); cursor.next_key(key);) {
        std::string name = to_string(key);
        object.push_back({std::move(name), read(cursor)});
      }
      return Value(std::move(object));
    }
    case Kind::kArray: {
      Array array;
      for (cursor.enter(); cursor.next();) array.push_back(read(cursor));
      return Value(std::move(array));
    }
    case Kind::kString:
      return Value(to_string(cursor.string()));
    case Kind::kNumber:
      return to_value(cursor.number());
    case Kind::kTrue:
    case Kind::kFalse:
      cursor.skip();
      return Value(kind == Kind::kTrue);
    case Kind::kNull:
    case Kind::kNone:
      cursor.skip();
      return Value();
  }
  return Value();
}

}  // namespace

// Out of the header because Data needs a whole Member.
Value::Value() = default;

Value::Value(Data data) : data_(std::move(data)) {}

std::optional<bool> Value::as_bool() const {
  if (const bool* flag = std::get_if<bool>(&data_)) return *flag;
  return std::nullopt;
}

std::optional<int64_t> Value::as_int() const {
  if (const int64_t* number = std::get_if<int64_t>(&data_)) return *number;
  return std::nullopt;
}

std::optional<double> Value::as_double() const {
  if (const double* number = std::get_if<double>(&data_)) return *number;
  if (const auto number = as_int()) return static_cast<double>(*number);
  return std::nullopt;
}

const Value* Value::find(std::string_view key) const {
  const Object* object = as_object();
  if (object == nullptr) return nullptr;
  const auto member = std::find_if(object->rbegin(), object->rend(),
                                   [key](const Member& m) { return m.key == key; });
  return member == object->rend() ? nullptr : &member->value;
}

Result<Value> parse(std::string_view text) {
  Cursor cursor(text);
  Value value = read(cursor);
  cursor.finish();
  if (cursor.failed()) return fail(cursor.error());
  return value;
}

}  // namespace eventhorn::json
