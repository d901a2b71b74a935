#include "store/feed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace eventhorn::store {
namespace {

using Positions = std::vector<uint64_t>;

EventPtr event_at(uint64_t position) {
  auto out = std::make_shared<StoredEvent>();
  out->position = {position};
  return out;
}

DomainPtr domain(const std::string& name, uint64_t uid) {
  auto out = std::make_shared<Domain>();
  out->name = name;
  out->uid = {uid};
  return out;
}

// A log of some positions, and domains.
class FakeLog final : public EventLog, public DomainStore {
 public:
  Status commit(WriteSet&) override { return fail(Errc::kInternal, "not used"); }

  Position head() const override { return head_; }

  Result<std::vector<EventHead>> read_heads(Position after, size_t max) override {
    std::vector<EventHead> out;
    for (const auto position : positions) {
      if (Position{position} <= after || out.size() == max) continue;
      out.emplace_back().position = {position};
    }
    return out;
  }

  Result<std::vector<EventPtr>> read_events(const std::vector<Position>& wanted) override {
    if (unreadable) return fail(Errc::kUnavailable, "cannot read");
    std::vector<EventPtr> out;
    for (const auto position : wanted)
      out.push_back(position == dropped ? nullptr : event_at(position.value));
    return out;
  }

  Result<std::vector<Position>> find_events(DomainUid, const std::vector<std::string>&) override {
    return fail(Errc::kInternal, "not used");
  }

  Result<Position> position_before(SystemTime) override {
    return fail(Errc::kInternal, "not used");
  }

  Result<std::vector<DomainPtr>> load_domains() override { return domains; }

  Positions positions;
  Position dropped;
  Position head_;
  bool unreadable = false;
  std::vector<DomainPtr> domains;
};

struct Rig {
  Rig() {
    feed.subscribe([this](const BatchPtr& batch) { batches.push_back(batch); });
    feed.start({10});
  }

  Positions seen() const {
    Positions out;
    for (const auto& batch : batches)
      for (const auto& e : batch->events) out.push_back(e->position.value);
    return out;
  }

  Directory directory;
  Feed feed{directory};
  FakeLog log;
  std::vector<BatchPtr> batches;
};

TEST(Feed, HandsOverEventsUpToTheLastOne) {
  Rig rig;
  rig.feed.events({event_at(11), event_at(15)});
  rig.feed.events({});
  ASSERT_EQ(rig.batches.size(), 1U) << "none is no batch";
  EXPECT_EQ(rig.batches[0]->head, Position{15});
  EXPECT_EQ(rig.seen(), (Positions{11, 15}));
}

TEST(Feed, ChangesAreInTheDirectoryBeforeSubscribersHearOfThem) {
  Rig rig;
  bool there = false;
  rig.feed.subscribe([&](const BatchPtr&) { there = rig.directory.has({7}); });
  std::vector<WriteSet::Edit> edits(2);
  edits[0].name = "a.test";
  edits[0].outcome = DomainChange{{11}, nullptr, domain("a.test", 7)};
  edits[1].name = "b.test";
  edits[1].outcome = fail(Errc::kConflict, "no");
  rig.feed.changes(edits, {74});
  EXPECT_TRUE(there);
  ASSERT_EQ(rig.batches.size(), 1U);
  EXPECT_EQ(rig.batches[0]->changes.size(), 1U) << "one that failed changes nothing";
  EXPECT_EQ(rig.batches[0]->head, Position{74});
}

TEST(Feed, CatchesUpWithWhatFailedCommitsLeft) {
  Rig rig;
  rig.directory.apply("gone.test", {{1}, nullptr, domain("gone.test", 1)});
  for (uint64_t position = 1; position <= 5000; ++position) rig.log.positions.push_back(position);
  rig.log.dropped = {12};
  rig.log.head_ = {5040};
  rig.log.domains = {domain("new.test", 5001)};
  ASSERT_TRUE(rig.feed.catch_up(rig.log, rig.log));
  const auto seen = rig.seen();
  EXPECT_EQ(seen.size(), 4989U) << "not what was handed over, nor what retention has dropped";
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.front(), 11U);
  const auto& last = *rig.batches.back();
  EXPECT_TRUE(last.events.empty());
  EXPECT_EQ(last.changes.size(), 2U) << "one domain went, one came";
  EXPECT_EQ(last.head, Position{5040});
  EXPECT_TRUE(rig.directory.has({5001}));
  const size_t before = rig.batches.size();
  ASSERT_TRUE(rig.feed.catch_up(rig.log, rig.log));
  EXPECT_EQ(rig.batches.size(), before) << "once";
}

TEST(Feed, GoesOnBehindWhatItHandedOverBeforeAnError) {
  Rig rig;
  rig.log.positions = {11, 12};
  rig.log.head_ = {12};
  rig.log.unreadable = true;
  EXPECT_FALSE(rig.feed.catch_up(rig.log, rig.log));
  EXPECT_TRUE(rig.batches.empty());
  rig.log.unreadable = false;
  EXPECT_TRUE(rig.feed.catch_up(rig.log, rig.log));
  EXPECT_EQ(rig.seen(), (Positions{11, 12}));
}

TEST(FeedDeath, NothingIsHandedOverTwice) {
  Rig rig;
  rig.feed.events({event_at(11)});
  EXPECT_DEATH(rig.feed.events({event_at(11)}), "in_order");
}

}  // namespace
}  // namespace eventhorn::store
