#include "store/rocks/account_rows.h"

#include "base/check.h"
#include "store/rocks/time_postings.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

namespace eventhorn::store {
namespace {

using event::TermQuery;
using Uids = std::vector<DomainUid>;

// Keys hold timestamps of 56 bits.
constexpr int64_t kLastTimestamp = (int64_t{1} << 56) - 1;

// Dropped postings that are passed between two questions whether to give up.
constexpr unsigned kDroppedAtOnce = 1024;

// Domains that have a term and are none of the query's, which are passed to find those that are.
constexpr size_t kMaxOthers = 1024;

/// Which domains of a set have what a query asks for of terms.
class DomainSearch {
 public:
  DomainSearch(const TermTable& table, const DomainSet& set) : table_(table), set_(set) {}

  /// Some of them may have no event with all of it. nullopt when they are more than kMaxDomains, or
  /// too hard to find.
  Result<std::optional<Uids>> find(const TermQuery& query) const {
    if (query.op == TermQuery::Op::kTerm) return of_term(query.term);
    std::optional<Uids> out;
    for (const auto& part : query.parts) {
      TRY(auto found, find(part));
      const bool all = query.op == TermQuery::Op::kAnd;
      if (!found && !all) return std::optional<Uids>();
      if (!found) continue;
      out = out ? joined(*out, *found, all) : *std::move(found);
    }
    if (out && out->size() > AccountRows::kMaxDomains) out.reset();
    return out;
  }

 private:
  static Uids joined(const Uids& a, const Uids& b, bool all) {
    Uids out;
    if (all) {
      std::ranges::set_intersection(a, b, std::back_inserter(out));
    } else {
      std::ranges::set_union(a, b, std::back_inserter(out));
    }
    return out;
  }

  // A small set is looked up; of a large one the domains that have the term are.
  Result<std::optional<Uids>> of_term(event::Term term) const {
    const bool look_up = set_.domains.size() <= AccountRows::kMaxDomains;
    TermTable::Domains found(table_, term);
    Uids out;
    size_t others = 0;
    auto next = set_.domains.begin();
    while (next != set_.domains.end()) {
      const auto at = found.seek(*next);
      if (!at) break;
      const auto wanted = std::lower_bound(next, set_.domains.end(), *at);
      if (wanted != set_.domains.end() && *wanted == *at) {
        out.push_back(*at);
        next = std::next(wanted);
      } else {
        next = wanted;
        ++others;
      }
      if (!look_up && (out.size() > AccountRows::kMaxDomains || others > kMaxOthers))
        return std::optional<Uids>();
    }
    TRY_STATUS(found.status());
    return std::optional(std::move(out));
  }

  const TermTable& table_;
  const DomainSet& set_;
};

/// Every event has one of these.
TermQuery any_kind() {
  std::vector<TermQuery> out;
  for (const auto name : event::names())
    out.push_back(TermQuery::of(event::name_term(*event::parse_name(name))));
  return TermQuery::any_of(std::move(out));
}

}  // namespace

AccountRows::AccountRows(const Parts& parts, const Tail::Runs& runs, const PageQuery& query)
    : parts_(parts),
      query_(query),
      direction_{query.ascending},
      tail_(tail_rows(runs, query, [&](const TailEntry& e) {
        return query.terms.any() || query.terms.holds(e.terms);
      })) {
  CHECK(query.domains);
}

// The domains that have the terms, where they are few; where no term helps, all domains by their
// times, where these are few, and otherwise what the account has of kinds.
Status AccountRows::choose_postings() {
  const auto& set = *query_.domains;
  const auto give_up = [this](const Posting& at) { return gives_up(at); };
  std::vector<std::unique_ptr<Postings>> parts;
  if (parts_.use_terms && !query_.terms.any()) {
    TRY(const auto found, DomainSearch(parts_.terms, set).find(query_.terms));
    if (found && found->size() * query_.terms.terms() <= kMaxWalks) {
      for (const DomainUid domain : *found)
        parts.push_back(walk_postings(parts_.terms, {domain, direction_, give_up}, query_.terms));
      if (parts.empty())
        parts.push_back(
            std::make_unique<TimePostings>(parts_.times, std::span<const DomainUid>(), query_));
      postings_ = join_postings(std::move(parts), direction_);
      return {};
    }
  }
  if (!parts_.use_terms || set.domains.size() <= kMaxDomains) {
    postings_ = std::make_unique<TimePostings>(parts_.times, set.domains, query_);
    return {};
  }
  const auto kinds = query_.terms.of_kinds();
  const PostingsQuery of_account{TermScope(set.account), direction_, give_up};
  const bool narrows = !kinds.any() && kinds.terms() <= kMaxWalks;
  postings_ = walk_postings(parts_.terms, of_account, narrows ? kinds : any_kind());
  return {};
}

bool AccountRows::gives_up(const Posting& at) const {
  return at != start_ && query_.give_up && query_.give_up();
}

bool AccountRows::in_range(const Posting& at) const {
  return query_.ascending ? at.timestamp_us < query_.last_us : at.timestamp_us > query_.last_us;
}

Status AccountRows::start() {
  const int64_t from = std::clamp<int64_t>(query_.first_us, 0, kLastTimestamp);
  start_ = {from, {query_.ascending ? 0 : UINT64_MAX}};
  if (query_.beyond) {
    const Posting cursor{std::clamp<int64_t>(query_.beyond->timestamp_us, 0, kLastTimestamp),
                         query_.beyond->position};
    const Posting beyond = direction_.beyond(cursor);
    if (direction_.before(start_, beyond)) start_ = beyond;
  }
  TRY_STATUS(choose_postings());
  return move_to(start_);
}

// To the first posting from `target` on whose event is still there; what retention dropped goes
// when RocksDB compacts. Where the query is given up it ends well, and says so in given_up_.
Status AccountRows::move_to(const Posting& target) {
  auto sought = postings_->seek(target);
  for (unsigned n = 1; sought; ++n) {
    const auto& at = postings_->current();
    if (!at || at->position.value >= parts_.floor || !in_range(*at)) return {};
    if (n % kDroppedAtOnce == 0 && gives_up(*at)) break;
    sought = postings_->seek(direction_.beyond(*at));
  }
  if (!sought && sought.error().code != Errc::kCancelled) return sought;
  given_up_ = true;
  return {};
}

Result<std::optional<TimeRow>> AccountRows::next() {
  if (!std::exchange(started_, true)) TRY_STATUS(start());
  const auto& current = postings_->current();
  const auto at = current && in_range(*current) ? current : std::nullopt;
  if (tail_next_ == tail_.size()) {
    if (!at) return std::nullopt;
  } else {
    auto& tail = tail_[tail_next_];
    const Posting of_tail{tail.timestamp_us, tail.position};
    if (!at || direction_.before(of_tail, *at) || of_tail == *at) {
      // An event may be seen on its way from the tail to the index.
      if (at && of_tail == *at && !given_up_) TRY_STATUS(move_to(direction_.beyond(*at)));
      ++tail_next_;
      return std::optional(std::move(tail));
    }
  }
  if (given_up_) return fail(Errc::kCancelled, "given up");
  TimeRow row{at->timestamp_us, {}, at->position, {}, {}};
  TRY_STATUS(move_to(direction_.beyond(*at)));
  return std::optional(std::move(row));
}

// Before the place where the postings are.
PageCursor AccountRows::given_up_at() const {
  const auto& at = postings_->current();
  if (!at) return {};
  return {at->timestamp_us, {}, {at->position.value + (query_.ascending ? -1 : 1)}};
}

}  // namespace eventhorn::store
