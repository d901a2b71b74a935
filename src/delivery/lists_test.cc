// Lists of endpoints and lanes, in pages (reliability L17).
#include "delivery/engine_test_support.h"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace eventhorn::delivery {
namespace {

constexpr size_t kUrls = 300;  // more than one step

class ListsTest : public EngineTest {
 protected:
  // Domains with three URLs each, all of which have something unsettled.
  void fill(Life& life) {
    sender_.hold(true);
    for (size_t i = 0; i < kUrls; i += 3) {
      const std::string domain = "d" + std::to_string(i) + ".example";
      life.set_hook(domain, Hook::kDelivered, {url(i), url(i + 1), url(i + 2)});
      life.append(domain, {"e"});
    }
    ASSERT_TRUE(life.until([&] { return all(life, {}).size() == kUrls; }));
  }

  static std::string url(size_t n) { return "http://u" + std::to_string(n) + "/"; }

  static std::vector<control::EndpointStatus> all(Life& life,
                                                  std::optional<control::EndpointState> state) {
    std::vector<control::EndpointStatus> out;
    for (std::optional<store::EndpointId> after;; after = out.back().id) {
      auto page = life.run(life.deliveries().endpoints(after, 70, state));
      EXPECT_LE(page.size(), 70U);
      if (page.empty()) return out;
      out.insert(out.end(), page.begin(), page.end());
    }
  }
};

TEST_F(ListsTest, EveryEndpointComesOnceInTheOrderOfIds) {
  auto life = start();
  fill(life);
  const auto listed = all(life, {});
  EXPECT_TRUE(
      std::ranges::is_sorted(listed, std::ranges::less_equal(), &control::EndpointStatus::id));
  std::set<std::string> urls;
  for (const auto& status : listed) urls.insert(status.url);
  EXPECT_EQ(urls.size(), kUrls);
  EXPECT_TRUE(life.run(life.deliveries().pause(url(7))));
  const auto paused = all(life, control::EndpointState::kPaused);
  ASSERT_EQ(paused.size(), 1U);
  EXPECT_EQ(paused.front().id, store::endpoint_id(url(7)));
  sender_.hold(false);
}

TEST_F(ListsTest, LanesAreGivenByIdAndByUrl) {
  auto life = start();
  fill(life);
  const auto lanes = life.domain("d0.example")->lanes;
  const auto by_id = life.run(life.deliveries().lanes({lanes[0].id, lanes[2].id, {999'999}}));
  EXPECT_EQ(by_id.size(), 2U);
  const auto by_url = life.run(life.deliveries().lanes_of(url(1)));
  ASSERT_EQ(by_url.size(), 1U);
  EXPECT_EQ(by_url.front().id, lanes[1].id);
  const auto statuses = life.run(life.deliveries().endpoints_of({url(5), "http://idle/"}));
  ASSERT_EQ(statuses.size(), 2U);
  EXPECT_EQ(statuses[0].lanes, 1U);
  EXPECT_EQ(statuses[1].url, "http://idle/");
  sender_.hold(false);
}

Task<bool> others_run_during(Engine& engine) {
  bool ran = false;
  asio::post(engine.executor(), [&] { ran = true; });
  const auto listed = co_await engine.operators().endpoints({}, kUrls, {});
  const bool during = ran;
  co_await yield_now();  // so that it has run in any case
  EXPECT_EQ(listed.size(), kUrls);
  co_return during;
}

// A list over very many never stops the core.
TEST_F(ListsTest, L17ACoreLooksAfterItsWorkBetweenSteps) {
  auto life = start();
  fill(life);
  EXPECT_TRUE(life.run(others_run_during(life.engine())));
  sender_.hold(false);
}

}  // namespace
}  // namespace eventhorn::delivery
