#include "event/inspect.h"

#include "base/strings.h"

#include <algorithm>
#include <cmath>

namespace eventhorn::event {
namespace {

using json::Kind;

// Beyond it a double no longer says which integer was meant.
constexpr double kMaxExactInteger = 9007199254740992.0;

const Field* find_field(const Schema& schema, std::string_view name) {
  for (const Field& field : schema.fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

std::string label(const Schema& schema, std::string_view name) {
  return std::string(schema.prefix) + escape_for_log(name, 64);
}

}  // namespace

Status Inspection::inspect(std::string_view item, Edits& edits) {
  cursor_ = json::Cursor(item);
  edits_ = &edits;
  facts_.fill({});
  error_.reset();
  other_keys_.clear();
  decoded_keys_.clear();
  if (cursor_.kind() == Kind::kObject) {
    if (read_object(event_schema()))
      end_ = std::string_view(cursor_.position() - 1, 1).substr(0, 0);
  } else if (!cursor_.failed()) {
    return fail(Errc::kInvalidArgument, "item: must be a JSON object");
  }
  if (error_) return fail(*std::move(error_));
  cursor_.finish();
  if (cursor_.failed()) return fail(cursor_.error());
  spaced_ = cursor_.saw_space();
  return check_other_keys();
}

bool Inspection::refuse(const Schema& schema, std::string_view name, std::string_view rule) {
  if (!cursor_.failed()) {
    error_.emplace(Errc::kInvalidArgument, label(schema, name) + ": " + std::string(rule));
  }
  return false;
}

bool Inspection::read_object(const Schema& schema) {
  uint64_t seen = 0;
  json::Text key;
  for (cursor_.enter(); cursor_.next_key(key);) {
    std::string_view name = key.raw;
    if (key.escaped) {
      json::append_unescaped(decoded_keys_.emplace_back(), key.raw);
      name = decoded_keys_.back();
    }
    const Field* field = find_field(schema, name);
    if (field == nullptr) {
      if (&schema == &event_schema()) other_keys_.push_back(name);
      if (!read_value(schema, {name, schema.others})) return false;
      continue;
    }
    const uint64_t bit = uint64_t{1} << (field - schema.fields.data());
    if ((seen & bit) != 0) return refuse(schema, name, "given twice");
    seen |= bit;
    if (key.escaped) edits_->replace(key.raw, name);
    if (!read_value(schema, *field)) return false;
  }
  return !cursor_.failed();
}

bool Inspection::read_value(const Schema& schema, const Field& field) {
  Found found;
  found.kind = cursor_.kind();
  const char* start = cursor_.position();
  if (found.kind == Kind::kNull) {
    cursor_.skip();
  } else if (!read_typed(schema, field, found)) {
    return false;
  }
  if (field.fact != Fact::kNone) {
    found.raw = {start, static_cast<size_t>(cursor_.position() - start)};
    facts_[static_cast<size_t>(field.fact)] = found;
  }
  return !cursor_.failed();
}

bool Inspection::read_typed(const Schema& schema, const Field& field, Found& found) {
  const Kind kind = found.kind;
  switch (field.rule) {
    case Rule::kAny:
      cursor_.skip();
      return true;
    case Rule::kString:
      if (kind != Kind::kString) return refuse(schema, field.name, "must be a string");
      found.escaped = cursor_.string().escaped;
      return true;
    case Rule::kBool:
      if (kind != Kind::kTrue && kind != Kind::kFalse) {
        return refuse(schema, field.name, "must be true or false");
      }
      cursor_.skip();
      return true;
    case Rule::kNumber:
      if (kind != Kind::kNumber) return refuse(schema, field.name, "must be a number");
      return read_number(schema, field);
    case Rule::kInteger:
      if (kind != Kind::kNumber) return refuse(schema, field.name, "must be an integer");
      return read_integer(schema, field);
    case Rule::kStrings:
      return read_strings(schema, field);
    case Rule::kStringsOrNull:
      return read_strings_or_null();
    case Rule::kArray:
      if (kind != Kind::kArray) return refuse(schema, field.name, "must be an array");
      cursor_.skip();
      return true;
    case Rule::kObject:
      if (kind == Kind::kArray) return read_empty_array(schema, field);
      if (kind != Kind::kObject) return refuse(schema, field.name, "must be an object");
      return read_object(*field.members);
    case Rule::kObjects:
      return read_objects(schema, field);
  }
  return false;
}

bool Inspection::read_number(const Schema& schema, const Field& field) {
  const json::Number number = cursor_.number();
  const bool whole = number.raw.find_first_of(".eE") == std::string_view::npos;
  if (!whole || number.integral || cursor_.failed()) return true;
  return refuse(schema, field.name, "must be within 64 bits");
}

bool Inspection::read_integer(const Schema& schema, const Field& field) {
  const json::Number number = cursor_.number();
  if (number.integral || cursor_.failed()) return true;
  const double value = json::to_double(number.raw);
  if (value != std::trunc(value) || std::abs(value) > kMaxExactInteger) {
    return refuse(schema, field.name, "must be an integer");
  }
  edits_->replace(number.raw, std::to_string(static_cast<int64_t>(value)));
  return true;
}

bool Inspection::read_strings(const Schema& schema, const Field& field) {
  constexpr std::string_view kMessage = "must be an array of strings";
  if (cursor_.kind() != Kind::kArray) return refuse(schema, field.name, kMessage);
  for (cursor_.enter(); cursor_.next();) {
    if (cursor_.kind() != Kind::kString) return refuse(schema, field.name, kMessage);
    cursor_.string();
  }
  return true;
}

// Clients that type it take nothing else.
bool Inspection::read_strings_or_null() {
  const char* start = cursor_.position();
  bool strings = cursor_.kind() == Kind::kArray;
  if (!strings) {
    cursor_.skip();
  } else {
    for (cursor_.enter(); cursor_.next(); cursor_.skip()) {
      strings = cursor_.kind() == Kind::kString && strings;
    }
  }
  if (!strings && !cursor_.failed())
    edits_->replace({start, static_cast<size_t>(cursor_.position() - start)}, "null");
  return true;
}

bool Inspection::read_objects(const Schema& schema, const Field& field) {
  constexpr std::string_view kMessage = "must be an array of objects";
  if (cursor_.kind() != Kind::kArray) return refuse(schema, field.name, kMessage);
  for (cursor_.enter(); cursor_.next();) {
    if (cursor_.kind() != Kind::kObject) return refuse(schema, field.name, kMessage);
    if (!read_object(*field.members)) return false;
  }
  return true;
}

bool Inspection::read_empty_array(const Schema& schema, const Field& field) {
  const char* start = cursor_.position();
  cursor_.enter();
  if (cursor_.next()) return refuse(schema, field.name, "must be an object");
  // Who reads the fact decides what the object holds.
  if (field.fact != Fact::kNone || cursor_.failed()) return true;
  edits_->replace({start, static_cast<size_t>(cursor_.position() - start)}, "{}");
  return true;
}

Status Inspection::check_other_keys() {
  std::sort(other_keys_.begin(), other_keys_.end());
  const auto twice = std::adjacent_find(other_keys_.begin(), other_keys_.end());
  if (twice == other_keys_.end()) return {};
  return fail(Errc::kInvalidArgument, label(event_schema(), *twice) + ": given twice");
}

}  // namespace eventhorn::event
