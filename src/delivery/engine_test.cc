#include "delivery/engine.h"

#include "async/block_on.h"
#include "async/cores.h"
#include "store/rocks/rocks_store.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace eventhorn::delivery {
namespace {

using namespace std::chrono_literals;
using webhook::Hook;

// Answers by script: for each (URL, event) the statuses in turn, 200 when they are used up. May
// hold all answers back.
class FakeSender final : public Sender {
 public:
  struct Sent {
    std::string url;
    std::string id;
  };

  std::shared_ptr<Target> open(const std::string& url) override {
    auto target = std::make_shared<FakeTarget>();
    target->url = url;
    return target;
  }

  Task<SendReply> post(Target& target, std::string_view prefix, std::string_view event,
                       std::string_view suffix, Deadline) override {
    const std::string url = static_cast<FakeTarget&>(target).url;
    const std::string id(event);
    EXPECT_TRUE(prefix.starts_with(R"({"signature":{"timestamp":")"));
    EXPECT_EQ(suffix, "}");
    SendReply reply;
    {
      const std::lock_guard lock(mutex_);
      ++in_flight_;
      most_in_flight_ = std::max(most_in_flight_, in_flight_);
      started_.notify_all();
    }
    co_await yield_now();
    while (held() || id == held_id()) co_await sleep_until(std::chrono::steady_clock::now() + 1ms);
    {
      const std::lock_guard lock(mutex_);
      --in_flight_;
      sent_.push_back({url, id});
      auto& script = scripts_[url + " " + id];
      auto& whole = scripts_[url];
      auto& use = script.empty() ? whole : script;
      reply.result.status = 200;
      if (!use.empty()) {
        reply.result.status = use.front();
        if (&use == &script || use.size() > 1) use.pop_front();
      }
      reply.result.retry_after = retry_after_;
      started_.notify_all();
    }
    co_return reply;
  }

  /// Statuses for one event; with an empty id for all of the URL, the last one for ever.
  void script(const std::string& url, const std::string& id, std::deque<int> statuses) {
    const std::lock_guard lock(mutex_);
    scripts_[id.empty() ? url : url + " " + id] = std::move(statuses);
  }

  void hold(bool on) {
    const std::lock_guard lock(mutex_);
    held_ = on;
  }

  void hold_id(const std::string& id) {
    const std::lock_guard lock(mutex_);
    held_id_ = id;
  }

  std::string held_id() {
    const std::lock_guard lock(mutex_);
    return held_id_;
  }

  bool held() {
    const std::lock_guard lock(mutex_);
    return held_;
  }

  template <class F>
  bool wait(F condition) {
    std::unique_lock lock(mutex_);
    return started_.wait_for(lock, 30s, [&] { return condition(sent_, in_flight_); });
  }

  bool wait_for(size_t count) {
    return wait([&](const auto& sent, size_t) { return sent.size() >= count; });
  }

  std::vector<std::string> ids(const std::string& url) {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& s : sent_) {
      if (s.url == url) out.push_back(s.id);
    }
    return out;
  }

  size_t most_in_flight() {
    const std::lock_guard lock(mutex_);
    return most_in_flight_;
  }

 private:
  struct FakeTarget final : Target {
    std::string url;
  };

  std::mutex mutex_;
  std::condition_variable started_;
  std::vector<Sent> sent_;
  std::map<std::string, std::deque<int>> scripts_;
  std::optional<std::chrono::seconds> retry_after_;
  size_t in_flight_ = 0;
  size_t most_in_flight_ = 0;
  bool held_ = false;
  std::string held_id_;
};

/// One process life: store, commit queue, one engine on one core.
class Life {
 public:
  Life(const std::filesystem::path& directory, FakeSender& sender, EngineOptions options)
      : pool_(2), cores_(1) {
    store::RocksOptions rocks;
    rocks.directory = directory;
    rocks.ballast_bytes = 0;
    store_ = std::move(store::RocksStore::open(rocks, clock_)).value();
    store::CommitOptions commit;
    commit.min_free_bytes = 0;
    queue_ = std::make_unique<store::CommitQueue>(*store_, directory_, commit);
    executor_ = asio::any_io_executor(cores_.at(0).get_executor());
    const auto key = std::make_shared<const crypto::HmacKey>("key");
    engine_ = std::make_unique<Engine>(
        executor_, pool_, *store_, *queue_, sender, clock_, [key] { return key; },
        std::move(options));
    queue_->subscribe([this](const store::BatchPtr& batch) {
      asio::post(executor_, [this, batch] { engine_->on_commit(batch); });
    });
    cores_.start();
    const auto domains = *store_->load_domains();
    (void)directory_.replace_all(domains, kNoPosition);
    loaded_ = *store_->load_progress();
    EXPECT_TRUE(store_->reset_slots(1, loaded_.settled_through));
    EXPECT_TRUE(block_on(executor_, engine_->start(domains, loaded_, store_->head())));
    queue_->start();
  }

  ~Life() { stop(); }

  void stop() {
    if (stopped_) return;
    stopped_ = true;
    block_on(executor_, engine_->stop(std::chrono::steady_clock::now() + 5s));
    queue_->stop();
    cores_.stop();
    engine_.reset();
    pool_.join();
    queue_.reset();
    store_.reset();  // so that the next life may open the directory
  }

  void set_hook(const std::string& name, Hook hook, const std::vector<std::string>& urls) {
    auto edit = [&](const store::DomainPtr& current, Position at) -> Result<store::DomainPtr> {
      auto domain =
          current ? std::make_shared<store::Domain>(*current) : std::make_shared<store::Domain>();
      if (!current) {
        domain->uid = {at.value};
        domain->name = name;
      }
      store::set_hook_urls(*domain, hook, urls, at);
      return store::DomainPtr(domain);
    };
    const auto changed = block_on(executor_, queue_->edit(name, edit));
    ASSERT_TRUE(changed) << changed.error().message;
  }

  void delete_domain(const std::string& name) {
    auto edit = [](const store::DomainPtr&, Position) -> Result<store::DomainPtr> {
      return store::DomainPtr();
    };
    ASSERT_TRUE(block_on(executor_, queue_->edit(name, edit)));
  }

  /// The bytes of these events are their ids, which the fake sender records.
  void append(const std::string& name, const std::vector<std::string>& ids,
              event::Name kind = event::Name::kDelivered, bool push = true) {
    std::vector<store::NewEvent> events;
    const auto domain = directory_.find(name);
    ASSERT_TRUE(domain);
    for (const auto& id : ids) {
      event::Event e;
      e.id = id;
      e.bytes = id;
      e.timestamp_us = 1'773'222'312'418'237;
      e.name = kind;
      events.push_back({domain->uid, shard_of(name), push, std::move(e)});
    }
    const auto stored = block_on(executor_, queue_->append(std::move(events)));
    ASSERT_TRUE(stored) << stored.error().message;
  }

  /// Until `settled_through` has reached the head, which it does at the latest a second after the
  /// last event.
  bool wait_until_saved() {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < end) {
      const auto progress = store_->load_progress();
      if (progress && progress->settled_through >= store_->head()) return true;
      std::this_thread::yield();
    }
    return false;
  }

  const store::LoadedProgress& loaded() const { return loaded_; }

 private:
  SystemClock clock_;
  std::unique_ptr<store::RocksStore> store_;
  store::Directory directory_;
  std::unique_ptr<store::CommitQueue> queue_;
  asio::thread_pool pool_;
  Cores cores_;
  asio::any_io_executor executor_;
  std::unique_ptr<Engine> engine_;
  store::LoadedProgress loaded_;
  bool stopped_ = false;
};

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "eventhorn-engine-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    options_.schedule = webhook::RetrySchedule({1ms, 1ms}, 0);
  }

  ~EngineTest() override { std::filesystem::remove_all(directory_); }

  Life start() { return Life(directory_, sender_, options_); }

  static std::vector<std::string> range(const std::string& prefix, size_t count) {
    std::vector<std::string> out;
    for (size_t i = 0; i < count; ++i) out.push_back(prefix + std::to_string(i));
    return out;
  }

  static std::set<std::string> as_set(const std::vector<std::string>& ids) {
    return {ids.begin(), ids.end()};
  }

  std::filesystem::path directory_;
  FakeSender sender_;
  EngineOptions options_;
};

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
  options_.max_concurrency_per_url = 1;
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
  life.set_hook("c.example", Hook::kDelivered, {"http://one/"});
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
  options_.max_in_flight = 6;
  sender_.hold(true);
  auto life = start();
  for (int i = 0; i < 5; ++i)
    life.set_hook("a" + std::to_string(i) + ".example", Hook::kDelivered,
                  {"http://u" + std::to_string(i) + "/"});
  for (int i = 0; i < 5; ++i) life.append("a" + std::to_string(i) + ".example", range("e", 20));
  ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 6; }));
  sender_.hold(false);
  ASSERT_TRUE(sender_.wait_for(100));
  life.stop();
  EXPECT_EQ(sender_.most_in_flight(), 6U);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(sender_.ids("http://u" + std::to_string(i) + "/").size(), 20U);
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
  asio::thread_pool pool(1);
  store::RocksOptions rocks;
  rocks.directory = directory_;
  rocks.ballast_bytes = 0;
  const auto store = std::move(store::RocksStore::open(rocks, clock)).value();
  store::Directory directory;
  store::CommitQueue queue(*store, directory, {});
  options_.cores = 2;
  auto second = options_;
  second.slot = 1;
  Engine a(io.get_executor(), pool, *store, queue, sender_, clock, nullptr, options_);
  Engine b(io.get_executor(), pool, *store, queue, sender_, clock, nullptr, second);
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
