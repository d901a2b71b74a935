#include "store/slots.h"

#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace eventhorn::store {
namespace {

std::string url(int i) {
  return "http://host" + std::to_string(i) + "/";
}

// A URL that the core of so many has.
std::string url_of(uint32_t core, uint32_t cores) {
  for (int i = 0;; ++i) {
    if (core_of(url(i), cores) == core) return url(i);
  }
}

// On disk: a URL has the same slot for ever.
TEST(Slots, TheSlotOfAUrlNeverChanges) {
  EXPECT_EQ(kSlots, 64U);
  EXPECT_EQ(slot_of("http://one/"), hash_bytes("http://one/") % 64);
  EXPECT_EQ(slot_of(""), 16U);
  EXPECT_EQ(slot_of("https://hooks.example.com/mail?tenant=7"), 39U);
}

TEST(Slots, CoresShareThemOutWithoutRest) {
  for (const uint32_t cores : {1, 2, 3, 7, 64, 100}) {
    uint64_t seen = 0;
    for (uint32_t core = 0; core < cores; ++core) {
      const auto slots = SlotSet::of_core(core, cores);
      EXPECT_EQ(seen & slots.bits, 0U);
      seen |= slots.bits;
      for (int i = 0; i < 100; ++i)
        EXPECT_EQ(core_of(url(i), cores) == core, slots.contains(slot_of(url(i))));
    }
    EXPECT_EQ(seen, SlotSet::all().bits) << cores;
  }
}

TEST(SlotMarks, WithoutAnyTheLogBeginsAtItsBeginning) {
  const SlotMarks marks;
  EXPECT_EQ(marks.begin_of("http://one/", 2), kNoPosition);
  EXPECT_EQ(marks.least(), kNoPosition);
  EXPECT_TRUE(marks.to_be_rewritten());
  EXPECT_EQ(marks.joined(), (std::vector<SlotMark>{{SlotSet::all(), kNoPosition}}));
}

// Whatever the number of cores is next, and though rows of other sharings lie beside it.
TEST(SlotMarks, OfSeveralRowsTheGreatestHoldsForEachSlot) {
  SlotMarks marks;
  marks.add({SlotSet::all(), {10}});
  marks.add({SlotSet::of_core(0, 2), {30}});
  marks.add({SlotSet::of_core(1, 2), {20}});
  marks.add({SlotSet::of_core(0, 3), {25}});
  for (int i = 0; i < 200; ++i) {
    const uint64_t of_two = core_of(url(i), 2) == 0 ? 30 : 20;
    const uint64_t of_three = core_of(url(i), 3) == 0 ? 25 : 0;
    for (const uint32_t cores : {1, 2, 3, 5})
      EXPECT_EQ(marks.begin_of(url(i), cores), Position{std::max(of_two, of_three)});
  }
  EXPECT_EQ(marks.least(), Position{20});
}

TEST(SlotMarks, ACoreReadsFromTheLeastOfItsOwn) {
  SlotMarks marks;
  marks.add({SlotSet::of_core(0, 2), {30}});
  EXPECT_EQ(marks.least_of(SlotSet::of_core(0, 2)), Position{30});
  EXPECT_EQ(marks.least_of(SlotSet::of_core(1, 2)), Position{30}) << "a mark that was lost";
  marks.add({SlotSet::of_core(1, 2), {20}});
  EXPECT_EQ(marks.least_of(SlotSet::of_core(0, 2)), Position{30});
  EXPECT_EQ(marks.least_of(SlotSet::of_core(1, 2)), Position{20});
  EXPECT_EQ(marks.least_of(SlotSet::all()), Position{20});
  EXPECT_EQ(marks.least_of(SlotSet()), Position{20});
  marks.add_core({10});
  EXPECT_EQ(marks.least_of(SlotSet::of_core(0, 2)), marks.least())
      << "rows by core share otherwise";
}

TEST(SlotMarks, JoinedAreOneRowForEachPositionAndSayTheSame) {
  SlotMarks marks;
  marks.add({SlotSet::all(), {}});
  marks.add({SlotSet::of_core(0, 2), {30}});
  marks.add({SlotSet::of_core(1, 2), {20}});
  const auto joined = marks.joined();
  EXPECT_EQ(joined, (std::vector<SlotMark>{{SlotSet::of_core(1, 2), {20}},
                                           {SlotSet::of_core(0, 2), {30}}}));
  SlotMarks again;
  for (const auto& mark : joined) again.add(mark);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(again.begin_of(url(i), 1), marks.begin_of(url(i), 1));
}

TEST(SlotMarks, AreRewrittenWhenTheyAreMoreThanSlots) {
  SlotMarks marks;
  for (uint32_t row = 0; row < kSlots; ++row) marks.add({SlotSet::all(), {row}});
  EXPECT_FALSE(marks.to_be_rewritten());
  marks.add({SlotSet::of_core(0, 2), {90}});
  EXPECT_TRUE(marks.to_be_rewritten());
}

TEST(SlotMarks, ASlotWhoseMarkWasLostBeginsAtTheLeastOfTheOthers) {
  SlotMarks marks;
  marks.add({SlotSet::of_core(0, 4), {30}});
  marks.add({SlotSet::of_core(1, 4), {20}});
  EXPECT_EQ(marks.begin_of(url_of(2, 4), 4), Position{20});
  EXPECT_EQ(marks.begin_of(url_of(0, 4), 4), Position{30});
}

// C9: rows of the version before, for any number of cores.
TEST(SlotMarks, C9RowsByCoreHoldForTheSameNumberOfCores) {
  for (const uint32_t cores : {1, 2, 3, 6}) {
    SlotMarks marks;
    for (uint32_t core = 0; core < cores; ++core) marks.add_core({100 + core});
    EXPECT_EQ(marks.least(), Position{100});
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(marks.begin_of(url(i), cores), Position{100 + hash_bytes(url(i)) % cores});
      EXPECT_EQ(marks.begin_of(url(i), cores + 1), Position{100});
    }
    EXPECT_FALSE(marks.to_be_rewritten()) << "they still count";
  }
}

// C9: killed when one core had saved after the upgrade and the other had not.
TEST(SlotMarks, C9RowsByCoreCountUntilEverySlotIsBeyondThem) {
  SlotMarks marks;
  marks.add_core({100});
  marks.add_core({200});
  marks.add({SlotSet::of_core(0, 2), {300}});
  EXPECT_EQ(marks.begin_of(url_of(0, 2), 2), Position{300});
  EXPECT_EQ(marks.begin_of(url_of(1, 2), 2), Position{200});
  EXPECT_EQ(marks.begin_of(url_of(1, 2), 3), Position{100}) << "what both had settled";
  EXPECT_EQ(marks.least(), Position{100});
  EXPECT_FALSE(marks.to_be_rewritten());
  marks.add({SlotSet::of_core(1, 2), {200}});
  EXPECT_TRUE(marks.to_be_rewritten());
  EXPECT_EQ(marks.joined().size(), 2U);
}

}  // namespace
}  // namespace eventhorn::store
