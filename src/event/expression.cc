#include "event/expression.h"

#include <charconv>
#include <cmath>
#include <utility>

namespace eventhorn::event {
namespace {

using Op = Expression::Op;

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

class Parser {
 public:
  Parser(std::string_view text, bool numeric, size_t& terms_left)
      : rest_(text), numeric_(numeric), terms_left_(terms_left) {}

  Result<Expression> parse() {
    TRY(Expression whole, parse_or());
    if (!rest_.empty()) return error("closing parenthesis without an opening one");
    return whole;
  }

 private:
  static tl::unexpected<Error> error(std::string message) {
    return fail(Errc::kInvalidArgument, std::move(message));
  }

  // Every rule starts and ends at the next token.
  void skip_space() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
  }

  std::string_view peek_word() const {
    size_t size = 0;
    while (size < rest_.size() && !is_space(rest_[size]) &&
           std::string_view("()\"").find(rest_[size]) == std::string_view::npos) {
      ++size;
    }
    return rest_.substr(0, size);
  }

  bool take_word(std::string_view word) {
    if (peek_word() != word) return false;
    rest_.remove_prefix(word.size());
    skip_space();
    return true;
  }

  Result<Expression> parse_or() {
    skip_space();
    TRY(Expression first, parse_and());
    Expression any{Op::kOr, {}, {}, {}, 0};
    any.parts.push_back(std::move(first));
    while (take_word("OR")) {
      TRY(Expression next, parse_and());
      any.parts.push_back(std::move(next));
    }
    return any.parts.size() == 1 ? std::move(any.parts.front()) : std::move(any);
  }

  Result<Expression> parse_and() {
    TRY(Expression first, parse_not());
    Expression all{Op::kAnd, {}, {}, {}, 0};
    all.parts.push_back(std::move(first));
    while (take_word("AND") || starts_operand()) {
      TRY(Expression next, parse_not());
      all.parts.push_back(std::move(next));
    }
    return all.parts.size() == 1 ? std::move(all.parts.front()) : std::move(all);
  }

  bool starts_operand() const {
    return !rest_.empty() && rest_.front() != ')' && peek_word() != "OR";
  }

  Result<Expression> parse_not() {
    if (!take_word("NOT")) return parse_primary();
    if (nesting_ == kMaxFilterNesting) return too_deep();
    ++nesting_;
    TRY(Expression operand, parse_not());
    --nesting_;
    Expression negation{Op::kNot, {}, {}, {}, 0};
    negation.parts.push_back(std::move(operand));
    return negation;
  }

  Result<Expression> parse_primary() {
    if (rest_.empty()) return error("ends where a term is expected");
    if (rest_.front() == '(') return parse_group();
    if (rest_.front() == ')') return error("closing parenthesis where a term is expected");
    if (terms_left_ == 0) {
      return error("more than " + std::to_string(kMaxFilterTerms) + " terms");
    }
    --terms_left_;
    if (rest_.front() == '"') return parse_quoted();
    return parse_word();
  }

  Result<Expression> parse_group() {
    if (nesting_ == kMaxFilterNesting) return too_deep();
    ++nesting_;
    rest_.remove_prefix(1);
    TRY(Expression inner, parse_or());
    if (rest_.empty()) return error("parenthesis is not closed");
    rest_.remove_prefix(1);
    skip_space();
    --nesting_;
    return inner;
  }

  Result<Expression> parse_quoted() {
    std::string text;
    size_t i = 1;
    for (; i < rest_.size() && rest_[i] != '"'; ++i) {
      const std::string_view pair = rest_.substr(i, 2);
      if (pair == "\\\"" || pair == "\\\\") ++i;
      text.push_back(rest_[i]);
    }
    if (i == rest_.size()) return error("quote is not closed");
    if (text.empty()) return error("empty quotes");
    rest_.remove_prefix(i + 1);
    skip_space();
    return make_term(Op::kTerm, std::move(text));
  }

  Result<Expression> parse_word() {
    const std::string_view word = peek_word();
    if (word == "AND" || word == "OR") {
      return error(std::string(word) + " where a term is expected");
    }
    const Op op = numeric_ ? take_comparison() : Op::kTerm;
    const std::string_view text = peek_word();
    rest_.remove_prefix(text.size());
    skip_space();
    return make_term(op, std::string(text));
  }

  Op take_comparison() {
    static constexpr std::pair<std::string_view, Op> kOperators[] = {
        {">=", Op::kGreaterEqual}, {"<=", Op::kLessEqual}, {">", Op::kGreater}, {"<", Op::kLess}};
    for (const auto& [sign, op] : kOperators) {
      if (!rest_.starts_with(sign)) continue;
      rest_.remove_prefix(sign.size());
      skip_space();
      return op;
    }
    return Op::kTerm;
  }

  Result<Expression> make_term(Op op, std::string text) {
    double number = 0;
    if (numeric_) {
      const char* end = text.data() + text.size();
      const auto parsed = std::from_chars(text.data(), end, number);
      if (parsed.ec != std::errc() || parsed.ptr != end || !std::isfinite(number)) {
        return error("must be a number, or a comparison with one");
      }
    }
    return Expression{op, {}, std::move(text), {}, number};
  }

  static tl::unexpected<Error> too_deep() {
    return error("nested more than " + std::to_string(kMaxFilterNesting) + " levels deep");
  }

  std::string_view rest_;
  const bool numeric_;
  size_t& terms_left_;
  int nesting_ = 0;
};

}  // namespace

Result<Expression> parse_expression(std::string_view text, bool numeric, size_t& terms_left) {
  if (text.size() > kMaxFilterBytes) {
    return fail(Errc::kInvalidArgument,
                "longer than " + std::to_string(kMaxFilterBytes) + " bytes");
  }
  return Parser(text, numeric, terms_left).parse();
}

}  // namespace eventhorn::event
