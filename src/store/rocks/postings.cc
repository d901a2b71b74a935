#include "store/rocks/postings.h"

#include "base/check.h"

#include <algorithm>
#include <array>
#include <vector>

namespace eventhorn::store {
namespace {

// Steps between two questions whether to give up: some tens of microseconds.
constexpr unsigned kStepsAtOnce = 64;

/// The rows of one term and width.
class Periods {
 public:
  Periods(TermTable::Rows& rows, unsigned width, Direction direction)
      : rows_(rows), width_(width), direction_(direction) {}

  bool ended() const { return state_ == State::kEnded; }

  /// Where its next posting is at the earliest; exactly there once it is read(). Not when ended().
  const Posting& bound() const { return bound_; }

  bool is_read() const { return state_ == State::kRead; }

  Status seek(const Posting& target) {
    if (state_ == State::kEnded) return {};
    if (state_ == State::kRead && skip_to(target)) return {};
    const bool passed = state_ != State::kUnread || is_behind(target);
    if (passed) return find_row(state_ == State::kRead ? after_row(target) : target);
    bound_ = later(bound_, target);
    return {};
  }

  /// Reads the row, and those after it as long as they have nothing from bound() on.
  Status read() {
    while (state_ == State::kUnread) {
      postings_.clear();
      next_ = 0;
      // Other widths have moved the iterator.
      if (!rows_.seek(width_, period_, direction_.ascending)) {
        state_ = State::kEnded;
        return rows_.status();
      }
      TRY_STATUS(rows_.read(postings_));
      if (!direction_.ascending) std::ranges::reverse(postings_);
      const Posting target = bound_;
      state_ = State::kRead;
      if (!skip_to(target)) TRY_STATUS(find_row(after_row(target)));
    }
    return {};
  }

 private:
  enum class State : uint8_t { kNew, kUnread, kRead, kEnded };

  const Posting& later(const Posting& a, const Posting& b) const {
    return direction_.before(a, b) ? b : a;
  }

  int64_t period_end() const { return period_ + TermTable::period_us(width_); }

  bool is_behind(const Posting& target) const {
    return direction_.ascending ? period_end() <= target.timestamp_us
                                : period_ > target.timestamp_us;
  }

  // Behind the row that is read, or `target` where that is further.
  Posting after_row(const Posting& target) const {
    const Posting end =
        direction_.ascending ? Posting{period_end(), {0}} : Posting{period_ - 1, {UINT64_MAX}};
    return later(end, target);
  }

  // Within the row that is read; false when it has nothing from there on.
  bool skip_to(const Posting& target) {
    const auto at = std::partition_point(
        postings_.begin() + static_cast<std::ptrdiff_t>(next_), postings_.end(),
        [&](const Posting& p) { return direction_.before(p, target); });
    next_ = static_cast<size_t>(at - postings_.begin());
    if (at == postings_.end()) return false;
    bound_ = *at;
    return true;
  }

  Status find_row(const Posting& target) {
    state_ = State::kEnded;
    if (target.timestamp_us < 0) return {};
    if (!rows_.seek(width_, target.timestamp_us, direction_.ascending)) return rows_.status();
    state_ = State::kUnread;
    period_ = rows_.period();
    const Posting first =
        direction_.ascending ? Posting{period_, {0}} : Posting{period_end() - 1, {UINT64_MAX}};
    bound_ = later(first, target);
    return {};
  }

  TermTable::Rows& rows_;
  const unsigned width_;
  const Direction direction_;

  State state_ = State::kNew;
  int64_t period_ = 0;
  Posting bound_;
  std::vector<Posting> postings_;  // of the row, in the direction of travel
  size_t next_ = 0;
};

class TermPostings final : public Postings {
 public:
  TermPostings(const TermTable& table, const PostingsQuery& query, event::Term term)
      : rows_(table, query.scope, term), direction_(query.direction) {}

  Status seek(const Posting& target) override {
    TRY_STATUS(find_widths());
    for (auto& periods : widths_) TRY_STATUS(periods.seek(target));
    for (;;) {
      Periods* first = nullptr;
      for (auto& periods : widths_) {
        if (periods.ended()) continue;
        if (first == nullptr || direction_.before(periods.bound(), first->bound()))
          first = &periods;
      }
      if (first == nullptr) {
        current_.reset();
        return {};
      }
      if (first->is_read()) {
        current_ = first->bound();
        return {};
      }
      TRY_STATUS(first->read());
    }
  }

 private:
  Status find_widths() {
    if (looked_) return {};
    for (unsigned width = rows_.next_width(0); width < TermTable::kWidths;
         width = rows_.next_width(width + 1))
      widths_.emplace_back(rows_, width, direction_);
    looked_ = true;
    return rows_.status();
  }

  TermTable::Rows rows_;
  const Direction direction_;
  bool looked_ = false;
  std::vector<Periods> widths_;  // that the term has
};

class AllOf final : public Postings {
 public:
  AllOf(std::vector<std::unique_ptr<Postings>> parts, const PostingsQuery& query)
      : parts_(std::move(parts)), query_(query) {}

  Status seek(const Posting& target) override {
    Posting at = target;
    size_t agreed = 0;
    for (size_t i = 0; agreed < parts_.size(); i = (i + 1) % parts_.size()) {
      auto& part = *parts_[i];
      if (auto status = part.seek(at); !status) {
        if (status.error().code == Errc::kCancelled) current_ = part.current();
        return status;
      }
      const auto found = part.current();
      if (!found) {
        current_.reset();
        return {};
      }
      agreed = *found == at ? agreed + 1 : 1;
      at = *found;
      if (++steps_ % kStepsAtOnce == 0 && query_.give_up && query_.give_up(at)) {
        current_ = at;
        return fail(Errc::kCancelled, "given up");
      }
    }
    current_ = at;
    return {};
  }

 private:
  const std::vector<std::unique_ptr<Postings>> parts_;
  const PostingsQuery query_;
  unsigned steps_ = 0;
};

class AnyOf final : public Postings {
 public:
  AnyOf(std::vector<std::unique_ptr<Postings>> parts, Direction direction) : direction_(direction) {
    for (auto& part : parts) parts_.push_back({std::move(part)});
  }

  Status seek(const Posting& target) override {
    for (auto& part : parts_) TRY_STATUS(part.seek(target, direction_));
    current_.reset();
    for (const auto& part : parts_) {
      const auto& at = part.walk->current();
      if (at && (!current_ || direction_.before(*at, *current_))) current_ = at;
    }
    // Nothing is known of the timestamp at which a part was given up.
    for (const auto& part : parts_) {
      const auto& at = part.walk->current();
      if (part.given_up && at && current_ && at->timestamp_us == current_->timestamp_us)
        return fail(Errc::kCancelled, "given up");
    }
    return {};
  }

 private:
  struct Part {
    std::unique_ptr<Postings> walk;
    bool started = false;
    bool given_up = false;  // it has nothing before its current()

    Status seek(const Posting& target, Direction direction) {
      const auto& at = walk->current();
      if (started && (!at || !direction.before(*at, target))) return {};
      started = true;
      auto sought = walk->seek(target);
      given_up = !sought && sought.error().code == Errc::kCancelled;
      return given_up ? Status() : sought;
    }
  };

  const Direction direction_;
  std::vector<Part> parts_;
};

}  // namespace

std::unique_ptr<Postings> join_postings(std::vector<std::unique_ptr<Postings>> parts,
                                        Direction direction) {
  CHECK(!parts.empty());
  return std::make_unique<AnyOf>(std::move(parts), direction);
}

std::unique_ptr<Postings> walk_postings(const TermTable& table, const PostingsQuery& query,
                                        const event::TermQuery& terms) {
  using Op = event::TermQuery::Op;
  CHECK(terms.op != Op::kAny);
  if (terms.op == Op::kTerm) return std::make_unique<TermPostings>(table, query, terms.term);
  std::vector<std::unique_ptr<Postings>> parts;
  for (const auto& part : terms.parts) parts.push_back(walk_postings(table, query, part));
  if (terms.op == Op::kAnd) return std::make_unique<AllOf>(std::move(parts), query);
  return join_postings(std::move(parts), query.direction);
}

}  // namespace eventhorn::store
