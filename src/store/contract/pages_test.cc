// Pages: order, limits, filters.
#include "store/contract/contract_test_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace eventhorn::store {
namespace {

// Every direction, limit and place against a sorted copy of what was appended; L12.
TEST_P(StoreContract, L12PagesAreReadWithoutGapOrDuplicate) {
  const auto events = mixed_events(300, 3);
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    for (const bool ascending : {true, false}) {
      for (const auto& [from, to] : {std::pair<int64_t, int64_t>{0, INT64_MAX},
                                     {INT64_MIN, INT64_MAX},
                                     {kBaseUs + 3, kBaseUs + 17},
                                     {kBaseUs + 5, kBaseUs + 5}}) {
        std::vector<std::pair<int64_t, std::string>> keys;
        for (const auto& e : events) {
          const auto t = e.event.timestamp_us;
          const bool in_range = ascending ? t >= from && t < to : t <= to && t > from;
          if (e.domain == kDomain && in_range) keys.emplace_back(t, e.event.id);
        }
        std::sort(keys.begin(), keys.end());
        if (!ascending) std::reverse(keys.begin(), keys.end());
        Ids want;
        for (auto& k : keys) want.push_back(k.second);
        auto q = ascending ? page_query(true, from, to) : page_query(false, to, from);
        for (const size_t max_events : {1, 7, 1000}) {
          for (const size_t max_scan : {1, 10, 1000}) {
            q.max_events = max_events;
            q.max_scan = max_scan;
            ASSERT_EQ(read_pages(q), want) << ascending << " " << from << " " << to;
          }
        }
      }
    }
  }
}

// A token made for one range and used with another must not show what the range excludes.
TEST_P(StoreContract, ACursorOutsideTheRangeDoesNotWidenIt) {
  std::vector<NewEvent> events;
  for (int i = 0; i < 9; ++i) events.push_back(make_event("e" + std::to_string(i), kBaseUs + i));
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    auto up = page_query(true, kBaseUs + 3, kBaseUs + 5);
    up.beyond = PageCursor{kBaseUs + 1, "e1"};
    EXPECT_EQ(read_pages(up), (Ids{"e3", "e4"}));
    auto down = page_query(false, kBaseUs + 5, kBaseUs + 3);
    down.beyond = PageCursor{kBaseUs + 7, "e7"};
    EXPECT_EQ(read_pages(down), (Ids{"e5", "e4"}));
  }
}

TEST_P(StoreContract, PagesFilterByKindAndByBytes) {
  const auto events = mixed_events(200, 4);
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    auto q = page_query();
    size_t kinds = 0;
    size_t both = 0;
    const auto long_enough = [](std::string_view bytes) { return bytes.size() > 150; };
    for (const auto& e : events) {
      if (e.domain != kDomain || e.event.name != event::Name::kFailed) continue;
      ++kinds;
      both += long_enough(e.event.bytes) ? 1 : 0;
    }
    q.may_match = [](event::Name name, event::Severity severity) {
      return name == event::Name::kFailed && severity == event::Severity::kTemporary;
    };
    for (const size_t max_events : {2, 1000}) {
      for (const size_t max_scan : {1, 9, 1000}) {
        q.max_events = max_events;
        q.max_scan = max_scan;
        q.matches = nullptr;
        EXPECT_EQ(read_pages(q).size(), kinds);
        q.matches = long_enough;
        EXPECT_EQ(read_pages(q).size(), both);
      }
    }
  }
}

// L17: a slice is bounded by bytes, whatever the filter lets through.
TEST_P(StoreContract, L17PagesAreBoundedByBytes) {
  for (const Place place : kPlaces) {
    std::vector<NewEvent> events;
    Ids ids;
    for (int i = 0; i < 40; ++i) {
      ids.push_back("e" + std::to_string(100 + i));
      events.push_back(make_event(ids.back(), kBaseUs + i));
      events.back().event.bytes = std::string(i % 10 == 9 ? 5000 : 1000, 'x');
    }
    fill(events, place);
    for (const bool filtered : {false, true}) {
      auto q = page_query();
      q.max_bytes = 3000;
      if (filtered) q.matches = [](std::string_view bytes) { return bytes.size() > 1000; };
      size_t slices = 0;
      Ids seen;
      for (;; ++slices) {
        const auto slice = store().read_page(q);
        ASSERT_TRUE(slice);
        size_t bytes = 0;
        for (const auto& e : slice->events) bytes += e->event.bytes.size();
        EXPECT_LT(bytes, 3000U + 5000U);
        for (const auto& id : ids_of(slice->events)) seen.push_back(id);
        if (slice->at_end) break;
        ASSERT_NE(slice->reached, q.beyond);
        q.beyond = slice->reached;
      }
      EXPECT_GE(slices, 10U);
      EXPECT_EQ(seen, filtered ? (Ids{"e109", "e119", "e129", "e139"}) : ids);
    }
  }
}

TEST_P(StoreContract, L17PagesEndAtTheirBytes) {
  constexpr size_t kAtOnce = 32;  // events that an engine may read together
  std::vector<NewEvent> events;
  for (int i = 0; i < 200; ++i) {
    events.push_back(make_event("e" + std::to_string(1000 + i), kBaseUs + i));
    events.back().event.bytes.append(1000, ' ');
  }
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    auto q = page_query();
    q.max_events = 1000;
    size_t looked_at = 0;
    for (const bool all : {true, false}) {
      for (const size_t max_bytes : {1, 5000}) {
        q.max_bytes = max_bytes;
        q.matches = [&](std::string_view) { return ++looked_at > 0 && all; };
        looked_at = 0;
        const auto slice = store().read_page(q);
        ASSERT_TRUE(slice);
        EXPECT_FALSE(slice->at_end);
        EXPECT_TRUE(slice->reached);
        EXPECT_GE(looked_at, 1U);
        EXPECT_LE(looked_at, max_bytes / 1000 + kAtOnce);
        EXPECT_EQ(read_pages(q).size(), all ? events.size() : 0);
      }
    }
  }
}

// A search is given up between two events, and goes on there.
TEST_P(StoreContract, ASearchIsGivenUpInTime) {
  std::vector<NewEvent> events;
  for (int i = 0; i < 40; ++i)
    events.push_back(make_event("e" + std::to_string(100 + i), kBaseUs + i));
  fill(events, Place::kBoth);
  auto q = page_query();
  size_t looked_at = 0;
  q.matches = [&](std::string_view) { return ++looked_at == 40; };
  q.give_up = [&] { return looked_at % 7 == 0; };
  size_t slices = 1;
  for (;; ++slices) {
    const auto slice = store().read_page(q);
    ASSERT_TRUE(slice);
    if (slice->at_end) {
      EXPECT_EQ(ids_of(slice->events), Ids{"e139"});
      break;
    }
    EXPECT_EQ(looked_at, slices * 7);
    q.beyond = slice->reached;
  }
  EXPECT_EQ(slices, 6U);
}

// L12: what was there when the walk began is seen once, while events arrive and move to the
// indexes.
TEST_P(StoreContract, L12PagesAndLanesStayWholeWhileEventsArrive) {
  constexpr int kBefore = 300;
  constexpr int kMeanwhile = 5000;
  for (int i = 0; i < kBefore; ++i)
    append({make_event("a" + std::to_string(1000 + i), kBaseUs + 2 * i)});
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop && i < kMeanwhile; ++i) {
      append({make_event("b" + std::to_string(i), kBaseUs + 1 + 2 * (i % kBefore))});
      if (i % 50 == 0) engine_->index_now();
    }
  });
  for (int round = 0; round < 20; ++round) {
    auto q =
        page_query(round % 2 == 0, round % 2 == 0 ? 0 : INT64_MAX, round % 2 == 0 ? INT64_MAX : 0);
    q.max_events = 13;
    const auto pages = read_pages(q);
    EXPECT_EQ(std::set<std::string>(pages.begin(), pages.end()).size(), pages.size())
        << "a duplicate";
    EXPECT_EQ(std::count_if(pages.begin(), pages.end(),
                            [](const std::string& id) { return id[0] == 'a'; }),
              kBefore);
    auto lane_q = lane_query(webhook::Class::kNormal);
    lane_q.max_events = 13;
    lane_q.to = store().head();
    const auto lane = read_lane(lane_q);
    EXPECT_EQ(std::set<std::string>(lane.begin(), lane.end()).size(), lane.size()) << "a duplicate";
    EXPECT_EQ(
        std::count_if(lane.begin(), lane.end(), [](const std::string& id) { return id[0] == 'a'; }),
        kBefore);
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace eventhorn::store
