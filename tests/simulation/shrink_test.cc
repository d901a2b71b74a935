#include "simulation/shrink.h"

#include <gtest/gtest.h>

namespace eventhorn::simulation {
namespace {

TEST(Shrink, LeavesWhatItTakes) {
  RunOptions run;
  run.seed = 7;
  run.steps = 8000;
  const auto fails = [](const RunOptions& r) {
    return r.ingredients.has(Ingredient::kKills) && r.ingredients.has(Ingredient::kEdits) &&
           r.steps >= 1500;
  };
  const auto small = shrink(run, fails);
  EXPECT_EQ(small.seed, 7U);
  EXPECT_EQ(small.steps, 2000U);
  for (size_t i = 0; i < kIngredientNames.size(); ++i) {
    const Ingredient one{static_cast<uint8_t>(i)};
    EXPECT_EQ(small.ingredients.has(one), one == Ingredient::kKills || one == Ingredient::kEdits)
        << kIngredientNames[i];
  }
}

TEST(Shrink, TriesAgainWhatItTookBefore) {
  RunOptions run;
  run.steps = 1000;
  // Stops are taken only as long as there are replays, and those only in a long run.
  const auto fails = [](const RunOptions& r) {
    const bool replays = r.ingredients.has(Ingredient::kReplays);
    return (r.ingredients.has(Ingredient::kStops) || !replays) && (replays || r.steps < 1000);
  };
  const auto small = shrink(run, fails);
  EXPECT_FALSE(small.ingredients.has(Ingredient::kReplays));
  EXPECT_FALSE(small.ingredients.has(Ingredient::kStops));
}

TEST(Shrink, ARunWithoutAnIngredientHasNone) {
  uint64_t kills = 0;
  for (uint64_t seed = 1; seed < 6; ++seed) {
    RunOptions options;
    options.seed = seed;
    options.steps = 5000;
    Trace all;
    kills += run(options, all).kills;
    options.ingredients =
        options.ingredients.without(Ingredient::kKills).without(Ingredient::kPowerCuts);
    Trace less;
    EXPECT_EQ(run(options, less).kills, 0U);
  }
  EXPECT_GT(kills, 0U);
}

TEST(Shrink, ARunThatHoldsDoesNotFail) {
  RunOptions options;
  options.steps = 2000;
  EXPECT_FALSE(fails_in_child(options));
}

TEST(Ingredients, HaveNames) {
  EXPECT_EQ(parse_ingredient("power-cuts"), Ingredient::kPowerCuts);
  EXPECT_EQ(parse_ingredient("salt"), std::nullopt);
  const auto calm = Ingredients::without_faults();
  EXPECT_FALSE(calm.has(Ingredient::kTempers));
  EXPECT_TRUE(calm.has(Ingredient::kEdits));
}

}  // namespace
}  // namespace eventhorn::simulation
