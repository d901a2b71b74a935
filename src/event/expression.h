// The filter expressions of the Events API (spec/events.md "Filter expression grammar"): the
// grammar only; filter.h gives terms their meaning. Pure values.
//
//   expr    := or
//   or      := and { "OR" and }
//   and     := not { ["AND"] not }
//   not     := "NOT" not | primary
//   primary := "(" or ")" | cmp | quoted | word
//   cmp     := ("<" | ">" | "<=" | ">=") number          numeric fields only
//   quoted  := '"' { '\"' | '\\' | any char except '"' } '"'     \" and \\ are " and \
//   word    := run of non-space chars other than ( ) "
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::event {

inline constexpr size_t kMaxFilterTerms = 100;
inline constexpr size_t kMaxFilterBytes = 4096;
/// Parentheses and NOTs within each other.
inline constexpr int kMaxFilterNesting = 32;

struct Expression {
  enum class Op : uint8_t { kAnd, kOr, kNot, kTerm, kLess, kLessEqual, kGreater, kGreaterEqual };

  Op op = Op::kTerm;
  /// Of kAnd and kOr at least two, of kNot one, of the others none.
  std::vector<Expression> parts;
  /// What a term or a comparison is about: a word, a quoted text without its quotes, or a number.
  std::string text;
  /// For whoever evaluates terms: the words of `text`.
  std::string words;
  double number = 0;
};

/// `text` as an expression; in a `numeric` field terms and comparisons must be finite numbers, and
/// elsewhere < and > are characters of words. Takes the number of its terms from `terms_left`.
/// kInvalidArgument, saying what is wrong but not with which field, for anything outside the
/// grammar and beyond the limits.
Result<Expression> parse_expression(std::string_view text, bool numeric, size_t& terms_left);

}  // namespace eventhorn::event
