// Lanes, exceptions, endpoints, marks and attempts come back as they were saved.
#include "store/contract/contract_test_support.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace eventhorn::store {
namespace {

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

TEST_P(StoreContract, ReplaysComeBack) {
  SegmentRow replay{webhook::Class::kUrgent, {3}, Position{90}, {9}, {}};
  replay.source = SegmentRow::Source::kMissed;
  replay.replay = 77;
  replay.paused = true;
  const SegmentRow own{webhook::Class::kUrgent, {90}, std::nullopt, {90}, {{{92}, {93}}}};
  Progress p;
  p.lanes = {{{5}, kDomain, {replay, own}}};
  save(p);
  engine_->reopen();
  ASSERT_EQ(load().lanes.size(), 1U);
  EXPECT_EQ(load().lanes[0].segments, (std::vector{replay, own}));
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

TEST_P(StoreContract, EndpointsThatAreNotWellComeBack) {
  EndpointRow parked{.url = "http://a/",
                     .state = EndpointRow::State::kParked,
                     .since = from_micros(kBaseUs),
                     .last_success = from_micros(kBaseUs - 5),
                     .last_failure = from_micros(kBaseUs - 1),
                     .failures = 27,
                     .probes = 3,
                     .healthy_peak = 40,
                     .reason = "no answer in 10 s"};
  EndpointRow gone;
  gone.url = "http://b/?q=%00";
  gone.state = EndpointRow::State::kGone;
  Progress p;
  p.endpoints = {parked, gone};
  save(p);
  for (const bool reopened : {false, true}) {
    if (reopened) engine_->reopen();
    EXPECT_EQ(load().endpoints, (std::vector{parked, gone}));
  }
  parked.state = EndpointRow::State::kPaused;
  Progress next;
  next.endpoints = {parked};
  next.well_endpoints = {gone.url, "http://never-seen/"};
  save(next);
  EXPECT_EQ(load().endpoints, std::vector{parked});
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

// What is saved outlives the process at once, and a power cut once anything later is durable.
TEST_P(StoreContract, ASaveIsDurableWithTheNextSync) {
  Progress first;
  first.lanes = {{{5}, kDomain, {}}};
  Progress second;
  second.lanes = {{{6}, kDomain, {}}};
  const auto lanes = [&] { return load().lanes.size(); };
  const auto lost = save(first);
  EXPECT_FALSE(store().durable(lost));
  engine_->reopen();
  EXPECT_EQ(lanes(), 1U) << "the opening made it durable";
  engine_->cut_power();
  EXPECT_EQ(lanes(), 1U);

  Progress ended;
  ended.settled_lanes = {{5}};
  save(ended);
  save(second);
  EXPECT_EQ(load().lanes.front().lane, LaneId{6});
  engine_->cut_power();
  ASSERT_EQ(lanes(), 1U);
  EXPECT_EQ(load().lanes.front().lane, LaneId{5}) << "what was not synced never was";

  const auto before = save(ended);
  append_one(make_event("a"));
  const auto behind = save(second);
  EXPECT_LT(before, behind);
  EXPECT_TRUE(store().durable(before));
  EXPECT_FALSE(store().durable(behind));
  ASSERT_TRUE(store().flush());
  EXPECT_TRUE(store().durable(behind));
  engine_->cut_power();
  ASSERT_EQ(lanes(), 1U);
  EXPECT_EQ(load().lanes.front().lane, LaneId{6});
}

TEST_P(StoreContract, ASaveOfBeforeARecoveryIsNeverDurable) {
  Progress p;
  p.lanes = {{{5}, kDomain, {}}};
  const auto token = save(p);
  engine_->fail_one_sync();
  EXPECT_FALSE(store().flush());
  EXPECT_FALSE(store().durable(token));
  ASSERT_TRUE(store().recover());
  ASSERT_TRUE(store().flush());
  EXPECT_FALSE(store().durable(token));
  const auto later = save(p);
  EXPECT_GT(later, token);
  ASSERT_TRUE(store().flush());
  EXPECT_TRUE(store().durable(later));
}

// What happened last to an exception row within one save is what holds.
TEST_P(StoreContract, TheLastWordOnAnExceptionHolds) {
  Progress p;
  p.exceptions.push_back(exception_row({5}, {1}, false));
  p.end_exception({5}, {1});
  p.end_exception({5}, {2});
  p.exceptions.push_back(exception_row({5}, {2}, false));
  p.exceptions.push_back(exception_row({5}, {3}, false));
  p.end_exception({5}, {3});
  p.exceptions.push_back(exception_row({5}, {3}, true));
  save(p);
  const auto rows = store().read_exceptions({5}, kNoPosition, 10, false);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ(rows->at(0).position, Position{2});
  EXPECT_EQ(rows->at(1).position, Position{3});
  EXPECT_TRUE(rows->at(1).missed);
}

AttemptRow attempt_row(uint64_t position, int64_t at, int attempt, int status) {
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
std::vector<std::string> text_of(const Result<std::vector<AttemptRow>>& rows) {
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

// Also where it was delivered twice in one save: once by itself, once by a replay.
TEST_P(StoreContract, OneSuccessAtTheFirstTryOfAnEventIsRead) {
  Progress p;
  p.attempts = {attempt_row(11, 10, 1, 200), attempt_row(12, 11, 1, 200),
                attempt_row(11, 12, 1, 200)};
  save(p);
  const auto rows = store().read_attempts({5}, {11}, from_micros(kBaseUs), 9);
  EXPECT_EQ(text_of(rows), Ids{"11:1:200"});
  EXPECT_EQ(rows->front().at, p.attempts.front().at);
  EXPECT_EQ(rows->front().written, p.attempts.back().written);
  EXPECT_EQ(store().last_attempts({5}, from_micros(kBaseUs + 100), 9)->size(), 3U);
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

}  // namespace
}  // namespace eventhorn::store
