#include "api/own/write.h"

#include "base/dates.h"

#include <algorithm>
#include <cmath>

namespace eventhorn::api {
void write_time(json::Writer& writer, std::string_view key, std::optional<SystemTime> time) {
  writer.key(key).value(time ? std::optional(format_iso8601(*time)) : std::nullopt);
}

void write_text(json::Writer& writer, std::string_view key, std::string_view text) {
  writer.key(key).value(text.empty() ? std::nullopt : std::optional(text));
}

void write_status(json::Writer& writer, std::string_view key, int status) {
  writer.key(key).value(status == 0 ? std::nullopt : std::optional(status));
}

void write_eta(json::Writer& writer, std::string_view key, uint64_t events, double rate) {
  writer.key(key);
  if (events == 0) {
    writer.value(0);
  } else if (rate > 0) {
    // Not beyond what every reader of JSON takes for an integer.
    writer.value(
        static_cast<uint64_t>(std::min(std::ceil(static_cast<double>(events) / rate), 1e15)));
  } else {
    writer.value(nullptr);
  }
}

}  // namespace eventhorn::api
