#include "event/fields.h"

#include "base/text.h"
#include "json/cursor.h"

#include <algorithm>
#include <span>

namespace eventhorn::event {
namespace {

using json::Kind;

// Where the fields are in an event. An array stands for each of its elements.
struct Node {
  std::string_view key;
  Field field;
  std::span<const Node> members;
};

constexpr Node kHeaderNodes[] = {{"to", kTo, {}},
                                 {"message-id", kMessageId, {}},
                                 {"from", kFrom, {}},
                                 {"subject", kSubject, {}}};
constexpr Node kAttachmentNodes[] = {{"filename", kAttachment, {}}};
constexpr Node kMessageNodes[] = {{"headers", kNoField, kHeaderNodes},
                                  {"attachments", kNoField, kAttachmentNodes},
                                  {"recipients", kRecipients, {}},
                                  {"size", kSize, {}}};
constexpr Node kListNodes[] = {{"address", kList, {}}};
constexpr Node kPlaceNodes[] = {{"country", kCountry, {}}};
constexpr Node kEnvelopeNodes[] = {{"transport", kTransport, {}}, {"sending-ip", kIp, {}}};
constexpr Node kStatusNodes[] = {{"bounce-type", kBounceType, {}}};
constexpr Node kEventNodes[] = {{"event", kEvent, {}},
                                {"severity", kSeverity, {}},
                                {"reason", kReason, {}},
                                {"recipient", kRecipient, {}},
                                {"tags", kTags, {}},
                                {"message", kNoField, kMessageNodes},
                                {"mailing-list", kNoField, kListNodes},
                                {"recipient-provider", kProvider, {}},
                                {"ip", kIp, {}},
                                {"geolocation", kNoField, kPlaceNodes},
                                {"envelope", kNoField, kEnvelopeNodes},
                                {"delivery-status", kNoField, kStatusNodes}};
constexpr Node kRoot{"", kNoField, kEventNodes};

FieldValue string_value(Field field, const json::Text& string) {
  FieldValue out{field, {}, {}};
  if (string.escaped) {
    std::string plain;
    json::append_unescaped(plain, string.raw);
    out.text = fold_text(plain);
  } else {
    out.text = fold_text(string.raw);
  }
  if (kFields[field].match == Match::kWords) out.words = join_words(out.text);
  return out;
}

// Recursion is bounded: the cursor refuses more than kMaxDepth levels.
void collect(json::Cursor& cursor, const Node& node, FieldSet wanted,
             std::vector<FieldValue>& out) {
  const Kind kind = cursor.kind();
  if (kind == Kind::kArray) {
    for (cursor.enter(); cursor.next();) collect(cursor, node, wanted, out);
  } else if (kind == Kind::kObject && !node.members.empty()) {
    json::Text key;
    for (cursor.enter(); cursor.next_key(key);) {
      const auto member = std::find_if(node.members.begin(), node.members.end(),
                                       [&key](const Node& n) { return n.key == key.raw; });
      if (member == node.members.end()) {
        cursor.skip();
      } else {
        collect(cursor, *member, wanted, out);
      }
    }
  } else if ((wanted & field_bit(node.field)) == 0) {
    cursor.skip();
  } else if (kind == Kind::kString && node.field != kSize) {
    out.push_back(string_value(node.field, cursor.string()));
  } else if (kind == Kind::kNumber && node.field == kSize) {
    out.push_back({kSize, std::string(cursor.number().raw), {}});
  } else {
    cursor.skip();
  }
}

}  // namespace

void read_fields(std::string_view event_bytes, FieldSet wanted, std::vector<FieldValue>& out) {
  const bool severity = (wanted & field_bit(kSeverity)) != 0;
  if (severity) wanted |= field_bit(kEvent);
  const auto first = static_cast<std::ptrdiff_t>(out.size());
  json::Cursor cursor(event_bytes);
  collect(cursor, kRoot, wanted, out);
  if (!severity) return;
  const auto is_failed = [](const FieldValue& v) {
    return v.field == kEvent && v.text == "failed";
  };
  if (std::none_of(out.begin() + first, out.end(), is_failed))
    std::erase_if(out, [](const FieldValue& v) { return v.field == kSeverity; });
}

}  // namespace eventhorn::event
