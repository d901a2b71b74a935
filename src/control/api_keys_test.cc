#include "control/api_keys.h"

#include "base/test_support.h"
#include "store/rocks_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::control {
namespace {

using http::Role;
using std::chrono::seconds;

class ApiKeysTest : public ::testing::Test {
 protected:
  std::unique_ptr<ApiKeys> load() { return expect(ApiKeys::load(installation_, *store_, clock_)); }

  static ApiKey key(Role role, const std::string& domain = "") {
    ApiKey out;
    out.role = role;
    out.domain = domain;
    out.kind = domain.empty() ? "user" : "domain";
    out.description = "for tests";
    return out;
  }

  TempDir dir_;
  TempDir keys_dir_;
  FakeClock clock_;
  std::unique_ptr<store::Store> store_ = store::open_rocks(dir_, clock_);
  Keys installation_ = expect(Keys::load(keys_dir_.path(), "the-installation's-key", "", clock_));
};

TEST_F(ApiKeysTest, AreFoundByTheirSecretAlone) {
  const auto keys = load();
  const auto made = expect(keys->make(key(Role::kIngest, "a.example")));
  EXPECT_EQ(made.secret.size(), 50U);
  EXPECT_EQ(made.secret.substr(33), made.key.id);
  const auto caller = keys->find(made.secret);
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->key_id, made.key.id);
  EXPECT_EQ(caller->role, Role::kIngest);
  EXPECT_EQ(caller->domain, "a.example");
  EXPECT_EQ(caller->account, installation_.account_id());
  EXPECT_TRUE(keys->holds(*caller));
  EXPECT_FALSE(keys->find(made.key.id));
  EXPECT_FALSE(keys->find(made.secret + "0"));
  EXPECT_FALSE(keys->find(""));
  EXPECT_EQ(keys->find("the-installation's-key")->role, Role::kAdmin);
}

TEST_F(ApiKeysTest, ComeBackAfterARestart) {
  auto made = expect(load()->make(key(Role::kBasic)));
  const auto keys = load();
  const auto caller = keys->find(made.secret);
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->role, Role::kBasic);
  const auto all = keys->list();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].description, "for tests");
  EXPECT_EQ(all[0].created, made.key.created);
}

TEST_F(ApiKeysTest, TheStoreDoesNotHaveTheSecret) {
  const auto made = expect(load()->make(key(Role::kBasic)));
  for (const auto& [name, value] : expect(store_->load_values(""))) {
    EXPECT_EQ(name.find(made.secret.substr(0, 32)), std::string::npos);
    EXPECT_EQ(value.find(made.secret.substr(0, 32)), std::string::npos);
  }
}

TEST_F(ApiKeysTest, ARemovedOneIsGoneAtOnceAndForGood) {
  auto keys = load();
  const auto made = expect(keys->make(key(Role::kAdmin)));
  const auto caller = keys->find(made.secret);
  ASSERT_TRUE(keys->remove(made.key.id));
  EXPECT_FALSE(keys->find(made.secret));
  EXPECT_FALSE(keys->holds(*caller)) << "who holds a stream is to be told";
  EXPECT_EQ(keys->remove(made.key.id).error().message, "no key matching id");
  keys = load();
  EXPECT_FALSE(keys->find(made.secret));
}

TEST_F(ApiKeysTest, ExpireByTheClock) {
  const auto keys = load();
  auto wanted = key(Role::kAdmin);
  wanted.expires = clock_.now() + seconds(10);
  const auto made = expect(keys->make(wanted));
  const auto caller = keys->find(made.secret);
  EXPECT_TRUE(caller);
  clock_.advance(seconds(10));
  EXPECT_FALSE(keys->find(made.secret));
  EXPECT_FALSE(keys->holds(*caller));
  EXPECT_EQ(keys->list().size(), 1U) << "it is still told of";
}

TEST_F(ApiKeysTest, TellWhenTheyWereUsed) {
  const auto keys = load();
  const auto made = expect(keys->make(key(Role::kAdmin)));
  EXPECT_EQ(keys->list()[0].used, std::nullopt);
  clock_.advance(seconds(5));
  keys->find(made.secret);
  EXPECT_EQ(keys->list()[0].used, clock_.now());
}

TEST_F(ApiKeysTest, ADamagedRowIsToldAndNotPassedOver) {
  ASSERT_TRUE(load()->make(key(Role::kAdmin)));
  const auto kept = expect(store_->load_values("apikey/")).at(0);
  for (size_t n = 0; n < kept.second.size(); ++n) {
    ASSERT_TRUE(store_->save_value(kept.first, kept.second.substr(0, n)));
    const auto loaded = ApiKeys::load(installation_, *store_, clock_);
    ASSERT_FALSE(loaded) << n;
    EXPECT_EQ(loaded.error().code, Errc::kCorruption);
  }
}

TEST_F(ApiKeysTest, ThereIsALimit) {
  const auto keys = load();
  for (size_t n = 0; n < ApiKeys::kMaxKeys; ++n) ASSERT_TRUE(keys->make(key(Role::kBin)));
  const auto refused = keys->make(key(Role::kBin));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "could not create key, account limit reached");
}

TEST(Roles, AreNamedAsInTheApi) {
  for (const auto role :
       {Role::kAdmin, Role::kDeveloper, Role::kBasic, Role::kSending, Role::kIngest, Role::kBin})
    EXPECT_EQ(parse_role(to_string(role)), role);
  EXPECT_EQ(parse_role("root"), std::nullopt);
  EXPECT_EQ(parse_role(""), std::nullopt);
}

}  // namespace
}  // namespace eventhorn::control
