// What a change of the number of cores repeats: nothing after a clean stop, and after a kill what
// it would have been without the change.
#include "delivery/engine_test_support.h"

#include <algorithm>

namespace eventhorn::delivery {
namespace {

using store::SlotMark;
using store::SlotSet;

class CoresTest : public EngineTest {
 protected:
  static std::string url_of(uint32_t core, uint32_t cores) {
    for (int i = 0;; ++i) {
      const auto url = "http://host" + std::to_string(i) + "/";
      if (store::core_of(url, cores) == core) return url;
    }
  }

  Life start_on(uint32_t cores) {
    options_.cores = cores;
    return start();
  }

  std::vector<std::string> sorted(const std::string& url) {
    auto out = sender_.ids(url);
    std::ranges::sort(out);
    return out;
  }
};

TEST_F(CoresTest, AnotherNumberRepeatsNothingAfterACleanStop) {
  constexpr int kDomains = 12;
  std::vector<std::string> ids;
  for (const uint32_t cores : {2, 3, 1, 4, 2}) {
    auto life = start_on(cores);
    for (int i = 0; ids.empty() && i < kDomains; ++i) {
      life.set_hook("d" + std::to_string(i) + ".example", Hook::kDelivered,
                    {"http://host" + std::to_string(i) + "/"});
    }
    for (int n = 0; n < 5; ++n) {
      ids.push_back("e" + std::to_string(100 + ids.size()));
      for (int i = 0; i < kDomains; ++i)
        life.append("d" + std::to_string(i) + ".example", {ids.back()});
    }
    ASSERT_TRUE(sender_.wait_for(kDomains * ids.size()));
    life.stop();
    for (int i = 0; i < kDomains; ++i)
      EXPECT_EQ(sorted("http://host" + std::to_string(i) + "/"), ids) << cores << " cores";
  }
}

// A core that had much to do saved a moment ago, one that had nothing a second ago.
TEST_F(CoresTest, AnotherNumberRepeatsAfterAKillWhatEachSlotHadNotSaved) {
  const auto busy = url_of(0, 2);
  const auto idle = url_of(1, 2);
  Position before;
  Position head;
  {
    auto life = start_on(2);
    life.set_hook("a.example", Hook::kDelivered, {busy, idle});
    life.append("a.example", {"old"});
    before = life.store().head();
    life.append("a.example", range("e", 10));
    ASSERT_TRUE(sender_.wait_for(22));
    head = life.store().head();
    life.stop();
  }
  for (const uint32_t cores : {1, 3, 5, 70}) {
    const auto first = sender_.ids(idle).size();
    {
      // As a kill would have left them.
      SystemClock clock;
      store::RocksOptions rocks;
      rocks.directory = directory_;
      rocks.ballast_bytes = 0;
      const auto store = std::move(store::RocksStore::open(rocks, clock)).value();
      const std::vector<SlotMark> marks = {{SlotSet::of_core(0, 2), head},
                                           {SlotSet::of_core(1, 2), before}};
      ASSERT_TRUE(store->replace_marks(marks));
    }
    auto life = start_on(cores);
    ASSERT_TRUE(sender_.wait([&](const auto& sent, size_t) {
      return std::ranges::count_if(sent, [&](const auto& s) { return s.url == idle; }) ==
             static_cast<std::ptrdiff_t>(first + 10);
    }));
    life.stop();
    EXPECT_EQ(sender_.ids(busy).size(), 11U) << cores << " cores";
    EXPECT_EQ(sender_.ids(idle).size(), first + 10);
    EXPECT_EQ(std::ranges::count(sender_.ids(idle), "old"), 1) << "it lies before the mark";
  }
}

}  // namespace
}  // namespace eventhorn::delivery
