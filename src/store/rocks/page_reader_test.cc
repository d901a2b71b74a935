#include "store/rocks/page_reader.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace eventhorn::store {
namespace {

using Ids = std::vector<std::string>;

class PageReaderTest : public TableTest {
 protected:
  enum class In { kIndex, kTail, kBoth };

  void put_event(uint64_t position, const std::string& id, int64_t us, In in) {
    const auto event = make_event(id, kBaseUs + us);
    write([&](auto& batch) { EXPECT_TRUE(log.put({position}, event, {}, batch)); });
    if (in != In::kTail) {
      put(Family::kTimes, TimeTable::key(kDomain, kBaseUs + us, id),
          TimeTable::encode({position}, event.event.name, event.event.severity));
    }
    if (in == In::kIndex) return;
    StoredEvent stored;
    stored.position = {position};
    stored.domain = kDomain;
    stored.event = event.event;
    tail.append(TailEntry::of(stored));
  }

  static PageQuery query(bool ascending) {
    PageQuery out;
    out.domain = kDomain;
    out.ascending = ascending;
    out.first_us = ascending ? 0 : INT64_MAX;
    out.last_us = ascending ? INT64_MAX : 0;
    return out;
  }

  /// All slices of a query.
  Ids walk(PageQuery q) {
    Ids out;
    for (bool more = true; more;) {
      const auto slice = expect(reader.read(q));
      for (const auto& id : ids_of(slice.events)) out.push_back(id);
      q.beyond = slice.reached;
      more = !slice.at_end;
    }
    return out;
  }

  Tail tail;
  TimeTable times{database};
  LogTable log{database};
  PageReader reader{{tail, times, log, *floors}};
};

TEST_F(PageReaderTest, MergesTheIndexAndTheTail) {
  put_event(1, "a", 10, In::kIndex);
  put_event(2, "c", 30, In::kIndex);
  put_event(3, "d", 40, In::kBoth);
  put_event(4, "b", 20, In::kTail);
  put_event(5, "bb", 20, In::kTail);
  put_event(6, "e", 50, In::kTail);
  const Ids all = {"a", "b", "bb", "c", "d", "e"};
  for (const size_t at_once : {1, 2, 3, 100}) {
    auto up = query(true);
    up.max_events = at_once;
    EXPECT_EQ(walk(up), all) << at_once;
    auto down = query(false);
    down.max_scan = at_once;
    EXPECT_EQ(walk(down), Ids(all.rbegin(), all.rend())) << at_once;
  }
}

TEST_F(PageReaderTest, LeavesOutWhatIsGoneAndNamesWhatIsDamaged) {
  for (uint64_t i = 1; i <= 4; ++i)
    put_event(i, "e" + std::to_string(i), static_cast<int64_t>(i), In::kIndex);
  put(Family::kLog, LogTable::key({3}), "damaged");
  floors->events = 2;
  const auto slice = expect(reader.read(query(true)));
  EXPECT_EQ(ids_of(slice.events), (Ids{"e2", "e4"}));
  EXPECT_EQ(slice.damaged, Ids{"e3"});
  EXPECT_TRUE(slice.at_end);
}

TEST_F(PageReaderTest, AnIndexThatCannotBeReadIsAnErrorWhateverTheTailHas) {
  put_event(1, "a", 10, In::kIndex);
  ASSERT_TRUE(database->Flush({}, database.family(Family::kTimes)).ok());
  std::vector<rocksdb::LiveFileMetaData> files;
  database->GetLiveFilesMetaData(&files);
  database.close();
  std::filesystem::resize_file(files.front().db_path + files.front().name, files.front().size - 1);
  auto options = db_options(nullptr);
  options.paranoid_checks = false;  // so that it opens all the same
  ASSERT_TRUE(database
                  .open(options, (dir.path() / "store").string(), family_descriptors(floors),
                        Database::Access::kReadAndWrite)
                  .ok());
  put_event(2, "b", 20, In::kTail);
  EXPECT_FALSE(reader.read(query(true)));
}

}  // namespace
}  // namespace eventhorn::store
