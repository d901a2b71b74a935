#include "control/notices.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <thread>

namespace eventhorn::control {
namespace {

using testing::ElementsAre;

constexpr SystemTime kStart{std::chrono::seconds(1'773'219'603)};
constexpr uint64_t kFirst = 1'773'219'603'000'001;

Notice about(std::string url, NoticeKind kind = NoticeKind::kParked) {
  Notice notice;
  notice.kind = kind;
  notice.at = kStart;
  notice.url = std::move(url);
  return notice;
}

std::vector<uint64_t> ids(const std::vector<Notice>& notices) {
  std::vector<uint64_t> out;
  for (const auto& notice : notices) out.push_back(notice.id);
  return out;
}

TEST(NoticeJson, LeavesOutWhatIsEmpty) {
  Notice notice = about("https://a.example/");
  notice.id = 7;
  EXPECT_EQ(to_json(notice), R"({"id":7,"kind":"endpoint.parked","at":"2026-03-11T09:00:03.000Z",)"
                             R"("url":"https://a.example/"})");
  notice.kind = NoticeKind::kExpired;
  notice.domain = "example.org";
  notice.event = "e1";
  notice.reason = "two\nlines \"quoted\" \xff";
  notice.count = 3;
  EXPECT_EQ(to_json(notice), R"({"id":7,"kind":"events.expired","at":"2026-03-11T09:00:03.000Z",)"
                             R"("url":"https://a.example/","domain":"example.org","event":"e1",)"
                             "\"reason\":\"two\\nlines \\\"quoted\\\" \xef\xbf\xbd\",\"count\":3}");
}

TEST(NoticeBoard, IdsAreConsecutiveFromTheStartsMicroseconds) {
  NoticeBoard board(kStart);
  EXPECT_EQ(board.last_id(), kFirst - 1);
  for (int i = 0; i < 3; ++i) board.post(about("https://a.example/"));
  EXPECT_THAT(ids(board.after(0, 10)), ElementsAre(kFirst, kFirst + 1, kFirst + 2));
  EXPECT_EQ(board.last_id(), kFirst + 2);
  EXPECT_LT(board.last_id(), uint64_t{1} << 53);
}

TEST(NoticeBoard, GivesWhatComesAfterAnId) {
  NoticeBoard board(kStart);
  for (int i = 0; i < 5; ++i) board.post(about("https://a.example/"));
  EXPECT_THAT(ids(board.after(kFirst + 1, 2)), ElementsAre(kFirst + 2, kFirst + 3));
  EXPECT_THAT(ids(board.after(kFirst + 4, 10)), ElementsAre());
  EXPECT_THAT(ids(board.newest(2)), ElementsAre(kFirst + 3, kFirst + 4));
  EXPECT_EQ(board.newest(10).size(), 5U);
}

// A client comes back with an id of the process before.
TEST(NoticeBoard, ARestartHidesNothing) {
  NoticeBoard later(kStart + std::chrono::seconds(1));
  later.post(about("https://a.example/"));
  EXPECT_EQ(later.after(kFirst + 100, 10).size(), 1U);
  NoticeBoard clock_set_back(kStart - std::chrono::hours(1));
  clock_set_back.post(about("https://a.example/"));
  EXPECT_EQ(clock_set_back.after(kFirst + 100, 10).size(), 1U);
}

TEST(NoticeBoard, KeepsTheLastOnes) {
  NoticeBoard board(kStart);
  for (size_t i = 0; i < NoticeBoard::kKeep + 5; ++i) board.post(about("https://a.example/"));
  const auto kept = board.after(0, SIZE_MAX);
  ASSERT_EQ(kept.size(), NoticeBoard::kKeep);
  EXPECT_EQ(kept.front().id, kFirst + 5);
  EXPECT_EQ(kept.back().id, board.last_id());
  EXPECT_EQ(board.after(kFirst + 3, SIZE_MAX).size(), NoticeBoard::kKeep);
  EXPECT_EQ(board.after(kFirst + 5, SIZE_MAX).size(), NoticeBoard::kKeep - 1);
}

TEST(NoticeBoard, MasksAndCuts) {
  NoticeBoard board(kStart);
  auto notice = about("https://user:secret@a.example/");
  notice.reason = std::string(10'000, 'x');
  board.post(notice);
  const auto kept = board.newest(1);
  EXPECT_EQ(kept.at(0).url, "https://user:***@a.example/");
  EXPECT_EQ(kept.at(0).reason.size(), NoticeBoard::kMaxReasonBytes);
}

TEST(NoticeBoard, CountsByKind) {
  NoticeBoard board(kStart);
  auto gone = metrics::counter("eventhorn_notices_total", "", {{"kind", "endpoint.gone"}});
  auto missed = metrics::counter("eventhorn_notices_total", "", {{"kind", "event.missed"}});
  const double gone_before = gone.value();
  const double missed_before = missed.value();
  board.post(about("https://a.example/", NoticeKind::kGone));
  EXPECT_EQ(gone.value(), gone_before + 1);
  EXPECT_EQ(missed.value(), missed_before);
}

TEST(NoticeBoard, TellsListenersInTheirOrderUntilTheyLeave) {
  NoticeBoard board(kStart);
  std::vector<std::pair<int, uint64_t>> heard;
  std::vector<uint64_t> numbers;
  for (int i = 0; i < 10; ++i) {
    numbers.push_back(
        board.listen([&heard, i](const Notice& notice) { heard.emplace_back(i, notice.id); }));
  }
  board.post(about("https://a.example/"));
  ASSERT_EQ(heard.size(), 10U);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(heard.at(i), std::make_pair(i, kFirst));
  for (size_t i = 1; i < numbers.size(); ++i) board.unlisten(numbers[i]);
  heard.clear();
  board.post(about("https://a.example/"));
  EXPECT_THAT(heard, ElementsAre(std::make_pair(0, kFirst + 1)));
}

// Four posters while others read, listen and leave. Run under TSan this proves the locking.
TEST(NoticeBoard, IsThreadSafe) {
  constexpr int kPosters = 4;
  constexpr int kEach = 500;
  NoticeBoard board(kStart);
  std::vector<uint64_t> heard;  // listeners are called one at a time
  board.listen([&heard](const Notice& notice) { heard.push_back(notice.id); });
  std::atomic<bool> done{false};
  std::thread reader([&] {
    uint64_t last = 0;
    while (!done) {
      for (const auto& notice : board.after(last, 10)) {
        EXPECT_GT(notice.id, last);
        last = notice.id;
      }
    }
  });
  std::thread comer([&] {
    while (!done) {
      auto owned = std::make_unique<int>(0);
      const auto number = board.listen([&owned](const Notice&) { ++*owned; });
      board.unlisten(number);
      owned.reset();  // nobody may call the listener any more
    }
  });
  std::vector<std::thread> posters;
  for (int i = 0; i < kPosters; ++i) {
    posters.emplace_back([&board] {
      for (int n = 0; n < kEach; ++n) board.post(about("https://a.example/"));
    });
  }
  for (auto& poster : posters) poster.join();
  done = true;
  reader.join();
  comer.join();
  ASSERT_EQ(heard.size(), size_t{kPosters} * kEach);
  EXPECT_TRUE(std::is_sorted(heard.begin(), heard.end()));
  EXPECT_EQ(board.last_id(), kFirst + heard.size() - 1);
}

}  // namespace
}  // namespace eventhorn::control
