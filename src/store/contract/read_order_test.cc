// The order of commits: every event once, whoever sees it, and never a silent gap.
#include "store/contract/contract_test_support.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace eventhorn::store {
namespace {

OrderQuery order_query(std::optional<DomainUid> domain = kDomain, Position after = kNoPosition) {
  OrderQuery q;
  q.domain = domain;
  q.after = after;
  return q;
}

// All events after a position, slice by slice.
std::vector<std::string> read_order(Store& store, OrderQuery q) {
  std::vector<std::string> out;
  for (;;) {
    const auto slice = store.read_order(q);
    EXPECT_TRUE(slice);
    if (!slice) return out;
    EXPECT_LE(slice->events.size(), q.max_events);
    EXPECT_LE(slice->gone_through, q.after);
    for (const auto& e : slice->events) {
      EXPECT_GT(e->position, q.after);
      EXPECT_LE(e->position, slice->reached);
      out.push_back(e->event.id);
    }
    if (slice->at_end) return out;
    EXPECT_GT(slice->reached, q.after) << "a slice that does not move on";
    if (slice->reached <= q.after) return out;
    q.after = slice->reached;
  }
}

TEST_P(StoreContract, L12TheOrderOfCommitsHasEveryEventOnce) {
  const auto events = mixed_events(300, 7);
  Ids of_domain;
  Ids of_all;
  for (const auto& e : events) {
    if (e.domain == kDomain) of_domain.push_back(e.event.id);
    of_all.push_back(e.event.id);
  }
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    for (const size_t max_events : {1, 7, 1000}) {
      for (const size_t max_scan : {1, 10, 1000}) {
        auto q = order_query();
        q.max_events = max_events;
        q.max_scan = max_scan;
        ASSERT_EQ(read_order(store(), q), of_domain);
        q.domain = std::nullopt;
        ASSERT_EQ(read_order(store(), q), of_all);
      }
    }
    auto q = order_query();
    q.max_bytes = 400;
    EXPECT_EQ(read_order(store(), q), of_domain);
  }
}

TEST_P(StoreContract, AnOrderIsFilteredAndThePositionMovesOn) {
  const auto events = mixed_events(200, 8);
  Ids want;
  for (const auto& e : events) {
    const bool pushed = e.event.name == event::Name::kFailed;
    if (e.domain == kDomain && pushed && e.event.bytes.size() % 2 == 0) want.push_back(e.event.id);
  }
  ASSERT_FALSE(want.empty());
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    auto q = order_query();
    q.may_match = [](DomainUid domain, event::Name name, event::Severity severity) {
      return domain == kDomain && name == event::Name::kFailed &&
             severity == event::Severity::kTemporary;
    };
    q.matches = [](std::string_view bytes) { return bytes.size() % 2 == 0; };
    EXPECT_EQ(read_order(store(), q), want);
    q.give_up = [] { return true; };
    EXPECT_EQ(read_order(store(), q), want);
    q.domain = std::nullopt;
    EXPECT_EQ(read_order(store(), q), want);
    q.may_match = [](auto, auto, auto) { return false; };
    const auto none = store().read_order(q);
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->at_end);
    EXPECT_EQ(none->reached, store().head());
  }
}

// The end of a slice at the end is the head, so that a quiet domain's poller stays with the log.
TEST_P(StoreContract, AtTheEndTheHeadIsReached) {
  append_one(make_event("a"));
  append_one(make_event("b", kBaseUs, event::Name::kDelivered, kOtherDomain));
  const Position head = store().head();
  auto slice = store().read_order(order_query());
  ASSERT_TRUE(slice);
  EXPECT_EQ(ids_of(slice->events), Ids{"a"});
  EXPECT_TRUE(slice->at_end);
  EXPECT_EQ(slice->reached, head);
  slice = store().read_order(order_query(kDomain, head));
  ASSERT_TRUE(slice);
  EXPECT_TRUE(slice->events.empty());
  EXPECT_TRUE(slice->at_end);
  append_one(make_event("c"));
  EXPECT_EQ(read_order(store(), order_query(kDomain, head)), Ids{"c"});
}

// What retention dropped is told, of whatever domain it was, and no event comes with it.
TEST_P(StoreContract, AnOrderTellsWhatIsGone) {
  const Position first = append_one(make_event("a"));
  const Position second = append_one(make_event("b"));
  engine_->index_now();
  engine_->clock.advance(std::chrono::hours(2));
  append_one(make_event("c"));
  engine_->index_now();
  ASSERT_TRUE(store().expire(store().kept_clock().cut(std::chrono::hours(1)), {}));
  for (const auto domain : {std::optional(kDomain), std::optional<DomainUid>()}) {
    for (const Position after : {kNoPosition, first}) {
      const auto slice = store().read_order(order_query(domain, after));
      ASSERT_TRUE(slice);
      EXPECT_EQ(slice->gone_through, second);
      EXPECT_TRUE(slice->events.empty());
      EXPECT_EQ(slice->reached, after);
      EXPECT_FALSE(slice->at_end);
    }
    EXPECT_EQ(read_order(store(), order_query(domain, second)), Ids{"c"});
  }
}

TEST_P(StoreContract, TheLastCommitTellsUpToWhenAllIsInView) {
  const auto opened = store().last_commit();
  EXPECT_EQ(opened.position, store().head());
  EXPECT_EQ(opened.at, store().kept_clock().now()) << "no commit was under way";
  engine_->clock.advance(std::chrono::seconds(5));
  const Position position = append_one(make_event("a"));
  const auto after = store().last_commit();
  EXPECT_EQ(after, (Committed{position, opened.at + std::chrono::seconds(5)}));
  EXPECT_EQ(*store().committed_at(position), after.at);
  EXPECT_EQ(*store().committed_at(just_after(position)), std::nullopt);
  engine_->reopen();
  EXPECT_EQ(store().last_commit().position, position);
  EXPECT_GE(store().last_commit().at, after.at);
}

TEST_P(StoreContract, AGenerationOutlivesTheProcess) {
  const uint64_t generation = store().generation();
  append_one(make_event("a"));
  engine_->cut_power();
  EXPECT_EQ(store().generation(), generation);
  engine_->reopen();
  EXPECT_EQ(store().generation(), generation);
  EXPECT_EQ(read_order(store(), order_query()), Ids{"a"});
}

// L12: a poller sees every event once while they arrive and move to the index.
TEST_P(StoreContract, L12APollerSeesEveryEventOnce) {
  constexpr int kEvents = 3000;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; i < kEvents; ++i) {
      const auto name = i % 3 == 0 ? event::Name::kStored : event::Name::kDelivered;
      append({make_event("e" + std::to_string(i), kBaseUs, name)});
      if (i % 40 == 0) engine_->index_now();
    }
    done = true;
  });
  Ids got;
  auto q = order_query();
  q.max_events = 17;
  for (bool last = false; !last;) {
    last = done;
    for (bool at_end = false; !at_end;) {
      const auto slice = store().read_order(q);
      ASSERT_TRUE(slice);
      for (const auto& id : ids_of(slice->events)) got.push_back(id);
      q.after = slice->reached;
      at_end = slice->at_end;
    }
  }
  writer.join();
  ASSERT_EQ(got.size(), static_cast<size_t>(kEvents));
  for (int i = 0; i < kEvents; ++i) ASSERT_EQ(got[static_cast<size_t>(i)], "e" + std::to_string(i));
}

}  // namespace
}  // namespace eventhorn::store
