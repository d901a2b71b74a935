// Looks for a text in a data directory: in the rows of all tables, decompressed, in the records of
// write-ahead logs and lists of files, and in the bytes of every file as they are. Rows that a
// table only says to be deleted are not seen.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace eventhorn::store {

struct FoundText {
  std::filesystem::path file;  // within the data directory
  size_t times = 0;
};

/// The files that have `text`, in any case of ASCII. kInvalidArgument when it is empty; kConflict
/// while a server uses the directory; kNotFound when there is no store; kUnavailable or
/// kCorruption, naming the file, for one that cannot be read.
Result<std::vector<FoundText>> find_text(const std::filesystem::path& data,
                                         const std::string& text);

}  // namespace eventhorn::store
