// What an outcome needs of an answer's head, and how a head that is not sound HTTP is read: its
// status counts when there is one way only to read it, since a receiver that writes such heads
// writes them each time, and trying again changes nothing (reliability R10). Pure. Internal to
// outbound/.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::outbound {

struct AnswerHead {
  int status = 0;
  std::vector<std::string> retry_after;  // the first ones
  std::string location;                  // its beginning

  /// Keeps the field if it is one of those above.
  void add(std::string_view name, std::string_view value);
};

/// Why `in`, what has come of an answer so far, can't begin with a status line of HTTP/1.x; nullptr
/// while it can.
const char* find_status_line_fault(std::string_view in);

/// The size of the head at the start of `in` with its empty line, whatever its lines end with; 0:
/// not whole yet. `from`: this far an earlier call found no end.
size_t find_answer_head_end(std::string_view in, size_t from);

/// Reads a whole head without asking for more than a status line; lines that are no fields are
/// passed over. nullopt when two answers could be read in it.
std::optional<AnswerHead> read_loose_head(std::string_view head);

}  // namespace eventhorn::outbound
