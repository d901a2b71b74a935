#include "store/rocks/page_reader.h"

#include "event/filter.h"
#include "store/rocks/account_rows.h"
#include "store/rocks/table_test_support.h"
#include "store/rocks/term_index.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace eventhorn::store {
namespace {

using Ids = std::vector<std::string>;

class PageReaderTest : public TableTest {
 protected:
  enum class In { kIndex, kTail, kBoth };

  void put_event(uint64_t position, const std::string& id, int64_t us, In in) {
    auto event = make_event(id, kBaseUs + us);
    event.event.bytes = R"({"event":"opened","recipient":")" + id + R"(@x.example"})";
    const auto found_by = event::terms_of(event.event.bytes);
    write([&](auto& batch) { EXPECT_TRUE(log.put({position}, event, {}, batch)); });
    if (in != In::kTail) {
      put(Family::kTimes, TimeTable::key(kDomain, kBaseUs + us, id),
          TimeTable::encode({position}, event.event.name, event.event.severity));
    }
    if (in != In::kTail) {
      TailRun run;
      StoredEvent of_run;
      of_run.position = {position};
      of_run.domain = kDomain;
      of_run.event = event.event;
      run.append(TailEntry::of(of_run, found_by));
      std::vector<IndexRow> rows;
      EXPECT_TRUE(TermIndex().add_rows(run, Index::Reads::kMustSucceed, rows));
      write([&](rocksdb::WriteBatch& batch) {
        for (const auto& row : rows)
          batch.Merge(database.family(Family::kTerms), row.key, row.value);
      });
    }
    if (in == In::kIndex) return;
    StoredEvent stored;
    stored.position = {position};
    stored.domain = kDomain;
    stored.event = event.event;
    tail.append(TailEntry::of(stored, found_by));
  }

  /// Of several domains; the events are of the first. Names each with its position.
  std::vector<std::string> walk_account(size_t domains, event::Filter filter, bool ascending) {
    DomainSet set{kOnlyAccount, {}};
    for (uint64_t i = 0; i < domains; ++i) set.domains.push_back({kDomain.value + i});
    auto q = query(ascending);
    q.domains = std::make_shared<DomainSet>(std::move(set));
    q.terms = filter.term_query();
    q.matches = [&](std::string_view bytes) { return filter.matches(bytes); };
    q.max_scan = 2;
    return walk(q);
  }

  /// Events that `matches` took, of those that it was asked about.
  struct Search {
    Ids found;
    size_t looked_at = 0;
  };

  Search search(const std::string& field, const std::string& expression, bool ascending) {
    const auto filter = expect(event::Filter::parse({{field, expression}}));
    Search out;
    auto q = query(ascending);
    q.terms = filter.term_query();
    q.may_match = [](event::Name, event::Severity) { return true; };
    q.matches = [&](std::string_view bytes) {
      ++out.looked_at;
      return filter.matches(bytes);
    };
    out.found = walk(q);
    return out;
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
  TermTable terms{database};
  NumberTable numbers{database};
  TermRebuild rebuild{{database, numbers, log, *floors}};
  FakeClock clock;
  UnreadableReads unreadable{dir.path(), clock};
  PageReader reader{{tail, times, terms, log, *floors, rebuild, unreadable}};
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

TEST_F(PageReaderTest, ASearchLooksAtWhatHasItsTermsOnly) {
  ASSERT_TRUE(rebuild.load(kNoPosition));
  for (uint64_t i = 1; i <= 60; ++i)
    put_event(i, "e" + std::to_string(i), static_cast<int64_t>(i / 3), In{static_cast<int>(i % 3)});
  for (const bool ascending : {true, false}) {
    const auto one = search("recipient", "e7@x.example", ascending);
    EXPECT_EQ(one.found, Ids{"e7"});
    EXPECT_EQ(one.looked_at, 1U);
    EXPECT_EQ(search("recipient", "nobody@x.example", ascending).looked_at, 0U);
    EXPECT_EQ(search("event", "opened", ascending).found, walk(query(ascending)));
  }
}

TEST_F(PageReaderTest, UntilTheIndexOfTermsIsMadeASearchLooksAtEverything) {
  put_event(1, "a", 10, In::kIndex);
  put_event(2, "b", 20, In::kIndex);
  ASSERT_TRUE(rebuild.load({2}));
  const auto one = search("recipient", "a@x.example", true);
  EXPECT_EQ(one.found, Ids{"a"});
  EXPECT_EQ(one.looked_at, 2U);
}

TEST_F(PageReaderTest, WithADamagedIndexOfTermsASearchLooksAtEverything) {
  ASSERT_TRUE(rebuild.load(kNoPosition));
  put_event(1, "a", 10, In::kIndex);
  put_event(2, "b", 20, In::kIndex);
  for (const auto& [key, value] : raw(Family::kTerms)) put(Family::kTerms, key, "\xff");
  auto counted = metrics::counter("eventhorn_store_unreadable_total", "");
  const auto before = counted.value();
  EXPECT_EQ(search("recipient", "a@x.example", false).found, Ids{"a"});
  EXPECT_GT(counted.value(), before);
}

// Whatever the number of domains: few are read by themselves, of many what the account has.
TEST_F(PageReaderTest, AnAccountIsReadWithTheIndexOfTermsAndWithoutIt) {
  ASSERT_TRUE(rebuild.load(kNoPosition));
  const auto failed = expect(event::Filter::parse({{"event", "failed"}}));
  const auto opened = expect(event::Filter::parse({{"event", "opened"}}));
  const auto one = expect(event::Filter::parse({{"recipient", "a@x.example"}}));
  const std::vector<size_t> numbers_of_domains = {1, 3, AccountRows::kMaxDomains + 1};
  const auto check = [&] {
    for (const size_t domains : numbers_of_domains) {
      SCOPED_TRACE(domains);
      EXPECT_EQ(walk_account(domains, {}, true), (Ids{"b", "c", "a"}));
      EXPECT_EQ(walk_account(domains, opened, false), (Ids{"a", "c", "b"}));
      EXPECT_EQ(walk_account(domains, one, true), Ids{"a"});
      EXPECT_EQ(walk_account(domains, failed, true), Ids{});
    }
  };
  put_event(1, "a", 20, In::kIndex);
  put_event(2, "b", 10, In::kBoth);
  put_event(3, "c", 10, In::kTail);
  check();
  for (const auto& [key, value] : raw(Family::kTerms)) put(Family::kTerms, key, "\xff");
  check();
  for (const auto& [key, value] : raw(Family::kTerms))
    write([&](auto& batch) { batch.Delete(database.family(Family::kTerms), key); });
  ASSERT_TRUE(rebuild.begin_anew());
  write([&](auto& batch) { numbers.put(NumberTable::kIndexedThrough, 2, batch); });
  ASSERT_TRUE(rebuild.begin_anew());
  ASSERT_FALSE(rebuild.done());
  check();
}

TEST_F(PageReaderTest, ASearchNamesWhatIsDamaged) {
  ASSERT_TRUE(rebuild.load(kNoPosition));
  put_event(1, "a", 10, In::kIndex);
  put_event(2, "b", 20, In::kIndex);
  put(Family::kLog, LogTable::key({1}), "damaged");
  const auto filter = expect(event::Filter::parse({{"event", "opened"}}));
  auto q = query(true);
  q.terms = filter.term_query();
  const auto slice = expect(reader.read(q));
  EXPECT_EQ(ids_of(slice.events), Ids{"b"});
  EXPECT_EQ(slice.damaged, Ids{"a"});
  q.domains = std::make_shared<DomainSet>(DomainSet{kOnlyAccount, {kDomain}});
  const auto of_several = expect(reader.read(q));
  EXPECT_EQ(ids_of(of_several.events), Ids{"b"});
  EXPECT_EQ(of_several.damaged, Ids{"at position 1"});
}

}  // namespace
}  // namespace eventhorn::store
