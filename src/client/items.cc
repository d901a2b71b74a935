#include "client/items.h"

#include <utility>

namespace eventhorn::client {
namespace {

constexpr size_t kMaxAround = 16;
constexpr size_t kLookedAt = 16;  // bytes of a string: no name that matters is longer

bool is_space(char c) {
  constexpr char kRecordSeparator = 0x1e;  // RFC 7464
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == kRecordSeparator;
}

bool opens(char c) {
  return c == '{' || c == '[';
}

bool closes(char c) {
  return c == '}' || c == ']';
}

// A value may stand behind it.
bool precedes_value(char c) {
  return opens(c) || c == ':' || c == ',';
}

}  // namespace

ItemReader::ItemReader(size_t max_item_bytes, std::function<void(Item)> found,
                       std::function<void(size_t, const std::string&)> broken)
    : max_item_bytes_(max_item_bytes), found_(std::move(found)), broken_(std::move(broken)) {}

void ItemReader::feed(std::string_view piece) {
  for (const char c : piece) take(c);
}

void ItemReader::finish() {
  if (depth_ > 0 || in_string_) return break_off("the file ends within an event", false);
  if (!around_.empty()) return break_off("the file ends within a list", false);
}

void ItemReader::take(char c) {
  if (in_string_) {
    take_in_string(c);
  } else if (is_space(c)) {
    if (c == '\n') lost_ = false;
  } else if (!lost_) {
    if (depth_ > 0) {
      take_in_item(c);
    } else if (!around_.empty() && around_.back() == Around::kObject) {
      pass_member(c);
    } else {
      take_around(c);
    }
    last_ = c;
    last_line_ = line_;
  }
  if (c == '\n') ++line_;
}

void ItemReader::take_in_string(char c) {
  if (c == '\n') return break_off("a line ends within a string", false);
  if (depth_ > 0) keep(c);
  if (escaped_) {
    escaped_ = false;
  } else if (c == '\\') {
    escaped_ = true;
  } else if (c == '"') {
    in_string_ = false;
    last_ = c;
    last_line_ = line_;
    return;
  }
  if (string_.size() < kLookedAt) string_ += c;
}

void ItemReader::take_in_item(char c) {
  if ((opens(c) || c == '"') && !precedes_value(last_)) {
    const bool next_line = c == '{' && line_ > last_line_;
    break_off("a comma is missing, or its end", !next_line);
    if (next_line) begin_item();  // a line that was cut off, and the one behind it
    return;
  }
  if (std::exchange(id_is_next_, false)) item_.has_id = c != 'n';  // null is none
  if (depth_ == 1 && c == ':') {
    is_event_ = is_event_ || string_ == "event";
    id_is_next_ = string_ == "id";
  }
  if (opens(c)) {
    if (depth_ == 1 && last_ == ':' && !is_event_ && open_around(c)) return;
    ++depth_;
  }
  if (c == '"') {
    in_string_ = true;
    string_.clear();
  }
  keep(c);
  if (closes(c) && --depth_ == 0) end_item();
}

// Whether what was taken for an item is an object that has items in the member that begins here.
bool ItemReader::open_around(char c) {
  const bool page = string_ == "items" && c == '[';
  const bool webhook = string_ == "event-data" && c == '{';
  if (!page && !webhook) return false;
  depth_ = 0;
  around_.push_back(Around::kObject);
  if (page) around_.push_back(Around::kArray);
  if (webhook) begin_item();
  return true;
}

void ItemReader::pass_member(char c) {
  if (c == '"') {
    in_string_ = true;
  } else if (opens(c)) {
    ++passed_;
  } else if (closes(c) && passed_ > 0) {
    --passed_;
  } else if (closes(c)) {
    around_.pop_back();
  }
}

void ItemReader::take_around(char c) {
  if (c == '{' && around_.size() < kMaxAround) return begin_item();
  if (c == '[' && around_.size() < kMaxAround) return around_.push_back(Around::kArray);
  if (c == ']' && !around_.empty()) return around_.pop_back();
  if (c == ',' && !around_.empty()) return;
  item_.line = line_;
  break_off("no event: it must be a JSON object", true);
}

void ItemReader::begin_item() {
  item_ = Item{"{", line_, false};
  depth_ = 1;
  too_large_ = is_event_ = id_is_next_ = false;
}

void ItemReader::end_item() {
  if (too_large_) {
    broken_(item_.line, "larger than " + std::to_string(max_item_bytes_) + " bytes");
  } else {
    found_(std::exchange(item_, {}));
  }
}

// Whatever it lay in is left, too: where that goes on cannot be told.
void ItemReader::break_off(const std::string& why, bool lose_line) {
  broken_(depth_ > 0 ? item_.line : line_, why);
  depth_ = passed_ = 0;
  around_.clear();
  in_string_ = escaped_ = false;
  lost_ = lose_line;
}

void ItemReader::keep(char c) {
  if (item_.text.size() == max_item_bytes_) {
    too_large_ = true;
  } else {
    item_.text += c;
  }
}

}  // namespace eventhorn::client
