// A list of replacements in a text, made while reading it and applied at once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::event {

/// Keeps its memory from text to text. One thread.
class Edits {
 public:
  /// Starts anew, on `text`, which must stay until apply().
  void reset(std::string_view text);

  /// `part`, a view into the text, becomes `by`, which is copied. Parts do not overlap; an empty
  /// part is a place to insert.
  void replace(std::string_view part, std::string_view by);

  /// The text with all replacements made.
  std::string apply();

 private:
  struct Edit {
    size_t offset;
    size_t size;
    size_t by_offset;
    size_t by_size;
  };

  std::string_view text_;
  std::vector<Edit> edits_;
  std::string replacements_;
};

}  // namespace eventhorn::event
