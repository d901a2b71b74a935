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

// What a failed commit left in the store after all (commit_queue.cc).
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

}  // namespace
}  // namespace eventhorn::store
