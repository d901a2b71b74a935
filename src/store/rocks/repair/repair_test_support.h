// Stores to be damaged and repaired.
#pragma once

#include "store/rocks/repair/repair.h"
#include "store/writers_test_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eventhorn::store {

/// A store with some hundred events of a kilobyte each.
class RepairTest : public testing::Test {
 protected:
  using Ids = std::vector<std::string>;
  using Outcome = AppendQueue::Outcome;

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
    generation_ = rig.store->generation();
    EXPECT_TRUE(rig.store->index_now());
    EXPECT_TRUE(rig.store->compact_now());
    rig.close();
  }

  /// The largest table of a family, or the newest.
  std::filesystem::path table_of(std::string_view family, bool newest = false) {
    const auto damage = damage_all_tables();
    std::filesystem::path out;
    for (const auto& line : damage) {
      if (line.find("(" + std::string(family) + ")") == std::string::npos) continue;
      const std::filesystem::path path = line.substr(0, line.find(" ("));
      const bool better = newest ? path > out
                                 : out.empty() || std::filesystem::file_size(path) >
                                                      std::filesystem::file_size(out);
      if (better) out = path;
    }
    EXPECT_FALSE(out.empty()) << family;
    return out;
  }

  /// The newest table of a family, of a store that is open and closed again for it.
  std::filesystem::path table_of_open_store(std::string_view family) {
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
    EXPECT_NE(rig.store->generation(), generation_) << "positions of before are of another log";
    OrderQuery order;
    order.domain = rig.domain;
    order.max_scan = order.max_events = SIZE_MAX;
    order.after = rig.store->read_order(order)->gone_through;
    EXPECT_EQ(ids_of(rig.store->read_order(order)->events), kept);
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
  uint64_t generation_ = 0;  // of the store before its repair

  // Each table is damaged and healed again, to learn from find_damage which family it is of.
  Ids damage_all_tables() {
    const auto flip_all = [&] {
      for (const auto& entry : std::filesystem::directory_iterator(rig.dir.path() / "store"))
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

}  // namespace eventhorn::store
