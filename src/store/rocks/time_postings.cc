#include "store/rocks/time_postings.h"

#include <algorithm>

namespace eventhorn::store {

TimePostings::TimePostings(const TimeTable& table, std::span<const DomainUid> domains,
                           const PageQuery& query)
    : table_(table), domains_(domains), query_(query), direction_{query.ascending} {}

Status TimePostings::seek(const Posting& target) {
  const auto before = [this](const Posting& a, const Posting& b) {
    return direction_.before(a, b);
  };
  const auto skip = [&] {
    const auto first = postings_.begin() + static_cast<std::ptrdiff_t>(next_);
    next_ = static_cast<size_t>(std::lower_bound(first, postings_.end(), target, before) -
                                postings_.begin());
  };
  skip();
  if (next_ == postings_.size() && !ended_) TRY_STATUS(fill(target));
  current_ = next_ < postings_.size() ? std::optional(postings_[next_]) : std::nullopt;
  return {};
}

// The first at_once_ from `target` on.
Status TimePostings::fill(const Posting& target) {
  const auto before = [this](const Posting& a, const Posting& b) {
    return direction_.before(a, b);
  };
  postings_.clear();
  next_ = 0;
  current_.reset();
  for (const DomainUid domain : domains_) TRY_STATUS(add_domain(domain, target));
  std::ranges::sort_heap(postings_, before);
  ended_ = postings_.size() < at_once_;
  at_once_ = std::min(2 * at_once_, kMaxAtOnce);
  return {};
}

// The heap has the furthest on top.
Status TimePostings::add_domain(DomainUid domain, const Posting& target) {
  const auto before = [this](const Posting& a, const Posting& b) {
    return direction_.before(a, b);
  };
  PageQuery rest;
  rest.domain = domain;
  rest.ascending = query_.ascending;
  rest.first_us = target.timestamp_us;
  rest.last_us = query_.last_us;
  TimeTable::Walk walk(table_, rest);
  for (; walk.valid(); walk.next()) {
    const auto row = walk.row();
    const Posting found{row.timestamp_us, row.position};
    if (before(found, target)) continue;
    if (postings_.size() == at_once_) {
      // Rows of one timestamp are in the order of ids.
      if (found.timestamp_us != postings_.front().timestamp_us && before(postings_.front(), found))
        break;
      if (!before(found, postings_.front())) continue;
      std::ranges::pop_heap(postings_, before);
      postings_.pop_back();
    }
    postings_.push_back(found);
    std::ranges::push_heap(postings_, before);
  }
  return walk.status();
}

}  // namespace eventhorn::store
