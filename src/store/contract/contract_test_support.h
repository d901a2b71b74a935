// What every storage engine must do: the specification of store.h as tests, in a file for each of
// its interfaces. engines_test.cc instantiates the suite StoreContract with every engine.
#pragma once

#include "store/store.h"
#include "store/store_test_support.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace eventhorn::store {

/// An engine on storage that lives as long as this object.
class TestEngine {
 public:
  virtual ~TestEngine() = default;
  virtual Store& store() = 0;
  /// Closes and opens again: what a restart does, also one after a kill.
  virtual void reopen() = 0;
  /// Power goes, with all that was not synced, and comes back: the store is opened again.
  virtual void cut_power() = 0;
  /// The next sync fails, and no later one. What it should have made durable is found by a recovery
  /// all the same.
  virtual void fail_one_sync() = 0;
  /// Brings all indexes up to date.
  virtual void index_now() = 0;
  /// Gives the space of expired rows back.
  virtual void compact() = 0;

  FakeClock clock;  // the engine's; moved only between calls
};

using EngineFactory = std::function<std::unique_ptr<TestEngine>()>;

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

class StoreContract : public testing::TestWithParam<EngineFactory> {
 protected:
  using Outcome = WriteSet::Append::Outcome;
  using Ids = std::vector<std::string>;

  // Where the events of a test are when it reads them.
  enum class Place { kTail, kIndex, kBoth };
  static constexpr Place kPlaces[] = {Place::kTail, Place::kIndex, Place::kBoth};

  Store& store() { return engine_->store(); }

  WriteSet commit(std::vector<NewEvent> events) {
    WriteSet set;
    for (auto& e : events) set.appends.push_back({std::move(e), Outcome::kStored, nullptr});
    const auto status = store().commit(set);
    EXPECT_TRUE(status) << status.error().message;
    return set;
  }

  std::vector<Outcome> append(std::vector<NewEvent> events) {
    const auto set = commit(std::move(events));
    std::vector<Outcome> out;
    for (const auto& a : set.appends) {
      EXPECT_EQ(a.stored != nullptr, a.outcome == Outcome::kStored);
      out.push_back(a.outcome);
    }
    return out;
  }

  Position append_one(NewEvent event) {
    std::vector<NewEvent> events;
    events.push_back(std::move(event));
    return commit(std::move(events)).appends.at(0).stored->position;
  }

  // A new store with `events` in it, a commit for every 10.
  void fill(const std::vector<NewEvent>& events, Place place) {
    engine_ = GetParam()();
    for (size_t i = 0; i < events.size();) {
      std::vector<NewEvent> batch;
      for (; batch.size() < 10 && i < events.size(); ++i) batch.push_back(events[i]);
      const bool half = i >= events.size() / 2 && i - batch.size() < events.size() / 2;
      append(std::move(batch));
      if (place == Place::kBoth && half) engine_->index_now();
    }
    if (place == Place::kIndex) engine_->index_now();
  }

  Result<DomainChange> edit(const std::string& name, DomainEdit edit) {
    WriteSet set;
    set.edits.push_back({name, std::move(edit)});
    const auto status = store().commit(set);
    EXPECT_TRUE(status) << status.error().message;
    return std::move(set.edits[0].outcome);
  }

  SaveToken save(const Progress& progress) {
    const Progress* const one[] = {&progress};
    const auto token = store().save(one);
    EXPECT_TRUE(token) << token.error().message;
    return token.value_or(SaveToken{});
  }

  LoadedProgress load() {
    auto loaded = store().load_progress();
    EXPECT_TRUE(loaded);
    return loaded ? *loaded : LoadedProgress{};
  }

  static LaneQuery lane_query(webhook::Class cls, Position after = kNoPosition,
                              Position since = kNoPosition) {
    LaneQuery q;
    q.domain = kDomain;
    q.cls = cls;
    q.after = after;
    q.since.fill(since);
    return q;
  }

  // All events of a lane, slice by slice.
  Ids read_lane(LaneQuery q) {
    Ids out;
    for (;;) {
      const auto slice = store().read_lane(q);
      EXPECT_TRUE(slice);
      if (!slice) return out;
      for (const auto& e : slice->events) {
        EXPECT_GT(e->position, q.after);
        EXPECT_LE(e->position, slice->through);
        out.push_back(e->event.id);
      }
      EXPECT_LE(slice->events.size(), q.max_events);
      if (slice->at_end) return out;
      EXPECT_GT(slice->through, q.after) << "a slice that does not move on";
      if (slice->through <= q.after) return out;
      q.after = slice->through;
    }
  }

  static PageQuery page_query(bool ascending = true, int64_t from_us = 0,
                              int64_t to_us = INT64_MAX) {
    PageQuery q;
    q.domain = kDomain;
    q.ascending = ascending;
    q.first_us = from_us;
    q.last_us = to_us;
    return q;
  }

  // All events of a range, slice by slice.
  Ids read_pages(PageQuery q) {
    Ids out;
    for (;;) {
      const auto slice = store().read_page(q);
      EXPECT_TRUE(slice);
      if (!slice) return out;
      EXPECT_LE(slice->events.size(), q.max_events);
      for (const auto& id : ids_of(slice->events)) out.push_back(id);
      if (slice->at_end) return out;
      EXPECT_TRUE(slice->reached && slice->reached != q.beyond) << "a slice that does not move on";
      if (!slice->reached || slice->reached == q.beyond) return out;
      q.beyond = slice->reached;
    }
  }

  std::unique_ptr<TestEngine> engine_ = GetParam()();
};

}  // namespace eventhorn::store
