#include "control/endpoint_settings.h"

#include "store/rocks_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::control {
namespace {

using std::chrono::milliseconds;

store::EndpointSettings full() {
  store::EndpointSettings s;
  s.rate_limit = 2.5;
  s.max_concurrency = 7;
  s.retry_schedule = {milliseconds(1500), milliseconds(60'000)};
  s.headers = {{"X-Team", "a b"}, {"Authorization", "Bearer t"}};
  s.standard_webhooks = true;
  s.secrets = {{"s2", "whsec_bmV3", from_micros(5)}, {"s1", "whsec_b2xk", from_micros(3)}};
  s.client_certificate = std::string("certi\0ficate", 12);
  s.client_key = "key";
  return s;
}

TEST(EndpointSettings, ComeBackAsTheyWere) {
  store::EndpointSettings never;
  never.retry_schedule.emplace();
  for (const auto& s : {store::EndpointSettings{}, never, full()}) {
    const auto back = decode_endpoint_settings(encode_endpoint_settings(s));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, s);
  }
}

TEST(EndpointSettings, AnythingElseIsDamage) {
  const std::string good = encode_endpoint_settings(full());
  for (size_t n = 0; n < good.size(); ++n)
    EXPECT_EQ(decode_endpoint_settings(good.substr(0, n)).error().code, Errc::kCorruption) << n;
  EXPECT_EQ(decode_endpoint_settings(good + "x").error().code, Errc::kCorruption);
  std::string newer = good;
  newer[0] = 99;
  const auto refused = decode_endpoint_settings(newer);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("newer version"), std::string::npos);
}

TEST(EndpointSettings, AreLoadedByTheirUrls) {
  const TempDir dir;
  const FakeClock clock;
  const auto store = store::open_rocks(dir, clock);
  ASSERT_TRUE(store->save_value("endpointless", "not settings"));
  ASSERT_TRUE(store->save_value(endpoint_settings_key("http://a/"), encode_endpoint_settings({})));
  ASSERT_TRUE(
      store->save_value(endpoint_settings_key("http://b/"), encode_endpoint_settings(full())));
  const auto all = load_endpoint_settings(*store);
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->size(), 2U);
  EXPECT_EQ(all->at("http://a/"), store::EndpointSettings{});
  EXPECT_EQ(all->at("http://b/"), full());
  ASSERT_TRUE(store->save_value(endpoint_settings_key("http://c/"), "rubbish"));
  EXPECT_EQ(load_endpoint_settings(*store).error().code, Errc::kCorruption);
}

}  // namespace
}  // namespace eventhorn::control
