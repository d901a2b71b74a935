#include "event/schema.h"

namespace eventhorn::event {
namespace {

constexpr Field kAccountFields[] = {{"id", Rule::kAny, nullptr, Fact::kAccountId}};
constexpr Schema kAccount{"account.", kAccountFields};

constexpr Field kDomainFields[] = {{"name", Rule::kAny, nullptr, Fact::kDomainName}};
constexpr Schema kDomain{"domain.", kDomainFields};

constexpr Schema kUserVariables{"user-variables.", {}};

constexpr Field kHeaderFields[] = {{"message-id", Rule::kString, nullptr, Fact::kMessageId}};
constexpr Schema kHeaders{"message.headers.", kHeaderFields, Rule::kString};

constexpr Field kAttachmentFields[] = {
    {"filename", Rule::kString}, {"content-type", Rule::kString}, {"size", Rule::kInteger}};
constexpr Schema kAttachment{"message.attachments[].", kAttachmentFields};

constexpr Field kMessageFields[] = {
    {"headers", Rule::kObject, &kHeaders}, {"attachments", Rule::kObjects, &kAttachment},
    {"recipients", Rule::kStrings},        {"size", Rule::kInteger},
    {"scheduled-for", Rule::kInteger},
};
constexpr Schema kMessage{"message.", kMessageFields};

constexpr Field kEnvelopeFields[] = {{"sender", Rule::kString},    {"targets", Rule::kString},
                                     {"transport", Rule::kString}, {"sending-ip", Rule::kString},
                                     {"mail-from", Rule::kString}, {"sending-host", Rule::kString}};
constexpr Schema kEnvelope{"envelope.", kEnvelopeFields};

constexpr Field kFlagFields[] = {
    {"is-authenticated", Rule::kBool}, {"is-routed", Rule::kBool},
    {"is-big", Rule::kBool},           {"is-system-test", Rule::kBool},
    {"is-test-mode", Rule::kBool},     {"is-delayed-bounce", Rule::kBool}};
constexpr Schema kFlags{"flags.", kFlagFields};

constexpr Field kStorageFields[] = {{"key", Rule::kString},
                                    {"url", Rule::kString},
                                    {"region", Rule::kString},
                                    {"env", Rule::kString}};
constexpr Schema kStorage{"storage.", kStorageFields};

constexpr Field kDeliveryStatusFields[] = {
    {"attempt-no", Rule::kInteger},
    {"code", Rule::kInteger},
    {"message", Rule::kString},
    {"description", Rule::kString},
    {"enhanced-code", Rule::kString},
    {"session-seconds", Rule::kNumber},
    {"mx-host", Rule::kString},
    {"mx-host-ip", Rule::kString},
    {"certificate-verified", Rule::kBool},
    {"tls", Rule::kBool},
    {"utf8", Rule::kBool},
    {"first-delivery-attempt-seconds", Rule::kNumber},
    {"retry-seconds", Rule::kInteger},
    {"bounce-type", Rule::kString},
    {"bounce-code", Rule::kString},
    {"last-code", Rule::kInteger},
    {"last-message", Rule::kString},
};
constexpr Schema kDeliveryStatus{"delivery-status.", kDeliveryStatusFields};

constexpr Field kGeolocationFields[] = {{"country", Rule::kString},
                                        {"region", Rule::kString},
                                        {"city", Rule::kString},
                                        {"timezone", Rule::kString}};
constexpr Schema kGeolocation{"geolocation.", kGeolocationFields};

constexpr Field kClientInfoFields[] = {
    {"client-type", Rule::kString}, {"client-os", Rule::kString},  {"device-type", Rule::kString},
    {"client-name", Rule::kString}, {"user-agent", Rule::kString}, {"bot", Rule::kString}};
constexpr Schema kClientInfo{"client-info.", kClientInfoFields};

constexpr Field kMailingListFields[] = {
    {"address", Rule::kString}, {"list-id", Rule::kString}, {"sid", Rule::kString}};
constexpr Schema kMailingList{"mailing-list.", kMailingListFields};

constexpr Field kMemberFields[] = {{"address", Rule::kString},
                                   {"name", Rule::kString},
                                   {"subscribed", Rule::kBool},
                                   {"vars", Rule::kStringsOrNull}};
constexpr Schema kMember{"member.", kMemberFields};

constexpr Field kRejectFields[] = {{"reason", Rule::kString}, {"description", Rule::kString}};
constexpr Schema kReject{"reject.", kRejectFields};

constexpr Field kErrorFields[] = {{"message", Rule::kString}};
constexpr Schema kError{"error.", kErrorFields};

constexpr Field kEventFields[] = {
    {"event", Rule::kString, nullptr, Fact::kEvent},
    {"id", Rule::kString, nullptr, Fact::kId},
    {"timestamp", Rule::kNumber, nullptr, Fact::kTimestamp},
    {"log-level", Rule::kString, nullptr, Fact::kLogLevel},
    {"account", Rule::kObject, &kAccount, Fact::kAccount},
    {"domain", Rule::kObject, &kDomain, Fact::kDomain},
    {"severity", Rule::kString, nullptr, Fact::kSeverity},
    {"reason", Rule::kString},
    {"method", Rule::kString},
    {"envelope", Rule::kObject, &kEnvelope},
    {"flags", Rule::kObject, &kFlags},
    {"delivery-status", Rule::kObject, &kDeliveryStatus},
    {"message", Rule::kObject, &kMessage},
    {"storage", Rule::kObject, &kStorage},
    {"recipient", Rule::kString, nullptr, Fact::kRecipient},
    {"recipient-domain", Rule::kString},
    {"recipient-provider", Rule::kString},
    {"primary-dkim", Rule::kString},
    {"tags", Rule::kStrings, nullptr, Fact::kTags},
    {"campaigns", Rule::kArray, nullptr, Fact::kCampaigns},
    {"user-variables", Rule::kObject, &kUserVariables, Fact::kUserVariables},
    {"ip", Rule::kString},
    {"url", Rule::kString},
    {"geolocation", Rule::kObject, &kGeolocation},
    {"client-info", Rule::kObject, &kClientInfo},
    {"mailing-list", Rule::kObject, &kMailingList},
    {"delivered-at", Rule::kInteger},
    {"originating-ip", Rule::kString},
    {"api-key-id", Rule::kString},
    {"reject", Rule::kObject, &kReject},
    {"member", Rule::kObject, &kMember},
    {"error", Rule::kObject, &kError},
    {"task-id", Rule::kString},
    {"format", Rule::kString},
    {"member-description", Rule::kString},
    {"is-upsert", Rule::kBool},
    {"subscribed", Rule::kBool},
    {"upserted-count", Rule::kInteger},
    {"failed-count", Rule::kInteger},
};
static_assert(std::size(kEventFields) <= 64);

constexpr Schema kEvent{"", kEventFields};

}  // namespace

const Schema& event_schema() {
  return kEvent;
}

}  // namespace eventhorn::event
