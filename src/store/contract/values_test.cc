// Values by key.
#include "store/contract/contract_test_support.h"

#include <gtest/gtest.h>

#include <string>

namespace eventhorn::store {
namespace {

TEST_P(StoreContract, ValuesAreReplaced) {
  EXPECT_EQ(*store().load_value("key"), std::nullopt);
  ASSERT_TRUE(store().save_value("key", "one"));
  ASSERT_TRUE(store().save_value("key", std::string("t\0wo", 4)));
  ASSERT_TRUE(store().save_value("key2", ""));
  engine_->reopen();
  EXPECT_EQ(**store().load_value("key"), std::string("t\0wo", 4));
  EXPECT_EQ(**store().load_value("key2"), "");
  EXPECT_EQ(*store().load_value("ke"), std::nullopt);
}

TEST_P(StoreContract, ValuesAreRemovedAndListed) {
  const auto keys = [&](const std::string& prefix) {
    Ids out;
    const auto values = store().load_values(prefix);
    EXPECT_TRUE(values);
    for (const auto& [key, value] : *values) out.push_back(key + "=" + value);
    return out;
  };
  EXPECT_EQ(keys(""), Ids{});
  ASSERT_TRUE(store().save_value("b/2", "two"));
  ASSERT_TRUE(store().save_value("b/1", "one"));
  ASSERT_TRUE(store().save_value("b", "bare"));
  ASSERT_TRUE(store().save_value("c", ""));
  EXPECT_EQ(keys(""), (Ids{"b=bare", "b/1=one", "b/2=two", "c="}));
  EXPECT_EQ(keys("b/"), (Ids{"b/1=one", "b/2=two"}));
  EXPECT_EQ(keys("bb"), Ids{});
  ASSERT_TRUE(store().remove_value("b/1"));
  ASSERT_TRUE(store().remove_value("b/1")) << "none is no error";
  engine_->reopen();
  EXPECT_EQ(keys("b"), (Ids{"b=bare", "b/2=two"}));
  EXPECT_EQ(*store().load_value("b/1"), std::nullopt);
}

TEST_P(StoreContract, ValuesThatAreSavedTogetherAreDurableWithTheNextSync) {
  const auto keys = [&] {
    Ids out;
    const auto values = store().load_values("");
    for (const auto& [key, value] : *values) out.push_back(key);
    return out;
  };
  ASSERT_TRUE(store().save_value("a", "1"));
  ASSERT_TRUE(store().save_values({{"a", std::nullopt}, {"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(keys(), (Ids{"b", "c"}));
  engine_->cut_power();
  EXPECT_EQ(keys(), Ids{"a"});
  ASSERT_TRUE(store().save_values({{"a", std::nullopt}, {"b", "2"}, {"c", "3"}}));
  ASSERT_TRUE(store().save_value("d", "4"));
  engine_->cut_power();
  EXPECT_EQ(keys(), (Ids{"b", "c", "d"}));
}

}  // namespace
}  // namespace eventhorn::store
