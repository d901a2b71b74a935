#include "api/mailgun/webhooks_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eventhorn::api::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kAudit = "/eventhorn/v1/audit";

TEST(Audit, TellsWhoChangedWhatAndFromWhere) {
  WithDomain api;
  const Pairs form = {{"id", "opened"}, {"url", "https://u:p@a.example/"}};
  ASSERT_EQ(api.send("POST", kHooks, form).status, 200);
  const auto newest = api.send("GET", std::string(kAudit) + "?limit=1").body;
  EXPECT_THAT(newest, HasSubstr(R"("at":"2026-03-11T09:00:03.000Z","key_id":"01234567-89abcdef",)"
                                R"("address":"192.0.2.1","method":"POST",)"
                                R"("path":"/v3/domains/example.org/webhooks")"));
  EXPECT_THAT(newest, HasSubstr("/eventhorn/v1/audit?limit=1&page="));
  EXPECT_THAT(newest, Not(HasSubstr("u:p"))) << "nothing that was given";
}

TEST(Audit, WhatChangesNothingIsNotInIt) {
  WithDomain api;
  const auto before = api.audit->read(0, 100).size();
  api.ask("GET", kHooks);
  api.ask("PUT", std::string(kHooks) + "/opened", Pairs{{"url", "https://a.example/"}});
  api.ask("POST", "/eventhorn/v1/example.org/reconcile?begin=0&end=1");
  auto item = TestApi::request("POST", "/v3/example.org/events");
  item.fields.add("Content-Type", "application/json");
  item.body = R"({"event":"opened"})";
  EXPECT_EQ(api.send(std::move(item)).status, 200);
  EXPECT_EQ(api.audit->read(0, 100).size(), before);
}

TEST(Audit, GoesOnByPages) {
  WithDomain api;
  api.ask("POST", kHooks, Pairs{{"id", "opened"}, {"url", "https://a.example/"}});
  api.ask("DELETE", std::string(kHooks) + "/opened");
  const auto entries = api.audit->read(0, 2);
  ASSERT_EQ(entries.size(), 2U);
  const auto path = std::string(kAudit) + "?limit=1&page=" + std::to_string(entries[0].id);
  EXPECT_THAT(api.ask("GET", path), HasSubstr("\"id\":" + std::to_string(entries[1].id) + ","));
  EXPECT_EQ(api.ask("GET", std::string(kAudit) + "?page=x").substr(0, 3), "400");
}

}  // namespace
}  // namespace eventhorn::api::testing
