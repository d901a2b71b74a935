#include "control/kept_notices.h"

#include "store/rocks_test_support.h"

#include <gmock/gmock.h>

#include <future>

namespace eventhorn::control {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Notice about(const std::string& url) {
  Notice notice;
  notice.kind = NoticeKind::kMissed;
  notice.at = from_micros(1'773'219'603'000'001);
  notice.url = url;
  notice.domain = "example.org";
  notice.event = "e1";
  notice.reason = "HTTP status 500";
  notice.count = 3;
  return notice;
}

/// A board and its keeper, as one process has them.
struct Process {
  explicit Process(store::Store& store, bool alerts = true) : kept(store, board, machine, workers) {
    EXPECT_TRUE(kept.load(alerts));
    kept.start();
  }

  /// Until it may be seen.
  void post(const std::string& url) {
    std::promise<void> seen;
    const auto listener = board.listen([&](const Notice&) { seen.set_value(); });
    board.post(about(url));
    seen.get_future().wait();
    board.unlisten(listener);
  }

  std::vector<std::string> list() const {
    std::vector<std::string> out;
    for (const auto& notice : board.newest(NoticeBoard::kKeep)) out.push_back(to_json(notice));
    return out;
  }

  SystemClock machine;
  WorkerThreads workers;
  NoticeBoard board;
  KeptNotices kept;
};

class KeptNoticesTest : public ::testing::Test {
 protected:
  const TempDir dir;
  const FakeClock clock;
  std::unique_ptr<store::Store> store = store::open_rocks(dir, clock);
};

// Whoever has seen a notice finds it after a crash: nothing here is stopped in good order.
TEST_F(KeptNoticesTest, WhatWasSeenIsKept) {
  Process first(*store);
  for (int n = 0; n < 120; ++n) first.post("http://" + std::to_string(n) + "/");
  const auto seen = first.list();
  Process second(*store);
  EXPECT_EQ(second.list(), seen);
  second.post("http://next/");
  EXPECT_EQ(second.board.last_id(), first.board.last_id() + 1) << "ids go on";
}

TEST_F(KeptNoticesTest, TheNewestAreKeptAndTheirBytesBounded) {
  Process first(*store);
  const size_t count = 3 * NoticeBoard::kKeep;
  for (size_t n = 0; n < count; ++n) first.board.post(about(std::to_string(n)));
  first.kept.stop();
  EXPECT_LE(store->load_values("notices/")->size(),
            NoticeBoard::kKeep / KeptNotices::kPerValue + 1);
  const Process second(*store);
  const auto all = second.board.newest(NoticeBoard::kKeep);
  ASSERT_GE(all.size(), NoticeBoard::kKeep - KeptNotices::kPerValue);
  EXPECT_EQ(all.back().url, std::to_string(count - 1));
}

// A value that can't be read costs what stands in it and before it.
TEST_F(KeptNoticesTest, DamageCostsTheOlderOnes) {
  Process first(*store);
  for (size_t n = 0; n < 3 * KeptNotices::kPerValue; ++n) first.post("http://a/");
  const auto last = first.board.last_id();
  const auto values = *store->load_values("notices/");
  ASSERT_GE(values.size(), 3U);
  const auto group_before = last / KeptNotices::kPerValue - 1;
  const auto key = "notices/" + std::to_string(group_before % 21);
  ASSERT_TRUE(store->load_value(key)->has_value());
  ASSERT_TRUE(store->save_value(key, "rubbish"));
  const Process second(*store);
  EXPECT_EQ(second.board.last_id(), last);
  EXPECT_EQ(second.list().size(), last % KeptNotices::kPerValue + 1);
}

TEST_F(KeptNoticesTest, AlertsGoOnWhereTheyWere) {
  uint64_t told = 0;
  {
    Process first(*store);
    first.post("http://a/");
    first.post("http://b/");
    told = first.board.last_id() - 1;
    first.kept.set_alerted(told);
    first.kept.stop();
  }
  EXPECT_EQ(Process(*store).kept.alerted(), told);
  {
    const Process without(*store, false);
  }
  Process again(*store);
  EXPECT_EQ(again.kept.alerted(), again.board.last_id()) << "what nobody was to be told of is not";
}

// A board that nobody keeps shows notices at once; one that is kept, when they are safe.
TEST(NoticeBoard, HeldNoticesAreSeenWhenPublished) {
  NoticeBoard board;
  size_t woken = 0;
  board.hold([&] { ++woken; });
  board.post(about("http://a/"));
  board.post(about("http://b/"));
  EXPECT_EQ(woken, 2U);
  EXPECT_THAT(board.newest(10), IsEmpty());
  const auto waiting = board.waiting();
  ASSERT_EQ(waiting.size(), 2U);
  board.publish(waiting.front().id);
  EXPECT_EQ(board.newest(10).size(), 1U);
  EXPECT_EQ(board.last_id(), waiting.front().id);
  board.publish(waiting.back().id);
  EXPECT_EQ(board.last_id(), waiting.back().id);
}

TEST(NoticeBoard, ADiskThatStandsStillHoldsNoNoticeForEver) {
  NoticeBoard board;
  board.hold([] {});
  for (size_t n = 0; n < NoticeBoard::kKeep + 5; ++n) board.post(about("http://a/"));
  EXPECT_EQ(board.newest(10).size(), 5U);
  EXPECT_EQ(board.waiting().size(), NoticeBoard::kKeep);
}

}  // namespace
}  // namespace eventhorn::control
