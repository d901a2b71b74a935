#include "event/log_filter.h"

#include "base/strings.h"
#include "base/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

namespace eventhorn::event {
namespace {

// What follows the last `@` of a recipient.
constexpr size_t kDomainOfRecipient = kNoField;

constexpr size_t kMaxQuotedBytes = 64;

struct Attribute {
  std::string_view name;
  size_t field;
};

constexpr std::array<Attribute, 14> kAttributes = {{
    {"event", kEvent},
    {"severity", kSeverity},
    {"recipient", kRecipient},
    {"recipient_domain", kDomainOfRecipient},
    {"recipient_provider", kProvider},
    {"message_id", kMessageId},
    {"subject", kSubject},
    {"from", kFrom},
    {"to", kTo},
    {"tag", kTags},
    {"list", kList},
    {"reason", kReason},
    {"country", kCountry},
    {"ip", kIp},
}};

/// A metric that one event tells: of that name, severity and value of a field, where they are
/// given.
struct Metric {
  std::string_view name;
  std::string_view event;
  std::string_view severity{};
  size_t field = kNoField;
  std::string_view value{};
};

constexpr std::array<Metric, 23> kMetrics = {{
    {"accepted", "accepted"},
    {"rejected", "rejected"},
    {"stored", "stored"},
    {"delivered", "delivered"},
    {"delivered_smtp", "delivered", {}, kTransport, "smtp"},
    {"delivered_http", "delivered", {}, kTransport, "http"},
    {"opened", "opened"},
    {"clicked", "clicked"},
    {"unsubscribed", "unsubscribed"},
    {"complained", "complained"},
    {"failed", "failed"},
    {"temporary_failed", "failed", "temporary"},
    {"permanent_failed", "failed", "permanent"},
    {"temporary_failed_esp_block", "failed", "temporary", kReason, "espblock"},
    {"permanent_failed_esp_block", "failed", "permanent", kReason, "espblock"},
    {"permanent_failed_old", "failed", "permanent", kReason, "old"},
    {"bounced", "failed", "permanent", kReason, "bounce"},
    {"hard_bounces", "failed", {}, kBounceType, "hard"},
    {"soft_bounces", "failed", {}, kBounceType, "soft"},
    {"suppressed_bounces", "failed", "permanent", kReason, "suppress-bounce"},
    {"suppressed_complaints", "failed", "permanent", kReason, "suppress-complaint"},
    {"suppressed_unsubscribed", "failed", "permanent", kReason, "suppress-unsubscribe"},
    {"email_validation", "email_validation"},
}};

// Names of Mailgun's that no producer sends: a query that asks for all there are is answered.
constexpr std::array<std::string_view, 2> kNamesOfOthers = {"email_validation", "trapped"};

template <class Rows>
std::string names_of(const Rows& rows) {
  std::vector<std::string_view> out;
  for (const auto& row : rows) out.push_back(row.name);
  return fmt::format("{}", fmt::join(out, ", "));
}

std::string in_quotes(std::string_view text) {
  return '"' + escape_for_log(text, kMaxQuotedBytes) + '"';
}

Status check_value(size_t field, std::string_view folded) {
  if (field == kSeverity && std::ranges::find(severities(), folded) == severities().end())
    return fail(Errc::kInvalidArgument,
                fmt::format("{} is not one of {}", in_quotes(folded), fmt::join(severities(), ", ")));
  if (field != kEvent) return {};
  if (std::ranges::find(names(), folded) != names().end()) return {};
  if (std::ranges::find(kNamesOfOthers, folded) != kNamesOfOthers.end()) return {};
  const auto* rule = folded.starts_with("unique_") ? "needs counts over many events, which are not "
                                                     "kept yet; may be one of"
                                                   : "is not one of";
  return fail(Errc::kInvalidArgument,
              fmt::format("{} {} {}", in_quotes(folded), rule, fmt::join(names(), ", ")));
}

TermQuery words_query(size_t field, std::string_view folded) {
  std::vector<TermQuery> parts;
  const auto words = join_words(folded);
  for_each_word(words, [&](std::string_view word) {
    if (parts.size() < 8) parts.push_back(TermQuery::of(word_term(field, word)));
  });
  return TermQuery::all_of(std::move(parts));
}

}  // namespace

Result<LogFilter::Comparator> LogFilter::parse_comparator(std::string_view text) {
  if (text == "=") return Comparator::kIs;
  if (text == "!=") return Comparator::kIsNot;
  if (text == "contains") return Comparator::kContains;
  if (text == "not contains") return Comparator::kContainsNot;
  return fail(Errc::kInvalidArgument, "must be =, !=, contains or not contains");
}

Status LogFilter::add(std::string_view attribute, Comparator comparator,
                      const std::vector<std::string>& values) {
  const auto* known = std::ranges::find(kAttributes, attribute, &Attribute::name);
  if (known == kAttributes.end())
    return fail(Errc::kInvalidArgument, fmt::format("{} cannot be filtered by; may be domain, {}",
                                                    in_quotes(attribute), names_of(kAttributes)));
  const bool part = comparator == Comparator::kContains || comparator == Comparator::kContainsNot;
  Condition condition;
  condition.negated = comparator == Comparator::kIsNot || comparator == Comparator::kContainsNot;
  for (const auto& value : values) {
    auto folded = fold_text(value);
    if (known->field == kMessageId && !part) {
      if (folded.starts_with('<')) folded.erase(0, 1);
      if (folded.ends_with('>')) folded.pop_back();
    }
    if (!part) TRY_STATUS(check_value(known->field, folded));
    condition.any.push_back({Test{known->field, part, std::move(folded)}});
  }
  conditions_.push_back(std::move(condition));
  return {};
}

Status LogFilter::add_events(const std::vector<std::string>& events,
                             const std::vector<std::string>& metrics) {
  Condition condition;
  for (const auto& name : events) {
    if (const auto good = check_value(kEvent, name); !good)
      return fail(Errc::kInvalidArgument, "events: " + good.error().message);
    condition.any.push_back({Test{kEvent, false, name}});
  }
  for (const auto& name : metrics) {
    const auto* metric = std::ranges::find(kMetrics, name, &Metric::name);
    if (metric == kMetrics.end())
      return fail(Errc::kInvalidArgument,
                  fmt::format("metric_events: {} cannot be told by one event; may be {}",
                              in_quotes(name), names_of(kMetrics)));
    Tests tests = {Test{kEvent, false, std::string(metric->event)}};
    if (!metric->severity.empty())
      tests.push_back(Test{kSeverity, false, std::string(metric->severity)});
    if (metric->field != kNoField)
      tests.push_back(Test{metric->field, false, std::string(metric->value)});
    condition.any.push_back(std::move(tests));
  }
  conditions_.push_back(std::move(condition));
  return {};
}

bool LogFilter::Test::holds(const FieldValue& value) const {
  if (value.field != (field == kDomainOfRecipient ? kRecipient : field)) return false;
  std::string_view of = value.text;
  if (field == kDomainOfRecipient) {
    const auto at = of.rfind('@');
    if (at == std::string_view::npos) return false;
    of.remove_prefix(at + 1);
  }
  if (part) return contains(of, text);
  if (of == text) return true;
  // The address of "Bob <bob@example.com>".
  return (field == kFrom || field == kTo) && contains(of, '<' + text + '>');
}

bool LogFilter::all_hold(const Tests& tests, const std::vector<FieldValue>& values) {
  return std::ranges::all_of(tests, [&](const Test& test) {
    return std::ranges::any_of(values, [&](const FieldValue& v) { return test.holds(v); });
  });
}

bool LogFilter::matches(std::string_view event_bytes) const {
  if (empty()) return true;
  FieldSet wanted = 0;
  for (const auto& condition : conditions_)
    for (const auto& tests : condition.any)
      for (const auto& test : tests)
        wanted |= field_bit(test.field == kDomainOfRecipient ? kRecipient : test.field);
  std::vector<FieldValue> values;
  read_fields(event_bytes, wanted, values);
  return std::ranges::all_of(conditions_, [&](const Condition& condition) {
    const bool any = std::ranges::any_of(
        condition.any, [&](const Tests& tests) { return all_hold(tests, values); });
    return any != condition.negated;
  });
}

bool LogFilter::may_match(Name name, Severity severity) const {
  std::vector<FieldValue> values = {{kEvent, std::string(to_string(name)), {}}};
  if (severity != Severity::kNone)
    values.push_back({kSeverity, std::string(to_string(severity)), {}});
  const auto of_kind = [](const Test& test) {
    return test.field == kEvent || test.field == kSeverity;
  };
  return std::ranges::all_of(conditions_, [&](const Condition& condition) {
    return condition.negated ? std::ranges::none_of(condition.any,
                                                    [&](const Tests& tests) {
                                                      return std::ranges::all_of(tests, of_kind) &&
                                                             all_hold(tests, values);
                                                    })
                             : std::ranges::any_of(condition.any, [&](const Tests& tests) {
                                 Tests known;
                                 std::ranges::copy_if(tests, std::back_inserter(known), of_kind);
                                 return all_hold(known, values);
                               });
  });
}

TermQuery LogFilter::Test::term_query() const {
  if (part || field > kReason) {
    if (part || field != kDomainOfRecipient) return {};
    return TermQuery::of(recipient_domain_term(text));
  }
  if (kFields[field].match == Match::kWords) return words_query(field, text);
  return TermQuery::of(whole_term(field, text));
}

TermQuery LogFilter::term_query() const {
  std::vector<TermQuery> all;
  for (const auto& condition : conditions_) {
    if (condition.negated) continue;
    std::vector<TermQuery> any;
    for (const auto& tests : condition.any) {
      std::vector<TermQuery> of_tests;
      for (const auto& test : tests) of_tests.push_back(test.term_query());
      any.push_back(TermQuery::all_of(std::move(of_tests)));
    }
    all.push_back(TermQuery::any_of(std::move(any)));
  }
  auto out = TermQuery::all_of(std::move(all));
  return out.any() ? out : TermQuery::any_of({std::move(out), TermQuery::of(kCrowded)});
}

}  // namespace eventhorn::event
