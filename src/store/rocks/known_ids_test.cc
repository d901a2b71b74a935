#include "store/rocks/known_ids.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

using Outcome = WriteSet::Append::Outcome;

class KnownIdsTest : public TableTest {
 protected:
  KnownIdsTest() {
    indexed("indexed", 1);
    StoredEvent stored;
    const auto event = make_event("recent");
    stored.position = {2};
    stored.domain = event.domain;
    stored.event = event.event;
    tail.append(TailEntry::of(stored));
  }

  void indexed(const std::string& id, uint64_t position) {
    StoredEvent stored;
    stored.position = {position};
    stored.event = make_event(id).event;
    put(Family::kIds, IdTable::key(kDomain, id),
        IdTable::encode({position}, TailEntry::of(stored).content_hash));
  }

  static WriteSet::Append append(const std::string& id, const std::string& more = {}) {
    auto event = make_event(id);
    event.event.bytes += more;
    return {std::move(event), Outcome::kStored, nullptr};
  }

  std::vector<Outcome> judge(std::vector<WriteSet::Append> appends) {
    known.judge(appends);
    std::vector<Outcome> out;
    for (const auto& a : appends) out.push_back(a.outcome);
    return out;
  }

  FakeClock clock;
  Tail tail;
  IdTable ids{database};
  UnreadableReads unreadable{dir.path(), clock};
  KnownIds known{tail, ids, unreadable};
};

TEST_F(KnownIdsTest, FindsThemInTheTailAndInTheIndex) {
  EXPECT_EQ(*known.find(kDomain, {"recent", "new", "indexed"}),
            (std::vector<Position>{{2}, kNoPosition, {1}}));
  EXPECT_EQ(*known.find(kOtherDomain, {"indexed"}), std::vector{kNoPosition});
}

TEST_F(KnownIdsTest, AKnownIdIsADuplicateOrConflicts) {
  EXPECT_EQ(judge({append("recent"), append("indexed"), append("new")}),
            (std::vector{Outcome::kDuplicate, Outcome::kDuplicate, Outcome::kStored}));
  EXPECT_EQ(judge({append("recent", "!"), append("indexed", "!")}),
            (std::vector{Outcome::kConflicting, Outcome::kConflicting}));
}

TEST_F(KnownIdsTest, TheFirstOfOneSetCounts) {
  EXPECT_EQ(judge({append("new"), append("new"), append("new", "!"), append("indexed", "!"),
                   append("indexed")}),
            (std::vector{Outcome::kStored, Outcome::kDuplicate, Outcome::kConflicting,
                         Outcome::kConflicting, Outcome::kDuplicate}));
}

TEST_F(KnownIdsTest, AnIdThatCannotBeReadCostsItsOwnAppends) {
  put(Family::kIds, IdTable::key(kDomain, "damaged"), "short");
  EXPECT_EQ(judge({append("damaged"), append("new"), append("damaged")}),
            (std::vector{Outcome::kUnreadable, Outcome::kStored, Outcome::kUnreadable}));
  EXPECT_FALSE(known.find(kDomain, {"damaged"}));
}

}  // namespace
}  // namespace eventhorn::store
