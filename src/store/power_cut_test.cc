// What a power cut leaves, and damage: of what was acknowledged nothing is lost, or the store says
// so.
#include "store/writers_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace eventhorn::store {
namespace {

using Ids = std::vector<std::string>;
using Outcome = AppendQueue::Outcome;

bool ready(const auto& future) {
  return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

uint64_t offset_in(const std::string& message) {
  return std::stoull(message.substr(message.find("at offset ") + 10));
}

Ids many_ids(int count) {
  Ids out;
  for (int i = 0; i < count; ++i) out.push_back("e" + std::to_string(1000 + i));
  return out;
}

// C1, C3: durable, then visible, then acknowledged.
TEST(PowerCut, C3NothingShowsBeforeItsFsync) {
  WriterRig rig;
  rig.create();
  const Position head = rig.store->head();
  rig.env.hold_syncs();
  auto original = rig.submit("a");
  rig.env.wait_for_held_sync();
  auto duplicate = rig.submit("a");
  EXPECT_FALSE(ready(original));
  EXPECT_FALSE(ready(duplicate)) << "its original may still be lost";
  EXPECT_EQ(rig.store->head(), head);
  EXPECT_EQ(rig.stored(), Ids{});
  EXPECT_EQ(rig.listed(), Ids{});
  EXPECT_EQ(rig.seen(), Ids{});
  LaneQuery lane;
  lane.domain = rig.domain;
  lane.cls = webhook::Class::kNormal;
  lane.since.fill(kNoPosition);
  EXPECT_EQ(rig.store->read_lane(lane)->events.size(), 0U);
  rig.env.release_syncs();
  rig.run();
  EXPECT_EQ(*original.get(), std::vector{Outcome::kStored});
  EXPECT_EQ(*duplicate.get(), std::vector{Outcome::kDuplicate});
  EXPECT_EQ(rig.listed(), Ids{"a"});
  EXPECT_EQ(rig.store->read_lane(lane)->events.size(), 1U);
}

// C3: all that was acknowledged survives, once; what was under way does not.
TEST(PowerCut, C3APowerCutLosesNothingAcknowledged) {
  for (const bool indexed : {false, true}) {
    WriterRig rig;
    rig.create();
    const Ids ids = many_ids(20);
    for (const auto& id : ids) EXPECT_TRUE(rig.append(id));
    if (indexed) EXPECT_TRUE(rig.store->index_now());
    rig.env.hold_syncs();
    auto lost = rig.submit("lost");
    rig.env.wait_for_held_sync();
    rig.cut_power();
    ASSERT_TRUE(ready(lost));
    EXPECT_EQ(lost.get().error().code, Errc::kUnavailable);
    EXPECT_EQ(rig.stored(), ids);
    EXPECT_EQ(rig.listed(), ids);
    EXPECT_EQ(rig.directory->all().size(), 1U);
    for (const auto& id : ids) EXPECT_EQ(*rig.append(id), std::vector{Outcome::kDuplicate});
    EXPECT_EQ(*rig.append("lost"), std::vector{Outcome::kStored});
  }
}

// C4: whatever part of the record under way reached the disk, it is cut off, and the log goes on
// after it.
TEST(PowerCut, C4ATornTailIsCut) {
  for (const uint64_t torn : {1, 6, 7, 8, 30, 60}) {
    SCOPED_TRACE(torn);
    WriterRig rig;
    rig.create();
    EXPECT_TRUE(rig.append("a"));
    EXPECT_TRUE(rig.append("b"));
    rig.env.hold_syncs();
    auto lost = rig.submit("lost");
    rig.env.wait_for_held_sync();
    rig.cut_power(torn);
    EXPECT_EQ(rig.stored(), (Ids{"a", "b"}));
    EXPECT_EQ(*rig.append("c"), std::vector{Outcome::kStored});
    rig.restart();
    EXPECT_EQ(rig.stored(), (Ids{"a", "b", "c"}));
  }
}

TEST(PowerCut, C4AZeroedTailIsCut) {
  WriterRig rig;
  rig.create();
  EXPECT_TRUE(rig.append("a"));
  rig.close();
  const auto path = largest_file(rig.dir, ".log");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) + 5000);
  rig.open();
  EXPECT_EQ(rig.stored(), Ids{"a"});
}

// C4: damage before the end is no torn tail. The store refuses to open rather than forget what
// follows.
TEST(PowerCut, C4DamageInTheMiddleOfTheLogRefusesToOpen) {
  for (const int third : {0, 1}) {
    WriterRig rig;
    rig.create();
    for (const auto& id : many_ids(1500)) {
      if (id.back() == '0')
        EXPECT_TRUE(rig.append({rig.event(id), rig.event(id + "b"), rig.event(id + "c")}));
    }
    rig.close();
    const auto path = largest_file(rig.dir, ".log");
    flip_bit(path, std::filesystem::file_size(path) * static_cast<uint64_t>(1 + third) / 3);
    const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::kCorruption);
    EXPECT_THAT(opened.error().message, testing::HasSubstr("damaged: " + path.string()));
    const uint64_t flipped =
        std::filesystem::file_size(path) * static_cast<uint64_t>(1 + third) / 3;
    const uint64_t named = offset_in(opened.error().message);
    EXPECT_LE(named, flipped) << "of the damaged record";
    EXPECT_LT(flipped - named, 1000U);
    flip_bit(path, std::filesystem::file_size(path) * static_cast<uint64_t>(1 + third) / 3);
    rig.open();
    EXPECT_EQ(rig.stored().size(), 450U) << "the refusal changed nothing";
  }
}

TEST(PowerCut, C4DamageInATableFailsTheRead) {
  WriterRig rig;
  rig.create();
  for (const auto& id : many_ids(300)) {
    if (id.back() == '0')
      EXPECT_TRUE(rig.append({rig.event(id), rig.event(id + "b"), rig.event(id + "c")}));
  }
  EXPECT_TRUE(rig.store->index_now());
  EXPECT_TRUE(rig.store->compact_now());
  rig.close();
  for (const auto& entry : std::filesystem::directory_iterator(rig.dir.path() / "store")) {
    if (entry.path().extension() == ".sst") flip_bit(entry.path(), 20);
  }
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  if (!opened) {
    EXPECT_EQ(opened.error().code, Errc::kCorruption);
    return;
  }
  const auto heads = (*opened)->read_heads(kNoPosition, SIZE_MAX);
  ASSERT_FALSE(heads);
  EXPECT_EQ(heads.error().code, Errc::kCorruption);
}

// C4: a record whose damaged length reaches beyond the end of the file looks like a torn tail to
// RocksDB 7.8; the records behind it tell that it is none.
TEST(PowerCut, C4ADamagedLengthInTheLastBlockRefusesToOpen) {
  WriterRig rig;
  rig.create();
  for (const auto& id : many_ids(5)) EXPECT_TRUE(rig.append(id));
  rig.close();
  const auto path = largest_file(rig.dir, ".log");
  flip_bit(path, 5);  // high byte of the first record's length, after 4 bytes of checksum
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kCorruption);
  EXPECT_THAT(opened.error().message, testing::HasSubstr(path.string() + " at offset 0"));
  flip_bit(path, 5);
  rig.open();
  EXPECT_EQ(rig.stored().size(), 5U);
}

}  // namespace
}  // namespace eventhorn::store
