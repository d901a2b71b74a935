#include "simulation/model.h"

#include "store/memory/memory_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace eventhorn::simulation {
namespace {

using namespace std::chrono_literals;
using Outcome = store::AppendQueue::Outcome;
using testing::HasSubstr;
using webhook::Hook;

constexpr const char* kUrl = "http://a.test/";
constexpr Position kSubscribed{1};

ModelOptions options() {
  ModelOptions out;
  out.max_in_flight = 4;
  out.max_concurrency = 2;
  out.max_unsaved = 1;
  out.durable_after = 1s;
  out.retention = 24h;
  out.has_room = true;
  out.delays = Delays(webhook::RetrySchedule({10s, 100s}));
  out.max_exceptions = 5;
  return out;
}

class ModelTest : public ::testing::Test {
 protected:
  ModelTest() { model_.on_boot(1); }

  /// A domain whose `delivered` names the URL, or none.
  store::DomainPtr domain(const char* url) const {
    auto out = std::make_shared<store::Domain>();
    out->uid = {1};
    out->name = "a.test";
    std::vector<std::string> urls;
    if (url != nullptr) urls.emplace_back(url);
    store::set_hook_urls(*out, Hook::kDelivered, urls, kSubscribed);
    return out;
  }

  void subscribe() { change(nullptr, domain(kUrl)); }

  void change(store::DomainPtr before, store::DomainPtr after) {
    store::CommittedBatch batch;
    batch.changes.push_back({kSubscribed, std::move(before), std::move(after)});
    batch.head = head_;
    model_.on_batch(batch);
  }

  /// Commits an event whose bytes are its id.
  void commit(const std::string& id, uint64_t key = 0) {
    auto event = std::make_shared<store::StoredEvent>();
    event->position = head_ = {head_.value + 100};
    event->domain = {1};
    event->event.id = id;
    event->event.order_key = key;
    event->event.bytes = id;
    event->event.name = event::Name::kDelivered;
    store::CommittedBatch batch;
    batch.events.push_back(event);
    batch.head = head_;
    model_.on_batch(batch);
  }

  void send(const std::string& bytes, int status, const char* url = kUrl) {
    webhook::AttemptResult result;
    result.status = status;
    model_.on_attempt(url, bytes);
    model_.on_answer(url, bytes, result);
  }

  /// What is broken; empty when nothing is.
  std::string broken() const { return model_.violation().value_or(""); }

  Trace trace_;
  World world_{1, trace_};
  Model model_{world_, options()};
  Position head_{1};
};

TEST_F(ModelTest, ARunInWhichAllIsWellHolds) {
  subscribe();
  commit("a");
  model_.on_acknowledged("a", Outcome::kStored);
  model_.on_acknowledged("a", Outcome::kDuplicate);
  model_.on_acknowledged("a changed", Outcome::kConflicting);
  send("a", 500);
  world_.clock().advance(11s);
  send("a", 200);
  EXPECT_EQ(broken(), "");
  EXPECT_EQ(model_.settled(), 1U);
}

TEST_F(ModelTest, WhatIsAcknowledgedIsInTheLog) {
  model_.on_acknowledged("a", Outcome::kStored);
  EXPECT_THAT(broken(), HasSubstr("acknowledged, and not handed over"));
}

TEST_F(ModelTest, AConflictIsNotStored) {
  subscribe();
  commit("a");
  model_.on_acknowledged("a", Outcome::kConflicting);
  EXPECT_THAT(broken(), HasSubstr("has other bytes"));
}

TEST_F(ModelTest, AnIdIsStoredOnce) {
  subscribe();
  commit("a");
  commit("a");
  EXPECT_THAT(broken(), HasSubstr("an id was stored twice"));
}

TEST_F(ModelTest, OnlyTheLogIsSent) {
  subscribe();
  send("a", 200);
  EXPECT_THAT(broken(), HasSubstr("not in the log"));
}

TEST_F(ModelTest, OnlyWhoIsSubscribedGetsIt) {
  change(nullptr, domain(nullptr));
  commit("before");
  change(domain(nullptr), domain(kUrl));
  commit("after");
  send("after", 200);
  EXPECT_EQ(broken(), "");
  send("before", 200);
  EXPECT_THAT(broken(), HasSubstr("not subscribed"));
}

TEST_F(ModelTest, NothingIsSentForLongAfterTheWebhookWasRemoved) {
  subscribe();
  commit("a");
  change(domain(kUrl), domain(nullptr));
  send("a", 500);
  EXPECT_EQ(broken(), "") << "its core may not have heard of it";
  world_.clock().advance(2s);
  send("a", 500);
  EXPECT_THAT(broken(), HasSubstr("after its webhook was removed"));
}

TEST_F(ModelTest, WithoutACrashNothingIsSettledTwice) {
  subscribe();
  commit("a");
  send("a", 200);
  model_.on_end(Model::End::kStop);
  model_.on_boot(1);
  send("a", 200);
  EXPECT_THAT(broken(), HasSubstr("settled twice without reason"));
}

TEST_F(ModelTest, AKillRepeatsNoMoreThanItMay) {
  subscribe();
  const size_t most = options().max_in_flight + options().max_unsaved;
  for (size_t i = 0; i <= most; ++i) {
    commit(std::to_string(i));
    send(std::to_string(i), 200);
  }
  model_.on_end(Model::End::kKill);
  model_.on_boot(1);
  for (size_t i = 0; i < most; ++i) send(std::to_string(i), 200);
  EXPECT_EQ(broken(), "");
  EXPECT_EQ(model_.repeated(), most);
  send(std::to_string(most), 200);
  EXPECT_THAT(broken(), HasSubstr("settled twice without reason"));
}

TEST_F(ModelTest, APowerCutRepeatsWhatWasNotDurable) {
  subscribe();
  for (int i = 0; i < 20; ++i) {
    commit(std::to_string(i));
    send(std::to_string(i), 200);
  }
  model_.on_end(Model::End::kPowerCut);
  model_.on_boot(1);
  for (int i = 0; i < 20; ++i) send(std::to_string(i), 200);
  EXPECT_EQ(broken(), "");
}

TEST_F(ModelTest, AReplaySettlesOnceMore) {
  subscribe();
  commit("a");
  send("a", 200);
  model_.on_replay(kUrl, {1}, "a");
  send("a", 200);
  EXPECT_EQ(broken(), "");
  send("a", 200);
  EXPECT_THAT(broken(), HasSubstr("settled twice without reason"));
}

TEST_F(ModelTest, AnEventAndItsReplayMayBothBeLost) {
  subscribe();
  commit("a");
  send("a", 200);
  model_.on_replay(kUrl, {1}, "a");
  send("a", 200);
  model_.on_end(Model::End::kPowerCut);
  model_.on_boot(1);
  for (int i = 0; i < 2; ++i) send("a", 200);
  EXPECT_EQ(broken(), "");
  send("a", 200);
  EXPECT_THAT(broken(), HasSubstr("settled twice without reason"));
}

TEST_F(ModelTest, AttemptsKeepToTheConcurrencyOfTheUrl) {
  subscribe();
  commit("a");
  for (int i = 0; i < 2; ++i) model_.on_attempt(kUrl, "a");
  EXPECT_EQ(broken(), "");
  model_.on_attempt(kUrl, "a");
  EXPECT_THAT(broken(), HasSubstr("too many attempts under way to"));
}

TEST_F(ModelTest, RetryAfterIsKept) {
  subscribe();
  for (const char* id : {"a", "b", "c"}) commit(id);
  webhook::AttemptResult busy;
  busy.status = 429;
  busy.retry_after = 60s;
  model_.on_attempt(kUrl, "a");
  model_.on_answer(kUrl, "a", busy);
  send("b", 200);
  EXPECT_EQ(broken(), "") << "it had begun before";
  world_.clock().advance(30s);
  model_.on_attempt(kUrl, "c");
  EXPECT_THAT(broken(), HasSubstr("before Retry-After was over"));
}

TEST_F(ModelTest, AStopThatCannotSaveIsAsAKill) {
  subscribe();
  commit("a");
  commit("b");
  model_.on_disk(true);
  send("a", 200);
  model_.on_end(Model::End::kStop);
  model_.on_disk(false);
  send("a", 200);
  EXPECT_EQ(broken(), "");
  world_.clock().advance(1min);
  send("b", 200);
  model_.on_end(Model::End::kStop);
  send("b", 200);
  EXPECT_THAT(broken(), HasSubstr("settled twice without reason"));
}

TEST_F(ModelTest, AnIdComesAgainOnlyWhenItWasForgotten) {
  commit("a");
  world_.clock().advance(24h * 8 + 1min);
  commit("a");
  EXPECT_EQ(broken(), "");
  commit("a");
  EXPECT_THAT(broken(), HasSubstr("an id was stored twice"));
}

TEST_F(ModelTest, FirstAttemptsOfAKeyTakeTurns) {
  subscribe();
  for (const char* id : {"a", "b"}) commit(id, 7);
  commit("c", 8);
  model_.on_attempt(kUrl, "a");
  model_.on_attempt(kUrl, "c");
  EXPECT_EQ(broken(), "") << "of another key";
  model_.on_answer(kUrl, "c", {.status = 200});
  model_.on_attempt(kUrl, "b");
  EXPECT_THAT(broken(), HasSubstr("beside another first attempt"));
}

TEST_F(ModelTest, FirstAttemptsOfAKeyFollowArrival) {
  subscribe();
  for (const char* id : {"a", "b"}) commit(id, 7);
  send("b", 200);
  EXPECT_EQ(broken(), "");
  send("a", 200);
  EXPECT_THAT(broken(), HasSubstr("after a later one"));
}

TEST_F(ModelTest, TurnsFollowArrivalOnceALaneHasHadTimeToCatchUp) {
  subscribe();
  commit("failing");
  send("failing", 500);
  world_.clock().advance(11s);
  send("failing", 200);
  world_.clock().advance(1s);
  commit("a", 5);
  commit("b", 5);
  send("b", 200);
  send("a", 200);
  EXPECT_EQ(broken(), "") << "it may not have found out that there is nothing more to read";
  world_.clock().advance(5s);
  commit("c", 5);
  commit("d", 5);
  send("d", 200);
  send("c", 200);
  EXPECT_THAT(broken(), HasSubstr("after a later one of its key"));
}

TEST_F(ModelTest, RetriesTakeNoTurns) {
  subscribe();
  for (const char* id : {"a", "b", "c"}) commit(id, 7);
  send("a", 500);
  world_.clock().advance(11s);
  model_.on_attempt(kUrl, "c");
  model_.on_attempt(kUrl, "a");
  model_.on_answer(kUrl, "c", {.status = 200});
  model_.on_answer(kUrl, "a", {.status = 200});
  send("b", 200);
  EXPECT_EQ(broken(), "") << "a lane that has failed may have fallen behind";
}

TEST_F(ModelTest, ARetryWaitsForItsDelay) {
  world_.clock().advance(1min);
  subscribe();
  commit("a");
  send("a", 500);
  world_.clock().advance(9s);
  send("a", 500);
  EXPECT_EQ(broken(), "") << "less by its jitter";
  world_.clock().advance(80s);
  send("a", 500);
  EXPECT_THAT(broken(), HasSubstr("before its delay was over"));
}

TEST_F(ModelTest, NothingFollowsTheLastAttempt) {
  world_.clock().advance(1min);
  subscribe();
  commit("a");
  for (int i = 0; i < 3; ++i) {
    send("a", 500);
    world_.clock().advance(2min);
  }
  EXPECT_EQ(broken(), "");
  send("a", 500);
  EXPECT_THAT(broken(), HasSubstr("after its last attempt"));
}

TEST_F(ModelTest, AStopForgetsNoDelayAndAKillMay) {
  world_.clock().advance(1min);
  subscribe();
  for (const char* id : {"a", "b"}) commit(id);
  for (const char* id : {"a", "b"}) send(id, 500);
  model_.on_end(Model::End::kKill);
  model_.on_boot(1);
  send("a", 200);
  EXPECT_EQ(broken(), "");
  model_.on_end(Model::End::kStop);
  model_.on_boot(1);
  send("b", 200);
  EXPECT_EQ(broken(), "") << "the kill was since then";
  commit("c");
  send("c", 500);
  model_.on_end(Model::End::kStop);
  model_.on_boot(1);
  send("c", 200);
  EXPECT_THAT(broken(), HasSubstr("before its delay was over"));
}

TEST_F(ModelTest, APausedUrlGetsNothing) {
  subscribe();
  commit("a");
  model_.on_paused(kUrl, model_.on_pause(kUrl));
  send("a", 500);
  EXPECT_EQ(broken(), "") << "it had its place before";
  world_.clock().advance(2s);
  model_.on_end(Model::End::kKill);
  model_.on_boot(1);
  send("a", 500);
  EXPECT_THAT(broken(), HasSubstr("while its endpoint was paused"));
}

TEST_F(ModelTest, AResumedUrlGetsWhatItWants) {
  subscribe();
  commit("a");
  model_.on_paused(kUrl, model_.on_pause(kUrl));
  world_.clock().advance(2s);
  model_.on_resume(kUrl);
  send("a", 200);
  EXPECT_EQ(broken(), "");
}

TEST_F(ModelTest, APauseEndsWithTheLastWebhookOfTheUrl) {
  subscribe();
  model_.on_paused(kUrl, model_.on_pause(kUrl));
  change(domain(kUrl), domain(nullptr));
  EXPECT_EQ(model_.paused_since(kUrl), std::nullopt);
}

// What is said at the end is said of a store.
class ModelEndTest : public ModelTest {
 protected:
  ModelEndTest() : store_(*store::MemoryStore::open(disk_, world_.clock())) {}

  /// The store has the event; the model hears of it when it is opened.
  void store_event(const std::string& id) {
    store::WriteSet set;
    store::NewEvent event;
    event.domain = {1};
    event.event.id = id;
    event.event.bytes = id;
    event.event.name = event::Name::kDelivered;
    set.appends.push_back({std::move(event), Outcome::kStored, nullptr});
    ASSERT_TRUE(store_->commit(set));
  }

  void subscribe_in_store() {
    store::WriteSet set;
    store::WriteSet::Edit edit;
    edit.name = "a.test";
    edit.edit = [this](const store::DomainPtr&, Position) -> Result<store::DomainPtr> {
      return domain(kUrl);
    };
    set.edits.push_back(std::move(edit));
    ASSERT_TRUE(store_->commit(set));
  }

  /// The store says of the last event that it was missed.
  void miss() {
    store::Progress progress;
    store::ExceptionRow row;
    row.lane = domain(kUrl)->lanes.front().id;
    row.position = store_->head();
    row.missed = true;
    row.hook = Hook::kDelivered;
    progress.exceptions.push_back(row);
    const std::vector<const store::Progress*> saves{&progress};
    ASSERT_TRUE(store_->save(saves));
  }

  store::MemoryDisk disk_;
  std::unique_ptr<store::MemoryStore> store_;
};

TEST_F(ModelEndTest, InTheEndEverythingIsSettled) {
  subscribe_in_store();
  store_event("a");
  model_.on_opened(*store_);
  EXPECT_FALSE(model_.done(*store_));
  send("a", 200);
  EXPECT_TRUE(model_.done(*store_));
  model_.check_end(*store_);
  EXPECT_EQ(broken(), "");
}

TEST_F(ModelEndTest, WhatAPageHadIsInTheLog) {
  store_event("a");
  model_.expect("a");
  model_.on_opened(*store_);
  EXPECT_EQ(broken(), "");
  model_.expect("b");
  model_.on_opened(*store_);
  EXPECT_THAT(broken(), HasSubstr("seen on a page, and not in the log: b"));
}

TEST_F(ModelEndTest, WhatIsForgottenIsFound) {
  subscribe_in_store();
  store_event("a");
  model_.on_opened(*store_);
  model_.check_end(*store_);
  EXPECT_THAT(broken(), HasSubstr("neither settled nor missed: a"));
}

TEST_F(ModelEndTest, WhatWasMissedIsNotForgotten) {
  subscribe_in_store();
  store_event("a");
  model_.on_opened(*store_);
  for (int i = 0; i < 3; ++i) {
    world_.clock().advance(5min);
    send("a", 500);
  }
  miss();
  model_.check_end(*store_);
  EXPECT_EQ(broken(), "");
}

TEST_F(ModelEndTest, WhatIsMissedHadAllItsAttempts) {
  subscribe_in_store();
  store_event("a");
  model_.on_opened(*store_);
  send("a", 500);
  miss();
  model_.check_end(*store_);
  EXPECT_THAT(broken(), HasSubstr("missed after 1 attempts: a"));
}

TEST_F(ModelEndTest, InTheCalmNothingIsLate) {
  world_.clock().advance(1min);
  subscribe_in_store();
  store_event("a");
  store_event("b");
  model_.on_opened(*store_);
  send("a", 500);
  model_.on_calm();
  world_.clock().advance(10min);
  EXPECT_FALSE(model_.done(*store_));
  EXPECT_EQ(broken(), "");
  send("b", 200);
  world_.clock().advance(9s);
  EXPECT_FALSE(model_.done(*store_));
  EXPECT_EQ(broken(), "") << "its delay, and what the others may take";
  world_.clock().advance(5s);
  EXPECT_FALSE(model_.done(*store_));
  EXPECT_THAT(broken(), HasSubstr("late: a"));
}

TEST_F(ModelEndTest, TheLogKeepsWhatItHas) {
  commit("a");
  model_.check_end(*store_);
  EXPECT_THAT(broken(), HasSubstr("the log has lost a"));
}

TEST_F(ModelEndTest, WhatIsTooOldGoes) {
  subscribe_in_store();
  store_event("a");
  model_.on_opened(*store_);
  world_.clock().advance(24h * 2);
  model_.check_end(*store_);
  EXPECT_THAT(broken(), HasSubstr("retention has left a"));
}

}  // namespace
}  // namespace eventhorn::simulation
