#include "store/directory.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace eventhorn::store {
namespace {

DomainPtr make_domain(const std::string& name, uint64_t uid) {
  auto d = std::make_shared<Domain>();
  d->uid = {uid};
  d->name = name;
  return d;
}

// What a failed commit left in the store after all (feed.cc).
TEST(Directory, ReplacingAllTellsWhatDiffered) {
  Directory directory;
  auto slower = std::make_shared<Domain>(*make_domain("slower.test", 2));
  slower->retry_schedule = {std::chrono::hours(1)};
  auto hooked = std::make_shared<Domain>(*make_domain("hooked.test", 3));
  set_hook_urls(*hooked, webhook::Hook::kOpened, {"http://a/"}, {40});
  EXPECT_EQ(directory
                .replace_all({make_domain("same.test", 1), make_domain("slower.test", 2),
                              make_domain("hooked.test", 3), make_domain("gone.test", 4),
                              make_domain("again.test", 5)},
                             {10})
                .size(),
            5U);
  const auto changes =
      directory.replace_all({make_domain("same.test", 1), slower, hooked,
                             make_domain("again.test", 6), make_domain("new.test", 7)},
                            {50});
  std::vector<std::string> names;
  for (const auto& c : changes) {
    EXPECT_EQ(c.at, Position{50});
    names.push_back(c.after ? c.after->name : c.before->name);
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"again.test", "gone.test", "hooked.test", "new.test",
                                             "slower.test"}));
  EXPECT_EQ(directory.find("slower.test"), slower);
  EXPECT_EQ(directory.find("gone.test"), nullptr);
  EXPECT_FALSE(directory.has({5}));
  EXPECT_TRUE(directory.has({6}));
}

DomainPtr with_urls(const std::string& name, uint64_t uid, const std::vector<std::string>& urls) {
  auto d = std::make_shared<Domain>(*make_domain(name, uid));
  set_hook_urls(*d, webhook::Hook::kOpened, urls, {uid * 100});
  return d;
}

std::vector<std::string> names(const std::vector<DomainPtr>& domains) {
  std::vector<std::string> out;
  for (const auto& d : domains) out.push_back(d->name);
  return out;
}

TEST(Directory, PagesByNameInWhateverOrderTheyCame) {
  Directory directory;
  for (const char* name : {"c.test", "a.test", "d.test", "b.test"})
    directory.apply(name, {{1}, nullptr, make_domain(name, static_cast<uint64_t>(name[0]))});
  directory.apply("d.test", {{2}, directory.find("d.test"), nullptr});
  EXPECT_EQ(names(directory.all()), (std::vector<std::string>{"a.test", "b.test", "c.test"}));
  EXPECT_EQ(names(directory.page(1, 1)), std::vector<std::string>{"b.test"});
  EXPECT_EQ(names(directory.page(2, 9)), std::vector<std::string>{"c.test"});
  EXPECT_TRUE(directory.page(3, 9).empty());
  EXPECT_EQ(directory.size(), 3U);
}

// Whatever an edit takes away or leaves, what is looked up is as of the last one.
TEST(Directory, LanesAndEndpointsFollowTheEdits) {
  Directory directory;
  const auto a = with_urls("a.test", 1, {"http://one/", "http://two/"});
  const auto b = with_urls("b.test", 2, {"http://one/"});
  directory.apply("a.test", {{1}, nullptr, a});
  directory.apply("b.test", {{2}, nullptr, b});
  const auto one = endpoint_id("http://one/");
  const auto two = endpoint_id("http://two/");
  EXPECT_EQ(directory.url_of(one), "http://one/");
  EXPECT_EQ(directory.endpoints(std::nullopt, 9).size(), 2U);
  EXPECT_EQ(directory.endpoints(std::min(one, two), 9).size(), 1U);
  EXPECT_EQ(directory.endpoints(std::max(one, two), 9).size(), 0U);
  EXPECT_EQ(directory.lanes({}, 9).size(), 3U);
  EXPECT_EQ(directory.lanes({}, 9, "http://one/").size(), 2U);
  EXPECT_EQ(directory.lanes(a->lanes[0].id, 1).front().first, a->lanes[1].id);
  EXPECT_EQ(directory.find(b->lanes[0].id), b);
  const auto less = std::make_shared<Domain>(*a);
  set_hook_urls(*less, webhook::Hook::kOpened, {"http://two/"}, {500});
  directory.apply("a.test", {{3}, a, less});
  EXPECT_EQ(directory.find(a->lanes[0].id), nullptr);
  EXPECT_EQ(directory.find(a->lanes[1].id), less);
  EXPECT_EQ(directory.url_of(one), "http://one/") << "b still names it";
  directory.apply("b.test", {{4}, b, nullptr});
  EXPECT_EQ(directory.url_of(one), std::nullopt);
  EXPECT_EQ(directory.find(DomainUid{2}), nullptr);
  EXPECT_EQ(directory.lanes({}, 9).size(), 1U);
}

}  // namespace
}  // namespace eventhorn::store
