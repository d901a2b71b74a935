// The items of an ingest body, found without reading them: each is checked on its own afterwards,
// so that one broken item does not take its batch-mates with it.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace eventhorn::json {

inline constexpr size_t kMaxItems = 10'000;

/// The items of `body`, as views into it, trimmed; nothing of the body is left out but separators:
///  - NDJSON, one item a line, blank lines skipped: when `ndjson` says so, or when the first line
///  is
///    a whole object and more lines follow;
///  - an array: its elements; an empty one has none;
///  - anything else that starts like an object: one item.
/// An element ends at the comma or bracket that closes it by a count of brackets outside strings.
/// An element that never ends (an unclosed string) reaches to the end of the body. kInvalidArgument
/// when the body is empty or starts with anything else; kTooLarge beyond `max_items`.
Result<std::vector<std::string_view>> split_items(std::string_view body, bool ndjson,
                                                  size_t max_items = kMaxItems);

}  // namespace eventhorn::json
