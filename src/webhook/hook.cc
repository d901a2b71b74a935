#include "webhook/hook.h"

#include "base/check.h"

namespace eventhorn::webhook {

std::string_view to_string(Hook hook) {
  switch (hook) {
    case Hook::kAccepted:
      return "accepted";
    case Hook::kDelivered:
      return "delivered";
    case Hook::kOpened:
      return "opened";
    case Hook::kClicked:
      return "clicked";
    case Hook::kUnsubscribed:
      return "unsubscribed";
    case Hook::kComplained:
      return "complained";
    case Hook::kTemporaryFail:
      return "temporary_fail";
    case Hook::kPermanentFail:
      return "permanent_fail";
  }
  CHECK(false);
}

std::optional<Hook> parse_hook(std::string_view text) {
  for (const Hook hook : kAllHooks) {
    if (to_string(hook) == text) return hook;
  }
  return std::nullopt;
}

std::optional<Hook> hook_for(event::Name name, event::Severity severity) {
  switch (name) {
    case event::Name::kAccepted:
      return Hook::kAccepted;
    case event::Name::kDelivered:
      return Hook::kDelivered;
    case event::Name::kOpened:
      return Hook::kOpened;
    case event::Name::kClicked:
      return Hook::kClicked;
    case event::Name::kUnsubscribed:
      return Hook::kUnsubscribed;
    case event::Name::kComplained:
      return Hook::kComplained;
    case event::Name::kFailed:
      if (severity == event::Severity::kTemporary) return Hook::kTemporaryFail;
      if (severity == event::Severity::kPermanent) return Hook::kPermanentFail;
      return std::nullopt;
    case event::Name::kRejected:
    case event::Name::kStored:
    case event::Name::kListMemberUploaded:
    case event::Name::kListMemberUploadError:
    case event::Name::kListUploaded:
      return std::nullopt;
  }
  CHECK(false);
}

HookEvent event_of(Hook hook) {
  using event::Name;
  switch (hook) {
    case Hook::kAccepted:
      return {Name::kAccepted};
    case Hook::kDelivered:
      return {Name::kDelivered};
    case Hook::kOpened:
      return {Name::kOpened};
    case Hook::kClicked:
      return {Name::kClicked};
    case Hook::kUnsubscribed:
      return {Name::kUnsubscribed};
    case Hook::kComplained:
      return {Name::kComplained};
    case Hook::kTemporaryFail:
      return {Name::kFailed, event::Severity::kTemporary};
    case Hook::kPermanentFail:
      return {Name::kFailed, event::Severity::kPermanent};
  }
  CHECK(false);
}

Class class_of(Hook hook) {
  switch (hook) {
    case Hook::kUnsubscribed:
    case Hook::kComplained:
    case Hook::kPermanentFail:
      return Class::kUrgent;
    case Hook::kAccepted:
    case Hook::kDelivered:
    case Hook::kTemporaryFail:
      return Class::kNormal;
    case Hook::kOpened:
    case Hook::kClicked:
      return Class::kBulk;
  }
  CHECK(false);
}

}  // namespace eventhorn::webhook
