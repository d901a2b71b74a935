// The form that the Logs API gives events (spec: Logs). Pure.
#pragma once

#include "event/event.h"

#include <string>

namespace eventhorn::api {

/// Appends the event as an item of a log: the same members but for
///  - `@timestamp` in place of `timestamp`: ISO 8601 with milliseconds, UTC;
///  - `user-variables`: the text of the object;
///  - `storage.url`: a list;
///  - `routes`: the first route, its `actions` as one text;
///  - `account.parent-id`, and the flags that every item has, where they are missing.
void append_logs_item(std::string& out, const event::Event& event);

}  // namespace eventhorn::api
