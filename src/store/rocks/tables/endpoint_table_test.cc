#include "store/rocks/tables/endpoint_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

class EndpointTableTest : public TableTest {
 protected:
  std::vector<EndpointRow> all() {
    std::vector<EndpointRow> out;
    EXPECT_TRUE(table.scan([&](EndpointRow row) { out.push_back(std::move(row)); }));
    return out;
  }

  EndpointTable table{database};
};

TEST_F(EndpointTableTest, KeepsAllOfAnEndpoint) {
  EndpointRow row;
  row.url = "http://a/";
  row.state = EndpointRow::State::kGone;
  row.since = from_micros(kBaseUs);
  row.last_success = from_micros(kBaseUs - 1);
  row.last_failure = from_micros(kBaseUs + 1);
  row.failures = 3;
  row.probes = 4;
  row.healthy_peak = 5;
  row.reason = "410";
  write([&](auto& batch) { table.put(row, batch); });
  EXPECT_TRUE(raw(Family::kMeta).contains("ehttp://a/"));
  EXPECT_EQ(all(), std::vector{row});
  write([&](auto& batch) { table.remove("http://a/", batch); });
  EXPECT_TRUE(all().empty());
}

TEST_F(EndpointTableTest, ScansEndpointsAndNothingElse) {
  EndpointRow row;
  for (const auto* url : {"http://b/", "http://a/"}) {
    row.url = url;
    write([&](auto& batch) { table.put(row, batch); });
  }
  put(Family::kMeta, "dz", "other");
  put(Family::kMeta, "f", "other");
  const auto got = all();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0].url, "http://a/");
}

}  // namespace
}  // namespace eventhorn::store
