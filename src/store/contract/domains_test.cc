// Edits of domains, in the order of the log.
#include "store/contract/contract_test_support.h"

#include <gtest/gtest.h>

#include <vector>

namespace eventhorn::store {
namespace {

TEST_P(StoreContract, EditsCreateChangeAndDeleteADomain) {
  const auto created =
      edit("a.test", [&](const DomainPtr& current, Position at) -> Result<DomainPtr> {
        EXPECT_EQ(current, nullptr);
        auto d = std::make_shared<Domain>();
        d->uid = {at.value};
        d->name = "a.test";
        d->id = "0123456789abcdef01234567";
        d->created_at = engine_->clock.now();
        set_hook_urls(*d, webhook::Hook::kOpened, {"http://a/", "http://b/"}, at);
        return DomainPtr(d);
      });
  ASSERT_TRUE(created);
  EXPECT_EQ(created->before, nullptr);
  EXPECT_LE(created->at, store().head());

  engine_->reopen();
  const auto domains = store().load_domains();
  ASSERT_TRUE(domains && domains->size() == 1);
  const auto& d = *domains->front();
  EXPECT_EQ(d.uid.value, created->at.value);
  EXPECT_EQ(d.name, "a.test");
  EXPECT_EQ(d.id, "0123456789abcdef01234567");
  EXPECT_EQ(d.created_at, engine_->clock.now());
  EXPECT_EQ(d.urls(webhook::Hook::kOpened), (Ids{"http://a/", "http://b/"}));
  EXPECT_EQ(d.hooks[static_cast<size_t>(webhook::Hook::kOpened)][1].since, created->at);

  const Position event = append_one(make_event("e"));
  EXPECT_GT(event, created->at);
  const auto deleted = edit("a.test", [](const DomainPtr& current, Position) -> Result<DomainPtr> {
    EXPECT_NE(current, nullptr);
    return DomainPtr();
  });
  ASSERT_TRUE(deleted);
  EXPECT_GT(deleted->at, event);
  EXPECT_EQ(deleted->after, nullptr);
  EXPECT_NE(deleted->before, nullptr);
  engine_->reopen();
  EXPECT_EQ(store().load_domains()->size(), 0U);
  EXPECT_GE(store().head(), deleted->at) << "a later event must come after the edit";
}

TEST_P(StoreContract, EditsOfOneSetSeeEachOtherAndAnErrorChangesNothing) {
  const auto make = [](const DomainPtr& current, Position at) -> Result<DomainPtr> {
    if (current) return fail(Errc::kConflict, "exists");
    auto d = std::make_shared<Domain>();
    d->uid = {at.value};
    d->name = "a.test";
    return DomainPtr(d);
  };
  WriteSet set;
  set.edits.push_back({"a.test", make});
  set.edits.push_back({"a.test", make});
  set.edits.push_back({"a.test", [](const DomainPtr& current, Position) -> Result<DomainPtr> {
                         auto d = std::make_shared<Domain>(*current);
                         d->id = "changed";
                         return DomainPtr(d);
                       }});
  ASSERT_TRUE(store().commit(set));
  ASSERT_TRUE(set.edits[0].outcome);
  ASSERT_FALSE(set.edits[1].outcome);
  EXPECT_EQ(set.edits[1].outcome.error().code, Errc::kConflict);
  ASSERT_TRUE(set.edits[2].outcome);
  EXPECT_EQ(set.edits[2].outcome->before, set.edits[0].outcome->after);
  EXPECT_GE(set.edits[2].outcome->at.value, set.edits[0].outcome->at.value + kEditStride);
  for (const bool reopened : {false, true}) {
    if (reopened) engine_->reopen();
    const auto domains = store().load_domains();
    ASSERT_EQ(domains->size(), 1U);
    EXPECT_EQ(domains->front()->id, "changed");
    EXPECT_FALSE(edit("a.test", make));
  }
}

TEST_P(StoreContract, ADomainKeepsItsRetrySchedule) {
  using Schedule = std::optional<std::vector<std::chrono::milliseconds>>;
  const std::vector<Schedule> schedules = {
      std::nullopt, Schedule(std::in_place),
      Schedule({std::chrono::milliseconds(1500), std::chrono::hours(4)})};
  for (const auto& schedule : schedules) {
    ASSERT_TRUE(edit("a.test", [&](const DomainPtr& current, Position at) -> Result<DomainPtr> {
      auto d = current ? std::make_shared<Domain>(*current) : std::make_shared<Domain>();
      d->uid = {at.value};
      d->name = "a.test";
      d->retry_schedule = schedule;
      return DomainPtr(d);
    }));
    engine_->reopen();
    EXPECT_EQ(store().load_domains()->at(0)->retry_schedule, schedule);
  }
}

}  // namespace
}  // namespace eventhorn::store
