// Finds the events in files as people have them: exports of ours (a line each), arrays, pages of
// the Events API (`{"items":[...]}`), and bodies of webhooks (`{"event-data":{...}}`), as many of
// them one after the other as there are, on one line or many. What it holds is one event, however
// long a file is. Pure; one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::client {

/// An event as it stands in a file, but on one line. Whether it is one, the server says.
struct Item {
  std::string text;
  size_t line = 1;  // of the file, where it begins
  bool has_id = false;
};

class ItemReader {
 public:
  /// `found` takes the events, `broken` what cannot be one: its line, and why.
  ItemReader(size_t max_item_bytes, std::function<void(Item)> found,
             std::function<void(size_t line, const std::string& why)> broken);

  void feed(std::string_view piece);

  /// The end of the file.
  void finish();

 private:
  /// What an item lies in.
  enum class Around : char {
    kArray,   // of items
    kObject,  // one member of it had the items, and the others are passed
  };

  void take(char c);
  void take_in_string(char c);
  void take_in_item(char c);
  void take_around(char c);
  void pass_member(char c);
  bool open_around(char c);
  void begin_item();
  void end_item();
  void break_off(const std::string& why, bool lose_line);
  void keep(char c);

  const size_t max_item_bytes_;
  const std::function<void(Item)> found_;
  const std::function<void(size_t, const std::string&)> broken_;

  size_t line_ = 1;
  std::vector<Around> around_;
  size_t passed_ = 0;  // open brackets of a member that is passed
  bool lost_ = false;  // what is left of the line belongs to something broken

  Item item_;
  size_t depth_ = 0;  // open brackets of the item; 0: there is none
  bool too_large_ = false;
  bool is_event_ = false;  // it has a member `event`
  bool id_is_next_ = false;

  bool in_string_ = false;
  bool escaped_ = false;
  std::string string_;    // the last one, as far as it is looked at
  char last_ = 0;         // that was no space
  size_t last_line_ = 1;  // where that stood
};

}  // namespace eventhorn::client
