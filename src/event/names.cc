#include "event/event.h"

#include <array>

namespace eventhorn::event {
namespace {

// In the order of Name, whose first value is 1.
constexpr std::array<std::string_view, 12> kNames = {"accepted",
                                                     "rejected",
                                                     "delivered",
                                                     "failed",
                                                     "opened",
                                                     "clicked",
                                                     "unsubscribed",
                                                     "complained",
                                                     "stored",
                                                     "list_member_uploaded",
                                                     "list_member_upload_error",
                                                     "list_uploaded"};

constexpr std::array<std::string_view, 3> kSeverities = {"", "temporary", "permanent"};

}  // namespace

std::string_view to_string(Name name) {
  return kNames[static_cast<size_t>(name) - 1];
}

std::optional<Name> parse_name(std::string_view text) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == text) return static_cast<Name>(i + 1);
  }
  return std::nullopt;
}

std::span<const std::string_view> names() {
  return kNames;
}

std::string_view to_string(Severity severity) {
  return kSeverities[static_cast<size_t>(severity)];
}

std::optional<Severity> parse_severity(std::string_view text) {
  if (text == "temporary") return Severity::kTemporary;
  if (text == "permanent") return Severity::kPermanent;
  return std::nullopt;
}

std::span<const std::string_view> severities() {
  return std::span(kSeverities).subspan(1);
}

}  // namespace eventhorn::event
