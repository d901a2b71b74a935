// C4: what a repair keeps of progress, settings and retention.
#include "store/rocks/repair/repair_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace eventhorn::store {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;
using testing::SizeIs;

// A lane's row lost with a record, and that of its slot kept, would say that nothing is behind.
TEST_F(RepairTest, C4ProgressIsTakenFromBeforeTheDamage) {
  const auto save = [&](Progress progress) {
    std::promise<void> saved;
    rig.writers->progress.save(std::move(progress), [&] { saved.set_value(); });
    saved.get_future().wait();
  };
  add_events("a", 20);
  Progress first;
  first.mark = {SlotSet::all(), {40}};
  save(std::move(first));
  add_events("b", 100);
  const uint64_t before_lane = fs::file_size(largest_file(rig.dir, ".log"));
  Progress second;
  second.lanes.push_back({{33}, rig.domain, {{webhook::Class::kNormal, {40}, {}, {41}, {}}}});
  save(std::move(second));
  add_events("c", 100);
  Progress third;
  third.mark = {SlotSet::all(), {200}};
  save(std::move(third));
  rig.close();
  flip_bit(largest_file(rig.dir, ".log"), before_lane + 30);
  repaired();
  rig.open();
  const auto progress = rig.store->load_progress();
  EXPECT_TRUE(progress->lanes.empty());
  EXPECT_EQ(progress->marks.least(), Position{40}) << "the slot, too, is as it was before";
}

TEST_F(RepairTest, C4ProgressAndSettingsAreKept) {
  add_events("a", 400);
  Progress progress;
  progress.lanes.push_back(
      {{5}, rig.domain, {{webhook::Class::kNormal, {1}, std::nullopt, {40}, {{{50}, {60}}}}}});
  progress.exceptions.push_back(exception_row({5}, {45}, false));
  progress.exceptions.push_back(exception_row({5}, {46}, true));
  std::promise<void> saved;
  rig.writers->progress.save(std::move(progress), [&] { saved.set_value(); });
  saved.get_future().wait();
  EXPECT_TRUE(rig.store->save_value("k", "v"));
  const auto before = *rig.store->load_progress();
  settle();
  const auto path = table_of("log");
  flip_bit(path, fs::file_size(path) / 2);
  EXPECT_EQ(repaired().rows_lost, 0U);
  rig.open();
  const auto after = *rig.store->load_progress();
  ASSERT_THAT(after.lanes, SizeIs(1));
  EXPECT_EQ(after.lanes[0].segments, before.lanes[0].segments);
  EXPECT_EQ(after.waiting.size(), before.waiting.size());
  EXPECT_EQ(after.missed, 1U);
  EXPECT_EQ(**rig.store->load_value("k"), "v");
}

// Domains, lanes: what is in other blocks is kept, and lanes that may have had a backlog are named.
TEST_F(RepairTest, C4LostProgressIsTold) {
  for (uint64_t i = 0; i < 40; ++i) {
    Progress progress;
    for (uint64_t lane = i * 50; lane < i * 50 + 50; ++lane) {
      progress.lanes.push_back(
          {{1000 + lane}, rig.domain, {{webhook::Class::kNormal, {1}, {}, {2}, {}}}});
      for (uint64_t k = 0; k < 40; ++k)
        progress.lanes.back().segments[0].settled.push_back(
            {{k * 5 + 10 + lane % 3}, {k * 5 + 12}});
    }
    std::promise<void> saved;
    rig.writers->progress.save(std::move(progress), [&] { saved.set_value(); });
    saved.get_future().wait();
  }
  ASSERT_TRUE(rig.edit("b.test", [](const DomainPtr&, Position at) -> Result<DomainPtr> {
    auto d = std::make_shared<Domain>();
    d->uid = {at.value};
    d->name = "b.test";
    for (uint64_t lane = 0; lane < 2000; ++lane)
      d->lanes.push_back({{1000 + lane}, "https://user:secret@b.test/" + std::to_string(lane)});
    return DomainPtr(d);
  }));
  settle();
  const auto path = table_of("default");
  flip_bit(path, fs::file_size(path) / 2);
  const auto report = repaired();
  EXPECT_EQ(report.rows_lost, 1U);
  EXPECT_GT(report.lanes_lost, 0U);
  rig.open();
  const auto kept = rig.store->load_progress()->lanes.size();
  EXPECT_EQ(kept + report.lanes_lost, 2000U);
  EXPECT_GT(kept, 1000U);
  EXPECT_THAT(lost_lines(report).back(), HasSubstr(R"("domain":"b.test")"));
  EXPECT_THAT(lost_lines(report).back(), Not(HasSubstr("secret")));
}

// The ids of what retention dropped go on to be known, and its positions do not come again.
TEST_F(RepairTest, C4WhatRetentionDroppedIsNotLost) {
  const auto old = add_events("old", 50);
  EXPECT_TRUE(rig.store->index_now());
  ASSERT_GT(*rig.store->expire(rig.clock.now() + std::chrono::seconds(1), {}), 0U);
  const auto all = add_events("new", 200);
  const Position head = rig.store->head();
  settle();
  const auto path = table_of("log");
  flip_bit(path, fs::file_size(path) / 2);
  const auto report = repaired();
  EXPECT_GT(report.events_lost, 0U);
  EXPECT_EQ(report.events_kept + report.events_lost, all.size()) << "none of the old ones";
  rig.open();
  EXPECT_GT(rig.store->head(), head);
  for (const auto& id : old)
    EXPECT_EQ(*rig.append({sent_.at(id)}), std::vector{Outcome::kDuplicate});
}

}  // namespace
}  // namespace eventhorn::store
