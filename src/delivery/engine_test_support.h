// What tests of the engine share: a sender that answers by script, and one life of a process on a
// real store.
#pragma once

#include "async/block_on.h"
#include "async/cores.h"
#include "delivery/deliveries.h"
#include "delivery/watched_store_test_support.h"
#include "store/rocks/rocks_store.h"
#include "store/writers.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

namespace eventhorn::delivery {

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

  std::shared_ptr<Target> open(const std::string& url,
                               const store::EndpointSettings& settings) override {
    auto target = std::make_shared<FakeTarget>();
    target->url = url;
    target->custom_fields = settings.headers.size();
    return target;
  }

  Task<SendReply> post(Target& target, Message message, Deadline) override {
    const std::string url = static_cast<FakeTarget&>(target).url;
    const std::string id(message.event);
    const std::string message_head(message.head);
    EXPECT_TRUE(message.prefix.starts_with(R"({"signature":{"timestamp":")"));
    EXPECT_EQ(message.suffix, "}");
    SendReply reply;
    {
      const std::lock_guard lock(mutex_);
      ++in_flight_;
      most_in_flight_ = std::max(most_in_flight_, in_flight_);
      started_.notify_all();
    }
    co_await yield_now();
    while (held(url, id)) co_await sleep_until(clock_, clock_.steady_now() + 1ms);
    {
      const std::lock_guard lock(mutex_);
      --in_flight_;
      sent_.push_back({url, id});
      heads_.emplace_back(message_head);
      prefixes_.emplace_back(message.prefix);
      auto& script = scripts_[url + " " + id];
      auto& whole = scripts_[url];
      auto& use = script.empty() ? whole : script;
      reply.result.status = 200;
      if (!use.empty()) {
        if (use.front() == kThrows) {
          use.pop_front();
          throw std::runtime_error("as no sender should");
        }
        reply.result.status = use.front();
        if (use.front() == 0) reply.result.kind = failure_;
        reply.stale = use.front() == 0 && failure_ == webhook::FailureKind::kClosed &&
                      !message.fresh_connection;
        if (&use == &script || use.size() > 1) use.pop_front();
      }
      reply.result.retry_after = retry_after_;
      started_.notify_all();
    }
    co_return reply;
  }

  static constexpr int kThrows = -1;  // in place of a status: an exception, once

  /// Statuses for one event; with an empty id for all of the URL, the last one for ever.
  void script(const std::string& url, const std::string& id, std::deque<int> statuses) {
    const std::lock_guard lock(mutex_);
    scripts_[id.empty() ? url : url + " " + id] = std::move(statuses);
  }

  void retry_after(std::chrono::seconds seconds) {
    const std::lock_guard lock(mutex_);
    retry_after_ = seconds;
  }

  /// What status 0 stands for.
  void fail_by(webhook::FailureKind kind) {
    const std::lock_guard lock(mutex_);
    failure_ = kind;
  }

  /// Holds back the answers of one URL; none when empty.
  void hold_url(const std::string& url) {
    const std::lock_guard lock(mutex_);
    held_url_ = url;
  }

  void hold(bool on) {
    const std::lock_guard lock(mutex_);
    held_ = on;
  }

  void hold_id(const std::string& id) {
    const std::lock_guard lock(mutex_);
    held_id_ = id;
  }

  bool held(const std::string& url, const std::string& id) {
    const std::lock_guard lock(mutex_);
    return held_ || id == held_id_ || (!held_url_.empty() && url.starts_with(held_url_));
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

  std::vector<std::string> heads() {
    const std::lock_guard lock(mutex_);
    return heads_;
  }

  std::vector<std::string> prefixes() {
    const std::lock_guard lock(mutex_);
    return prefixes_;
  }

  size_t most_in_flight() {
    const std::lock_guard lock(mutex_);
    return most_in_flight_;
  }

 private:
  struct FakeTarget final : Target {
    std::string url;
    size_t custom_fields = 0;
  };

  const SystemClock clock_;
  std::mutex mutex_;
  std::condition_variable started_;
  std::vector<Sent> sent_;
  std::map<std::string, std::deque<int>> scripts_;
  std::optional<std::chrono::seconds> retry_after_;
  size_t in_flight_ = 0;
  size_t most_in_flight_ = 0;
  bool held_ = false;
  std::string held_id_;
  std::string held_url_;
  webhook::FailureKind failure_ = webhook::FailureKind::kConnect;
  std::vector<std::string> heads_;
  std::vector<std::string> prefixes_;
};

/// One process life: store, its writers, an engine on each of `options.cores` cores.
class Life {
 public:
  Life(const std::filesystem::path& directory, FakeSender& sender, EngineOptions options)
      : pool_("readers", 2), cores_(options.cores) {
    store::RocksOptions rocks;
    rocks.directory = directory;
    rocks.ballast_bytes = 0;
    store_ = std::move(store::RocksStore::open(rocks, clock_)).value();
    store::WriterOptions options_of_writers;
    options_of_writers.min_free_bytes = 0;
    watched_ = std::make_unique<WatchedStore>(*store_);
    writers_ = std::make_unique<store::Writers>(*watched_, directory_, clock_, workers_,
                                                options_of_writers);
    executor_ = asio::any_io_executor(cores_.at(0).get_executor());
    const auto key = std::make_shared<const crypto::HmacKey>("key");
    EngineServices services{
        pool_, *watched_, writers_->progress, writers_->health, notices_, sender, clock_, [key] {
          return webhook::SigningKeys{key, nullptr};
        }};
    for (options.core = 0; options.core < options.cores; ++options.core) {
      const auto executor = asio::any_io_executor(cores_.at(options.core).get_executor());
      engines_.push_back(std::make_unique<Engine>(executor, services, options));
      auto* engine = engines_.back().get();
      deliveries_.add(*engine);
      writers_->feed.subscribe([engine](const store::BatchPtr& batch) {
        asio::post(engine->executor(), [engine, batch] { engine->on_commit(batch); });
      });
    }
    cores_.start();
    const auto domains = *store_->load_domains();
    (void)directory_.replace_all(domains, kNoPosition);
    loaded_ = *store_->load_progress();
    if (loaded_.marks.to_be_rewritten()) EXPECT_TRUE(store_->replace_marks(loaded_.marks.joined()));
    for (auto& engine : engines_) {
      EXPECT_TRUE(
          block_on(engine->executor(), engine->start(domains, loaded_, {}, store_->head())));
    }
    writers_->start();
  }

  ~Life() { stop(); }

  void stop() {
    if (stopped_) return;
    stopped_ = true;
    for (auto& engine : engines_) block_on(engine->executor(), check(*engine));
    for (auto& engine : engines_)
      block_on(engine->executor(), engine->stop(std::chrono::steady_clock::now() + 5s));
    writers_->stop();
    cores_.stop();
    engines_.clear();
    pool_.join();
    writers_.reset();
    watched_.reset();
    store_.reset();  // so that the next life may open the directory
  }

  static Task<void> check(Engine& engine) {
    engine.check_invariants();
    co_return;
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
    const auto changed = block_on(executor_, writers_->appends.edit(name, edit));
    ASSERT_TRUE(changed) << changed.error().message;
  }

  void delete_domain(const std::string& name) {
    auto edit = [](const store::DomainPtr&, Position) -> Result<store::DomainPtr> {
      return store::DomainPtr();
    };
    ASSERT_TRUE(block_on(executor_, writers_->appends.edit(name, edit)));
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
    const auto stored = block_on(executor_, writers_->appends.append(std::move(events)));
    ASSERT_TRUE(stored) << stored.error().message;
  }

  /// Until all marks have reached the head, which it does at the latest a second after the
  /// last event.
  bool wait_until_saved() {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < end) {
      const auto progress = store_->load_progress();
      if (progress && progress->marks.least() >= store_->head()) return true;
      std::this_thread::yield();
    }
    return false;
  }

  const store::LoadedProgress& loaded() const { return loaded_; }

  store::RocksStore& store() { return *store_; }

  WatchedStore& watched() { return *watched_; }

  /// Until the condition holds, or 20 s have passed.
  template <class F>
  static bool until(F condition) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < end) {
      if (condition()) return true;
      std::this_thread::yield();
    }
    return false;
  }

  store::DomainPtr domain(const std::string& name) { return directory_.find(name); }

  template <class T>
  T run(Task<T> task) {
    return block_on(executor_, std::move(task));
  }

  EngineDeliveries& deliveries() { return deliveries_; }

  /// For coroutines of run().
  Engine& engine() { return *engines_.front(); }

  control::EndpointStatus endpoint(const std::string& url) {
    return run(deliveries_.endpoint(url));
  }

  /// Until the endpoint is in the state, or 20 s have passed.
  bool wait_for_state(const std::string& url, control::EndpointState state) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < end) {
      if (endpoint(url).state == state) return true;
      std::this_thread::yield();
    }
    return false;
  }

  /// Kinds of the notices so far.
  std::vector<control::NoticeKind> notices() {
    std::vector<control::NoticeKind> out;
    for (const auto& n : notices_.after(0, 1000)) out.push_back(n.kind);
    return out;
  }

  void expire(Position last) { block_on(executor_, engines_.front()->expire(last)); }

 private:
  SystemClock clock_;
  std::unique_ptr<store::RocksStore> store_;
  std::unique_ptr<WatchedStore> watched_;
  store::Directory directory_;
  WorkerThreads workers_;
  std::unique_ptr<store::Writers> writers_;
  Pool pool_;
  Cores cores_;
  asio::any_io_executor executor_;
  control::NoticeBoard notices_;
  std::vector<std::unique_ptr<Engine>> engines_;
  EngineDeliveries deliveries_;
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

}  // namespace eventhorn::delivery
