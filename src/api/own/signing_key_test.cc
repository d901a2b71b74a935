#include "api/api_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::api {
namespace {

using testing::kSigningKey;
using testing::message;
using testing::parsed;
using testing::TestApi;
using testing::text_at;

constexpr const char* kOurs = "/eventhorn/v1/signing-key";
constexpr const char* kMailguns = "/v5/accounts/http_signing_key";

std::string below(const char* step) {
  return std::string(kOurs) + "/" + step;
}

std::string id_of(const std::string& key) {
  return to_hex(crypto::bytes_of(crypto::sha256(key))).substr(0, 16);
}

TEST(SigningKeyRoutes, ShowTheKeysThatOperatorsCopy) {
  TestApi api;
  EXPECT_EQ(api.ask("GET", kOurs), "200 {\"current\":{\"id\":\"" + id_of(kSigningKey) +
                                       "\",\"key\":\"signing-key\",\"created_at\":null}}\n");
  const auto staged = parsed(api.send("POST", below("stage")).body);
  const std::string made = text_at(*staged.find("staged"), "key");
  EXPECT_EQ(text_at(*staged.find("staged"), "id"), id_of(made));
  EXPECT_EQ(text_at(*staged.find("staged"), "created_at"), "2026-03-11T09:00:03.000Z");
  EXPECT_EQ(text_at(*staged.find("current"), "key"), kSigningKey);
  EXPECT_EQ(api.ask("POST", below("promote")),
            "200 {\"current\":{\"id\":\"" + id_of(made) + "\",\"key\":\"" + made +
                "\",\"created_at\":\"2026-03-11T09:00:03.000Z\"},\"previous\":{\"id\":\"" +
                id_of(kSigningKey) + "\",\"created_at\":null,\"retires_at\":null}}\n");
  const auto retired = api.ask("POST", below("retire"));
  EXPECT_EQ(retired, api.ask("GET", kOurs));
  EXPECT_EQ(retired.find("previous"), std::string::npos);
}

TEST(SigningKeyRoutes, StepsOutOfTurn) {
  TestApi api;
  EXPECT_EQ(api.ask("POST", below("promote")), message(409, "there is no staged signing key"));
  EXPECT_EQ(api.ask("POST", below("retire")), message(409, "there is no previous signing key"));
  EXPECT_EQ(api.send("POST", below("stage")).status, 200);
  EXPECT_EQ(api.ask("POST", below("stage")), message(409, "there is a staged signing key already"));
}

TEST(SigningKeyRoutes, MailgunsRegenerateSwitchesAtOnce) {
  TestApi api;
  EXPECT_EQ(api.ask("GET", kMailguns),
            "200 {\"message\":\"success\",\"http_signing_key\":\"signing-key\"}\n");
  // As Mailgun's PHP SDK asks: a form without parts.
  const auto answer = api.send("POST", kMailguns, testing::Pairs());
  EXPECT_EQ(answer.status, 200);
  const auto made = text_at(parsed(answer.body), "http_signing_key");
  EXPECT_EQ(text_at(parsed(answer.body), "message"), "regenerated HTTP signing key for account");
  EXPECT_EQ(made.size(), 4U + 32U);
  EXPECT_EQ(text_at(parsed(api.send("GET", kMailguns).body), "http_signing_key"), made);
  const auto previous = parsed(api.send("GET", kOurs).body);
  EXPECT_EQ(text_at(*previous.find("previous"), "retires_at"), "2026-03-12T09:00:03.000Z");
  EXPECT_EQ(text_at(*previous.find("previous"), "key"), "");
  EXPECT_EQ(api.keys.signing_key()->sign({"data"}), crypto::hmac_sha256(made, "data"));
}

TEST(SigningKeyRoutes, NeedTheKeyAndTheRightMethod) {
  TestApi api;
  const std::vector<std::pair<std::string, std::string>> all = {{"GET", kOurs},
                                                                {"POST", below("stage")},
                                                                {"POST", below("promote")},
                                                                {"POST", below("retire")},
                                                                {"GET", kMailguns},
                                                                {"POST", kMailguns}};
  for (const auto& [method, target] : all) {
    auto request = TestApi::request(method, target);
    request.fields = {};
    const auto answer = api.send(request);
    EXPECT_EQ(answer.status, 401) << target;
    EXPECT_EQ(answer.body, "Forbidden") << target;
  }
  EXPECT_EQ(api.send("GET", below("stage")).status, 405);
  EXPECT_EQ(api.send("DELETE", kOurs).status, 405);
  EXPECT_EQ(api.keys.signing().states().staged, std::nullopt);
}

TEST(SigningKeyRoutes, ADiskThatRefusesIs503) {
  TestApi api;
  std::filesystem::create_directory(api.temp.path() / "signing_keys.part");
  const auto answer = api.send("POST", kMailguns);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(text_at(parsed(api.send("GET", kMailguns).body), "http_signing_key"), kSigningKey);
}

}  // namespace
}  // namespace eventhorn::api
