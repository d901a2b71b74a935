// JSON read into a tree of values: for request bodies and documents of our own. Events, which are
// many, go through a Cursor (cursor.h) instead.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace eventhorn::json {

class Value;
struct Member;
using Array = std::vector<Value>;
/// Members in their order in the text.
using Object = std::vector<Member>;

class Value {
 public:
  using Data = std::variant<std::nullptr_t, bool, int64_t, double, std::string, Array, Object>;

  Value();
  explicit Value(Data data);

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(data_); }

  std::optional<bool> as_bool() const;
  /// Only numbers within int64, written without fraction and exponent.
  std::optional<int64_t> as_int() const;
  /// Any number.
  std::optional<double> as_double() const;

  /// nullptr when it is something else; so for the next two.
  const std::string* as_string() const { return std::get_if<std::string>(&data_); }

  const Array* as_array() const { return std::get_if<Array>(&data_); }

  const Object* as_object() const { return std::get_if<Object>(&data_); }

  /// The member of that name, the last if there are several; nullptr if there is none or this is
  /// not an object.
  const Value* find(std::string_view key) const;

 private:
  Data data_;
};

struct Member {
  std::string key;
  Value value;
};

/// One JSON value with space around it. kInvalidArgument as json::Cursor says: at most 64 levels,
/// valid UTF-8, numbers within a double. The caller has bounded the size of the text.
Result<Value> parse(std::string_view text);

}  // namespace eventhorn::json
