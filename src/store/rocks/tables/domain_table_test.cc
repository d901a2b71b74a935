#include "store/rocks/tables/domain_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

class DomainTableTest : public TableTest {
 protected:
  static Domain domain(const std::string& name, uint64_t uid) {
    Domain out;
    out.uid = {uid};
    out.name = name;
    out.id = "0123456789abcdef01234567";
    out.created_at = from_micros(kBaseUs);
    return out;
  }

  std::vector<DomainPtr> all() {
    std::vector<DomainPtr> out;
    EXPECT_TRUE(table.scan([&](DomainPtr domain) { out.push_back(std::move(domain)); }));
    return out;
  }

  DomainTable table{database};
};

TEST_F(DomainTableTest, KeepsAllOfADomain) {
  auto a = domain("a.test", 64);
  set_hook_urls(a, webhook::Hook::kClicked, {"http://a/", "http://b/"}, {32});
  a.retry_schedule = {std::chrono::milliseconds(1), std::chrono::milliseconds(2)};
  write([&](auto& batch) { table.put("a.test", a, batch); });
  EXPECT_TRUE(raw(Family::kMeta).contains("da.test"));
  const auto got = all();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0]->uid, a.uid);
  EXPECT_EQ(got[0]->name, a.name);
  EXPECT_EQ(got[0]->id, a.id);
  EXPECT_EQ(got[0]->created_at, a.created_at);
  EXPECT_EQ(got[0]->retry_schedule, a.retry_schedule);
  EXPECT_EQ(got[0]->urls(webhook::Hook::kClicked), a.urls(webhook::Hook::kClicked));
}

TEST_F(DomainTableTest, ScansDomainsAndNothingElse) {
  write([&](auto& batch) {
    table.put("a.test", domain("a.test", 64), batch);
    table.put("b.test", domain("b.test", 96), batch);
    table.remove("c.test", batch);
  });
  put(Family::kMeta,
      "e"
      "http://a/",
      "other");
  put(Family::kMeta, "c", "other");
  EXPECT_EQ(all().size(), 2U);
  write([&](auto& batch) { table.remove("a.test", batch); });
  ASSERT_EQ(all().size(), 1U);
  EXPECT_EQ(all()[0]->name, "b.test");
  put(Family::kMeta, "dz", "damaged");
  EXPECT_FALSE(table.scan([](const DomainPtr&) {}));
}

}  // namespace
}  // namespace eventhorn::store
