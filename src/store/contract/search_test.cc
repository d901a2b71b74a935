// Searches: an engine may use the terms that a query names, and must find what a look at every
// event finds.
#include "event/filter.h"
#include "store/contract/contract_test_support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
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

/// With few values of each kind; some at the same microsecond, some days apart.
NewEvent random_event(Random& any, size_t number) {
  const event::Name names[] = {event::Name::kDelivered, event::Name::kOpened, event::Name::kFailed};
  int64_t us = kBaseUs + static_cast<int64_t>(any.up_to(3000));
  if (any.one_in(4)) us = kBaseUs + 5;
  if (any.one_in(10)) us += static_cast<int64_t>(any.up_to(900)) * 1'000'000'000;
  auto e = make_event(fmt::format("e{}-{}", any.up_to(99), number), us, names[any.up_to(2)],
                      any.one_in(5) ? kOtherDomain : kDomain);
  e.event.bytes = fmt::format(
      R"({{"event":"{}","severity":"temporary","recipient":"r{}@x.example","tags":["t{}","u{}"],)"
      R"("message":{{"headers":{{"message-id":"m{}","subject":"sale {} of {}"}},"size":{}}}}})",
      to_string(e.event.name), any.up_to(40), any.up_to(2), any.up_to(9), number / 3, any.up_to(5),
      any.up_to(5), 1 << any.up_to(16));
  return e;
}

event::Filter::Terms random_filter(Random& any) {
  event::Filter::Terms out;
  const auto one = [&]() -> std::pair<std::string, std::string> {
    switch (any.up_to(7)) {
      case 0:
        return {"event", any.one_in(2) ? "failed" : "opened OR delivered"};
      case 1:
        return {"severity", "temporary"};
      case 2:
        return {"recipient", fmt::format("r{}@x.example", any.up_to(45))};
      case 3:
        return {"tags", fmt::format("t{} AND u{}", any.up_to(2), any.up_to(9))};
      case 4:
        return {"message-id", fmt::format("m{} OR m{}", any.up_to(120), any.up_to(120))};
      case 5:
        return {"subject",
                fmt::format("\"sale {}\" AND NOT \"of {}\"", any.up_to(6), any.up_to(6))};
      case 6:
        return {"size", fmt::format(">{}", 1 << any.up_to(16))};
      default:
        return {"tags", fmt::format("NOT t{}", any.up_to(2))};
    }
  };
  for (size_t n = any.up_to(2) + 1; n > 0; --n) out.push_back(one());
  return out;
}

using Ids = std::vector<std::string>;
using Read = std::function<Ids(const PageQuery&)>;

/// What a look at every event finds, in the direction of the query.
Ids expected(const std::vector<NewEvent>& events, const event::Filter& filter, bool ascending) {
  std::vector<std::pair<int64_t, std::string>> found;
  for (const auto& e : events)
    if (e.domain == kDomain && filter.matches(e.event.bytes))
      found.emplace_back(e.event.timestamp_us, e.event.id);
  std::ranges::sort(found);
  if (!ascending) std::ranges::reverse(found);
  Ids out;
  for (auto& [us, id] : found) out.push_back(std::move(id));
  return out;
}

PageQuery search(const event::Filter& filter, bool ascending) {
  PageQuery q;
  q.domain = kDomain;
  q.ascending = ascending;
  q.first_us = ascending ? 0 : INT64_MAX;
  q.last_us = ascending ? INT64_MAX : 0;
  q.terms = filter.term_query();
  q.may_match = [&filter](event::Name name, event::Severity severity) {
    return filter.may_match(name, severity);
  };
  q.matches = [&filter](std::string_view bytes) { return filter.matches(bytes); };
  return q;
}

void compare(const std::vector<NewEvent>& events, Random& any, int rounds, const Read& read) {
  for (int round = 0; round < rounds; ++round) {
    const auto terms = random_filter(any);
    const auto filter = event::Filter::parse(terms);
    ASSERT_TRUE(filter) << filter.error().message;
    for (const bool ascending : {true, false}) {
      auto q = search(*filter, ascending);
      q.max_events = size_t{1} << (2 * any.up_to(4));
      q.max_scan = any.one_in(3) ? 3 : 1000;
      if (any.one_in(3)) q.max_bytes = 500;
      ASSERT_EQ(read(q), expected(events, *filter, ascending))
          << terms[0].first << "=" << terms[0].second << " and " << terms.size() - 1 << " more "
          << ascending;
    }
  }
}

std::vector<NewEvent> random_events(Random& any, size_t count) {
  std::vector<NewEvent> out;
  for (size_t i = 0; i < count; ++i) out.push_back(random_event(any, i));
  return out;
}

TEST_P(StoreContract, ASearchFindsWhatALookAtEveryEventFinds) {
  Random any(20260311);
  const auto events = random_events(any, 400);
  const Read read = [&](const PageQuery& q) { return read_pages(q); };
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    compare(events, any, 15, read);
    engine_->reopen();
    compare(events, any, 5, read);
    engine_->index_now();
    engine_->compact();
    compare(events, any, 5, read);
  }
}

TEST_P(StoreContract, ASearchLeavesOutWhatRetentionDropped) {
  Random any(7);
  const auto events = random_events(any, 300);
  const std::vector<NewEvent> kept(events.begin() + 150, events.end());
  const Read read = [&](const PageQuery& q) { return read_pages(q); };
  for (size_t i = 0; i < events.size(); ++i) {
    if (i == 150) engine_->clock.advance(std::chrono::hours(1));
    append({events[i]});
  }
  engine_->index_now();
  const auto before = store().kept_clock().now() - std::chrono::minutes(30);
  ASSERT_TRUE(store().expire(before, before));
  compare(kept, any, 30, read);
  engine_->compact();
  compare(kept, any, 30, read);
}

// Without a gap or a repetition.
TEST_P(StoreContract, ASearchThatIsGivenUpGoesOnWhereItWas) {
  Random any(11);
  const auto events = random_events(any, 300);
  fill(events, Place::kBoth);
  for (int round = 0; round < 20; ++round) {
    const auto filter = event::Filter::parse(random_filter(any));
    ASSERT_TRUE(filter);
    for (const bool ascending : {true, false}) {
      auto q = search(*filter, ascending);
      size_t asked = 0;
      q.give_up = [&] { return ++asked % 2 == 0; };
      ASSERT_EQ(read_pages(q), expected(events, *filter, ascending));
    }
  }
}

// Two tags that are frequent and never together, an OR with a third one, and what the tail has: the
// time is always up, and the search gets somewhere all the same.
TEST_P(StoreContract, ASearchWhoseTimeIsAlwaysUpGetsSomewhere) {
  std::vector<NewEvent> events;
  for (size_t i = 0; i < 900; ++i) {
    auto e = make_event(fmt::format("e{:04}", i), kBaseUs + static_cast<int64_t>(i / 2));
    const auto* tag = i % 90 == 89 ? "gamma" : i % 2 == 0 ? "alpha" : "beta";
    e.event.bytes = fmt::format(R"({{"event":"delivered","tags":["{}"]}})", tag);
    if (i == 500) e.event.bytes = R"({"event":"delivered","tags":["alpha","beta"]})";
    events.push_back(std::move(e));
  }
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    for (const auto* expression : {"alpha AND beta", "(alpha AND beta) OR gamma", "beta"}) {
      const auto filter = event::Filter::parse({{"tags", expression}});
      ASSERT_TRUE(filter);
      for (const bool ascending : {true, false}) {
        auto q = search(*filter, ascending);
        q.give_up = [] { return true; };
        ASSERT_EQ(read_pages(q), expected(events, *filter, ascending)) << expression;
      }
    }
  }
}

}  // namespace
}  // namespace eventhorn::store
