#include "event/filter.h"

#include "base/check.h"
#include "base/strings.h"
#include "base/text.h"
#include "event/fields.h"
#include "json/cursor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace eventhorn::event {
namespace {

using Op = Expression::Op;

// Words of one term that are looked for: the longest say most, and all are compared anyway.
constexpr size_t kWordsLookedFor = 8;

size_t find_field(std::string_view name) {
  const auto field = std::find_if(kFields.begin(), kFields.end(), [name](const FieldRule& f) {
    return f.in_filters && f.name == name;
  });
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

bool term_matches(const Expression& term, const FieldValue& value) {
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

bool evaluate(const Expression& expression, size_t field, const std::vector<FieldValue>& values) {
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
  return std::any_of(values.begin(), values.end(), [&](const FieldValue& value) {
    return value.field == field && term_matches(expression, value);
  });
}

TermQuery words_query(size_t field, const std::string& words) {
  std::vector<std::string_view> longest;
  for_each_word(words, [&](std::string_view word) { longest.push_back(word); });
  std::ranges::sort(longest, [](std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  longest.resize(std::min(longest.size(), kWordsLookedFor));
  std::vector<TermQuery> parts;
  for (const auto word : longest) parts.push_back(TermQuery::of(word_term(field, word)));
  return TermQuery::all_of(std::move(parts));
}

TermQuery sizes_query(Op op, double number) {
  const bool less = op == Op::kLess || op == Op::kLessEqual;
  const bool greater = op == Op::kGreater || op == Op::kGreaterEqual;
  const unsigned first = less ? 0 : size_bucket(number);
  const unsigned last = greater ? kMaxSizeBucket : size_bucket(number);
  std::vector<TermQuery> parts;
  for (unsigned bucket = first; bucket <= last; ++bucket)
    parts.push_back(TermQuery::of(size_term(bucket)));
  return TermQuery::any_of(std::move(parts));
}

TermQuery query_of(const Expression& expression, size_t field) {
  std::vector<TermQuery> parts;
  for (const auto& part : expression.parts) parts.push_back(query_of(part, field));
  switch (expression.op) {
    case Op::kAnd:
      return TermQuery::all_of(std::move(parts));
    case Op::kOr:
      return TermQuery::any_of(std::move(parts));
    case Op::kNot:
      return {};
    default:
      break;
  }
  switch (kFields[field].match) {
    case Match::kWhole:
    case Match::kClosed:
      return TermQuery::of(whole_term(field, expression.text));
    case Match::kWords:
      return words_query(field, expression.words);
    case Match::kNumber:
      return sizes_query(expression.op, expression.number);
  }
  CHECK(false);
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
  FieldSet wanted = 0;
  for (const Condition& condition : conditions_) wanted |= field_bit(condition.field);
  std::vector<FieldValue> values;
  read_fields(event_bytes, wanted, values);
  return std::all_of(conditions_.begin(), conditions_.end(), [&](const Condition& condition) {
    return evaluate(condition.expression, condition.field, values);
  });
}

TermQuery Filter::term_query() const {
  std::vector<TermQuery> parts;
  for (const Condition& condition : conditions_)
    parts.push_back(query_of(condition.expression, condition.field));
  auto all = TermQuery::all_of(std::move(parts));
  return all.any() ? all : TermQuery::any_of({std::move(all), TermQuery::of(kCrowded)});
}

bool Filter::may_match(Name name, Severity severity) const {
  std::vector<FieldValue> values = {{kEvent, std::string(to_string(name)), {}}};
  if (severity != Severity::kNone) {
    values.push_back({kSeverity, std::string(to_string(severity)), {}});
  }
  return std::all_of(conditions_.begin(), conditions_.end(), [&](const Condition& condition) {
    const bool known = condition.field == kEvent || condition.field == kSeverity;
    return !known || evaluate(condition.expression, condition.field, values);
  });
}

}  // namespace eventhorn::event
