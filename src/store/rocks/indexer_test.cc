#include "store/rocks/indexer.h"

#include "async/worker_test_support.h"
#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace eventhorn::store {
namespace {

/// An index as a new one would be: by the last letter of the id. It is written to `times`.
class LetterIndex final : public Index {
 public:
  Family family() const override { return Family::kTimes; }

  Status add_rows(const TailRun& run, Reads reads, std::vector<IndexRow>& out) override {
    read_as.push_back(reads);
    if (fails) return fail(Errc::kUnavailable, "unreadable");
    for (size_t i = 0; i < run.size(); ++i)
      out.push_back({std::string(1, run[i].id.back()) + std::string(run[i].id), "row"});
    return {};
  }

  void forget() override { ++forgotten; }

  bool fails = false;
  int forgotten = 0;
  std::vector<Reads> read_as;
};

class IndexerTest : public TableTest {
 protected:
  void append(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const std::string id = "e" + std::to_string(1'000'000 + ++last);
      TailEntry entry;
      entry.position = {last};
      entry.domain = kDomain;
      entry.name = event::Name::kOpened;
      entry.id = id;
      tail.append(entry);
      indexer.appended();
    }
  }

  std::optional<uint64_t> indexed() { return *numbers.load(NumberTable::kIndexedThrough); }

  size_t files() const {
    size_t out = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir.path()))
      out += entry.path().filename().string().starts_with("index-") ? 1 : 0;
    return out;
  }

  FakeClock clock;
  HandWorkers workers;
  Tail tail;
  NumberTable numbers{database};
  LetterIndex letters;
  int chores = 0;
  bool failed = false;
  int more_until = 0;  // chores say that there is more to do before they were done so often
  uint64_t last = 0;
  Indexer indexer{{database, numbers, tail, clock, workers},
                  {dir.path(), std::chrono::milliseconds(200),
                   [this] { return ++chores < more_until; }, [this] { return failed; }},
                  {&letters}};
};

TEST_F(IndexerTest, AFullRunIsIndexedAtOnce) {
  append(TailRun::kCapacity - 1);
  EXPECT_FALSE(workers.woken());
  append(2);
  EXPECT_TRUE(workers.woken());
  EXPECT_EQ(workers.run(), std::chrono::milliseconds(200));
  EXPECT_EQ(tail.size(), 1U);
  EXPECT_EQ(indexed(), TailRun::kCapacity);
  EXPECT_EQ(count(Family::kTimes), TailRun::kCapacity);
  EXPECT_EQ(chores, 1);
  EXPECT_EQ(files(), 0U);
}

TEST_F(IndexerTest, ARunWithManyTermsIsFullBeforeItsTime) {
  const std::vector<event::Term> many(event::kMaxTerms, 7);
  size_t count = 0;
  for (; count < TailRun::kCapacity && !workers.woken(); ++count) {
    TailEntry entry;
    entry.position = {++last};
    entry.domain = kDomain;
    entry.name = event::Name::kOpened;
    entry.id = "e";
    entry.terms = many;
    tail.append(entry);
    indexer.appended();
  }
  EXPECT_LE(count * many.size(), TailRun::kMaxTerms + many.size());
}

TEST_F(IndexerTest, ChoresThatHaveMoreToDoHaveTheNextTurnAtOnce) {
  more_until = 3;
  EXPECT_EQ(workers.run(), std::chrono::milliseconds(200));
  EXPECT_EQ(chores, 3);
}

TEST_F(IndexerTest, AnOpenRunIsIndexedOnceItRests) {
  append(3);
  (void)workers.run();
  EXPECT_EQ(indexed(), std::nullopt);
  append(1);
  clock.advance(std::chrono::milliseconds(200));
  (void)workers.run();
  EXPECT_EQ(indexed(), std::nullopt) << "it has grown";
  (void)workers.run();
  EXPECT_EQ(indexed(), std::nullopt) << "not so soon";
  clock.advance(std::chrono::milliseconds(200));
  (void)workers.run();
  EXPECT_EQ(indexed(), 4U);
  EXPECT_EQ(tail.size(), 0U);
  EXPECT_EQ(raw(Family::kTimes)["3e1000003"], "row");
}

TEST_F(IndexerTest, WritesNothingAfterAWriteOfTheLogHasFailed) {
  failed = true;
  append(TailRun::kCapacity + 1);
  EXPECT_EQ(workers.run(), std::chrono::milliseconds(200));
  EXPECT_EQ(indexed(), std::nullopt);
  EXPECT_EQ(chores, 0);
  failed = false;
  (void)workers.run();
  EXPECT_EQ(indexed(), TailRun::kCapacity);
}

TEST_F(IndexerTest, IndexesWhatIsAskedFor) {
  append(3);
  WorkerThreads threads;
  Indexer other({database, numbers, tail, clock, threads},
                {dir.path(), std::chrono::hours(1), nullptr}, {&letters});
  EXPECT_TRUE(other.index_now({3}));
  EXPECT_EQ(indexed(), 3U);
  append(1);
  letters.fails = true;
  EXPECT_EQ(other.index_now({4}).error().code, Errc::kUnavailable);
}

TEST_F(IndexerTest, ARunThatFailsIsTriedAgain) {
  append(3);
  tail.close_open_run();
  letters.fails = true;
  (void)workers.run();
  EXPECT_EQ(letters.forgotten, 1);
  EXPECT_EQ(tail.size(), 3U);
  (void)workers.run();
  EXPECT_EQ(letters.forgotten, 1) << "not before a while has passed";
  clock.advance(std::chrono::milliseconds(200));
  letters.fails = false;
  (void)workers.run();
  EXPECT_EQ(indexed(), 3U);
}

TEST_F(IndexerTest, InTheEndAnIndexThatCannotBeReadIsPassedOver) {
  append(3);
  tail.close_open_run();
  letters.fails = true;
  for (int i = 0; i < 11; ++i) {
    clock.advance(std::chrono::milliseconds(200));
    (void)workers.run();
  }
  using Reads = Index::Reads;
  std::vector<Reads> want(10, Reads::kMustSucceed);
  want.push_back(Reads::kMayFail);
  EXPECT_EQ(letters.read_as, want);
  indexer.reset();
  clock.advance(std::chrono::milliseconds(200));
  (void)workers.run();
  EXPECT_EQ(letters.read_as.back(), Reads::kMustSucceed) << "the database was opened again";
}

TEST_F(IndexerTest, DoesNothingWhileTheDatabaseIsClosed) {
  append(3);
  tail.close_open_run();
  database.close();
  EXPECT_EQ(workers.run(), std::chrono::milliseconds(200));
  EXPECT_EQ(chores, 0);
  EXPECT_EQ(tail.size(), 3U);
  open();
  (void)workers.run();
  EXPECT_EQ(indexed(), 3U);
}

TEST_F(IndexerTest, ACrashLeavesNoFiles) {
  std::filesystem::create_directory(dir.path() / "index-1.ids");
  std::filesystem::create_directory(dir.path() / "other");
  Indexer::remove_files(dir.path());
  EXPECT_EQ(files(), 0U);
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "other"));
}

}  // namespace
}  // namespace eventhorn::store
