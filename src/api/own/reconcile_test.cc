// Reconcile and digest: what a client has against what there is.
#include "api/own/own_test_support.h"
#include "crypto/hash.h"

#include <fmt/format.h>

namespace eventhorn::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kReconcile = "/eventhorn/v1/example.org/reconcile";
const std::string kDigest = "/eventhorn/v1/example.org/digest";

struct Reconcile : OwnApi {
  http::Response post(const std::string& target, std::string body) {
    auto out = request("POST", target);
    out.body = std::move(body);
    return send(std::move(out));
  }

  std::string ok_post(const std::string& target, const std::string& body) {
    const auto response = post(target, body);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.body;
  }

  static Texts unknown(const std::string& body) {
    Texts out;
    const auto value = parsed(body);
    for (const auto& id : *value.find("unknown")->as_array()) out.push_back(*id.as_string());
    return out;
  }

  static std::string next(const std::string& body) {
    const std::string url = *parsed(body).find("paging")->find("next")->as_string();
    CHECK(url.starts_with(kBase));
    return url.substr(std::string(kBase).size());
  }
};

TEST(Reconcile, GivesWhatAClientLacksAndNamesWhatIsUnknown) {
  Reconcile api;
  for (const auto* id : {"a", "b", "c", "d"}) {
    api.add(id);
    api.clock.advance(std::chrono::seconds(10));
  }
  const auto body = api.ok_post(kReconcile, "b\r\n  d\n\nnever\nb\nz");
  EXPECT_THAT(column(body, "id"), ElementsAre("a", "c"));
  EXPECT_THAT(Reconcile::unknown(body), ElementsAre("never", "z"));
  const auto end = api.ok_post(Reconcile::next(body), "b\nd\nnever\nz");
  EXPECT_THAT(column(end, "id"), IsEmpty());
  EXPECT_THAT(Reconcile::unknown(end), IsEmpty()) << "on the first page only";
  EXPECT_THAT(column(api.ok_post(kReconcile, ""), "id"), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(column(api.ok_post(kReconcile, "a\nb\nc\nd"), "id"), IsEmpty());
}

TEST(Reconcile, WalksPageByPage) {
  Reconcile api;
  for (int i = 0; i < 20; ++i) api.add(fmt::format("e{:02}", i));
  Texts all;
  std::string body = api.ok_post(kReconcile + "?limit=3", "e05\ne06\ne19");
  for (int pages = 0; !column(body, "id").empty() && pages < 20; ++pages) {
    for (const auto& id : column(body, "id")) all.push_back(id);
    body = api.ok_post(Reconcile::next(body), "e05\ne06\ne19");
  }
  Texts want;
  for (int i = 0; i < 19; ++i)
    if (i != 5 && i != 6) want.push_back(fmt::format("e{:02}", i));
  EXPECT_EQ(all, want);
}

// An id outside of the range or the filter is neither lacked nor unknown.
TEST(Reconcile, KeepsToItsRangeAndFilters) {
  Reconcile api;
  api.add("early");
  api.clock.advance(std::chrono::seconds(60));
  const auto begin = to_micros(api.clock.now()) / 1'000'000;
  api.add("in");
  api.add("opened", event::Name::kOpened);
  api.clock.advance(std::chrono::seconds(60));
  const auto end = to_micros(api.clock.now()) / 1'000'000;
  api.add("late");
  const auto range = fmt::format("?begin={}&end={}", begin, end);
  auto body = api.ok_post(kReconcile + range, "early\nlate");
  EXPECT_THAT(column(body, "id"), ElementsAre("in", "opened"));
  EXPECT_THAT(Reconcile::unknown(body), IsEmpty());
  body = api.ok_post(kReconcile + range + "&event=opened", "in");
  EXPECT_THAT(column(body, "id"), ElementsAre("opened"));
  body = api.ok_post(kReconcile + range + "&recipient=in%40example.com", "");
  EXPECT_THAT(column(body, "id"), ElementsAre("in"));
  body = api.ok_post(kReconcile + range + "&recipient=in%40example.com", "in");
  EXPECT_THAT(column(body, "id"), IsEmpty());
}

TEST(Reconcile, RefusesWhatIsNoListOfIds) {
  Reconcile api;
  const auto refusal = [&](const std::string& target, const std::string& body) {
    const auto response = api.post(target, body);
    EXPECT_EQ(response.status, 400);
    return response.body;
  };
  EXPECT_THAT(refusal(kReconcile, "a\nb c\n"), HasSubstr("line 2 is no event id"));
  EXPECT_THAT(refusal(kReconcile, std::string(129, 'x')), HasSubstr("line 1 is no event id"));
  EXPECT_THAT(refusal(kReconcile + "?begin=7&end=5", ""), HasSubstr("Inconsistent range"));
  EXPECT_THAT(refusal(kReconcile + "?event=sent", ""), HasSubstr("event: "));
  EXPECT_THAT(refusal(kReconcile + "?page=x", ""), HasSubstr("Invalid page token"));
  std::string many;
  for (int i = 0; i <= 500'000; ++i) many += "a\n";
  EXPECT_THAT(refusal(kReconcile, many), HasSubstr("at most 500000 ids"));
  EXPECT_EQ(api.post("/eventhorn/v1/no.example/reconcile", "").status, 404);
}

TEST(Digest, HashesTheIdsOfEachMinute) {
  Reconcile api;
  api.add("b");
  api.add("a");
  api.clock.advance(std::chrono::seconds(60));
  api.add("c", event::Name::kOpened);
  const auto hash = [](std::string_view lines) {
    return to_hex(crypto::bytes_of(crypto::sha256(lines)));
  };
  const auto first =
      R"({"minute":"2026-03-11T09:00:00Z","count":2,"sha256":")" + hash("a\nb\n") + "\"}";
  const auto second =
      R"({"minute":"2026-03-11T09:01:00Z","count":1,"sha256":")" + hash("c\n") + "\"}";
  EXPECT_EQ(api.ok("GET", kDigest), R"({"items":[)" + first + "," + second + "]}\n");
  EXPECT_EQ(api.ok("GET", kDigest + "?event=opened"), R"({"items":[)" + second + "]}\n");
  EXPECT_EQ(api.ok("GET", kDigest + "?end=1773219660"), R"({"items":[)" + first + "]}\n");
  EXPECT_EQ(api.ok("GET", kDigest + "?end=1773219600"), std::string(R"({"items":[]})") + "\n");
  EXPECT_EQ(api.ask("GET", "/eventhorn/v1/no.example/digest"), message(404, "Domain not found"));
}

TEST(Digest, IsGivenUpAfterTheTimeOfAQuery) {
  TestOptions options;
  options.api.query_timeout = std::chrono::milliseconds(0);
  OwnApi api(options);
  api.add("a");
  const auto response = api.send(api.request("GET", kDigest));
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("narrow begin and end"));
}

}  // namespace
}  // namespace eventhorn::api::testing
