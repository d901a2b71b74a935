// Part of store_contract_test.h: appends, edits, progress, values, retention.
#pragma once

#include "store/store_contract_test.h"

namespace eventhorn::store {

TEST_P(StoreContract, KeepsEveryFieldOfAnEvent) {
  auto e = make_event("a", kBaseUs + 5, event::Name::kFailed, kOtherDomain);
  e.push = false;
  const auto set = commit({e});
  for (const bool reopened : {false, true}) {
    if (reopened) engine_->reopen();
    const auto read = store().read_events({set.appends[0].stored->position});
    ASSERT_TRUE(read && read->size() == 1 && read->front());
    for (const auto& got : {read->front(), set.appends[0].stored}) {
      EXPECT_EQ(got->domain, kOtherDomain);
      EXPECT_EQ(got->shard, e.shard);
      EXPECT_FALSE(got->push);
      EXPECT_EQ(got->committed, engine_->clock.now());
      EXPECT_EQ(got->event.id, "a");
      EXPECT_EQ(got->event.timestamp_us, kBaseUs + 5);
      EXPECT_EQ(got->event.name, event::Name::kFailed);
      EXPECT_EQ(got->event.severity, event::Severity::kTemporary);
      EXPECT_EQ(got->event.order_key, 0xfeedU);
      EXPECT_EQ(got->event.bytes, e.event.bytes);
    }
  }
}

// L8: an id is stored once, wherever its original is.
TEST_P(StoreContract, L8AnIdIsStoredOnce) {
  auto changed = make_event("a");
  changed.event.bytes = "{}";
  const std::vector<Outcome> again = {Outcome::kDuplicate, Outcome::kConflicting,
                                      Outcome::kDuplicate, Outcome::kConflicting};
  EXPECT_EQ(append({make_event("a"), make_event("a"), changed, make_event("b")}),
            (std::vector{Outcome::kStored, Outcome::kDuplicate, Outcome::kConflicting,
                         Outcome::kStored}));
  const Position head = store().head();
  EXPECT_EQ(append({make_event("a"), changed, make_event("a"), changed}), again) << "in memory";
  engine_->index_now();
  EXPECT_EQ(append({make_event("a"), changed, make_event("a"), changed}), again) << "in the index";
  EXPECT_EQ(append({changed, make_event("a"), changed, make_event("a")}),
            (std::vector{Outcome::kConflicting, Outcome::kDuplicate, Outcome::kConflicting,
                         Outcome::kDuplicate}));
  engine_->reopen();
  EXPECT_EQ(append({make_event("a"), changed, make_event("a"), changed}), again)
      << "after a restart";
  EXPECT_EQ(store().head(), head);
  EXPECT_EQ(read_pages(page_query()), (Ids{"a", "b"}));
}

TEST_P(StoreContract, IdsBelongToTheirDomain) {
  append({make_event("a")});
  EXPECT_EQ(append({make_event("a", kBaseUs, event::Name::kDelivered, kOtherDomain)}),
            (std::vector{Outcome::kStored}));
  engine_->index_now();
  auto q = page_query();
  EXPECT_EQ(read_pages(q), Ids{"a"});
  q.domain = kOtherDomain;
  EXPECT_EQ(read_pages(q), Ids{"a"});
  q.domain = {99};
  EXPECT_EQ(read_pages(q), Ids{});
  auto lane = lane_query(webhook::Class::kNormal);
  lane.domain = {99};
  EXPECT_EQ(read_lane(lane), Ids{});
}

TEST_P(StoreContract, PositionsRiseAndTheHeadIsTheLast) {
  EXPECT_EQ(store().head(), kNoPosition);
  Position last = kNoPosition;
  for (int round = 0; round < 4; ++round) {
    const auto set =
        commit({make_event("a" + std::to_string(round)), make_event("b" + std::to_string(round))});
    for (const auto& a : set.appends) {
      EXPECT_GT(a.stored->position, last);
      last = a.stored->position;
    }
    EXPECT_EQ(store().head(), last);
    if (round == 1) engine_->index_now();
    engine_->reopen();
    EXPECT_EQ(store().head(), last);
  }
}

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

TEST_P(StoreContract, ProgressComesBack) {
  EXPECT_EQ(load().marks.least(), kNoPosition);
  LaneRow open{{5},
               kDomain,
               {{webhook::Class::kUrgent, {3}, std::nullopt, {9}, {{{11}, {12}}, {{14}, {14}}}}}};
  LaneRow closed{{6},
                 kOtherDomain,
                 {{webhook::Class::kBulk, {1}, Position{20}, {2}, {}},
                  {webhook::Class::kBulk, {20}, std::nullopt, {20}, {}}}};
  const ExceptionRow waiting{{5}, {13}, false, 3, from_micros(kBaseUs), Micros(60'000'000), 503};
  const ExceptionRow missed{{6}, {13}, true, 8, from_micros(kBaseUs), Micros(0), 0};
  Progress p;
  p.lanes = {open, closed};
  p.exceptions = {waiting, missed};
  p.attempts = {{{5},
                 {13},
                 from_micros(kBaseUs),
                 std::chrono::milliseconds(7),
                 2,
                 503,
                 "status",
                 "",
                 "no",
                 {},
                 {}}};
  save(p);
  for (const bool reopened : {false, true}) {
    if (reopened) engine_->reopen();
    const auto got = load();
    ASSERT_EQ(got.lanes.size(), 2U);
    EXPECT_EQ(got.lanes[0].lane, open.lane);
    EXPECT_EQ(got.lanes[0].domain, open.domain);
    EXPECT_EQ(got.lanes[0].segments, open.segments);
    EXPECT_EQ(got.lanes[1].segments, closed.segments);
    EXPECT_EQ(got.missed, 1U);
    ASSERT_EQ(got.waiting.size(), 1U);
    EXPECT_EQ(got.waiting[0].lane, waiting.lane);
    EXPECT_EQ(got.waiting[0].position, waiting.position);
    EXPECT_EQ(got.waiting[0].attempts, 3);
    EXPECT_EQ(got.waiting[0].last_attempt, waiting.last_attempt);
    EXPECT_EQ(got.waiting[0].delay, waiting.delay);
    EXPECT_EQ(got.waiting[0].last_status, 503);
  }
  Progress ended;
  ended.settled_lanes = {{6}};
  ended.ended_exceptions = {{{5}, {13}}};
  save(ended);
  EXPECT_EQ(load().lanes.size(), 1U);
  EXPECT_EQ(load().waiting.size(), 0U);
  EXPECT_EQ(load().missed, 1U) << "a settled lane keeps what it missed";
}

TEST_P(StoreContract, AnEndedLaneTakesItsRowsAlongAndNoOthers) {
  Progress p;
  for (const uint64_t lane : {5, 6, 7}) {
    p.lanes.push_back({{lane}, kDomain, {}});
    for (const uint64_t position : {uint64_t{1}, UINT64_MAX}) {
      p.exceptions.push_back({{lane}, {position}, false, 1, {}, {}, 500});
      p.exceptions.push_back({{lane}, {position - 1}, true, 1, {}, {}, 500});
    }
  }
  save(p);
  Progress ended;
  ended.ended_lanes = {{6}};
  save(ended);
  const auto got = load();
  ASSERT_EQ(got.lanes.size(), 2U);
  EXPECT_EQ(got.lanes[0].lane, LaneId{5});
  EXPECT_EQ(got.lanes[1].lane, LaneId{7});
  EXPECT_EQ(got.waiting.size(), 4U);
  EXPECT_EQ(got.missed, 4U);
}

// Marks of several sharings out lie beside each other until they are replaced.
TEST_P(StoreContract, TheGreatestMarkOfASlotHolds) {
  const auto url_of = [](uint32_t core, uint32_t cores) {
    for (int i = 0;; ++i) {
      const auto url = "http://host" + std::to_string(i) + "/";
      if (core_of(url, cores) == core) return url;
    }
  };
  const std::vector<SlotMark> first = {{SlotSet::all(), {10}}};
  ASSERT_TRUE(store().replace_marks(first));
  EXPECT_EQ(load().marks.least(), Position{10});
  for (const uint32_t core : {0, 1, 2}) {
    EXPECT_EQ(load().marks.least(), Position{10});
    Progress p;
    p.mark = {SlotSet::of_core(core, 3), {20 + core}};
    save(p);
  }
  EXPECT_EQ(load().marks.least(), Position{20});
  for (const uint32_t core : {0, 1, 2})
    EXPECT_EQ(load().marks.begin_of(url_of(core, 3), 8), Position{20 + core});
  EXPECT_FALSE(load().marks.to_be_rewritten());
  ASSERT_TRUE(store().replace_marks(load().marks.joined()));
  engine_->reopen();
  EXPECT_EQ(load().marks.joined().size(), 3U);
  for (const uint32_t core : {0, 1, 2})
    EXPECT_EQ(load().marks.begin_of(url_of(core, 3), 8), Position{20 + core});
}

TEST_P(StoreContract, ValuesAreReplaced) {
  EXPECT_EQ(*store().load_value("key"), std::nullopt);
  ASSERT_TRUE(store().save_value("key", "one"));
  ASSERT_TRUE(store().save_value("key", std::string("t\0wo", 4)));
  ASSERT_TRUE(store().save_value("key2", ""));
  engine_->reopen();
  EXPECT_EQ(**store().load_value("key"), std::string("t\0wo", 4));
  EXPECT_EQ(**store().load_value("key2"), "");
  EXPECT_EQ(*store().load_value("ke"), std::nullopt);
}

TEST_P(StoreContract, ExpireDropsByCommitTimeNotByTheEventsOwn) {
  const Position old = append_one(make_event("old", kBaseUs + 999'000'000));
  engine_->clock.advance(std::chrono::hours(2));
  const Position fresh = append_one(make_event("fresh", kBaseUs - 999'000'000));
  engine_->index_now();
  const auto dropped = store().expire(engine_->clock.now() - std::chrono::hours(1), {});
  ASSERT_TRUE(dropped);
  EXPECT_GE(*dropped, 1U);
  EXPECT_EQ(*store().expire(engine_->clock.now() - std::chrono::hours(1), {}), 0U);
  for (const bool reopened : {false, true}) {
    if (reopened) engine_->reopen();
    EXPECT_EQ(read_pages(page_query()), Ids{"fresh"});
    EXPECT_EQ(read_lane(lane_query(webhook::Class::kNormal)), Ids{"fresh"});
    EXPECT_EQ(ids_of(*store().read_events({old, fresh})), (Ids{"null", "fresh"}));
    EXPECT_EQ(store().read_heads(kNoPosition, 10)->size(), 1U);
  }
}

// Retention runs every hour or so; it must not shorten the life of ids by looking at a log that
// holds nothing older.
TEST_P(StoreContract, IdsOutliveTheirEventsBySevenDays) {
  append_one(make_event("old"));
  engine_->index_now();
  for (int hour = 0; hour < 30; ++hour) {
    engine_->clock.advance(std::chrono::hours(5));
    append_one(make_event("e" + std::to_string(hour)));
    engine_->index_now();
    ASSERT_TRUE(store().expire(engine_->clock.now() - std::chrono::hours(1), {}));
    engine_->compact();
    if (hour == 15) engine_->reopen();
    EXPECT_EQ(read_pages(page_query()).size(), 1U);
    EXPECT_EQ(append({make_event("old")}), (std::vector{Outcome::kDuplicate}))
        << "after hours: " << 5 * (hour + 1);
  }
  engine_->clock.advance(std::chrono::hours(24));
  ASSERT_TRUE(store().expire(engine_->clock.now() - std::chrono::hours(1), {}));
  engine_->compact();
  EXPECT_EQ(append({make_event("old")}), (std::vector{Outcome::kStored}));
}

// Positions are never given twice: lanes and the index would take the second event for settled.
TEST_P(StoreContract, PositionsDoNotGoBackWhenEverythingExpired) {
  append({make_event("a"), make_event("b")});
  engine_->index_now();
  const Position head = store().head();
  engine_->clock.advance(std::chrono::hours(2));
  ASSERT_TRUE(store().expire(engine_->clock.now(), {}));
  EXPECT_EQ(read_pages(page_query()), Ids{});
  engine_->reopen();
  EXPECT_GE(store().head(), head);
  EXPECT_GT(append_one(make_event("c")), head);
  engine_->reopen();
  EXPECT_EQ(read_pages(page_query()), Ids{"c"});
  EXPECT_EQ(read_lane(lane_query(webhook::Class::kNormal)), Ids{"c"});
}

}  // namespace eventhorn::store
