// Pages over several domains: by (timestamp, position), whatever their number, their ids and what
// serves them.
#include "event/filter.h"
#include "store/contract/engines_test_support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace eventhorn::store {
namespace {

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  size_t up_to(size_t most) { return std::uniform_int_distribution<size_t>(0, most)(engine_); }

  bool one_in(size_t n) { return up_to(n - 1) == 0; }

 private:
  std::mt19937 engine_;
};

constexpr uint64_t kFirstUid = 100;
constexpr size_t kManyDomains = 150;

/// Ids come again in other domains; many events have one timestamp, some are days late, and some
/// have too many words for the index.
NewEvent random_event(Random& any, size_t domains, size_t number) {
  const event::Name names[] = {event::Name::kDelivered, event::Name::kOpened, event::Name::kFailed};
  const size_t domain = any.one_in(3) ? 0 : any.up_to(domains - 1);
  int64_t us = kBaseUs + static_cast<int64_t>(any.up_to(3000));
  if (any.one_in(4)) us = kBaseUs + 5;
  if (any.one_in(10)) us -= static_cast<int64_t>(any.up_to(900)) * 1'000'000'000;
  const auto id = domain == number % domains ? fmt::format("e{}", number / domains)
                                             : fmt::format("n{}", number);
  auto e = make_event(id, us, names[any.up_to(2)], {kFirstUid + domain});
  std::string tags;
  if (any.one_in(60))
    for (size_t i = 0; i < event::kMaxTerms; ++i) tags += fmt::format(R"("x{}",)", i);
  const auto severity = e.event.severity == event::Severity::kNone ? "" : "temporary";
  e.event.bytes = fmt::format(
      R"({{"event":"{}","severity":"{}","recipient":"r{}@x.example","tags":[{}"t{}","d{}"],)"
      R"("message":{{"headers":{{"message-id":"m{}"}}}}}})",
      to_string(e.event.name), severity, any.up_to(20), tags, any.up_to(3), domain, number / 3);
  return e;
}

std::vector<NewEvent> random_events(Random& any, size_t domains, size_t count) {
  std::vector<NewEvent> out;
  for (size_t i = 0; i < count; ++i) out.push_back(random_event(any, domains, i));
  return out;
}

event::Filter random_filter(Random& any) {
  event::Filter::Terms terms;
  switch (any.up_to(7)) {
    case 0:
      terms = {{"event", "failed"}};
      break;
    case 1:
      terms = {{"severity", "temporary"}, {"tags", "t1"}};
      break;
    case 2:
      terms = {{"recipient", fmt::format("r{}@x.example", any.up_to(22))}};
      break;
    case 3:
      terms = {{"message-id", fmt::format("m{}", any.up_to(120))}};
      break;
    case 4:
      terms = {{"tags", fmt::format("(t1 AND d{}) OR d{}", any.up_to(9), any.up_to(160))}};
      break;
    case 5:
      terms = {{"tags", "NOT t1"}};
      break;
    default:
      break;
  }
  return event::Filter::parse(std::move(terms)).value();
}

std::shared_ptr<const DomainSet> random_domains(Random& any, size_t domains) {
  auto out = std::make_shared<DomainSet>(DomainSet{kOnlyAccount, {}});
  const size_t one_of = 1 + any.up_to(2) * any.up_to(20);
  for (size_t i = 0; i < domains; ++i)
    if (any.one_in(one_of)) out->domains.push_back({kFirstUid + i});
  return out;
}

std::string name(DomainUid domain, const std::string& id) {
  return fmt::format("{}/{}", domain.value, id);
}

class AccountPages : public StoreContract {
 protected:
  using Names = std::vector<std::string>;

  /// What a look at every event finds, in the direction of the query.
  static Names expected(const std::vector<NewEvent>& events, const PageQuery& q) {
    std::vector<std::pair<int64_t, size_t>> found;
    for (size_t i = 0; i < events.size(); ++i) {
      const auto& e = events[i];
      const int64_t us = e.event.timestamp_us;
      const bool in =
          q.ascending ? us >= q.first_us && us < q.last_us : us <= q.first_us && us > q.last_us;
      if (in && q.domains->has(e.domain) && (!q.matches || q.matches(e.event.bytes)))
        found.emplace_back(us, i);
    }
    std::ranges::sort(found);
    if (!q.ascending) std::ranges::reverse(found);
    Names out;
    for (const auto& [us, i] : found) out.push_back(name(events[i].domain, events[i].event.id));
    return out;
  }

  Names read(PageQuery q) {
    Names out;
    for (;;) {
      const auto slice = store().read_page(q);
      EXPECT_TRUE(slice) << slice.error().message;
      if (!slice) return out;
      EXPECT_LE(slice->events.size(), q.max_events);
      for (const auto& e : slice->events) out.push_back(name(e->domain, e->event.id));
      if (slice->at_end) return out;
      EXPECT_TRUE(slice->reached && slice->reached != q.beyond) << "a slice that does not move on";
      if (!slice->reached || slice->reached == q.beyond) return out;
      q.beyond = slice->reached;
    }
  }

  PageQuery query(const std::shared_ptr<const DomainSet>& domains, bool ascending) {
    PageQuery q = page_query(ascending, ascending ? 0 : INT64_MAX, ascending ? INT64_MAX : 0);
    q.domains = domains;
    return q;
  }

  void compare(const std::vector<NewEvent>& events, Random& any, size_t domains, int rounds) {
    for (int round = 0; round < rounds; ++round) {
      const auto filter = random_filter(any);
      const auto of = random_domains(any, domains);
      for (const bool ascending : {true, false}) {
        auto q = query(of, ascending);
        if (any.one_in(3)) (ascending ? q.first_us : q.last_us) = kBaseUs + 5;
        if (any.one_in(3)) (ascending ? q.last_us : q.first_us) = kBaseUs + 2000;
        if (!filter.empty()) {
          q.terms = filter.term_query();
          q.may_match = [&](auto of_event, auto severity) {
            return filter.may_match(of_event, severity);
          };
          q.matches = [&](auto bytes) { return filter.matches(bytes); };
        }
        q.max_events = size_t{1} << (2 * any.up_to(4));
        q.max_scan = any.one_in(3) ? 3 : 1000;
        if (any.one_in(3)) q.max_bytes = 500;
        size_t asked = 0;
        if (any.one_in(3)) q.give_up = [&] { return ++asked % 2 == 0; };
        const auto& terms = filter.terms();
        ASSERT_EQ(read(q), expected(events, q))
            << (terms.empty() ? "all" : terms[0].first + "=" + terms[0].second) << " of "
            << of->domains.size() << " domains " << ascending;
      }
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Memory, AccountPages,
                         testing::Values([] { return std::make_unique<MemoryEngine>(); }));
INSTANTIATE_TEST_SUITE_P(Rocks, AccountPages,
                         testing::Values([] { return std::make_unique<RocksEngine>(); }));

TEST_P(AccountPages, APageFindsWhatALookAtEveryEventFinds) {
  Random any(20261128);
  for (const size_t domains : {size_t{4}, kManyDomains}) {
    const auto events = random_events(any, domains, 240);
    for (const Place place : kPlaces) {
      SCOPED_TRACE(static_cast<int>(place));
      fill(events, place);
      compare(events, any, domains, 12);
      engine_->reopen();
      compare(events, any, domains, 4);
      engine_->index_now();
      engine_->compact();
      compare(events, any, domains, 8);
    }
  }
}

TEST_P(AccountPages, WhatRetentionDroppedIsLeftOut) {
  Random any(7);
  for (const size_t domains : {size_t{4}, kManyDomains}) {
    engine_ = GetParam()();
    const auto events = random_events(any, domains, 300);
    const std::vector<NewEvent> kept(events.begin() + 150, events.end());
    for (size_t i = 0; i < events.size(); ++i) {
      if (i == 150) engine_->clock.advance(std::chrono::hours(1));
      append({events[i]});
    }
    engine_->index_now();
    const auto before = store().kept_clock().now() - std::chrono::minutes(30);
    ASSERT_TRUE(store().expire(before, before));
    compare(kept, any, domains, 20);
    engine_->compact();
    compare(kept, any, domains, 20);
  }
}

// The time is always up, and every slice gets somewhere all the same.
TEST_P(AccountPages, ASearchWhoseTimeIsAlwaysUpGetsSomewhere) {
  Random any(3);
  for (const size_t domains : {size_t{4}, kManyDomains}) {
    const auto events = random_events(any, domains, 120);
    for (const Place place : kPlaces) {
      fill(events, place);
      for (int round = 0; round < 6; ++round) {
        const auto filter = random_filter(any);
        auto q = query(random_domains(any, domains), any.one_in(2));
        q.terms = filter.term_query();
        q.matches = [&](auto bytes) { return filter.matches(bytes); };
        q.give_up = [] { return true; };
        ASSERT_EQ(read(q), expected(events, q));
      }
    }
  }
}

// More than a page of them, of more domains than are joined.
TEST_P(AccountPages, ManyEventsOfOneTimestampAreAPlaceEach) {
  std::vector<NewEvent> events;
  auto of = std::make_shared<DomainSet>(DomainSet{kOnlyAccount, {}});
  for (size_t i = 0; i < kManyDomains; ++i) of->domains.push_back({kFirstUid + i});
  for (size_t i = 0; i < 1200; ++i) {
    auto e = make_event(fmt::format("e{}", 5000 - i), kBaseUs, event::Name::kOpened,
                        {kFirstUid + i * 7 % kManyDomains});
    e.event.bytes = R"({"event":"opened"})";
    events.push_back(std::move(e));
  }
  fill(events, Place::kBoth);
  const std::shared_ptr<const DomainSet> few = std::make_shared<DomainSet>(
      DomainSet{kOnlyAccount, {of->domains.begin(), of->domains.begin() + 3}});
  for (const auto& domains : {std::shared_ptr<const DomainSet>(of), few}) {
    for (const bool ascending : {true, false}) {
      auto q = query(domains, ascending);
      q.max_events = 100;
      EXPECT_EQ(read(q), expected(events, q));
    }
  }
}

}  // namespace
}  // namespace eventhorn::store
