#include "api/own/own_test_support.h"
#include "api/own/replay_records.h"

namespace eventhorn::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kReplay = "/eventhorn/v1/replay";
constexpr const char* kDryRun = R"({"events":3,"bytes":174,"seconds":null})"
                                "\n";

struct ReplayApi : OwnApi {
  ReplayApi() {
    set_hook("delivered", {kUrl, kSecretUrl});
    set_hook("opened", {kUrl});
    deliveries.domain_of_new_lanes = uid();
  }

  http::Response post(const Pairs& form) { return send("POST", kReplay, form); }

  std::string refusal(const Pairs& form) {
    const auto response = post(form);
    return std::to_string(response.status) + " " + response.body;
  }

  std::string id_of(const http::Response& response) {
    EXPECT_EQ(response.status, 200) << response.body;
    return text_at(parsed(response.body), "id");
  }

  std::string state(const std::string& id) {
    return text_at(parsed(ok("GET", std::string(kReplay) + "/" + id)), "state");
  }

  /// Segments that replays have added to the lane of a URL.
  std::vector<store::SegmentRow> added(const std::string& url) {
    std::vector<store::SegmentRow> out;
    for (const auto& lane : deliveries.lane_list) {
      if (lane.url == url) out = lane.segments;
    }
    return out;
  }
};

TEST(ReplayEvents, GoToTheLanesWhoseHooksNameThem) {
  ReplayApi api;
  api.add("a");
  api.add("b", event::Name::kOpened);
  api.add("c", event::Name::kComplained);
  const Pairs form = {{"domain", "EXAMPLE.org"},
                      {"event", "a"},
                      {"events[]", "b"},
                      {"events[]", "c"},
                      {"event", "a"}};
  EXPECT_EQ(api.refusal(form), "200 {\"events\":3,\"bytes\":171,\"seconds\":null}\n");
  EXPECT_THAT(api.deliveries.calls, ElementsAre(std::string("again ") + kUrl + " a b",
                                                std::string("again ") + kSecretUrl + " a"));
  api.deliveries.calls.clear();
  EXPECT_EQ(api.refusal({{"domain", "example.org"}, {"event", "b"}, {"url", kUrl}}),
            "200 {\"events\":1,\"bytes\":55,\"seconds\":null}\n");
  EXPECT_THAT(api.deliveries.calls, ElementsAre(std::string("again ") + kUrl + " b"));
}

TEST(ReplayEvents, OfOneLane) {
  ReplayApi api;
  api.add("a");
  const auto lane = std::to_string(api.lane(kSecretUrl).value);
  EXPECT_EQ(api.refusal({{"lane", lane}, {"event", "a"}}),
            "200 {\"events\":1,\"bytes\":58,\"seconds\":null}\n");
  EXPECT_THAT(api.deliveries.calls, ElementsAre(std::string("again ") + kSecretUrl + " a"));
}

TEST(ReplayEvents, DryRunChangesNothing) {
  ReplayApi api;
  api.add("a");
  api.endpoint(kUrl).pace = 4;
  api.endpoint(kSecretUrl).pace = 0.1;
  const std::string expected = "200 {\"events\":2,\"bytes\":116,\"seconds\":10}\n";
  EXPECT_EQ(api.refusal({{"domain", "example.org"}, {"event", "a"}, {"dry_run", "yes"}}), expected);
  const auto json =
      api.send_json("POST", kReplay, R"({"domain":"example.org","events":["a"],"dry_run":true})");
  EXPECT_EQ(std::to_string(json.status) + " " + json.body, expected);
  EXPECT_THAT(api.deliveries.calls, IsEmpty());
}

TEST(ReplayEvents, AllOrNothing) {
  ReplayApi api;
  api.add("a");
  api.clock.advance(std::chrono::seconds(10));
  api.add("b");
  api.add("c", event::Name::kComplained);
  const auto refusal = [&](const std::string& id) {
    return api.refusal({{"domain", "example.org"}, {"event", "b"}, {"event", id}});
  };
  EXPECT_EQ(refusal("nobody"), message(404, "event: nobody not found"));
  api.drop_older_events();
  EXPECT_EQ(refusal("a"), message(404, "event: a not found"));
  EXPECT_EQ(api.refusal({{"domain", "example.org"}, {"event", "c"}}),
            message(404, "event: no webhook of the domain takes it"));
  const auto many = [&](int count) {
    std::string ids;
    for (int i = 0; i < count; ++i) ids += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\"";
    const auto response =
        api.send_json("POST", kReplay, R"({"domain":"example.org","events":[)" + ids + "]}");
    return std::to_string(response.status) + " " + response.body;
  };
  EXPECT_EQ(many(1000), message(404, "event: 0 not found"));
  EXPECT_EQ(many(1001), message(400, "events: must be at most 1000"));
  EXPECT_THAT(api.deliveries.calls, IsEmpty());
}

TEST(ReplayEvents, AnswersWhatDeliveryAnswers) {
  ReplayApi api;
  api.add("a");
  const Pairs form = {{"domain", "example.org"}, {"event", "a"}};
  // Gone meanwhile: the other lane gets it.
  api.deliveries.errors.emplace(api.lane(kUrl).value, Error(Errc::kNotFound, "no lane"));
  EXPECT_EQ(api.post(form).status, 200);
  EXPECT_EQ(api.deliveries.calls.size(), 2U);
  api.deliveries.errors.emplace(api.lane(kSecretUrl).value, Error(Errc::kUnavailable, "disk"));
  EXPECT_EQ(api.refusal(form), message(503, "disk"));
}

TEST(ReplayRequests, AreChecked) {
  ReplayApi api;
  const std::pair<std::string, std::string> domain = {"domain", "example.org"};
  const std::pair<Pairs, std::string> cases[] = {
      {{domain}, "give one of event, begin and end, and missed"},
      {{domain, {"event", "a"}, {"missed", "yes"}}, "give one of event, begin and end, and missed"},
      {{domain, {"event", "a"}, {"end", "2"}}, "give one of event, begin and end, and missed"},
      {{{"event", "a"}}, "domain: must be given, or lane"},
      {{{"begin", "1"}, {"end", "2"}}, "domain: must be given, or lane"},
      {{domain, {"begin", "1"}}, "end: must be given together with begin"},
      {{domain, {"end", "1"}}, "begin: must be given together with end"},
      {{{"lane", "x"}, {"missed", "yes"}}, "lane: must be the id of a lane, a number"},
      {{{"lane", "0"}, {"missed", "yes"}}, "lane: must be the id of a lane, a number"},
      {{domain, {"missed", "yes"}, {"missed", "no"}}, "missed: must be given once"},
      {{domain, {"missed", "perhaps"}}, "missed: must be yes or no"},
      {{domain, {"missed", "yes"}, {"dry_run", "2"}}, "dry_run: must be yes or no"},
  };
  for (const auto& [form, expected] : cases) EXPECT_EQ(api.refusal(form), message(400, expected));
  EXPECT_THAT(api.refusal({domain, {"begin", "2"}, {"end", "1"}}),
              HasSubstr("400 {\"message\":\"Inconsistent range: begin=1970-01-01 00:00:02"));
  EXPECT_THAT(api.refusal({domain, {"begin", "soon"}, {"end", "1"}}),
              HasSubstr("Invalid date: begin must be"));
  EXPECT_THAT(api.refusal({domain, {"missed", "yes"}, {"lanes", "1"}}),
              HasSubstr("lanes: is not known here: may be domain, url, lane, event"));
  EXPECT_EQ(api.refusal({{"lane", "999"}, {"missed", "yes"}}), message(404, "Lane not found"));
  const auto lane = std::to_string(api.lane(kUrl).value);
  EXPECT_EQ(api.refusal({{"lane", lane}, {"url", kSecretUrl}, {"missed", "yes"}}),
            message(404, "Lane not found"));
  EXPECT_EQ(api.refusal({{"domain", "no.example"}, {"missed", "yes"}}),
            message(404, "Domain not found"));
  EXPECT_EQ(api.refusal({{"domain", "no.example"}, {"event", "a"}}),
            message(404, "Domain not found"));
  for (const auto& more : {Pairs{{"missed", "yes"}}, Pairs{{"event", "a"}}}) {
    Pairs form = {domain, {"url", "https://no.example/"}};
    form.insert(form.end(), more.begin(), more.end());
    EXPECT_EQ(api.refusal(form), message(404, "url: no webhook of the domain names it"));
  }
  EXPECT_THAT(api.deliveries.calls, IsEmpty());
}

// Events a at 09:00:03, b and c ten seconds later, d ten seconds after that.
struct RangeApi : ReplayApi {
  Position a = add("a");
  Position b, c, d;

  RangeApi() {
    clock.advance(std::chrono::seconds(10));
    b = add("b");
    c = add("c", event::Name::kOpened);
    clock.advance(std::chrono::seconds(10));
    d = add("d");
  }

  static Pairs range(int begin, int end, Pairs more = {}) {
    const auto at = [](int seconds) { return std::to_string(1'773'219'603 + seconds); };
    more.emplace_back("domain", "example.org");
    more.emplace_back("begin", at(begin));
    more.emplace_back("end", at(end));
    return more;
  }
};

TEST(ReplayRange, AddsASegmentForEachClass) {
  RangeApi api;
  // A hook set after the events: replays take them all the same.
  const auto id = api.id_of(api.post(api.range(10, 20)));
  const auto of_url = api.added(kUrl);
  ASSERT_EQ(of_url.size(), 2U);
  EXPECT_EQ(of_url[0].cls, webhook::Class::kNormal);
  EXPECT_EQ(of_url[1].cls, webhook::Class::kBulk);
  for (const auto& segment : of_url) {
    EXPECT_EQ(segment.source, store::SegmentRow::Source::kLog);
    EXPECT_GE(segment.after, api.a);
    EXPECT_LT(segment.after, api.b);
    EXPECT_EQ(segment.acked_through, segment.after);
    ASSERT_TRUE(segment.to);
    EXPECT_GE(*segment.to, api.c);
    EXPECT_LT(*segment.to, api.d);
    EXPECT_EQ(std::to_string(segment.replay), id);
    EXPECT_FALSE(segment.paused);
  }
  EXPECT_EQ(api.added(kSecretUrl).size(), 1U);
}

TEST(ReplayRange, ShowsWhatItIsAndWhatRemains) {
  RangeApi api;
  const auto body = api.post(api.range(10, 30, {{"url", kSecretUrl}})).body;
  const auto id = text_at(parsed(body), "id");
  EXPECT_EQ(body, "{\"id\":\"" + id +
                      R"(","state":"running","domain":"example.org",)"
                      R"("url":"https://user:***@b.example/hook","lane":null,"missed":false,)"
                      R"("begin":"2026-03-11T09:00:13.000Z","end":"2026-03-11T09:00:33.000Z",)"
                      R"("created_at":"2026-03-11T09:00:23.000Z","lanes":1,"events":2,)"
                      R"("bytes":116,"remaining":2})"
                      "\n");
  const auto path = std::string(kReplay) + "/" + id;
  EXPECT_EQ(api.ok("GET", path), body);
  api.deliveries.lane_list[0].segments[0].acked_through = api.b;
  EXPECT_THAT(api.ok("GET", path), HasSubstr(R"("remaining":1})"));
  api.deliveries.lane_list[0].segments.clear();
  EXPECT_THAT(api.ok("GET", path), HasSubstr(R"("state":"done")"));
  EXPECT_THAT(api.ok("GET", path), HasSubstr(R"("remaining":0})"));
}

TEST(ReplayRange, OfOneLane) {
  RangeApi api;
  const auto lane = std::to_string(api.lane(kSecretUrl).value);
  Pairs form = api.range(0, 30, {{"lane", lane}});
  std::erase(form, std::pair<std::string, std::string>("domain", "example.org"));
  const auto body = api.post(form).body;
  EXPECT_THAT(body, HasSubstr(R"("domain":null,"url":null,"lane":")" + lane + "\""));
  EXPECT_THAT(body, HasSubstr(R"("lanes":1,"events":3,)"));
  EXPECT_EQ(api.added(kSecretUrl).size(), 1U);
  EXPECT_THAT(api.added(kUrl), IsEmpty());
}

TEST(ReplayRange, IncludesBeginAndNotEnd) {
  RangeApi api;
  const auto count = [&](int begin, int end) {
    const auto body = api.post(api.range(begin, end, {{"dry_run", "yes"}, {"url", kUrl}})).body;
    return *parsed(body).find("events")->as_int();
  };
  EXPECT_EQ(count(0, 10), 1);
  EXPECT_EQ(count(0, 11), 3);
  EXPECT_EQ(count(1, 20), 2);
  EXPECT_EQ(count(10, 21), 3);
  EXPECT_EQ(count(21, 4000), 0);
  EXPECT_THAT(api.deliveries.calls, IsEmpty());
  EXPECT_THAT(column(api.ok("GET", kReplay), "id"), IsEmpty());
}

TEST(ReplayRange, TakesEventsFromBeforeTheWebhook) {
  RangeApi api;
  api.set_hook("accepted", {"https://new.example/"});
  api.ok("PUT", "/v3/domains/example.org/webhooks/delivered",
         Pairs{{"url", "https://new.example/"}});
  EXPECT_EQ(api.refusal(api.range(0, 30, {{"url", "https://new.example/"}, {"dry_run", "yes"}})),
            std::string("200 ") + kDryRun);
}

TEST(ReplayRange, OfNothingIsDone) {
  RangeApi api;
  const auto body = api.post(api.range(1, 2)).body;
  EXPECT_THAT(body, HasSubstr(R"("state":"done")"));
  EXPECT_THAT(body, HasSubstr(R"("events":0)"));
  EXPECT_THAT(api.deliveries.calls, IsEmpty());
}

TEST(ReplayMissed, OfOneDomainOrAll) {
  RangeApi api;
  CHECK(api.send("POST", "/v3/domains", Pairs{{"name", "example.com"}}).status == 200);
  api.set_hook("delivered", {"https://c.example/"}, "example.com");
  const auto other = api.add("other", event::Name::kDelivered, "example.com");
  api.save_exception(kUrl, api.b, true);
  api.save_exception(kUrl, api.c, true, webhook::Hook::kOpened);
  api.save_exception(kUrl, api.d, false);  // waits
  store::ExceptionRow row;
  row.lane = api.lane("https://c.example/", "example.com");
  row.position = other;
  row.missed = true;
  row.hook = webhook::Hook::kDelivered;
  store::Progress progress;
  progress.exceptions.push_back(row);
  api.save(std::move(progress));

  const auto dry = [&](Pairs form) {
    form.emplace_back("missed", "yes");
    form.emplace_back("dry_run", "yes");
    return *parsed(api.post(form).body).find("events")->as_int();
  };
  EXPECT_EQ(dry({}), 3);
  EXPECT_EQ(dry({{"domain", "example.com"}}), 1);
  EXPECT_EQ(dry({{"domain", "example.org"}}), 2);
  EXPECT_EQ(dry({{"url", kUrl}}), 2);
  EXPECT_EQ(dry({{"url", kSecretUrl}}), 0);

  const auto response = api.post({{"missed", "yes"}, {"domain", "example.org"}});
  EXPECT_THAT(response.body, HasSubstr(R"("missed":true,"begin":null,"end":null)"));
  EXPECT_THAT(response.body, HasSubstr(R"("remaining":2})"));
  const auto segments = api.added(kUrl);
  ASSERT_EQ(segments.size(), 2U);
  for (const auto& segment : segments) {
    EXPECT_EQ(segment.source, store::SegmentRow::Source::kMissed);
    EXPECT_LT(segment.after, api.b);
    EXPECT_GE(*segment.to, api.d);
  }
  EXPECT_THAT(api.deliveries.calls, ElementsAre(std::string("add ") + kUrl));
}

TEST(Replay, PauseResumeCancel) {
  RangeApi api;
  const auto id = api.id_of(api.post(api.range(0, 30)));
  const auto act = [&](const char* action) {
    return api.ask("POST", std::string(kReplay) + "/" + id + "/" + action);
  };
  EXPECT_EQ(act("pause"), message(200, "Replay has been paused"));
  EXPECT_EQ(api.state(id), "paused");
  EXPECT_EQ(act("resume"), message(200, "Replay has been resumed"));
  EXPECT_EQ(api.state(id), "running");
  EXPECT_EQ(act("pause"), message(200, "Replay has been paused"));
  EXPECT_EQ(act("cancel"), message(200, "Replay has been cancelled"));
  EXPECT_EQ(api.state(id), "cancelled");
  for (const auto* action : {"pause", "resume", "cancel"})
    EXPECT_EQ(act(action), message(409, "the replay is cancelled"));
  for (const auto* other : {"1", "x"}) {
    const auto path = std::string(kReplay) + "/" + other;
    EXPECT_EQ(api.ask("GET", path), message(404, "Replay not found"));
    EXPECT_EQ(api.ask("POST", path + "/pause"), message(404, "Replay not found"));
    EXPECT_EQ(api.ask("POST", path + "/cancel"), message(404, "Replay not found"));
  }
}

TEST(Replay, DoneIsNotCancelled) {
  RangeApi api;
  const auto id = api.id_of(api.post(api.range(0, 30)));
  for (auto& lane : api.deliveries.lane_list) lane.segments.clear();
  EXPECT_EQ(api.ask("POST", std::string(kReplay) + "/" + id + "/cancel"),
            message(409, "the replay is done"));
  EXPECT_EQ(api.state(id), "done");
}

TEST(Replay, ListsNewestFirst) {
  RangeApi api;
  Texts ids;
  for (int i = 0; i < 5; ++i) ids.insert(ids.begin(), api.id_of(api.post(api.range(i, 30))));
  EXPECT_EQ(column(api.ok("GET", kReplay), "id"), ids);
  EXPECT_EQ(api.follow(std::string(kReplay) + "?limit=2", "id"), ids);
  EXPECT_EQ(api.ask("GET", std::string(kReplay) + "?page=x"),
            message(400, "page: is not of this list"));
}

// L6: nobody can make a lane of any size.
TEST(Replay, LanesHaveRoomForSomeOnly) {
  RangeApi api;
  const Pairs one_segment = api.range(0, 10, {{"url", kUrl}});
  for (size_t i = 0; i < control::kMaxReplaySegments - 1; ++i)
    EXPECT_EQ(api.post(one_segment).status, 200);
  const auto records = column(api.ok("GET", kReplay), "id");
  // This one wants two segments.
  const auto refused = api.post(api.range(0, 30));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.body,
            "{\"message\":\"lane " + std::to_string(api.lane(kUrl).value) +
                " has 15 segments of replays, of at most 16: wait until a replay has ended, or "
                "cancel one\"}\n");
  EXPECT_EQ(column(api.ok("GET", kReplay), "id"), records);
  EXPECT_THAT(api.added(kSecretUrl), IsEmpty());
  EXPECT_EQ(api.post(one_segment).status, 200);
}

TEST(Replay, IsCancelledWhenALaneRefuses) {
  RangeApi api;
  api.deliveries.errors.emplace(api.lane(kSecretUrl).value, Error(Errc::kUnavailable, "disk"));
  EXPECT_EQ(api.refusal(api.range(0, 30)), message(503, "disk"));
  EXPECT_THAT(api.added(kUrl), IsEmpty());
  EXPECT_THAT(column(api.ok("GET", kReplay), "state"), ElementsAre("cancelled"));
}

TEST(Replay, LeavesOutLanesThatEndMeanwhile) {
  RangeApi api;
  api.deliveries.errors.emplace(api.lane(kUrl).value, Error(Errc::kNotFound, "no lane"));
  const auto id = api.id_of(api.post(api.range(0, 30)));
  EXPECT_EQ(api.state(id), "running");
  EXPECT_EQ(api.added(kSecretUrl).size(), 1U);
}

// What a crash between the record and the last segment leaves.
TEST(Replay, InterruptedOnesSaySo) {
  RangeApi api;
  ReplayRecords records(*api.store);
  ReplayRecord record;
  record.created = api.clock.now();
  const auto id = std::to_string(expect(records.add(record, {})).id);
  EXPECT_EQ(api.state(id), "preparing");
  const auto path = std::string(kReplay) + "/" + id;
  EXPECT_EQ(api.ask("POST", path + "/pause"), message(409, "the replay is preparing"));
  EXPECT_EQ(api.ask("POST", path + "/cancel"), message(200, "Replay has been cancelled"));
  EXPECT_EQ(api.state(id), "cancelled");
}

ReplayRecord full_record() {
  ReplayRecord out;
  out.id = 5;
  out.domain = "example.org";
  out.url = "https://a.example/\"x";
  out.lane = LaneId{7};
  out.begin = from_micros(1'773'219'603'000'001);
  out.end = from_micros(1'773'219'604'000'001);
  out.created = from_micros(1'773'219'605'000'001);
  out.lanes = 2;
  out.events = 3;
  out.bytes = 4;
  out.prepared = true;
  out.cancelled = true;
  return out;
}

TEST(ReplayRecords, ReadBackWhatIsWritten) {
  EXPECT_EQ(expect(decode_replay(encode_replay(full_record()))), full_record());
  auto missed = full_record();
  missed.lane.reset();
  missed.begin.reset();
  missed.end.reset();
  EXPECT_EQ(expect(decode_replay(encode_replay(missed))), missed);
  const auto text = encode_replay(full_record());
  for (size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(decode_replay(text.substr(0, size)));
  EXPECT_FALSE(decode_replay("{\"id\":1}"));
}

TEST(ReplayRecords, KeepTheirMaximum) {
  OwnApi api;
  constexpr size_t kMax = 20;
  ReplayRecords records(*api.store, kMax);
  ReplayRecord record;
  record.created = api.clock.now();
  const auto first = expect(records.add(record, {}));
  const auto second = expect(records.add(record, {}));
  EXPECT_LT(first.id, second.id);
  std::unordered_set<uint64_t> live = {first.id};
  for (size_t i = 2; i < kMax; ++i) live.insert(expect(records.add(record, {})).id);
  EXPECT_TRUE(records.add(record, live));  // in place of the second
  EXPECT_TRUE(records.find(first.id));
  EXPECT_EQ(records.find(second.id).error().code, Errc::kNotFound);
  const auto all = expect(records.all());
  EXPECT_EQ(all.size(), kMax);
  for (const auto& each : all) live.insert(each.id);
  EXPECT_EQ(records.add(record, live).error().code, Errc::kRateLimited);
}

}  // namespace
}  // namespace eventhorn::api::testing
