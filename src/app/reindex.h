// `eventhorn reindex`: makes the index of terms anew and tells how far it is.
#pragma once

#include <string>

namespace eventhorn::app {

/// The exit code: 0 when the store in `data` has its index, 1 when it has not or cannot be opened.
int reindex_store(const std::string& data);

}  // namespace eventhorn::app
