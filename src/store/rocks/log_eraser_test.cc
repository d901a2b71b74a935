// Erasing events where they are: what readers find then, what is left on the disk, and what a kill
// in the middle leaves.
#include "event/erasure.h"
#include "event/filter.h"
#include "store/rocks/repair/find_text.h"
#include "store/writers_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace eventhorn::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

using Ids = std::vector<std::string>;

const std::string kDana = "dana@inbox.example";

class LogEraserTest : public testing::Test {
 protected:
  LogEraserTest() { rig.create(); }

  void add(const std::string& id, const std::string& recipient, const std::string& more = "",
           event::Name name = event::Name::kDelivered) {
    auto e = rig.event(id);
    e.event.name = name;
    e.event.bytes = R"({"event":")" + std::string(event::to_string(name)) + R"(","id":")" + id +
                    R"(","recipient":")" + recipient + "\"" + more + "}";
    ASSERT_TRUE(rig.append({e}));
  }

  static EraseQuery query(DomainUid domain, Position through) {
    EraseQuery out;
    out.domain = domain;
    out.through = through;
    out.rewrite = [pattern = event::AddressPattern(kDana)](const StoredEvent& stored) {
      const auto trace = event::find_trace(stored.event, pattern);
      if (trace == event::Trace::kNone) return std::optional<Rewrite>();
      if (trace == event::Trace::kOwn) return std::optional(Rewrite{});
      return std::optional(Rewrite{event::without_trace(stored.event, pattern, trace, "erased-1")});
    };
    return out;
  }

  EraseSlice erase_all(const std::vector<LaneId>& lanes = {}) {
    auto q = query(rig.domain, rig.store->head());
    EraseSlice out;
    for (bool more = true; more;) {
      const auto slice = rig.store->erase(q, lanes);
      EXPECT_TRUE(slice) << slice.error().message;
      if (!slice) return out;
      out.looked_at += slice->looked_at;
      out.removed += slice->removed;
      out.redacted += slice->redacted;
      if (slice->changed && !out.changed) out.changed = slice->changed;
      if (slice->changed) out.changed->last = slice->changed->last;
      q.after = slice->reached;
      more = !slice->at_end;
    }
    return out;
  }

  Ids found_by(const std::string& field, const std::string& value) {
    const auto filter = event::Filter::parse({{field, value}});
    PageQuery q;
    q.domain = rig.domain;
    q.last_us = INT64_MAX;
    q.max_events = 1000;
    q.terms = filter->term_query();
    q.matches = [&](std::string_view bytes) { return filter->matches(bytes); };
    return ids_of(rig.store->read_page(q)->events);
  }

  // Of what the index of terms has, whatever the events say.
  Ids indexed_by(const std::string& field, const std::string& value) {
    const auto filter = event::Filter::parse({{field, value}});
    PageQuery q;
    q.domain = rig.domain;
    q.last_us = INT64_MAX;
    q.max_events = 1000;
    q.terms = filter->term_query();
    return ids_of(rig.store->read_page(q)->events);
  }

  Ids ordered() {
    OrderQuery q;
    q.domain = rig.domain;
    q.max_events = 1000;
    const auto slice = rig.store->read_order(q);
    EXPECT_TRUE(slice) << slice.error().message;
    EXPECT_EQ(slice->gone_through, kNoPosition) << "no gap";
    return ids_of(slice->events);
  }

  std::vector<std::string> files_with(const std::string& text) {
    rig.close();
    const auto found = find_text(rig.dir.path(), text);
    EXPECT_TRUE(found) << found.error().message;
    std::vector<std::string> out;
    for (const auto& file : *found) out.push_back(file.file.string());
    rig.open();
    return out;
  }

  WriterRig rig;
};

TEST_F(LogEraserTest, RemovedEventsAreGoneForEveryReader) {
  add("a", kDana, R"(,"tags":["x"])");
  add("b", "other@inbox.example", R"(,"tags":["x"])");
  add("c", "Dana@Inbox.Example");
  EXPECT_THAT(found_by("recipient", kDana), ElementsAre("a", "c"));
  const auto slice = erase_all();
  EXPECT_EQ(slice.looked_at, 3U);
  EXPECT_EQ(slice.removed, 2U);
  for (int again = 0; again < 2; ++again) {
    EXPECT_THAT(ordered(), ElementsAre("b"));
    EXPECT_THAT(rig.listed(), ElementsAre("b"));
    EXPECT_THAT(found_by("recipient", kDana), IsEmpty());
    EXPECT_THAT(found_by("tags", "x"), ElementsAre("b"));
    EXPECT_THAT(*rig.store->find_events(rig.domain, {"a", "b"}),
                ElementsAre(kNoPosition, Not(kNoPosition)));
    LaneQuery lane;
    lane.domain = rig.domain;
    lane.cls = webhook::Class::kNormal;
    lane.since.fill(kNoPosition);
    const auto read = rig.store->read_lane(lane);
    EXPECT_THAT(ids_of(read->events), ElementsAre("b"));
    EXPECT_EQ(read->expired, 0U) << "retention has no part in it";
    EXPECT_TRUE(read->at_end);
    rig.restart();
  }
  add("a", "other@inbox.example");
  EXPECT_THAT(ordered(), ElementsAre("b", "a"));
}

TEST_F(LogEraserTest, RedactedEventsAreFoundByWhatIsLeftOfThem) {
  add("a", "other@inbox.example", R"(,"message":{"headers":{"to":"x <dana@inbox.example>"}})");
  add("m/" + kDana, "other@inbox.example");
  EXPECT_THAT(found_by("to", "dana"), ElementsAre("a"));
  EXPECT_EQ(erase_all().redacted, 2U);
  EXPECT_THAT(ordered(), ElementsAre("a", "erased-1"));
  EXPECT_THAT(found_by("to", "dana"), IsEmpty());
  EXPECT_THAT(indexed_by("to", "dana"), IsEmpty());
  EXPECT_THAT(indexed_by("to", "erased"), ElementsAre("a"));
  EXPECT_THAT(found_by("to", "erased"), ElementsAre("a"));
  EXPECT_THAT(found_by("recipient", "other@inbox.example"), ElementsAre("a", "erased-1"));
  EXPECT_THAT(*rig.store->find_events(rig.domain, {"m/" + kDana, "erased-1"}),
              ElementsAre(kNoPosition, Position{rig.store->head()}));
  EXPECT_EQ(erase_all().redacted, 0U) << "nothing is left to do";
}

TEST_F(LogEraserTest, RetentionStillTellsItsGaps) {
  add("a", kDana);
  add("b", "x@y.z");
  erase_all();
  ASSERT_TRUE(rig.store->index_now());
  ASSERT_TRUE(rig.store->expire(rig.clock.now() + std::chrono::hours(1), {}));
  OrderQuery q;
  q.domain = rig.domain;
  EXPECT_GT(rig.store->read_order(q)->gone_through, kNoPosition);
}

TEST_F(LogEraserTest, MissedRowsOfRemovedEventsGo) {
  add("a", kDana);
  add("b", "x@y.z");
  const auto positions = *rig.store->find_events(rig.domain, {"a", "b"});
  Progress progress;
  for (const auto position : positions)
    progress.exceptions.push_back({{5}, position, true, 1, {}, {}, 500, {}});
  const Progress* const one[] = {&progress};
  ASSERT_TRUE(rig.store->save(one));
  erase_all({{5}});
  const auto rows = *rig.store->read_exceptions({5}, kNoPosition, 10, true);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].position, positions[1]);
}

TEST_F(LogEraserTest, TextsOfAttemptsAreChanged) {
  Progress progress;
  for (uint64_t i = 0; i < 3; ++i) {
    AttemptRow row;
    row.lane = {5};
    row.position = {i + 1};
    row.written = row.at = rig.clock.now() + std::chrono::seconds(i);
    row.attempt = 2;
    row.failure = i == 0 ? "" : "retry";
    row.error = i == 1 ? "no such user: " + kDana : "";
    row.response = i == 2 ? "user=" + kDana + ";" : "fine";
    progress.attempts.push_back(row);
  }
  const Progress* const one[] = {&progress};
  ASSERT_TRUE(rig.store->save(one));
  const event::AddressPattern pattern(kDana);
  const auto slice = rig.store->erase_attempts("", [&](std::string& text) {
    auto replaced = pattern.replaced(text);
    if (replaced) text = *replaced;
    return replaced.has_value();
  });
  EXPECT_EQ(slice->changed, 2U);
  EXPECT_TRUE(slice->at_end);
  const auto rows = *rig.store->last_attempts({5}, SystemTime::max(), 10);
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[1].error, "no such user: erased@erased.invalid");
  EXPECT_EQ(rows[0].response, "user=erased@erased.invalid;");
  EXPECT_EQ(rows[2].response, "fine");
}

// The bytes are everywhere before, and nowhere after: tables, logs, lists of files.
TEST_F(LogEraserTest, NothingIsLeftOnTheDisk) {
  for (int i = 0; i < 300; ++i) {
    add("e" + std::to_string(i), i % 3 == 0 ? kDana : "other@inbox.example",
        R"(,"x":")" + std::string(i % 7 == 0 ? "<dana@inbox.example>" : "y") + "\"");
    if (i == 100) ASSERT_TRUE(rig.store->index_now());
    if (i == 150) ASSERT_TRUE(rig.store->compact_now());
  }
  EXPECT_THAT(files_with(kDana), Not(IsEmpty()));
  add("last", kDana);
  const auto slice = erase_all();
  EXPECT_EQ(slice.removed, 101U);
  ASSERT_TRUE(rig.store->purge(rig.domain, slice.changed));
  EXPECT_THAT(files_with(kDana), IsEmpty());
  EXPECT_THAT(files_with("other@inbox.example"), Not(IsEmpty()));
  EXPECT_EQ(ordered().size(), 200U);
}

TEST_F(LogEraserTest, ItIsThereUntilItIsPurged) {
  add("a", kDana);
  erase_all();
  EXPECT_THAT(files_with(kDana), Not(IsEmpty()));
}

// The list of files names keys of tables, and is written anew by the next start.
TEST_F(LogEraserTest, NothingIsLeftOfAnId) {
  add("m/" + kDana, "other@inbox.example");
  ASSERT_TRUE(rig.store->index_now());
  ASSERT_TRUE(rig.store->compact_now());
  const auto slice = erase_all();
  ASSERT_TRUE(rig.store->purge(rig.domain, slice.changed));
  rig.restart();
  EXPECT_THAT(files_with(kDana), IsEmpty());
  EXPECT_THAT(ordered(), ElementsAre("erased-1"));
}

// A slice is done as a whole or not at all, and doing it again does no harm.
TEST_F(LogEraserTest, AKillInTheMiddleLeavesWholeEvents) {
  for (int i = 0; i < 40; ++i) add("e" + std::to_string(i), i % 2 == 0 ? kDana : "x@y.z");
  auto q = query(rig.domain, rig.store->head());
  q.max_scan = 10;
  ASSERT_EQ(rig.store->erase(q, {})->removed, 5U);
  rig.cut_power();
  EXPECT_EQ(ordered().size(), 35U);
  EXPECT_EQ(rig.listed().size(), 35U);
  EXPECT_EQ(erase_all().removed, 15U);
  EXPECT_EQ(ordered().size(), 20U);
}

TEST_F(LogEraserTest, APurgeEndsWithTheProcess) {
  add("a", kDana);
  const auto slice = erase_all();
  rig.store->end_purges();
  EXPECT_EQ(rig.store->purge(rig.domain, slice.changed).error().code, Errc::kCancelled);
}

TEST_F(LogEraserTest, AFailedWriteIsToldAndRepeated) {
  add("a", kDana);
  ASSERT_TRUE(rig.store->index_now());
  rig.env.set_fault(FaultEnv::Fault::kSyncFails);
  EXPECT_FALSE(rig.store->erase(query(rig.domain, rig.store->head()), {}));
  rig.env.set_fault(FaultEnv::Fault::kNone);
  rig.restart();
  erase_all();
  EXPECT_THAT(ordered(), IsEmpty());
}

}  // namespace
}  // namespace eventhorn::store
