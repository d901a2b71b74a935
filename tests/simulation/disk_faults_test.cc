#include "simulation/disk_faults.h"

#include <gtest/gtest.h>

#include <vector>

namespace eventhorn::simulation {
namespace {

using Mode = DiskFaults::Mode;
using Operation = store::MemoryFaults::Operation;

class DiskFaultsTest : public ::testing::Test {
 protected:
  /// How many of a hundred fail.
  int failures(Operation operation) {
    int out = 0;
    for (int i = 0; i < 100; ++i) out += faults_.on(operation) ? 0 : 1;
    return out;
  }

  Trace trace_;
  World world_{1, trace_};
  DiskFaults faults_{world_};
};

TEST_F(DiskFaultsTest, ADiskThatIsWellFailsNothing) {
  EXPECT_EQ(failures(Operation::kCommit), 0);
  EXPECT_EQ(failures(Operation::kSync), 0);
  EXPECT_EQ(failures(Operation::kReadLane), 0);
}

TEST_F(DiskFaultsTest, AFullDiskTakesNoWrite) {
  faults_.set(Mode::kFull);
  EXPECT_EQ(failures(Operation::kCommit), 100);
  EXPECT_EQ(failures(Operation::kSaveProgress), 100);
  EXPECT_EQ(failures(Operation::kReadLane), 0);
  faults_.set(Mode::kNone);
  EXPECT_EQ(failures(Operation::kCommit), 0);
}

TEST_F(DiskFaultsTest, SyncsFailAlone) {
  faults_.set(Mode::kSyncsFail);
  EXPECT_EQ(failures(Operation::kSync), 100);
  EXPECT_EQ(failures(Operation::kFlush), 100);
  EXPECT_EQ(failures(Operation::kCommit), 0);
  EXPECT_EQ(failures(Operation::kReadHeads), 0);
}

TEST_F(DiskFaultsTest, ASlowDiskHoldsUpAndFailsNothing) {
  EXPECT_EQ(faults_.hold_up(), Micros(0));
  faults_.set(Mode::kSlow);
  EXPECT_EQ(failures(Operation::kCommit), 0);
  int held_up = 0;
  for (int i = 0; i < 100; ++i) held_up += faults_.hold_up() > Micros(0) ? 1 : 0;
  EXPECT_GT(held_up, 10);
  EXPECT_LT(held_up, 90);
}

TEST_F(DiskFaultsTest, ReadsFailNowAndThen) {
  faults_.set(Mode::kReadsFail);
  EXPECT_GT(failures(Operation::kReadEvents), 0);
  EXPECT_LT(failures(Operation::kReadEvents), 100);
  EXPECT_EQ(failures(Operation::kCommit), 0);
  EXPECT_EQ(failures(Operation::kOpen), 0);
}

TEST_F(DiskFaultsTest, AnythingMayFail) {
  faults_.set(Mode::kEverything);
  for (const auto operation :
       {Operation::kOpen, Operation::kCommit, Operation::kFlush, Operation::kReadPage}) {
    EXPECT_GT(failures(operation), 0);
    EXPECT_LT(failures(operation), 100);
  }
}

TEST_F(DiskFaultsTest, NothingFailsWhileItIsPaused) {
  faults_.set(Mode::kFull);
  {
    const DiskFaults::Pause pause(faults_);
    EXPECT_EQ(failures(Operation::kCommit), 0);
  }
  EXPECT_EQ(failures(Operation::kCommit), 100);
}

TEST_F(DiskFaultsTest, ARecoveryFindsSomeOfWhatWasNotSynced) {
  std::vector<int> found(4);
  for (int i = 0; i < 200; ++i) ++found.at(faults_.found_by_recovery(3));
  for (const int times : found) EXPECT_GT(times, 0);
}

TEST(Trace, TheSameLinesHaveTheSameHash) {
  Trace a;
  Trace b;
  for (auto* trace : {&a, &b}) {
    trace->begin_step(1, Micros(5));
    trace->add("one", "two");
  }
  EXPECT_EQ(a.hash(), b.hash());
  b.begin_step(2, Micros(6));
  b.add("one", "two");
  EXPECT_NE(a.hash(), b.hash());
  const auto ended = b.hash();
  b.end();
  b.add("more");
  EXPECT_EQ(b.hash(), ended);
  EXPECT_EQ(b.lines(), 2U);
}

}  // namespace
}  // namespace eventhorn::simulation
