// Retry schedules as domains and URLs have them in their settings.
#pragma once

#include "base/result.h"
#include "http/forms.h"
#include "json/writer.h"

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

namespace eventhorn::api {

/// The field `retry_schedule`: durations, in several fields or one with commas between; nullopt
/// when it is empty, for the installation's. kInvalidArgument naming the entry.
Result<std::optional<std::vector<std::chrono::milliseconds>>> parse_schedule(
    const http::Form& form);

/// The key, and the durations as texts; null without a value.
void write_schedule(json::Writer& writer, std::string_view key,
                    const std::optional<std::vector<std::chrono::milliseconds>>& schedule);

}  // namespace eventhorn::api
