#include "http/message.h"

#include "http/response_head.h"
#include "json/bytes.h"

#include <gtest/gtest.h>

namespace eventhorn::http {
namespace {

TEST(Fields, CompareNamesWithoutCase) {
  Fields fields;
  fields.add("X-Tag", "a");
  fields.add("x-tag", "b");
  EXPECT_EQ(fields.get("X-TAG"), "a");
  EXPECT_EQ(fields.count("x-TAG"), 2U);
  EXPECT_FALSE(fields.has("X-Other"));
  EXPECT_EQ(fields.get("X-Other"), "");
  fields.set("X-TAG", "c");
  EXPECT_EQ(fields.count("x-tag"), 1U);
  EXPECT_EQ(fields.get("x-tag"), "c");
}

TEST(MessageResponse, IsJsonWhateverTheTextIs) {
  EXPECT_EQ(message_response(400, "a \"b\" \\ \n").body,
            "{\"message\":\"a \\\"b\\\" \\\\ \\n\"}\n");
  EXPECT_EQ(message_response(400, "m\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80").body,
            "{\"message\":\"m\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80\"}\n");
  // Not UTF-8: a lone tail, an overlong form, a surrogate, beyond U+10FFFF, cut short.
  for (const std::string_view bad :
       {"\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    const auto body = message_response(400, bad).body;
    EXPECT_NE(body.find("\xef\xbf\xbd"), std::string::npos);
    EXPECT_TRUE(json::valid_utf8(body));
  }
}

TEST(JsonResponse, HasMailgunsType) {
  const auto response = json_response(201, "{}");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.body, "{}\n");
  EXPECT_EQ(response.fields.get("Content-Type"), "application/json; charset=utf-8");
  EXPECT_EQ(response.fields.get("Cache-Control"), "no-store");
}

TEST(ResponseHead, AddsWhatEveryResponseGets) {
  Response response;
  response.body = "hello";
  std::string out;
  append_response_head(out, response, true, "NOW");
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nDate: NOW\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "X-Content-Type-Options: nosniff\r\nContent-Length: 5\r\n\r\n");
}

TEST(ResponseHead, KeepsTheServersFieldsToTheServer) {
  Response response = text_response(204, "");
  response.fields.add("content-length", "99");
  response.fields.add("Transfer-Encoding", "chunked");
  response.fields.add("connection", "keep-alive");
  response.fields.add("date", "yesterday");
  response.fields.add("x-content-type-options", "nosniff");
  std::string out;
  append_response_head(out, response, false, "NOW");
  EXPECT_EQ(out,
            "HTTP/1.1 204 No Content\r\nDate: NOW\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "x-content-type-options: nosniff\r\nConnection: close\r\n\r\n");
}

TEST(ResponseHead, NoValueStartsAFieldOfItsOwn) {
  Response response = text_response(200, "");
  response.fields.add("X-Tag", "a\r\nSet-Cookie: b\n");
  std::string out;
  append_response_head(out, response, true, "NOW");
  EXPECT_NE(out.find("X-Tag: a  Set-Cookie: b \r\n"), std::string::npos);
}

}  // namespace
}  // namespace eventhorn::http
