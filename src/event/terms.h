// Terms: what of an event can be searched, each field and value as one number. An index of terms
// finds the events that a filter may match without looking at the others; the filter then decides
// on the event's bytes, so two values with one number cost a look and change no answer.
// Pure; any thread.
#pragma once

#include "event/event.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace eventhorn::event {

/// A hash of 40 bits, never 0. On disk, together with terms_version().
using Term = uint64_t;

inline constexpr int kTermBytes = 5;

/// One event cannot fill an index: of more different terms, or four times as many words, none is
/// kept.
inline constexpr size_t kMaxTerms = 512;

/// The one term of an event with too many.
inline constexpr Term kCrowded = 1;

/// Names the rules by which terms are made, and the tables of Unicode behind them. Terms of another
/// version say nothing. 1 to 65535.
uint16_t terms_version();

/// The terms of an event, in order, each once. `event_bytes` are its normalised bytes.
///
/// Event name, severity, message-id, recipient, list, each tag and the reason give a term each; the
/// recipient's domain one; each word of from, to, subject, attachments' filenames and recipients
/// one; the size one for its power of two.
std::vector<Term> terms_of(std::string_view event_bytes);

/// The terms of an event's kind, which every event has, also where it is crowded: its name, and the
/// severity of a failed one.
Term name_term(Name name);
Term severity_term(Severity severity);

/// The term of a value that is compared whole, of the field with that number (fields.h); folded.
Term whole_term(size_t field, std::string_view folded);
/// The term of the domain of a recipient, folded.
Term recipient_domain_term(std::string_view folded);
/// The term of one word.
Term word_term(size_t field, std::string_view word);
/// The term of a size in the power of two `bucket`.
Term size_term(unsigned bucket);
/// 0 to kMaxSizeBucket; never falls as the size grows.
unsigned size_bucket(double size);

inline constexpr unsigned kMaxSizeBucket = 40;

/// What a filter asks of the terms of an event that it matches.
struct TermQuery {
  enum class Op : uint8_t {
    kAny,   // nothing: every event may match
    kTerm,  // that it has `term`
    kAnd,
    kOr,
  };

  Op op = Op::kAny;
  Term term = 0;
  std::vector<TermQuery> parts{};  // of kAnd and kOr; at least one, none of them kAny

  bool any() const { return op == Op::kAny; }

  /// How many there are in it, each as often as it comes.
  size_t terms() const;

  /// Whether an event with these terms, in order, may match.
  bool holds(std::span<const Term> terms) const;

  /// What is left of it where nothing but the terms of kinds and kCrowded is known of an event.
  TermQuery of_kinds() const;

  static TermQuery of(Term term) { return {Op::kTerm, term, {}}; }

  /// All of `parts`; those that ask nothing are left out.
  static TermQuery all_of(std::vector<TermQuery> parts);
  /// One of `parts`; kAny when one of them asks nothing. Not empty.
  static TermQuery any_of(std::vector<TermQuery> parts);
};

}  // namespace eventhorn::event
