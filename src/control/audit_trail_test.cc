#include "control/audit_trail.h"

#include "base/test_support.h"
#include "store/rocks_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::control {
namespace {

class AuditTrailTest : public ::testing::Test {
 protected:
  std::unique_ptr<AuditTrail> load() { return expect(AuditTrail::load(*store_)); }

  static AuditEntry entry(const std::string& path) {
    return {0, from_micros(5), "key", "192.0.2.1", "PUT", path};
  }

  static std::vector<std::string> paths(const std::vector<AuditEntry>& entries) {
    std::vector<std::string> out;
    for (const auto& one : entries) out.push_back(one.path);
    return out;
  }

  using Paths = std::vector<std::string>;
  TempDir dir_;
  FakeClock clock_;
  std::unique_ptr<store::Store> store_ = store::open_rocks(dir_, clock_);
};

TEST_F(AuditTrailTest, IsReadFromTheNewestOn) {
  const auto trail = load();
  for (const char* path : {"/1", "/2", "/3"}) ASSERT_TRUE(trail->add(entry(path)));
  EXPECT_EQ(paths(trail->read(0, 2)), (Paths{"/3", "/2"}));
  EXPECT_EQ(paths(trail->read(2, 2)), (Paths{"/1"}));
  EXPECT_EQ(paths(trail->read(1, 2)), Paths());
}

TEST_F(AuditTrailTest, OutlivesTheProcess) {
  ASSERT_TRUE(load()->add(entry("/1")));
  const auto trail = load();
  ASSERT_TRUE(trail->add(entry("/2")));
  const auto all = trail->read(0, 10);
  EXPECT_EQ(paths(all), (Paths{"/2", "/1"}));
  EXPECT_EQ(all[1].id, 1U);
  EXPECT_EQ(all[1].at, from_micros(5));
  EXPECT_EQ(all[1].key_id, "key");
  EXPECT_EQ(all[1].address, "192.0.2.1");
  EXPECT_EQ(all[1].method, "PUT");
}

TEST_F(AuditTrailTest, KeepsTheNewest) {
  const auto first = load();
  ASSERT_TRUE(first->add(entry("/first")));
  const auto kept = expect(store_->load_values("audit/")).at(0);
  store::ValueChanges many;
  for (size_t id = 2; id <= AuditTrail::kKeep; ++id) {
    const auto number = std::to_string(id);
    many.emplace_back("audit/" + std::string(20 - number.size(), '0') + number, kept.second);
  }
  ASSERT_TRUE(store_->save_values(many));
  const auto trail = load();
  ASSERT_TRUE(trail->add(entry("/last")));
  const auto all = trail->read(0, 2 * AuditTrail::kKeep);
  EXPECT_EQ(all.size(), AuditTrail::kKeep);
  EXPECT_EQ(all.back().id, 2U);
  EXPECT_EQ(expect(store_->load_values("audit/")).size(), AuditTrail::kKeep);
}

TEST_F(AuditTrailTest, ADamagedEntryCostsItself) {
  const auto trail = load();
  for (const char* path : {"/1", "/2"}) ASSERT_TRUE(trail->add(entry(path)));
  const auto kept = expect(store_->load_values("audit/"));
  ASSERT_TRUE(store_->save_value(kept[0].first, kept[0].second.substr(1)));
  EXPECT_EQ(paths(load()->read(0, 10)), Paths{"/2"});
}

}  // namespace
}  // namespace eventhorn::control
