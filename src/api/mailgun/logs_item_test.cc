#include "api/mailgun/logs_item.h"

#include "base/time.h"
#include "json/cursor.h"

#include <gtest/gtest.h>

#include <string>

namespace eventhorn::api {
namespace {

constexpr char kNoFlags[] =
    R"("flags":{"is-authenticated":false,"is-system-test":false,"is-routed":false,)"
    R"("is-test-mode":false,"is-delayed-bounce":false,"is-callback":false})";

std::string item(const std::string& bytes) {
  event::Event event;
  event.timestamp_us = 1'773'222'319'330'555;
  event.bytes = bytes;
  std::string out;
  append_logs_item(out, event);
  json::Cursor check(out);
  check.skip();
  check.finish();
  EXPECT_FALSE(check.failed()) << out;
  return out;
}

TEST(LogsItem, HasADateInPlaceOfATimestamp) {
  EXPECT_EQ(item(R"({"id":"a","timestamp":1773222319.330555,"n":null,"flags":{}})"),
            R"({"id":"a","@timestamp":"2026-03-11T09:45:19.330Z","n":null,)" +
                std::string(kNoFlags) + "}");
}

TEST(LogsItem, KeepsTheVariablesAsText) {
  EXPECT_EQ(item(R"({"user-variables":{"a":"{\"b\": 1}"}})"),
            R"({"user-variables":"{\"a\":\"{\\\"b\\\": 1}\"}",)" + std::string(kNoFlags) + "}");
}

TEST(LogsItem, ListsTheUrlsOfStorage) {
  EXPECT_EQ(item(R"({"storage":{"key":"k","url":"http://s/1"}})"),
            R"({"storage":{"key":"k","url":["http://s/1"]},)" + std::string(kNoFlags) + "}");
  EXPECT_EQ(item(R"({"storage":{"url":["http://s/1"]}})"),
            R"({"storage":{"url":["http://s/1"]},)" + std::string(kNoFlags) + "}");
}

TEST(LogsItem, HasTheFirstRouteWithItsActionsAsText) {
  EXPECT_EQ(item(R"x({"routes":[{"id":"1","actions":["forward(\"a\")","stop()"]},{"id":"2"}]})x"),
            R"x({"routes":{"id":"1","actions":"forward(\"a\"), stop()"},)x" +
                std::string(kNoFlags) + "}");
  EXPECT_EQ(item(R"({"routes":[]})"), R"({"routes":{},)" + std::string(kNoFlags) + "}");
}

TEST(LogsItem, HasAParentAndEveryFlag) {
  EXPECT_EQ(item(R"({"account":{"id":"5f"}})"),
            R"({"account":{"id":"5f","parent-id":""},)" + std::string(kNoFlags) + "}");
  EXPECT_EQ(item(R"({"account":{"parent-id":"4e","id":"5f"}})"),
            R"({"account":{"parent-id":"4e","id":"5f"},)" + std::string(kNoFlags) + "}");
  EXPECT_EQ(item(R"({"flags":{"is-big":true,"is-routed":true,"is-callback":null}})"),
            R"({"flags":{"is-big":true,"is-routed":true,"is-authenticated":false,)"
            R"("is-system-test":false,"is-test-mode":false,"is-delayed-bounce":false,)"
            R"("is-callback":false}})");
}

// Producers may send anything there; ingest takes it.
TEST(LogsItem, LeavesWhatIsOfAnotherKind) {
  EXPECT_EQ(item(R"({"storage":null,"routes":"r","account":null,"x":{"a":[1]}})"),
            R"({"storage":null,"routes":"r","account":null,"x":{"a":[1]},)" +
                std::string(kNoFlags) + "}");
  EXPECT_EQ(item(R"({"flags":null,"n":1})"), "{" + std::string(kNoFlags) + R"(,"n":1})");
}

}  // namespace
}  // namespace eventhorn::api
