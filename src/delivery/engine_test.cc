#include "delivery/engine_test_support.h"

namespace eventhorn::delivery {
namespace {

TEST_F(EngineTest, EachEventGoesToEachUrlOnce) {
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/", "http://two/"});
  life.append("a.example", range("e", 500));
  ASSERT_TRUE(sender_.wait_for(1000));
  life.stop();
  EXPECT_EQ(sender_.ids("http://one/").size(), 500U);
  EXPECT_EQ(as_set(sender_.ids("http://one/")).size(), 500U);
  EXPECT_EQ(as_set(sender_.ids("http://two/")).size(), 500U);
}

TEST_F(EngineTest, HooksAndPushDecideWhatIsSent) {
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  life.append("a.example", {"other"}, event::Name::kOpened);
  life.append("a.example", {"no-hook"}, event::Name::kRejected);
  life.append("a.example", {"old"}, event::Name::kDelivered, false);
  life.append("a.example", {"wanted"});
  ASSERT_TRUE(sender_.wait_for(1));
  life.stop();
  EXPECT_EQ(sender_.ids("http://one/"), std::vector<std::string>{"wanted"});
}

TEST_F(EngineTest, FailuresAreRetriedThenMissed) {
  sender_.script("http://one/", "twice", {500, 503});
  sender_.script("http://one/", "never", {500, 500, 500, 500});
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  life.append("a.example", {"twice", "never", "good"});
  ASSERT_TRUE(sender_.wait_for(7));
  life.stop();
  auto ids = sender_.ids("http://one/");
  EXPECT_EQ(std::count(ids.begin(), ids.end(), "twice"), 3);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), "never"), 3);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), "good"), 1);
  auto next = start();
  EXPECT_EQ(next.loaded().missed, 1U);
  EXPECT_TRUE(next.loaded().waiting.empty());
  EXPECT_TRUE(next.loaded().lanes.empty());
}

// Whoever sees the count finds the events in the list.
TEST_F(EngineTest, MissedEventsAreCountedOnceTheyAreListed) {
  options_.schedule = webhook::RetrySchedule(std::vector<std::chrono::milliseconds>{});
  options_.save_interval = 300ms;
  sender_.script("http://one/", "", {500});
  const auto missed = metrics::counter("eventhorn_missed_total", "");
  const double before = missed.value();
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  life.append("a.example", {"never"});
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (missed.value() == before && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  EXPECT_EQ(missed.value() - before, 1);
  const auto lane = life.domain("a.example")->lanes.front().id;
  const auto listed = life.store().read_exceptions(lane, kNoPosition, 10, true);
  ASSERT_TRUE(listed);
  EXPECT_EQ(listed->size(), 1U);
}

// Reliability R7: a kept connection that the receiver had closed is no failure of the attempt; what
// goes out a second time is signed anew, as receivers refuse a token that they know.
TEST_F(EngineTest, StaleConnectionIsReplacedOnceUnderAFreshSignature) {
  options_.schedule = webhook::RetrySchedule(std::vector<std::chrono::milliseconds>{});
  sender_.fail_by(webhook::FailureKind::kClosed);
  sender_.script("http://one/", "closed", {0, 200});
  sender_.script("http://one/", "twice", {0, 0, 200});
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  life.append("a.example", {"closed"});
  ASSERT_TRUE(sender_.wait_for(2));
  life.append("a.example", {"twice"});
  ASSERT_TRUE(sender_.wait_for(4));
  life.stop();
  EXPECT_EQ(as_set(sender_.prefixes()).size(), 4U);
  auto next = start();
  EXPECT_EQ(next.loaded().missed, 1U) << "a fresh one that is closed is a failure";
}

// Reliability R14: 406 settles.
TEST_F(EngineTest, NotAcceptableSettles) {
  sender_.script("http://one/", "no", {406});
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  life.append("a.example", {"no", "yes"});
  ASSERT_TRUE(sender_.wait_for(2));
  life.stop();
  EXPECT_EQ(sender_.ids("http://one/").size(), 2U);
  auto next = start();
  EXPECT_EQ(next.loaded().missed, 0U);
  EXPECT_TRUE(next.loaded().waiting.empty());
}

// Reliability R15: 410 stops the endpoint; its backlog stays and goes out when the URL is
// configured again.
TEST_F(EngineTest, GoneKeepsTheBacklogUntilTheUrlIsConfiguredAgain) {
  options_.health.max_concurrency = 1;
  sender_.script("http://one/", "e0", {410});
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  life.set_hook("b.example", Hook::kDelivered, {"http://two/"});
  life.append("a.example", {"e0"});
  ASSERT_TRUE(sender_.wait_for(1));
  life.append("a.example", {"e1", "e2"});
  life.append("b.example", {"marker"});
  ASSERT_TRUE(sender_.wait_for(2));
  EXPECT_EQ(sender_.ids("http://one/").size(), 1U);
  life.run(life.deliveries().configured("http://one/"));
  ASSERT_TRUE(sender_.wait_for(5));
  life.stop();
  EXPECT_EQ(sender_.ids("http://one/"), (std::vector<std::string>{"e0", "e0", "e1", "e2"}));
}

TEST_F(EngineTest, DeliveredIsNotRetriedByMailgunsRule) {
  options_.retry_delivered = false;
  sender_.script("http://one/", "d", {500});
  sender_.script("http://one/", "o", {500});
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  life.set_hook("a.example", Hook::kOpened, {"http://one/"});
  life.append("a.example", {"d"});
  life.append("a.example", {"o"}, event::Name::kOpened);
  ASSERT_TRUE(sender_.wait_for(3));
  life.stop();
  auto ids = sender_.ids("http://one/");
  EXPECT_EQ(std::count(ids.begin(), ids.end(), "d"), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), "o"), 2);
}

TEST_F(EngineTest, NeverMoreInFlightThanAllowed) {
  options_.max_in_flight = 4;
  auto life = start();
  const auto domain = [](int i) { return "a" + std::to_string(i) + ".example"; };
  for (int i = 0; i < 5; ++i)
    life.set_hook(domain(i), Hook::kDelivered, {"http://u" + std::to_string(i) + "/"});
  for (int i = 0; i < 5; ++i) life.append(domain(i), {"first"});
  ASSERT_TRUE(sender_.wait_for(5)) << "now all are known to be well";
  sender_.hold(true);
  for (int i = 0; i < 5; ++i) life.append(domain(i), range("e", 20));
  ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 4; }));
  sender_.hold(false);
  ASSERT_TRUE(sender_.wait_for(105));
  life.stop();
  EXPECT_EQ(sender_.most_in_flight(), 4U);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(sender_.ids("http://u" + std::to_string(i) + "/").size(), 21U);
}

// Whatever ends an attempt, its place is free again and its event is not forgotten.
TEST_F(EngineTest, AnExceptionCostsNeitherThePlaceNorTheEvent) {
  options_.max_in_flight = 1;
  sender_.script("http://one/", "bad", {FakeSender::kThrows});
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/", "http://two/"});
  life.append("a.example", {"bad", "good"});
  ASSERT_TRUE(sender_.wait([](const auto& sent, size_t) { return sent.size() == 5; }));
  life.stop();
  EXPECT_EQ(sender_.ids("http://one/").size(), 3U) << "one of them without an answer";
  EXPECT_EQ(as_set(sender_.ids("http://one/")).size(), 2U);
  EXPECT_EQ(sender_.ids("http://two/").size(), 2U);
}

TEST_F(EngineTest, ConcurrencyOfAUrlStartsAtFour) {
  sender_.hold(true);
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  life.append("a.example", range("e", 100));
  ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 4; }));
  sender_.hold(false);
  ASSERT_TRUE(sender_.wait_for(100));
  life.stop();
  EXPECT_GT(sender_.most_in_flight(), 4U) << "successes make room for more";
}

// More than a window holds is committed while the receiver hangs: the lane reads the log and loses
// nothing.
TEST_F(EngineTest, LaneThatFellBehindReadsTheLog) {
  sender_.hold(true);
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  const size_t total = 3 * kMaxLive;
  for (size_t i = 0; i < 6; ++i)
    life.append("a.example", range("b" + std::to_string(i) + "-", total / 6));
  sender_.hold(false);
  ASSERT_TRUE(sender_.wait_for(total));
  life.append("a.example", {"live-again"});
  ASSERT_TRUE(sender_.wait_for(total + 1));
  life.stop();
  EXPECT_EQ(sender_.ids("http://one/").size(), total + 1);
  EXPECT_EQ(as_set(sender_.ids("http://one/")).size(), total + 1);
}

// A lane that was just too slow for what comes gets the rest in the order of the log.
TEST_F(EngineTest, LaneThatIsOverrunCatchesUpInOrder) {
  options_.health.max_concurrency = 1;
  sender_.hold(true);
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  std::vector<std::string> all;
  for (int i = 0; i < 3; ++i) {
    const auto ids = range("b" + std::to_string(i) + "-", kMaxLive);
    life.append("a.example", ids);
    all.insert(all.end(), ids.begin(), ids.end());
  }
  sender_.hold(false);
  ASSERT_TRUE(sender_.wait_for(all.size()));
  EXPECT_EQ(sender_.ids("http://one/"), all);
}

TEST_F(EngineTest, CleanRestartNeitherLosesNorRepeats) {
  std::set<std::string> appended;
  for (int life_number = 0; life_number < 3; ++life_number) {
    auto life = start();
    life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
    const auto ids = range("l" + std::to_string(life_number) + "-", 700);
    life.append("a.example", ids);
    appended.insert(ids.begin(), ids.end());
    life.stop();  // drains what is in flight only
  }
  auto last = start();
  ASSERT_TRUE(sender_.wait_for(appended.size()));
  last.stop();
  EXPECT_EQ(sender_.ids("http://one/").size(), appended.size());
  EXPECT_EQ(as_set(sender_.ids("http://one/")), appended);
}

// Reliability C1: what a copy of the directory holds is what a kill -9 leaves behind.
TEST_F(EngineTest, KillRepeatsNoMoreThanWasInFlightOrUnsaved) {
  const auto copy = directory_.string() + "-copy";
  {
    auto life = start();
    life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
    life.append("a.example", range("e", 3000));
    ASSERT_TRUE(sender_.wait_for(1000));
    sender_.hold(true);
    ASSERT_TRUE(sender_.wait(
        [](const auto& sent, size_t in_flight) { return in_flight > 0 && sent.size() >= 1000; }));
    std::filesystem::copy(directory_, copy, std::filesystem::copy_options::recursive);
    const size_t before = sender_.ids("http://one/").size();
    const size_t in_flight = options_.max_in_flight;
    FakeSender after;
    {
      Life next(copy, after, options_);
      const auto sent_before = as_set(sender_.ids("http://one/"));
      ASSERT_TRUE(after.wait([&](const auto& sent, size_t) {
        auto all = sent_before;
        for (const auto& s : sent) all.insert(s.id);
        return all.size() == 3000;
      }));
      next.stop();
    }
    auto all = as_set(sender_.ids("http://one/"));
    const auto again = after.ids("http://one/");
    EXPECT_EQ(as_set(again).size(), again.size());
    EXPECT_LE(before + again.size(), 3000 + in_flight + options_.max_unsaved);
    all.insert(again.begin(), again.end());
    EXPECT_EQ(all.size(), 3000U);
    sender_.hold(false);
  }
  std::filesystem::remove_all(copy);
}

// One attempt hangs while a whole window behind it settles: when it ends, the lane must go on
// reading.
TEST_F(EngineTest, FullWindowGoesOnWhenItsHeadSettles) {
  sender_.hold_id("e0-0");
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  const size_t total = kMaxWindow + 4000;
  for (size_t i = 0; i < total / 1000 + 1; ++i) {
    life.append("a.example",
                range("e" + std::to_string(i) + "-", std::min<size_t>(1000, total - i * 1000)));
  }
  ASSERT_TRUE(sender_.wait_for(kMaxWindow - 1)) << "everything in the window but its head";
  sender_.hold_id("");
  ASSERT_TRUE(sender_.wait_for(total));
  life.stop();
  EXPECT_EQ(as_set(sender_.ids("http://one/")).size(), total);
}

// Dropping the events of a removed hook is a change of the lane like any other: what it has
// unsettled afterwards must still be saved.
TEST_F(EngineTest, LaneIsSavedAfterDroppingARemovedHook) {
  options_.max_unsaved = 4;
  sender_.hold(true);
  const auto copy = directory_.string() + "-copy";
  {
    auto life = start();
    life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
    life.set_hook("a.example", Hook::kOpened, {"http://one/"});
    life.append("a.example", range("d", 50));
    ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 4; }));
    life.set_hook("a.example", Hook::kDelivered, {});
    sender_.hold(false);
    ASSERT_TRUE(sender_.wait_for(4));
    life.append("a.example", {"o1"}, event::Name::kOpened);
    ASSERT_TRUE(sender_.wait_for(5));
    sender_.hold(true);
    life.append("a.example", {"o2"}, event::Name::kOpened);
    ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 1; }));
    ASSERT_TRUE(life.wait_until_saved());
    std::filesystem::copy(directory_, copy, std::filesystem::copy_options::recursive);
    sender_.hold(false);
  }
  FakeSender after;
  {
    Life next(copy, after, options_);
    EXPECT_TRUE(after.wait_for(1));
    next.stop();
  }
  EXPECT_TRUE(as_set(after.ids("http://one/")).contains("o2"));
  std::filesystem::remove_all(copy);
}

// The subscriptions of a URL begin and end at positions.
TEST_F(EngineTest, SecondNameAddedToAUrlWithBacklogStartsThere) {
  sender_.hold(true);
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  life.append("a.example", {"opened-before"}, event::Name::kOpened);
  life.append("a.example", range("d", 2000));
  life.set_hook("a.example", Hook::kOpened, {"http://one/"});
  life.append("a.example", {"opened-after"}, event::Name::kOpened);
  sender_.hold(false);
  ASSERT_TRUE(sender_.wait_for(2001));
  life.stop();
  const auto ids = as_set(sender_.ids("http://one/"));
  EXPECT_EQ(ids.size(), 2001U);
  EXPECT_TRUE(ids.contains("opened-after"));
  EXPECT_FALSE(ids.contains("opened-before"));
}

TEST_F(EngineTest, RemovedAndAddedAgainStartsAnewAndUpdateKeepsProgress) {
  sender_.hold(true);
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/", "http://kept/"});
  life.append("a.example", range("before", 50));
  ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 8; }));
  life.set_hook("a.example", Hook::kDelivered, {"http://kept/"});
  life.set_hook("a.example", Hook::kDelivered, {"http://kept/", "http://one/"});
  life.append("a.example", range("after", 50));
  sender_.hold(false);
  // In flight at the removal: 4 of `one`; they end and nothing else of the past comes.
  ASSERT_TRUE(sender_.wait_for(4 + 50 + 100));
  life.stop();
  const auto one = sender_.ids("http://one/");
  EXPECT_EQ(
      std::count_if(one.begin(), one.end(), [](const auto& id) { return id.starts_with("after"); }),
      50);
  EXPECT_EQ(one.size(), 54U);
  EXPECT_EQ(as_set(sender_.ids("http://kept/")).size(), 100U);
}

TEST_F(EngineTest, DeletedAndCreatedAgainShowsNothingOfTheOldDomain) {
  sender_.hold(true);
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  life.append("a.example", range("old", 50));
  ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 4; }));
  life.delete_domain("a.example");
  life.set_hook("a.example", Hook::kDelivered, {"http://one/"});
  life.append("a.example", {"old0", "new"});
  sender_.hold(false);
  ASSERT_TRUE(sender_.wait_for(6));
  life.stop();
  const auto ids = sender_.ids("http://one/");
  EXPECT_EQ(ids.size(), 6U);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), "new"), 1);
}

TEST_F(EngineTest, UrlsBelongToOneCore) {
  SystemClock clock;
  asio::io_context io;
  Pool pool("pool", 1);
  store::RocksOptions rocks;
  rocks.directory = directory_;
  rocks.ballast_bytes = 0;
  const auto store = std::move(store::RocksStore::open(rocks, clock)).value();
  store::Directory directory;
  WorkerThreads workers;
  store::Writers writers(*store, directory, clock, workers, {});
  options_.cores = 2;
  auto second = options_;
  second.core = 1;
  control::NoticeBoard notices;
  const EngineServices services{pool,    *store, writers.progress, writers.health, notices,
                                sender_, clock,  nullptr};
  Engine a(io.get_executor(), services, options_);
  Engine b(io.get_executor(), services, second);
  size_t mine = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string url = "http://host" + std::to_string(i) + "/";
    EXPECT_NE(a.owns(url), b.owns(url));
    mine += a.owns(url) ? 1 : 0;
  }
  EXPECT_GT(mine, 20U);
  EXPECT_LT(mine, 80U);
}

}  // namespace
}  // namespace eventhorn::delivery
