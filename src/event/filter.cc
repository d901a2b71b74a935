#include "event/filter.h"

#include "base/strings.h"
#include "base/text.h"
#include "json/cursor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <span>

namespace eventhorn::event {
namespace {

using json::Kind;
using Op = Expression::Op;

// kClosed: whole, and one of few.
enum class Match : uint8_t { kWhole, kClosed, kWords, kNumber };

struct FilterField {
  std::string_view name;
  Match match;
};

enum FieldIndex : size_t {
  kEvent,
  kSeverity,
  kMessageId,
  kRecipient,
  kList,
  kTags,
  kFrom,
  kTo,
  kSubject,
  kAttachment,
  kRecipients,
  kSize,
  kNoField,
};

constexpr std::array<FilterField, kNoField> kFields = {{
    {"event", Match::kClosed},
    {"severity", Match::kClosed},
    {"message-id", Match::kWhole},
    {"recipient", Match::kWhole},
    {"list", Match::kWhole},
    {"tags", Match::kWhole},
    {"from", Match::kWords},
    {"to", Match::kWords},
    {"subject", Match::kWords},
    {"attachment", Match::kWords},
    {"recipients", Match::kWords},
    {"size", Match::kNumber},
}};

// Where the fields are in an event. An array stands for each of its elements.
struct Node {
  std::string_view key;
  FieldIndex field;
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
constexpr Node kEventNodes[] = {{"event", kEvent, {}},
                                {"severity", kSeverity, {}},
                                {"recipient", kRecipient, {}},
                                {"tags", kTags, {}},
                                {"message", kNoField, kMessageNodes},
                                {"mailing-list", kNoField, kListNodes}};
constexpr Node kRoot{"", kNoField, kEventNodes};

// A value of an event.
struct Found {
  FieldIndex field;
  std::string text;   // folded; of a number: as it came
  std::string words;  // where the field is matched by them
};

constexpr uint32_t bit(size_t field) {
  return uint32_t{1} << field;
}

size_t find_field(std::string_view name) {
  const auto field = std::find_if(kFields.begin(), kFields.end(),
                                  [name](const FilterField& f) { return f.name == name; });
  return static_cast<size_t>(field - kFields.begin());
}

std::string_view strip_angle_brackets(std::string_view id) {
  if (id.starts_with('<')) id.remove_prefix(1);
  if (id.ends_with('>')) id.remove_suffix(1);
  return id;
}

// A filter that nothing can match, such as `opened,clicked`, would be answered with an empty page.
Status check_closed(size_t field, std::string_view folded) {
  const auto known = field == kEvent ? names() : severities();
  if (std::ranges::find(known, folded) != known.end()) return {};
  // One of Mailgun's (spec: events), which no producer sends and ingest does not take.
  if (field == kEvent && folded == "email_validation") return {};
  return fail(Errc::kInvalidArgument,
              fmt::format("\"{}\" is not one of {}; several are joined with OR",
                          escape_for_log(folded, 64), fmt::join(known, ", ")));
}

// Gives the terms of `expression` the form in which `field` compares them.
Status prepare(Expression& expression, size_t field) {
  for (Expression& part : expression.parts) {
    TRY_STATUS(prepare(part, field));
  }
  if (expression.op != Op::kTerm || field == kSize) return {};
  if (field == kMessageId) expression.text = strip_angle_brackets(expression.text);
  std::string folded = fold_text(expression.text);
  if (kFields[field].match == Match::kClosed) {
    TRY_STATUS(check_closed(field, folded));
  }
  if (kFields[field].match == Match::kWords) expression.words = join_words(folded);
  expression.text = std::move(folded);
  return {};
}

// The values of the `wanted` fields. Recursion is bounded: the cursor refuses more than kMaxDepth
// levels.
void collect(json::Cursor& cursor, const Node& node, uint32_t wanted, std::vector<Found>& found) {
  const Kind kind = cursor.kind();
  if (kind == Kind::kArray) {
    for (cursor.enter(); cursor.next();) collect(cursor, node, wanted, found);
  } else if (kind == Kind::kObject && !node.members.empty()) {
    json::Text key;
    for (cursor.enter(); cursor.next_key(key);) {
      const auto member = std::find_if(node.members.begin(), node.members.end(),
                                       [&key](const Node& n) { return n.key == key.raw; });
      if (member == node.members.end()) {
        cursor.skip();
      } else {
        collect(cursor, *member, wanted, found);
      }
    }
  } else if ((wanted & bit(node.field)) == 0) {
    cursor.skip();
  } else if (kind == Kind::kString && node.field != kSize) {
    Found& value = found.emplace_back(Found{node.field, {}, {}});
    const json::Text string = cursor.string();
    if (string.escaped) {
      std::string plain;
      json::append_unescaped(plain, string.raw);
      value.text = fold_text(plain);
    } else {
      value.text = fold_text(string.raw);
    }
    if (kFields[node.field].match == Match::kWords) value.words = join_words(value.text);
  } else if (kind == Kind::kNumber && node.field == kSize) {
    found.push_back({kSize, std::string(cursor.number().raw), {}});
  } else {
    cursor.skip();
  }
}

bool compares(double value, const Expression& term) {
  switch (term.op) {
    case Op::kLess:
      return value < term.number;
    case Op::kLessEqual:
      return value <= term.number;
    case Op::kGreater:
      return value > term.number;
    case Op::kGreaterEqual:
      return value >= term.number;
    default:
      return value == term.number;
  }
}

bool term_matches(const Expression& term, const Found& value) {
  switch (kFields[value.field].match) {
    case Match::kWhole:
    case Match::kClosed:
      return value.text == term.text;
    case Match::kWords:
      return term.words.empty() ? contains(value.text, term.text)
                                : contains(value.words, term.words);
    case Match::kNumber:
      return compares(json::to_double(value.text), term);
  }
  return false;
}

bool evaluate(const Expression& expression, size_t field, const std::vector<Found>& values) {
  const auto part_holds = [&](const Expression& part) { return evaluate(part, field, values); };
  const auto& parts = expression.parts;
  switch (expression.op) {
    case Op::kAnd:
      return std::all_of(parts.begin(), parts.end(), part_holds);
    case Op::kOr:
      return std::any_of(parts.begin(), parts.end(), part_holds);
    case Op::kNot:
      return !part_holds(parts.front());
    default:
      break;
  }
  return std::any_of(values.begin(), values.end(), [&](const Found& value) {
    return value.field == field && term_matches(expression, value);
  });
}

}  // namespace

bool Filter::is_field(std::string_view name) {
  return find_field(name) != kNoField;
}

Result<Filter> Filter::parse(Terms terms) {
  Filter filter;
  size_t terms_left = kMaxFilterTerms;
  for (auto& [name, text] : terms) {
    const size_t field = find_field(name);
    if (field == kNoField) {
      return fail(Errc::kInvalidArgument, escape_for_log(name, 64) + ": not a filter field");
    }
    if (trim(text).empty()) continue;
    auto expression = parse_expression(text, kFields[field].match == Match::kNumber, terms_left);
    const Status good = expression ? prepare(*expression, field) : fail(expression.error());
    if (!good) return fail(Errc::kInvalidArgument, name + ": " + good.error().message);
    filter.conditions_.push_back({field, *std::move(expression)});
    filter.terms_.emplace_back(std::move(name), std::move(text));
  }
  return filter;
}

bool Filter::matches(std::string_view event_bytes) const {
  if (empty()) return true;
  uint32_t wanted = bit(kEvent);
  for (const Condition& condition : conditions_) wanted |= bit(condition.field);
  std::vector<Found> values;
  json::Cursor cursor(event_bytes);
  collect(cursor, kRoot, wanted, values);
  const auto is_failed = [](const Found& v) { return v.field == kEvent && v.text == "failed"; };
  if (std::none_of(values.begin(), values.end(), is_failed)) {
    std::erase_if(values, [](const Found& v) { return v.field == kSeverity; });
  }
  return std::all_of(conditions_.begin(), conditions_.end(), [&](const Condition& condition) {
    return evaluate(condition.expression, condition.field, values);
  });
}

bool Filter::may_match(Name name, Severity severity) const {
  std::vector<Found> values = {{kEvent, std::string(to_string(name)), {}}};
  if (severity != Severity::kNone) {
    values.push_back({kSeverity, std::string(to_string(severity)), {}});
  }
  return std::all_of(conditions_.begin(), conditions_.end(), [&](const Condition& condition) {
    const bool known = condition.field == kEvent || condition.field == kSeverity;
    return !known || evaluate(condition.expression, condition.field, values);
  });
}

}  // namespace eventhorn::event
