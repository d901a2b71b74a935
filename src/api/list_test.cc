#include "api/list.h"

#include <gtest/gtest.h>

namespace eventhorn::api {
namespace {

http::Request request(std::string query) {
  http::Request out;
  out.base = "http://127.0.0.1:8480";
  out.path = "/eventhorn/v1/lanes";
  out.query = std::move(query);
  return out;
}

TEST(List, IsAnObjectOfItems) {
  EXPECT_EQ(List().finish(), R"({"items":[]})");
  List list;
  list.items().value("a").begin_object().end_object();
  EXPECT_EQ(list.finish("http://next/"), R"({"items":["a",{}],"paging":{"next":"http://next/"}})");
}

TEST(List, QueryHasALimitAndAPage) {
  const auto usual = read_list_query(request("url=x"));
  EXPECT_EQ(usual->limit, 100U);
  EXPECT_EQ(usual->page, "");
  EXPECT_EQ(usual->query.first("url"), "x");
  const auto given = read_list_query(request("limit=300&page=7-8"));
  EXPECT_EQ(given->limit, 300U);
  EXPECT_EQ(given->page, "7-8");
  EXPECT_EQ(read_list_query(request("limit=301")).error().message,
            "limit: must be a number from 1 to 300");
  EXPECT_EQ(read_list_query(request("page=" + std::string(257, '1'))).error().message,
            "page: is not of a list");
}

TEST(List, NextUrlIsThisOneWithAnotherPage) {
  const std::string url = "http://127.0.0.1:8480/eventhorn/v1/lanes";
  EXPECT_EQ(next_url(request(""), ""), url);
  EXPECT_EQ(next_url(request(""), "7"), url + "?page=7");
  EXPECT_EQ(next_url(request("limit=2&page=6&&url=a%20b"), "7"), url + "?limit=2&url=a%20b&page=7");
}

TEST(List, PlacesAreNumbers) {
  EXPECT_EQ(format_place({7}), "7");
  EXPECT_EQ(format_place({7, UINT64_MAX}), "7-18446744073709551615");
  EXPECT_EQ(parse_place("7", 1), std::vector<uint64_t>{7});
  EXPECT_EQ(parse_place("7-18446744073709551615", 2), (std::vector<uint64_t>{7, UINT64_MAX}));
  for (const auto* bad : {"", "7", "7-", "-7", "7-8-9", "7-x", "7 8"}) {
    const auto place = parse_place(bad, 2);
    ASSERT_FALSE(place) << bad;
    EXPECT_EQ(place.error().message, "page: is not of this list");
  }
}

}  // namespace
}  // namespace eventhorn::api
