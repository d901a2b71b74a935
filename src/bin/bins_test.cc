#include "bin/bins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace eventhorn::bin {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;

class BinsTest : public testing::Test {
 protected:
  Bins make(Bins::Options options) {
    return Bins(
        clock_, [this](size_t n) { return std::string(n, static_cast<char>(++seed_)); }, options);
  }

  static Captured request(std::string body, std::string path = "/bin/x") {
    Captured captured;
    captured.method = "POST";
    captured.path = std::move(path);
    captured.body = std::move(body);
    return captured;
  }

  static std::vector<std::string> bodies(Bins& bins, const std::string& id) {
    std::vector<std::string> out;
    const auto listing = bins.list(id);
    if (!listing) return {"no such bin"};
    for (const auto& item : listing->items) out.push_back(item->body);
    return out;
  }

  FakeClock clock_;
  int seed_ = 0;
};

TEST_F(BinsTest, KeepsRequestsNewestLast) {
  Bins bins = make({});
  const std::string id = bins.create();
  EXPECT_EQ(id, "01010101010101010101010101010101");
  bins.capture(id, request("a"));
  bins.capture(id, request("b"));
  const auto listing = bins.list(id);
  ASSERT_TRUE(listing);
  EXPECT_EQ(listing->total, 2U);
  EXPECT_EQ(listing->items.at(0)->number, 1U);
  EXPECT_EQ(listing->items.at(1)->body, "b");
  EXPECT_FALSE(bins.list("01010101010101010101010101010102"));
  EXPECT_FALSE(bins.capture("", request("a")));
}

TEST_F(BinsTest, KeepsTheLastRequestsButCountsAll) {
  Bins bins = make({.max_requests = 2});
  const std::string id = bins.create();
  for (const char* body : {"a", "b", "c"}) bins.capture(id, request(body));
  EXPECT_THAT(bodies(bins, id), ElementsAre("b", "c"));
  EXPECT_EQ(bins.list(id)->total, 3U);
}

TEST_F(BinsTest, CutsBodiesBetweenCharacters) {
  Bins bins = make({.max_body_bytes = 4});
  const std::string id = bins.create();
  bins.capture(id, request("1234"));
  bins.capture(id, request("12345"));
  bins.capture(id, request("12\xe2\x82\xac"));
  bins.capture(id, request("\x80\x80\x80\x80\x80\x80"));
  EXPECT_THAT(bodies(bins, id), ElementsAre("1234", "1234", "12", "\x80"));
  EXPECT_FALSE(bins.list(id)->items.at(0)->truncated);
  EXPECT_TRUE(bins.list(id)->items.at(1)->truncated);
}

// Reliability A6: whatever is sent to however many bins, memory is bounded.
TEST_F(BinsTest, DropsTheOldestRequestOfAllOverTheTotal) {
  Bins bins = make({.max_body_bytes = 4096, .max_total_bytes = 10'000});
  const std::string first = bins.create();
  const std::string second = bins.create();
  bins.capture(first, request(std::string(4000, 'a')));
  bins.capture(second, request(std::string(4000, 'b')));
  bins.capture(second, request(std::string(4000, 'c')));
  EXPECT_THAT(bodies(bins, first), IsEmpty());
  EXPECT_EQ(bodies(bins, second).size(), 2U);
  EXPECT_EQ(bins.list(first)->total, 1U);
  // Fields and paths count as well.
  Captured long_path = request("", std::string(9000, 'p'));
  bins.capture(first, long_path);
  EXPECT_THAT(bodies(bins, second), IsEmpty());
}

TEST_F(BinsTest, ExpiresFromItsCreationOn) {
  Bins bins = make({});
  const std::string id = bins.create();
  clock_.advance(hours(48) - Micros(1));
  EXPECT_TRUE(bins.capture(id, request("a")));
  clock_.advance(Micros(1));
  EXPECT_FALSE(bins.capture(id, request("b")));
  EXPECT_FALSE(bins.list(id));
}

TEST_F(BinsTest, ANewBinReplacesTheOneIdleTheLongest) {
  Bins bins = make({.max_bins = 2});
  const std::string first = bins.create();
  clock_.advance(minutes(1));
  const std::string second = bins.create();
  clock_.advance(minutes(1));
  bins.capture(first, request("a"));
  const std::string third = bins.create();
  EXPECT_TRUE(bins.list(first));
  EXPECT_FALSE(bins.list(second));
  EXPECT_TRUE(bins.list(third));
}

TEST_F(BinsTest, ExpiredBinsMakeRoomBeforeLiveOnes) {
  Bins bins = make({.max_bins = 2});
  const std::string old = bins.create();
  clock_.advance(hours(47));
  const std::string live = bins.create();
  clock_.advance(minutes(30));
  bins.capture(old, request("a"));  // used last, but about to expire
  clock_.advance(hours(1));
  bins.create();
  EXPECT_FALSE(bins.list(old));
  EXPECT_TRUE(bins.list(live));
}

// Reliability A6, A10.
TEST_F(BinsTest, KeepsNeitherCookiesNorCredentials) {
  Bins bins = make({});
  const std::string id = bins.create();
  Captured captured = request("");
  captured.fields.add("cookie", "session=secret");
  captured.fields.add("Authorization", "Basic c2VjcmV0");
  captured.fields.add("Proxy-Authorization", "secret");
  captured.fields.add("Accept", "*/*");
  bins.capture(id, captured);
  using Pair = std::pair<std::string, std::string>;
  EXPECT_THAT(bins.list(id)->items.at(0)->fields.all(),
              ElementsAre(Pair("cookie", "***"), Pair("Authorization", "Basic ***"),
                          Pair("Proxy-Authorization", "***"), Pair("Accept", "*/*")));
}

TEST_F(BinsTest, CountsEachPathOfEachBin) {
  Bins bins = make({.max_requests = 1});
  const std::string id = bins.create();
  const std::string other = bins.create();
  EXPECT_EQ(bins.capture(id, request("", "/bin/x?status=503")), 1U);
  EXPECT_EQ(bins.capture(id, request("", "/bin/x")), 1U);
  EXPECT_EQ(bins.capture(id, request("", "/bin/x?status=503")), 2U);
  EXPECT_EQ(bins.capture(other, request("", "/bin/x?status=503")), 1U);
  // The paths asked last are remembered, the others begin anew.
  for (int i = 0; i < 63; ++i) bins.capture(id, request("", std::to_string(i)));
  EXPECT_EQ(bins.capture(id, request("", "/bin/x?status=503")), 3U);
  EXPECT_EQ(bins.capture(id, request("", "/bin/x")), 1U);
}

TEST_F(BinsTest, IsSafeToUseFromSeveralThreads) {
  Bins bins = make({.max_requests = 10, .max_total_bytes = 20'000});
  const std::vector<std::string> ids = {bins.create(), bins.create()};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&bins, id = ids[static_cast<size_t>(t % 2)]] {
      for (int i = 0; i < 200; ++i) {
        bins.capture(id, request(std::string(1000, 'x')));
        bins.list(id);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(bins.list(ids[0])->total, 400U);
  EXPECT_EQ(bins.list(ids[1])->total, 400U);
}

// What must not be kept goes, wherever in a request it is, and the rest stays in its order.
TEST_F(BinsTest, ForgetsRequestsThatMentionAText) {
  Bins bins = make({});
  const std::string id = bins.create();
  bins.restore({}, {}, [] {});
  bins.capture(id, request("a"));
  bins.capture(id, request("x secret x"));
  bins.capture(id, request("b", "/bin/x?secret"));
  auto with_field = request("c");
  with_field.fields.add("X-Field", "secret");
  bins.capture(id, with_field);
  bins.capture(id, request("d"));
  (void)bins.take_changes(SIZE_MAX);
  const auto secret = [](std::string_view text) {
    return text.find("secret") != std::string_view::npos;
  };
  EXPECT_EQ(bins.forget(secret), 3U);
  EXPECT_THAT(bodies(bins, id), ElementsAre("a", "d"));
  EXPECT_EQ(bins.list(id)->total, 5U);
  const auto changes = bins.take_changes(SIZE_MAX);
  EXPECT_EQ(changes.requests.size(), 3U) << "they are removed from the store";
  EXPECT_EQ(bins.forget(secret), 0U);
}

}  // namespace
}  // namespace eventhorn::bin
