#include "api/own/schedule.h"

#include "base/duration.h"
#include "base/strings.h"
#include "webhook/retry_schedule.h"

#include <string>

namespace eventhorn::api {
Result<std::optional<std::vector<std::chrono::milliseconds>>> parse_schedule(
    const http::Form& form) {
  using Schedule = std::optional<std::vector<std::chrono::milliseconds>>;
  std::vector<std::string> texts;
  for (const auto field : form.all("retry_schedule")) {
    for (const auto text : split(field, ',')) {
      if (const auto entry = trim(text); !entry.empty()) texts.emplace_back(entry);
    }
  }
  if (texts.empty()) return Schedule();
  const auto parsed = webhook::RetrySchedule::parse(texts);
  if (!parsed) return fail(parsed.error().code, "retry_schedule: " + parsed.error().message);
  return Schedule(parsed->delays());
}

void write_schedule(json::Writer& writer, std::string_view key,
                    const std::optional<std::vector<std::chrono::milliseconds>>& schedule) {
  writer.key(key);
  if (!schedule) {
    writer.value(nullptr);
    return;
  }
  writer.begin_array();
  for (const auto delay : *schedule) writer.value(format_duration(delay));
  writer.end_array();
}

}  // namespace eventhorn::api
