#include "store/endpoint_id.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

// printf 'https://example.com/hook' | sha256sum
TEST(EndpointId, IsTheBeginningOfTheSha256) {
  EXPECT_EQ(to_text(endpoint_id("https://example.com/hook")), "19f1352238b91533");
}

TEST(EndpointId, IsReadAsItIsWritten) {
  const auto id = endpoint_id("http://one/");
  EXPECT_EQ(parse_endpoint_id(to_text(id)), id);
  EXPECT_EQ(to_text(EndpointId{7}), "0000000000000007");
  EXPECT_EQ(parse_endpoint_id("19F1352238B91533"), endpoint_id("https://example.com/hook"));
  for (const char* bad : {"", "7", "19f1352238b9153", "19f1352238b915330", "19f1352238b9153g",
                          "+9f1352238b91533", "0x1f1352238b9153"}) {
    EXPECT_EQ(parse_endpoint_id(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace eventhorn::store
