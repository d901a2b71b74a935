// How the routes of /eventhorn/v1 write what several of them have.
#pragma once

#include "base/time.h"
#include "json/writer.h"

#include <optional>
#include <string_view>

namespace eventhorn::api {

/// The key, and the time as RFC 3339 UTC or null.
void write_time(json::Writer& writer, std::string_view key, std::optional<SystemTime> time);

/// The key, and the text, or null when it is empty.
void write_text(json::Writer& writer, std::string_view key, std::string_view text);

/// The key, and a status code or null for 0: no status line came.
void write_status(json::Writer& writer, std::string_view key, int status);

/// The key, and how long it takes at `rate` events per second in whole seconds, or null when the
/// rate is not known.
void write_eta(json::Writer& writer, std::string_view key, uint64_t events, double rate);

}  // namespace eventhorn::api
