#include "event/terms.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/text.h"
#include "event/fields.h"
#include "json/cursor.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace eventhorn::event {
namespace {

// Raised with every change of what terms_of() gives for an event, and of the index of them.
constexpr uint16_t kRules = 2;

constexpr Term kMask = (Term{1} << (8 * kTermBytes)) - 1;

// Beside the numbers of fields: terms that are of no field of a filter.
constexpr size_t kRecipientDomain = 64;

Term term_of(size_t field, std::string_view value) {
  return std::max(kCrowded + 1, hash_bytes(value, field + 1) & kMask);
}

bool is_of_kind(Term term) {
  static const auto known = [] {
    std::vector<Term> out = {kCrowded};
    for (const auto name : names()) out.push_back(whole_term(kEvent, name));
    for (const auto severity : severities()) out.push_back(whole_term(kSeverity, severity));
    return out;
  }();
  return std::ranges::find(known, term) != known.end();
}

void add_terms(const FieldValue& value, std::vector<Term>& out) {
  switch (kFields[value.field].match) {
    case Match::kWhole:
    case Match::kClosed:
      out.push_back(whole_term(value.field, value.text));
      break;
    case Match::kWords:
      for_each_word(value.words,
                    [&](std::string_view word) { out.push_back(word_term(value.field, word)); });
      break;
    case Match::kNumber:
      out.push_back(size_term(size_bucket(json::to_double(value.text))));
      break;
  }
  const auto at = value.text.rfind('@');
  if (value.field == kRecipient && at != std::string::npos)
    out.push_back(recipient_domain_term(std::string_view(value.text).substr(at + 1)));
}

}  // namespace

uint16_t terms_version() {
  static const auto version = static_cast<uint16_t>(kRules << 8 | unicode_version());
  return version;
}

Term whole_term(size_t field, std::string_view folded) {
  return term_of(field, folded);
}

Term recipient_domain_term(std::string_view folded) {
  return term_of(kRecipientDomain, folded);
}

Term name_term(Name name) {
  return whole_term(kEvent, to_string(name));
}

Term severity_term(Severity severity) {
  return whole_term(kSeverity, to_string(severity));
}

Term word_term(size_t field, std::string_view word) {
  return term_of(field, word);
}

Term size_term(unsigned bucket) {
  const auto byte = static_cast<char>(bucket);
  return term_of(kSize, {&byte, 1});
}

unsigned size_bucket(double size) {
  if (!(size >= 1)) return 0;
  return std::min(kMaxSizeBucket, static_cast<unsigned>(std::ilogb(size)) + 1);
}

std::vector<Term> terms_of(std::string_view event_bytes) {
  std::vector<FieldValue> values;
  read_fields(event_bytes, kTermFields, values);
  std::vector<Term> out;
  for (const auto& value : values) {
    add_terms(value, out);
    if (out.size() > 4 * kMaxTerms) return {kCrowded};
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (out.size() > kMaxTerms) out = {kCrowded};
  return out;
}

bool TermQuery::holds(std::span<const Term> terms) const {
  const auto part_holds = [terms](const TermQuery& part) { return part.holds(terms); };
  switch (op) {
    case Op::kAny:
      return true;
    case Op::kTerm:
      return std::ranges::binary_search(terms, term);
    case Op::kAnd:
      return std::ranges::all_of(parts, part_holds);
    case Op::kOr:
      return std::ranges::any_of(parts, part_holds);
  }
  CHECK(false);
}

size_t TermQuery::terms() const {
  size_t out = op == Op::kTerm ? 1 : 0;
  for (const auto& part : parts) out += part.terms();
  return out;
}

TermQuery TermQuery::of_kinds() const {
  if (op == Op::kTerm) return is_of_kind(term) ? *this : TermQuery();
  std::vector<TermQuery> known;
  for (const auto& part : parts) known.push_back(part.of_kinds());
  if (op == Op::kAnd) return all_of(std::move(known));
  if (op == Op::kOr) return any_of(std::move(known));
  return {};
}

TermQuery TermQuery::all_of(std::vector<TermQuery> parts) {
  std::erase_if(parts, [](const TermQuery& part) { return part.any(); });
  if (parts.empty()) return {};
  if (parts.size() == 1) return std::move(parts.front());
  return {Op::kAnd, 0, std::move(parts)};
}

TermQuery TermQuery::any_of(std::vector<TermQuery> parts) {
  if (std::ranges::any_of(parts, &TermQuery::any)) return {};
  if (parts.size() == 1) return std::move(parts.front());
  return {Op::kOr, 0, std::move(parts)};
}

}  // namespace eventhorn::event
