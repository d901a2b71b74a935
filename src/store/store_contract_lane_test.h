// Part of store_contract_test.h: exceptions, missed events, attempts, positions by time.
#pragma once

#include "store/store_contract_test.h"

namespace eventhorn::store {

TEST_P(StoreContract, ExceptionsAreReadInOrder) {
  Progress p;
  for (const uint64_t lane : {4, 5, 6}) {
    for (const uint64_t position : {9, 3, 7, 5})
      p.exceptions.push_back(
          exception_row({lane}, {position}, position > 4, webhook::Hook::kClicked));
  }
  save(p);
  const auto read = [&](Position after, size_t max, bool missed_only) {
    std::vector<uint64_t> out;
    const auto rows = store().read_exceptions({5}, after, max, missed_only);
    EXPECT_TRUE(rows);
    for (const auto& row : *rows) {
      EXPECT_EQ(row.lane, LaneId{5});
      EXPECT_EQ(row.missed, row.position.value > 4);
      EXPECT_EQ(row.attempts, 2);
      EXPECT_EQ(row.hook, webhook::Hook::kClicked);
      out.push_back(row.position.value);
    }
    return out;
  };
  using Positions = std::vector<uint64_t>;
  EXPECT_EQ(read(kNoPosition, 100, false), (Positions{3, 5, 7, 9}));
  EXPECT_EQ(read(kNoPosition, 2, false), (Positions{3, 5}));
  EXPECT_EQ(read({5}, 100, false), (Positions{7, 9}));
  EXPECT_EQ(read(kNoPosition, 2, true), (Positions{5, 7}));
  EXPECT_EQ(read({9}, 100, false), Positions{});
}

// Every limit and place against a plain filter.
TEST_P(StoreContract, MissedEventsOfALaneAreReadByClass) {
  constexpr event::Name kNames[] = {event::Name::kDelivered, event::Name::kOpened,
                                    event::Name::kAccepted, event::Name::kClicked};
  std::vector<NewEvent> events;
  for (int i = 0; i < 60; ++i)
    events.push_back(make_event("e" + std::to_string(100 + i), kBaseUs, kNames[i % 4]));
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    const auto heads = *store().read_heads(kNoPosition, 100);
    Progress p;
    Ids want;
    Ids want_opened_late;
    for (size_t i = 0; i < events.size(); ++i) {
      const auto hook = *webhook::hook_for(heads[i].name, heads[i].severity);
      const bool missed = i % 3 == 0;
      if (i % 5 != 4) p.exceptions.push_back(exception_row({5}, heads[i].position, missed, hook));
      p.exceptions.push_back(exception_row({6}, heads[i].position, true, hook));
      if (i % 5 == 4 || !missed || webhook::class_of(hook) != webhook::Class::kBulk) continue;
      want.push_back(events[i].event.id);
      if (i > 20 && i <= 50 && hook == webhook::Hook::kOpened)
        want_opened_late.push_back(events[i].event.id);
    }
    save(p);
    ASSERT_GT(want_opened_late.size(), 1U);
    for (const size_t max_events : {1, 3, 1000}) {
      for (const size_t max_bytes : {1, 1 << 20}) {
        auto q = lane_query(webhook::Class::kBulk);
        q.source = SegmentRow::Source::kMissed;
        q.lane = {5};
        q.max_events = max_events;
        q.max_bytes = max_bytes;
        EXPECT_EQ(read_lane(q), want);
        q.since.fill(std::nullopt);
        q.since[static_cast<size_t>(webhook::Hook::kOpened)] = heads[20].position;
        q.to = heads[50].position;
        EXPECT_EQ(read_lane(q), want_opened_late);
        EXPECT_EQ(store().count_lane(q)->events, want_opened_late.size());
        q.max_events = 1000;
        q.max_bytes = 1 << 20;
        EXPECT_EQ(store().read_lane(q)->through, *q.to);
        q.after = *q.to;
        EXPECT_EQ(read_lane(q), Ids{});
      }
    }
  }
}

TEST_P(StoreContract, WhatRetentionDroppedIsCountedAsExpired) {
  Progress p;
  for (int i = 0; i < 5; ++i) {
    if (i == 3) engine_->clock.advance(std::chrono::hours(2));
    const Position at = append_one(make_event("e" + std::to_string(i)));
    p.exceptions.push_back(exception_row({5}, at, true));
  }
  save(p);
  engine_->index_now();
  ASSERT_TRUE(store().expire(engine_->clock.now() - std::chrono::hours(1), {}));
  for (const bool compacted : {false, true}) {
    if (compacted) engine_->compact();
    for (const auto source : {SegmentRow::Source::kLog, SegmentRow::Source::kMissed}) {
      auto q = lane_query(webhook::Class::kNormal);
      q.source = source;
      q.lane = {5};
      q.max_events = 2;
      const auto slice = store().read_lane(q);
      ASSERT_TRUE(slice);
      EXPECT_EQ(slice->expired, 3U);
      EXPECT_EQ(ids_of(slice->events), (Ids{"e3", "e4"}));
      EXPECT_TRUE(slice->at_end);
    }
  }
}

TEST_P(StoreContract, PositionsAreFoundByTime) {
  const SystemTime start = engine_->clock.now();
  EXPECT_EQ(*store().position_before(start), kNoPosition);
  std::vector<Position> positions;
  for (int i = 0; i < 20; ++i) {
    positions.push_back(append_one(make_event("e" + std::to_string(i))));
    if (i % 2 == 1) engine_->clock.advance(std::chrono::seconds(10));
    if (i == 9)
      ASSERT_TRUE(edit(
          "a.test", [](const DomainPtr&, Position) -> Result<DomainPtr> { return DomainPtr(); }));
  }
  engine_->index_now();
  EXPECT_EQ(*store().position_before(start), kNoPosition);
  for (int pair = 0; pair < 10; ++pair) {
    const SystemTime at = start + std::chrono::seconds(10 * pair);
    EXPECT_EQ(*store().position_before(at + Micros(1)), positions[2 * pair + 1]);
    EXPECT_EQ(*store().position_before(at + std::chrono::seconds(10)), positions[2 * pair + 1]);
  }
  EXPECT_GE(*store().position_before(engine_->clock.now()), positions.back());
  ASSERT_TRUE(store().expire(start + std::chrono::seconds(45), {}));
  EXPECT_EQ(*store().position_before(start + std::chrono::seconds(45)), kNoPosition);
  EXPECT_EQ(*store().position_before(start + std::chrono::seconds(51)), positions[11]);
}

inline AttemptRow attempt_row(uint64_t position, int64_t at, int attempt, int status) {
  AttemptRow row;
  row.lane = {5};
  row.position = {position};
  row.at = row.written = from_micros(kBaseUs + at);
  row.took = std::chrono::milliseconds(30);
  row.attempt = attempt;
  row.status = status;
  if (status != 200) {
    row.failure = "status";
    row.error = "no";
    row.response = "busy";
  }
  return row;
}

// "position:attempt:status" of each.
inline std::vector<std::string> text_of(const Result<std::vector<AttemptRow>>& rows) {
  std::vector<std::string> out;
  if (!rows) return {rows.error().message};
  for (const auto& r : *rows) {
    EXPECT_EQ(r.lane, LaneId{5});
    EXPECT_EQ(r.took, std::chrono::milliseconds(30));
    EXPECT_EQ(r.response, r.failure.empty() ? "" : "busy");
    EXPECT_GE(r.written, r.at);
    out.push_back(std::to_string(r.position.value) + ":" + std::to_string(r.attempt) + ":" +
                  std::to_string(r.status));
  }
  return out;
}

TEST_P(StoreContract, AttemptsOfAnEventAreRead) {
  Progress p;
  p.attempts = {attempt_row(11, 10, 1, 200),  attempt_row(12, 11, 1, 503),
                attempt_row(13, 12, 1, 200),  attempt_row(12, 90, 2, 500),
                attempt_row(12, 200, 3, 200), attempt_row(14, 20, 1, 0)};
  auto other = attempt_row(12, 11, 1, 404);
  other.lane = {6};
  p.attempts.push_back(other);
  for (const bool again : {false, true}) {
    save(p);  // once more after a restart: progress is written again
    if (again) engine_->reopen();
    const auto read = [&](uint64_t position, size_t max = 100, int64_t committed = 0) {
      return text_of(store().read_attempts({5}, {position}, from_micros(kBaseUs + committed), max));
    };
    EXPECT_EQ(read(11), Ids{"11:1:200"});
    EXPECT_EQ(read(12), (Ids{"12:1:503", "12:2:500", "12:3:200"}));
    EXPECT_EQ(read(12, 2), (Ids{"12:1:503", "12:2:500"}));
    EXPECT_EQ(read(13), Ids{"13:1:200"});
    EXPECT_EQ(read(14), Ids{"14:1:0"});
    EXPECT_EQ(read(15), Ids{});
    EXPECT_EQ(read(11, 0), Ids{});
    EXPECT_EQ(read(13, 100, 13), Ids{}) << "nothing earlier than the event is looked at";
  }
  // A replay of what failed begins with a first attempt of its own.
  Progress replay;
  replay.attempts = {attempt_row(14, 9000, 1, 200)};
  save(replay);
  EXPECT_EQ(text_of(store().read_attempts({5}, {14}, from_micros(kBaseUs), 9)),
            (Ids{"14:1:0", "14:1:200"}));
}

TEST_P(StoreContract, PhasesOfAnAttemptAreKept) {
  Progress p;
  p.attempts = {attempt_row(11, 10, 1, 503), attempt_row(12, 11, 2, 200),
                attempt_row(13, 12, 1, 503)};
  using std::chrono::microseconds;
  p.attempts[0].phases = webhook::Phases{microseconds(1),         microseconds(2), microseconds(3),
                                         microseconds(5'000'000), false,           true};
  p.attempts[1].phases = webhook::Phases{{}, {}, {}, microseconds(7), true, false};
  save(p);
  for (const auto& row : p.attempts) {
    const auto read = store().read_attempts({5}, row.position, from_micros(kBaseUs), 9);
    ASSERT_TRUE(read);
    ASSERT_EQ(read->size(), 1U);
    EXPECT_EQ(read->front().phases, row.phases);
  }
}

TEST_P(StoreContract, TheLastAttemptsOfALaneAreRead) {
  for (int i = 0; i < 6; ++i) {
    Progress p;
    const auto n = static_cast<uint64_t>(i);
    p.attempts = {attempt_row(20 + n, 100 * i, 1, 200), attempt_row(30 + n, 100 * i + 2, 1, 200),
                  attempt_row(40 + n, 100 * i + 50, 2, 503)};
    auto other = attempt_row(12, 100 * i + 1, 1, 404);
    other.lane = {i % 2 == 0 ? uint64_t{4} : uint64_t{6}};
    p.attempts.push_back(other);
    save(p);
  }
  const auto end = from_micros(kBaseUs + 1'000'000);
  EXPECT_EQ(text_of(store().last_attempts({5}, end, 3)), (Ids{"45:2:503", "35:1:200", "25:1:200"}));
  EXPECT_EQ(text_of(store().last_attempts({5}, end, 2)), (Ids{"45:2:503", "35:1:200", "25:1:200"}))
      << "what shares a microsecond is not split";
  EXPECT_EQ(text_of(store().last_attempts({9}, end, 2)), Ids{});
  for (const size_t max : {1, 2, 5, 100}) {
    Ids all;
    SystemTime before = end;
    for (;;) {
      const auto rows = store().last_attempts({5}, before, max);
      ASSERT_TRUE(rows);
      if (rows->empty()) break;
      for (const auto& text : text_of(rows)) all.push_back(text);
      before = rows->back().written;
    }
    EXPECT_EQ(all.size(), 18U);
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 18U);
    EXPECT_EQ(all.front(), "45:2:503");
    EXPECT_EQ(all.back(), "20:1:200");
  }
}

// Attempts are the record of what was sent; they go by age alone.
TEST_P(StoreContract, AttemptsGoByAgeAlsoThoseOfALaneThatEnded) {
  Progress p;
  p.attempts = {attempt_row(11, 0, 1, 503), attempt_row(12, 1, 1, 200)};
  save(p);
  p.attempts = {attempt_row(13, 5000, 2, 503), attempt_row(14, 5001, 1, 200)};
  p.ended_lanes = {{5}};
  save(p);
  const auto end = from_micros(kBaseUs + 1'000'000);
  EXPECT_EQ(store().last_attempts({5}, end, 9)->size(), 4U);
  ASSERT_TRUE(store().expire({}, from_micros(kBaseUs + 4000)));
  engine_->compact();
  EXPECT_EQ(text_of(store().last_attempts({5}, end, 9)), (Ids{"14:1:200", "13:2:503"}));
  EXPECT_EQ(text_of(store().read_attempts({5}, {11}, from_micros(kBaseUs), 9)), Ids{});
  EXPECT_EQ(text_of(store().read_attempts({5}, {13}, from_micros(kBaseUs), 9)), Ids{"13:2:503"});
}

}  // namespace eventhorn::store
