// `eventhorn repair`: runs it and prints what was found and done.
#pragma once

#include <string>

namespace eventhorn::app {

/// The exit code: 0 when the store in `data` is sound, 1 when it is not or could not be looked at.
int check_store(const std::string& data);

/// The exit code: 0 when `text` is in no file of `data`, 1 when it is or that cannot be told.
int find_in_store(const std::string& data, const std::string& text);

/// The exit code: 0 when the store in `data` is sound now.
int repair_store(const std::string& data);

}  // namespace eventhorn::app
