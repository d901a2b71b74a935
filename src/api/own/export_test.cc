#include "api/own/own_test_support.h"
#include "api/positions.h"
#include "http/gzip.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <stdexcept>

namespace eventhorn::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kExport = "/eventhorn/v1/example.org/export";

// The next piece of an export.
std::optional<std::string> next_of(TestApi& api, const http::Response& response) {
  return block_on(api.cores.at(0).get_executor(), response.stream());
}

std::string body_of(TestApi& api, const http::Response& response) {
  std::string out;
  while (const auto piece = next_of(api, response)) out += *piece;
  return out;
}

// The ids of the lines of an export, which must be there.
Texts ids_of(TestApi& api, const std::string& query) {
  const auto response = api.send("GET", kExport + query);
  CHECK(response.status == 200);
  CHECK(response.must_end);
  Texts out;
  const std::string body = body_of(api, response);
  for (size_t at = 0; at < body.size();) {
    const auto end = body.find('\n', at);
    CHECK(end != std::string::npos);
    out.push_back(text_at(parsed(body.substr(at, end - at)), "id"));
    at = end + 1;
  }
  return out;
}

// Commits so many events at once; gives their ids.
Texts add_many(OwnApi& api, const std::string& name, int count) {
  std::vector<store::NewEvent> events;
  Texts ids;
  for (int i = 0; i < count; ++i) {
    ids.push_back(name + std::to_string(i));
    store::NewEvent event;
    event.domain = api.uid();
    event.shard = shard_of("example.org");
    event.event.id = ids.back();
    event.event.name = i % 2 == 0 ? event::Name::kDelivered : event::Name::kStored;
    event.event.timestamp_us = to_micros(api.clock.now()) + 1;
    event.event.bytes = R"({"event":"delivered","id":")" + ids.back() + "\"}";
    events.push_back(std::move(event));
  }
  expect(block_on(api.cores.at(0).get_executor(), api.writers->appends.append(std::move(events))));
  return ids;
}

TEST(Export, HasAllEventsInTheOrderOfTheCommits) {
  OwnApi api;
  const auto all = add_many(api, "e", 2500);
  EXPECT_EQ(ids_of(api, ""), all);
  EXPECT_EQ(ids_of(api, "?resume_after=e2490"), Texts(all.end() - 9, all.end()));
  EXPECT_THAT(ids_of(api, "?resume_after=e2499"), IsEmpty());
}

TEST(Export, TakesARangeAndFilters) {
  OwnApi api;
  const auto begin = api.clock.now();
  for (const char* id : {"a", "b", "c", "d"}) {
    api.add(id, *id == 'c' ? event::Name::kOpened : event::Name::kDelivered);
    api.clock.advance(std::chrono::seconds(10));
  }
  const auto at = [&](int seconds) {
    return std::to_string(to_micros(begin) / 1'000'000 + seconds);
  };
  EXPECT_THAT(ids_of(api, "?begin=" + at(10) + "&end=" + at(30)), ElementsAre("b", "c"));
  EXPECT_THAT(ids_of(api, "?begin=" + at(10) + "&event=delivered"), ElementsAre("b", "d"));
  EXPECT_THAT(ids_of(api, "?event=opened&recipient=c%40example.com"), ElementsAre("c"));
}

// What comes meanwhile is after the position that the answer names.
TEST(Export, EndsWhereTheLogEndedWhenItBegan) {
  OwnApi api;
  const auto a = api.add("a");
  const auto response = api.send("GET", kExport);
  EXPECT_EQ(response.fields.get("X-Eventhorn-Position"),
            format_position({api.store->generation(), a}));
  api.add("b");
  const auto body = body_of(api, response);
  EXPECT_THAT(body, HasSubstr(R"("id":"a")"));
  EXPECT_EQ(body.find(R"("id":"b")"), std::string::npos);
}

TEST(Export, IsCompressedOnTheWayOrAsAFile) {
  OwnApi api;
  api.add("a");
  const std::string plain = body_of(api, api.send("GET", kExport));
  auto request = TestApi::request("GET", kExport);
  request.fields.add("Accept-Encoding", "gzip");
  const auto on_the_way = api.begin(std::move(request)).get();
  EXPECT_EQ(on_the_way.fields.get("Content-Encoding"), "gzip");
  EXPECT_EQ(on_the_way.fields.get("Content-Type"), "application/x-ndjson");
  const auto file = api.send("GET", kExport + "?compression=gzip");
  EXPECT_FALSE(file.fields.has("Content-Encoding"));
  EXPECT_EQ(file.fields.get("Content-Type"), "application/gzip");
  EXPECT_THAT(file.fields.get("Content-Disposition"), HasSubstr("example.org.ndjson.gz"));
  for (const auto* response : {&on_the_way, &file}) {
    http::GzipDecoder decoder(1 << 20);
    std::string out;
    EXPECT_TRUE(decoder.feed(body_of(api, *response), out));
    EXPECT_TRUE(decoder.finish());
    EXPECT_EQ(out, plain);
  }
  EXPECT_EQ(api.send("GET", kExport + "?compression=zstd").fields.get("Content-Type"),
            "application/zstd");
}

TEST(Export, RefusesWhatItDoesNotKnow) {
  OwnApi api;
  for (const auto& [query, text] : std::vector<std::pair<std::string, std::string>>{
           {"resume_after=none",
            "resume_after: no event of this domain has that id; it may have been dropped or erased "
            "since: begin the export anew"},
           {"resume_after=", "resume_after: must be the id of an event"},
           {"compression=br", "compression: must be gzip, zstd or none"},
           {"begin=1&begin=2", "begin: must be given once"},
           {"limit=3",
            "limit: is not known here: may be a filter or begin, end, resume_after, "
            "compression"}}) {
    EXPECT_EQ(api.ask("GET", kExport + "?" + query), message(400, text));
  }
  EXPECT_EQ(api.send("GET", kExport + "?begin=5&end=4").status, 400);
  EXPECT_EQ(api.ask("GET", "/eventhorn/v1/none.org/export"), message(404, "Domain not found"));
}

TEST(Export, GoesOnBehindWhatRetentionDrops) {
  OwnApi api;
  add_many(api, "old", 1500);
  const auto response = api.send("GET", kExport);
  ASSERT_TRUE(next_of(api, response));
  api.clock.advance(std::chrono::seconds(10));
  api.drop_older_events();
  while (const auto piece = next_of(api, response)) EXPECT_EQ(*piece, "");
}

// A body that ends early must not pass for whole.
TEST(Export, ThrowsWhenItCannotComeToItsEnd) {
  OwnApi api;
  api.add("a");
  const auto response = api.send("GET", kExport);
  EXPECT_EQ(api.send("DELETE", "/v3/domains/example.org").status, 200);
  EXPECT_THROW(next_of(api, response), std::runtime_error);
}

TEST(Export, AKeyHasEightAtOneTime) {
  OwnApi api;
  std::vector<http::Response> open;
  for (int i = 0; i < 8; ++i) open.push_back(api.send("GET", kExport));
  for (const auto& response : open) EXPECT_EQ(response.status, 200);
  EXPECT_EQ(api.send("GET", kExport).status, 429);
  open.pop_back();
  EXPECT_EQ(api.send("GET", kExport).status, 200);
}

}  // namespace
}  // namespace eventhorn::api::testing
