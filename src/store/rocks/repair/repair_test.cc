// C4: stores that are damaged, and what is made of them.
#include "store/rocks/repair/repair.h"

#include "store/rocks/families.h"
#include "store/writers_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <set>

namespace eventhorn::store {
namespace {

namespace fs = std::filesystem;

using Ids = std::vector<std::string>;
using Outcome = AppendQueue::Outcome;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::SizeIs;
using testing::UnorderedElementsAreArray;

/// A store with some hundred events of a kilobyte each.
class RepairTest : public testing::Test {
 protected:
  RepairTest() { rig.create(); }

  Ids add_events(const std::string& prefix, int count) {
    Ids out;
    std::vector<NewEvent> batch;
    for (int i = 0; i < count; ++i) {
      out.push_back(prefix + std::to_string(1000 + i));
      batch.push_back(rig.event(out.back()));
      auto& bytes = batch.back().event.bytes;
      while (bytes.size() < 1000) bytes += std::to_string(random_());  // not to be compressed
      sent_.emplace(out.back(), batch.back());
      if (batch.size() == 10) EXPECT_TRUE(rig.append(std::exchange(batch, {})));
    }
    if (!batch.empty()) EXPECT_TRUE(rig.append(std::move(batch)));
    return out;
  }

  /// Into tables, and the server ends.
  void settle() {
    EXPECT_TRUE(rig.store->index_now());
    EXPECT_TRUE(rig.store->compact_now());
    rig.close();
  }

  /// The largest table of a family, or the newest.
  fs::path table_of(std::string_view family, bool newest = false) {
    const auto damage = damage_all_tables();
    fs::path out;
    for (const auto& line : damage) {
      if (line.find("(" + std::string(family) + ")") == std::string::npos) continue;
      const fs::path path = line.substr(0, line.find(" ("));
      const bool better =
          newest ? path > out : out.empty() || fs::file_size(path) > fs::file_size(out);
      if (better) out = path;
    }
    EXPECT_FALSE(out.empty()) << family;
    return out;
  }

  /// The newest table of a family, of a store that is open and closed again for it.
  fs::path table_of_open_store(std::string_view family) {
    rig.close();
    auto out = table_of(family, /*newest=*/true);
    rig.open();
    return out;
  }

  Ids rig_stored() {
    rig.open();
    auto out = rig.stored();
    rig.close();
    return out;
  }

  RepairReport repaired() {
    auto report = repair(rig.dir.path(), rig.clock);
    EXPECT_TRUE(report) << report.error().message;
    return report ? *report : RepairReport();
  }

  static Ids lost_ids(const RepairReport& report) {
    Ids out;
    for (const auto& line : lost_lines(report)) {
      const size_t at = line.find(R"("id":")");
      if (at != std::string::npos) out.push_back(line.substr(at + 6, line.size() - at - 8));
    }
    return out;
  }

  static Ids lost_lines(const RepairReport& report) {
    std::ifstream in(report.quarantine / "lost.ndjson");
    Ids out;
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
  }

  /// Those that were kept are there, once, by every way; those that were lost can be sent again.
  void expect_whole(const Ids& all, const Ids& kept) {
    rig.open();
    EXPECT_EQ(rig.stored(), kept);
    EXPECT_EQ(rig.listed(), kept);
    LaneQuery lane;
    lane.domain = rig.domain;
    lane.cls = webhook::Class::kNormal;
    lane.since.fill(kNoPosition);
    lane.max_events = SIZE_MAX;
    lane.max_bytes = SIZE_MAX;
    EXPECT_EQ(ids_of(rig.store->read_lane(lane)->events), kept);
    EXPECT_EQ(rig.store->count_lane(lane)->events, kept.size());
    const std::set<std::string> there(kept.begin(), kept.end());
    for (const auto& id : all) {
      EXPECT_EQ(*rig.append({sent_.at(id)}),
                std::vector{there.contains(id) ? Outcome::kDuplicate : Outcome::kStored});
    }
    EXPECT_EQ(rig.stored().size(), all.size());
  }

  static Ids without(const Ids& all, const Ids& lost) {
    const std::set<std::string> gone(lost.begin(), lost.end());
    Ids out;
    std::copy_if(all.begin(), all.end(), std::back_inserter(out),
                 [&](const auto& id) { return !gone.contains(id); });
    return out;
  }

  WriterRig rig;

  std::map<std::string, NewEvent> sent_;

 private:
  // Each table is damaged and healed again, to learn from find_damage which family it is of.
  Ids damage_all_tables() {
    const auto flip_all = [&] {
      for (const auto& entry : fs::directory_iterator(rig.dir.path() / "store"))
        if (entry.path().extension() == ".sst") flip_bit(entry.path(), 10);
    };
    flip_all();
    const auto damage = find_damage(rig.dir.path());
    flip_all();
    EXPECT_TRUE(damage);
    return damage ? *damage : Ids();
  }

  std::mt19937_64 random_{20261123};
};

TEST_F(RepairTest, C4ASoundStoreIsLeftAlone) {
  const auto all = add_events("a", 50);
  settle();
  EXPECT_THAT(*find_damage(rig.dir.path()), IsEmpty());
  EXPECT_THAT(repaired().damage, IsEmpty());
  for (const auto& entry : fs::directory_iterator(rig.dir.path()))
    EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("quarantine")));
  rig.open();
  EXPECT_EQ(rig.stored(), all);
}

TEST_F(RepairTest, C4DamageOfTheLogIsNamedAndPassed) {
  const auto all = add_events("a", 400);
  const Position head = rig.store->head();
  rig.close();
  const auto path = largest_file(rig.dir, ".log");
  flip_bit(path, fs::file_size(path) / 2);
  const auto damage = find_damage(rig.dir.path());
  ASSERT_THAT(*damage, SizeIs(1));
  EXPECT_THAT(damage->front(), HasSubstr(path.string() + " at offset "));

  const auto report = repaired();
  EXPECT_THAT(report.damage, testing::ElementsAreArray(*damage));
  const uint64_t lost = all.size() - report.events_kept;
  EXPECT_GT(lost, 0U);
  EXPECT_LT(lost, 60U) << "no more than a block, and what reached into it";
  EXPECT_GE(report.positions_lost, lost);
  EXPECT_TRUE(fs::exists(report.quarantine / "store" / path.filename())) << "as it was";
  const auto lines = lost_lines(report);
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.starts_with(R"({"from_position":)") &&
           line.find(R"("committed_before":"20)") != std::string::npos;
  }));
  rig.open();
  EXPECT_GT(rig.store->head(), head) << "positions do not come again";
  const auto kept = rig.stored();
  EXPECT_EQ(kept.front(), all.front());
  EXPECT_EQ(kept.back(), all.back()) << "what follows the damage is there";
  rig.close();
  expect_whole(all, kept);
}

TEST_F(RepairTest, C4WhatADamagedTableHeldIsListedById) {
  const auto all = add_events("a", 400);
  settle();
  const auto path = table_of("log");
  flip_bit(path, fs::file_size(path) / 2);
  const auto report = repaired();
  ASSERT_THAT(report.damage, SizeIs(1));
  EXPECT_THAT(report.damage[0], HasSubstr(path.string()));
  const auto lost = lost_ids(report);
  EXPECT_EQ(lost.size(), report.events_lost);
  EXPECT_GT(lost.size(), 0U);
  EXPECT_LT(lost.size(), 100U) << "one block of 32 KiB";
  EXPECT_EQ(report.events_kept + report.events_lost, all.size());
  EXPECT_THAT(lost_lines(report)[0], HasSubstr(R"("domain":"a.test")"));
  expect_whole(all, without(all, lost));
}

TEST_F(RepairTest, C4AMissingTableRefusesToOpenAndIsListedById) {
  auto all = add_events("a", 200);
  EXPECT_TRUE(rig.store->index_now());
  EXPECT_TRUE(rig.store->compact_now());
  settle();
  const auto path = table_of("log");
  rig.open();
  const auto more = add_events("b", 200);
  all.insert(all.end(), more.begin(), more.end());
  EXPECT_TRUE(rig.store->index_now());
  rig.close();
  fs::remove(path);
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr(path.stem().string()));
  const auto report = repaired();
  EXPECT_EQ(report.events_lost, 200U);
  EXPECT_EQ(report.events_kept, 200U);
  const auto kept = without(all, lost_ids(report));
  EXPECT_EQ(kept, more);
  expect_whole(all, kept);
}

TEST_F(RepairTest, C4AMissingLogFileIsFound) {
  const auto all = add_events("a", 30);
  rig.restart();
  add_events("b", 30);
  const Position head = rig.store->head();
  rig.close();
  fs::remove(largest_file(rig.dir, ".log"));
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("has no log file"));
  const auto report = repaired();
  EXPECT_EQ(report.events_kept, all.size());
  EXPECT_THAT(lost_lines(report).back(), HasSubstr("committed_after")) << "without an end";
  EXPECT_THAT(lost_lines(report).back(), Not(HasSubstr("to_position")));
  rig.open();
  EXPECT_GT(rig.store->head(), head) << "positions do not come again";
  EXPECT_EQ(rig.stored(), all);
}

// Tables of the first level overlap: one that cannot be opened must not take the others with it.
TEST_F(RepairTest, C4AnUnreadableTableCostsOnlyItself) {
  Ids all;
  fs::path damaged;
  for (const char* prefix : {"a", "b", "c"}) {
    const auto ids = add_events(prefix, 100);
    all.insert(all.end(), ids.begin(), ids.end());
    rig.restart();  // each life ends in a table
    if (std::string(prefix) == "b") damaged = table_of_open_store("log");
  }
  const auto more = add_events("d", 50);  // only in the log
  all.insert(all.end(), more.begin(), more.end());
  rig.close();
  fs::resize_file(damaged, fs::file_size(damaged) - 20);
  const auto report = repaired();
  EXPECT_EQ(report.events_kept, 250U);
  const auto kept = rig_stored();
  EXPECT_THAT(kept, IsSupersetOf(more));
  EXPECT_EQ(std::count_if(kept.begin(), kept.end(), [](const auto& id) { return id[0] == 'b'; }),
            0);
  EXPECT_EQ(report.positions_lost + report.events_lost >= 100U, true);
}

// A page of zeros, and whole records behind it.
TEST_F(RepairTest, C4ZerosAtABoundaryAreFound) {
  for (const bool all_of_it : {false, true}) {
    const auto all = add_events(all_of_it ? "a" : "b", 12);
    rig.close();
    const auto path = largest_file(rig.dir, ".log");
    std::string bytes(fs::file_size(path), '\0');
    std::ifstream(path, std::ios::binary)
        .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const auto write = [&](const std::string& content) {
      std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    };
    auto zeroed = bytes;
    std::fill_n(zeroed.begin(), all_of_it ? 4096 : 7, '\0');
    write(zeroed);
    const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message, HasSubstr(path.string() + " at offset 0"));
    EXPECT_THAT(*find_damage(rig.dir.path()), testing::Not(IsEmpty()));
    write(bytes);
    rig.open();
    EXPECT_THAT(rig.stored(), IsSupersetOf(all));
  }
}

// The last record of all, whole but for its length, is none that was torn.
TEST_F(RepairTest, C4ADamagedLengthOfTheLastRecordIsFound) {
  const auto all = add_events("a", 5);
  rig.close();
  const auto path = largest_file(rig.dir, ".log");
  std::string bytes(fs::file_size(path), '\0');
  std::ifstream(path, std::ios::binary)
      .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  size_t at = 0;
  for (size_t next = 0; next < bytes.size();) {
    at = next;
    next +=
        7U + static_cast<uint8_t>(bytes[next + 4]) + 256U * static_cast<uint8_t>(bytes[next + 5]);
  }
  flip_bit(path, at + 5);
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("at offset " + std::to_string(at)));
  flip_bit(path, at + 5);
  rig.open();
  EXPECT_EQ(rig.stored(), all);
}

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

// A file under a second number, as a careless restore may leave.
TEST_F(RepairTest, C4CopiesOfFiles) {
  auto all = add_events("a", 100);
  EXPECT_TRUE(rig.store->index_now());
  rig.restart();
  rig.close();
  const auto store = rig.dir.path() / "store";
  fs::copy_file(largest_file(rig.dir, ".sst"), store / "000900.sst");
  rig.open();
  EXPECT_EQ(rig.stored(), all) << "a table that is not on the list is of no account";
  const auto more = add_events("b", 100);
  all.insert(all.end(), more.begin(), more.end());
  rig.close();
  const auto copy = store / "009999.log";
  fs::copy_file(largest_file(rig.dir, ".log"), copy);
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr(copy.string()));
  const auto report = repaired();
  EXPECT_THAT(report.damage, SizeIs(1));
  EXPECT_EQ(report.events_lost, 0U);
  expect_whole(all, all);
}

TEST_F(RepairTest, C1AFirstStartThatWasCutShortIsNoDamage) {
  TempDir dir;
  ASSERT_TRUE(open_rocks(dir, rig.clock));
  fs::remove(largest_file(dir, ".log"));
  EXPECT_TRUE(open_rocks(dir, rig.clock));
}

// Also those of events in the middle of the log that power loss, or a bad disk, made zeros of.
TEST_F(RepairTest, C4ZerosInTheMiddleOfTheLogAreFound) {
  add_events("a", 400);
  rig.close();
  const auto path = largest_file(rig.dir, ".log");
  const uint64_t size = fs::file_size(path);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(size / 2 / 4096 * 4096));
    file.write(std::string(8192, '\0').data(), 8192);
  }
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr(path.string() + " at offset"));
}

TEST_F(RepairTest, C4ALostListOfFilesIsMadeAnew) {
  for (const char* name : {"CURRENT", "MANIFEST"}) {
    SCOPED_TRACE(name);
    auto all = add_events(name, 100);
    settle();
    rig.open();
    const auto more = add_events(std::string(name) + "x", 20);  // only in the log
    rig.close();
    Ids gone;
    for (const auto& entry : fs::directory_iterator(rig.dir.path() / "store"))
      if (entry.path().filename().string().starts_with(name)) gone.push_back(entry.path());
    for (const auto& file : gone) fs::remove(file);
    for (int start = 0; start < 2; ++start) {
      const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
      ASSERT_FALSE(opened) << "RocksDB would make a new store of it, and remove the tables";
      EXPECT_THAT(opened.error().message, HasSubstr(name));
    }
    const auto report = repaired();
    EXPECT_GT(report.damage.size(), 0U);
    EXPECT_EQ(report.events_lost, 0U);
    EXPECT_EQ(report.rows_lost, 0U);
    rig.open();
    EXPECT_THAT(rig.stored(), IsSupersetOf(all));
    EXPECT_THAT(rig.stored(), IsSupersetOf(more));
    EXPECT_EQ(rig.listed().size(), rig.stored().size());
  }
}

TEST_F(RepairTest, C4IndexesAreMadeOfTheLog) {
  const auto all = add_events("a", 400);
  settle();
  for (const char* family : {"ids", "times", "classes"}) {
    const auto path = table_of(family);
    for (uint64_t at = 10; at < fs::file_size(path) / 2; at += 1000) flip_bit(path, at);
  }
  const auto report = repaired();
  EXPECT_THAT(report.damage, SizeIs(3));
  EXPECT_EQ(report.events_lost, 0U);
  expect_whole(all, all);
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

TEST_F(RepairTest, C8AStoreInUseIsNotTouched) {
  EXPECT_EQ(find_damage(rig.dir.path()).error().code, Errc::kConflict);
  EXPECT_EQ(repair(rig.dir.path(), rig.clock).error().code, Errc::kConflict);
}

TEST_F(RepairTest, ADirectoryWithoutAStoreIsSaidToBeSo) {
  TempDir empty;
  EXPECT_EQ(find_damage(empty.path()).error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace eventhorn::store
