// Webhook names, and which one an event fires (spec/webhooks.md "Webhook names").
#pragma once

#include "event/event.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace eventhorn::webhook {

/// Values are stored on disk: do not change them.
enum class Hook : uint8_t {
  kAccepted = 0,
  kDelivered = 1,
  kOpened = 2,
  kClicked = 3,
  kUnsubscribed = 4,
  kComplained = 5,
  kTemporaryFail = 6,
  kPermanentFail = 7,
};

inline constexpr size_t kHooks = 8;

inline constexpr std::array<Hook, kHooks> kAllHooks = {
    Hook::kAccepted,     Hook::kDelivered,  Hook::kOpened,        Hook::kClicked,
    Hook::kUnsubscribed, Hook::kComplained, Hook::kTemporaryFail, Hook::kPermanentFail};

std::string_view to_string(Hook hook);
/// Exact, lower case; nullopt for anything else.
std::optional<Hook> parse_hook(std::string_view text);

/// The hook an event fires; nullopt for rejected, stored and list_* (they have none), and for a
/// failed event without severity.
std::optional<Hook> hook_for(event::Name name, event::Severity severity);

/// What fires a hook.
struct HookEvent {
  event::Name name{};
  event::Severity severity{};
};

HookEvent event_of(Hook hook);

/// Order of service when a lane is behind (design: urgent before normal before bulk). Stored on
/// disk.
enum class Class : uint8_t { kUrgent = 0, kNormal = 1, kBulk = 2 };

inline constexpr size_t kClasses = 3;

Class class_of(Hook hook);

/// At most 3 URLs for each (domain, name).
inline constexpr size_t kMaxUrlsPerHook = 3;

}  // namespace eventhorn::webhook
