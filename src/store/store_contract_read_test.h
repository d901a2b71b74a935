// Part of store_contract_test.h: heads, lanes, pages.
#pragma once

#include "store/store_contract_test.h"

#include <random>
#include <thread>

namespace eventhorn::store {

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

// Events of two domains and all kinds, in no order of time, many at the same microsecond.
inline std::vector<NewEvent> mixed_events(size_t count, unsigned seed) {
  constexpr event::Name kNames[] = {event::Name::kDelivered,  event::Name::kOpened,
                                    event::Name::kFailed,     event::Name::kStored,
                                    event::Name::kComplained, event::Name::kAccepted};
  std::mt19937 random(seed);
  std::vector<NewEvent> out;
  for (size_t i = 0; i < count; ++i) {
    auto e = make_event("e" + std::to_string(random() % 100'000) + "-" + std::to_string(i),
                        kBaseUs + static_cast<int64_t>(random() % 40),
                        kNames[random() % std::size(kNames)],
                        random() % 4 == 0 ? kOtherDomain : kDomain);
    e.push = random() % 8 != 0;
    e.event.bytes += std::string(random() % 300, ' ');
    out.push_back(std::move(e));
  }
  return out;
}

TEST_P(StoreContract, HeadsComeInLogOrder) {
  const auto events = mixed_events(25, 1);
  fill(events, Place::kBoth);
  Position after = kNoPosition;
  size_t seen = 0;
  for (;;) {
    const auto heads = store().read_heads(after, 7);
    ASSERT_TRUE(heads);
    EXPECT_LE(heads->size(), 7U);
    if (heads->empty()) break;
    for (const auto& h : *heads) {
      EXPECT_GT(h.position, after);
      after = h.position;
      const auto& e = events.at(seen++);
      EXPECT_EQ(h.domain, e.domain);
      EXPECT_EQ(h.push, e.push);
      EXPECT_EQ(h.name, e.event.name);
      EXPECT_EQ(h.severity, e.event.severity);
    }
  }
  EXPECT_EQ(seen, events.size());
}

TEST_P(StoreContract, EventsAreFoundByTheirIds) {
  for (const Place place : kPlaces) {
    std::vector<NewEvent> events;
    for (int i = 0; i < 30; ++i) events.push_back(make_event("e" + std::to_string(i)));
    events.push_back(make_event("e7", kBaseUs, event::Name::kOpened, kOtherDomain));
    fill(events, place);
    const auto found = store().find_events(kDomain, {"e29", "nobody", "e7", "e0", "e7"});
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 5U);
    EXPECT_EQ(found->at(1), kNoPosition);
    EXPECT_EQ(ids_of(*store().read_events(*found)), (Ids{"e29", "null", "e7", "e0", "e7"}));
    const auto other = store().find_events(kOtherDomain, {"e7", "e8"});
    ASSERT_TRUE(other);
    EXPECT_GT(other->at(0), found->at(0));
    EXPECT_EQ(other->at(1), kNoPosition);
  }
}

TEST_P(StoreContract, UnknownPositionsAreNull) {
  const Position a = append_one(make_event("a"));
  const Position b = append_one(make_event("b"));
  EXPECT_EQ(ids_of(*store().read_events({b, {b.value + 1'000'000}, a, kNoPosition, b})),
            (Ids{"b", "null", "a", "null", "b"}));
  EXPECT_EQ(store().read_events({})->size(), 0U);
  std::vector<Position> run;
  for (uint64_t p = 0; p < b.value + 20; ++p) run.push_back({p});
  const auto got = store().read_events(run);
  ASSERT_EQ(got->size(), run.size());
  EXPECT_EQ(std::count(got->begin(), got->end(), nullptr),
            static_cast<std::ptrdiff_t>(run.size() - 2));
}

// Every class, limit and place against a plain filter of what was appended.
TEST_P(StoreContract, ALaneIsReadWithoutGapOrDuplicate) {
  const auto events = mixed_events(300, 2);
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    const auto heads = store().read_heads(kNoPosition, 1000);
    ASSERT_EQ(heads->size(), events.size());
    for (const auto cls :
         {webhook::Class::kUrgent, webhook::Class::kNormal, webhook::Class::kBulk}) {
      for (const size_t after : {0, 1, 149, 150, 299}) {
        Ids want;
        for (size_t i = after; i < events.size(); ++i) {
          const auto hook = webhook::hook_for(events[i].event.name, events[i].event.severity);
          if (events[i].domain == kDomain && events[i].push && hook &&
              webhook::class_of(*hook) == cls)
            want.push_back(events[i].event.id);
        }
        auto q = lane_query(cls, after == 0 ? kNoPosition : heads->at(after - 1).position);
        for (const size_t max_events : {1, 3, 1000}) {
          for (const size_t max_bytes : {1, 500, 1 << 20}) {
            q.max_events = max_events;
            q.max_bytes = max_bytes;
            ASSERT_EQ(read_lane(q), want);
          }
        }
      }
    }
  }
}

TEST_P(StoreContract, ALaneSeesItsHooksSinceTheirStartAndUpToItsEnd) {
  std::vector<NewEvent> events;
  for (int i = 0; i < 40; ++i) {
    events.push_back(make_event("e" + std::to_string(i), kBaseUs,
                                i % 2 == 0 ? event::Name::kDelivered : event::Name::kAccepted));
  }
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    const auto heads = *store().read_heads(kNoPosition, 100);
    auto q = lane_query(webhook::Class::kNormal);
    q.since.fill(std::nullopt);
    EXPECT_EQ(read_lane(q), Ids{});
    q.since[static_cast<size_t>(webhook::Hook::kDelivered)] = heads[30].position;
    EXPECT_EQ(read_lane(q), (Ids{"e32", "e34", "e36", "e38"}));
    q.since[static_cast<size_t>(webhook::Hook::kAccepted)] = heads[34].position;
    EXPECT_EQ(read_lane(q), (Ids{"e32", "e34", "e35", "e36", "e37", "e38", "e39"}));
    q.to = heads[35].position;
    EXPECT_EQ(read_lane(q), (Ids{"e32", "e34", "e35"}));
    EXPECT_EQ(store().read_lane(q)->through, heads[35].position);
    q.to = heads[10].position;
    q.since.fill(kNoPosition);
    q.max_events = 2;
    EXPECT_EQ(read_lane(q).size(), 11U);
    q.after = heads[10].position;
    EXPECT_EQ(read_lane(q), Ids{});
  }
}

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

// L12: what was there when the walk began is seen once, while events arrive and move to the
// indexes.
TEST_P(StoreContract, L12PagesAndLanesStayWholeWhileEventsArrive) {
  constexpr int kBefore = 300;
  for (int i = 0; i < kBefore; ++i)
    append({make_event("a" + std::to_string(1000 + i), kBaseUs + 2 * i)});
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
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

// More than an engine keeps in memory before it indexes in bulk.
TEST_P(StoreContract, ManyEventsAreIndexedInBulk) {
  constexpr int kCount = 33'000;
  const auto id = [](int i) { return "e" + std::to_string(100'000 + (i * 7919) % kCount); };
  std::vector<NewEvent> batch;
  for (int i = 0; i < kCount; ++i) {
    batch.push_back(make_event(id(i), kBaseUs + i % 1000));
    if (batch.size() == 1000) append(std::exchange(batch, {}));
  }
  for (const bool reopened : {false, true}) {
    if (reopened) engine_->reopen();
    engine_->index_now();
    auto q = page_query(false, INT64_MAX, 0);
    q.max_events = 1000;
    const auto pages = read_pages(q);
    EXPECT_EQ(pages.size(), static_cast<size_t>(kCount));
    EXPECT_EQ(std::set<std::string>(pages.begin(), pages.end()).size(), pages.size());
    EXPECT_EQ(read_lane(lane_query(webhook::Class::kNormal)).size(), static_cast<size_t>(kCount));
    EXPECT_EQ(append({make_event(id(1), kBaseUs + 1), make_event(id(32'999))}),
              (std::vector{Outcome::kDuplicate, Outcome::kDuplicate}));
  }
}

}  // namespace eventhorn::store
