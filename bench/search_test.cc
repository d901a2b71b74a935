// The engines that need no server give the pages that the filter gives.
#include "base/test_support.h"
#include "event/filter.h"
#include "event/normalize.h"
#include "search_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace eventhorn::bench {
namespace {

using testing::Ge;
using testing::IsEmpty;

constexpr SystemTime kStart{Micros(1'773'222'312'000'000)};
constexpr uint64_t kEvents = 2000;
constexpr size_t kBatch = 150;  // over the border of two domains
constexpr uint64_t kValues = 6;

const Corpus& corpus() {
  static const Corpus instance({kEvents, 1, kStart});
  return instance;
}

/// All events of the big domain, newest first.
std::vector<event::Event> big_domain() {
  event::Normalizer normalizer([] { return std::string(); });
  event::NormalizeContext context;
  context.domain = corpus().domains().front();
  context.account_id = "5f1c9a2be77d4a0c31b8e6d2";
  context.latest = SystemTime::max();
  context.max_item_bytes = kMaxEventBytes;
  std::vector<event::Event> events;
  for (uint64_t n = 0; n < kEvents; ++n) {
    if (Corpus::domain_of(n) != 0) continue;
    std::string item;
    corpus().append_event(n, item);
    events.push_back(expect(normalizer.normalize(item, context)));
  }
  std::ranges::sort(events, std::greater(),
                    [](const event::Event& e) { return std::pair(e.timestamp_us, e.id); });
  return events;
}

std::vector<std::string> ids_of(const std::vector<event::Event>& events, const Query& query) {
  event::Filter::Terms terms;
  for (const auto& term : query.terms) terms.emplace_back(name_of(term.field), expression_of(term));
  const auto filter = expect(event::Filter::parse(terms));
  std::vector<std::string> ids;
  for (const auto& event : events) {
    const bool in_range = !query.range || (event.timestamp_us >= query.range->from_us &&
                                           event.timestamp_us < query.range->to_us);
    if (in_range && ids.size() < query.limit && filter.matches(event.bytes))
      ids.push_back(event.id);
  }
  return ids;
}

using Open = std::function<Result<std::unique_ptr<Engine>>(const std::filesystem::path&)>;

struct EngineCase {
  const char* name;
  Open open;
};

class Engines : public testing::TestWithParam<EngineCase> {
 protected:
  void SetUp() override {
    engine_ = expect(GetParam().open(directory_.path()));
    ASSERT_TRUE(engine_->prepare());
    filled_ = expect(fill(corpus(), *engine_, kBatch));
  }

  const TempDir directory_;
  std::unique_ptr<Engine> engine_;
  Filled filled_;
};

TEST_P(Engines, GiveThePagesThatTheFilterGives) {
  const auto events = big_domain();
  for (const auto& kind : query_kinds()) {
    Random random(1);
    size_t found = 0;
    for (uint64_t n = 0; n < kValues; ++n) {
      const auto query = kind.make(corpus(), random);
      const auto wanted = ids_of(events, query);
      EXPECT_EQ(expect(engine_->read(query, nullptr)).ids, wanted) << kind.name;
      found += wanted.size();
    }
    const bool nothing = kind.name.starts_with("nothing");
    EXPECT_EQ(found == 0, nothing) << kind.name;
  }
}

TEST_P(Engines, WalkOverEveryEventOfTheDomain) {
  const auto walked = expect(walk(*engine_, UINT64_MAX));
  EXPECT_EQ(walked.events, kEvents / 2);
  EXPECT_EQ(walked.pages, kEvents / 2 / 300 + 2);
  EXPECT_EQ(expect(walk(*engine_, 301)).pages, 2U);
}

TEST_P(Engines, GoOnWhereAPageEnded) {
  const auto events = big_domain();
  Query query;
  query.limit = 7;
  const auto first = expect(engine_->read(query, nullptr));
  const auto second = expect(engine_->read(query, &*first.end));
  EXPECT_EQ(second.ids,
            (std::vector<std::string>{events[7].id, events[8].id, events[9].id, events[10].id,
                                      events[11].id, events[12].id, events[13].id}));
}

TEST_P(Engines, AreTimed) {
  EXPECT_THAT(filled_.bytes, Ge(kEvents * kMinEventBytes));
  EXPECT_GT(filled_.seconds, 0);
  const auto figures = expect(query(corpus(), *engine_, {.warm_up = 1, .queries = 3}));
  ASSERT_EQ(figures.size(), query_kinds().size());
  for (const auto& kind : figures) {
    EXPECT_EQ(kind.took_ns.size(), 3U);
    EXPECT_GT(kind.took_ns.front(), 0);
    EXPECT_TRUE(std::ranges::is_sorted(kind.took_ns));
  }
}

TEST_P(Engines, HaveChecksumsThatDependOnTheAnswers) {
  const auto checksum = [&](uint64_t seed) {
    const QueryPlan plan{.warm_up = 0, .queries = 3, .seed = seed, .kind = "recipient"};
    return expect(query(corpus(), *engine_, plan)).front().checksum;
  };
  EXPECT_EQ(checksum(1), checksum(1));
  EXPECT_NE(checksum(1), checksum(2));
}

std::vector<EngineCase> engines() {
  std::vector<EngineCase> out = {{"embedded", [](const std::filesystem::path& directory) {
                                    return open_embedded({.at = directory}, corpus().domains());
                                  }}};
#ifdef BENCH_SQLITE
  out.push_back({"sqlite", [](const std::filesystem::path& directory) {
                   return open_sqlite({.at = directory / "events.db"});
                 }});
#endif
  return out;
}

INSTANTIATE_TEST_SUITE_P(Search, Engines, testing::ValuesIn(engines()),
                         [](const auto& info) { return info.param.name; });

/// Refuses its third batch.
class Refusing : public Engine {
 public:
  size_t writers() const override { return 2; }

  Status append(size_t, std::vector<Item>) override {
    return ++batches_ < 3 ? Status() : fail(Errc::kUnavailable, "full");
  }

  Status settle() override { return {}; }

  Result<Page> read(const Query&, const Place*) override { return fail(Errc::kTimeout, "slow"); }

 private:
  std::atomic<int> batches_ = 0;
};

TEST(Fill, EndsWithTheErrorOfAnAppend) {
  Refusing engine;
  const auto filled = fill(corpus(), engine, 10);
  ASSERT_FALSE(filled);
  EXPECT_EQ(filled.error().message, "full");
}

TEST(Query, CountsPagesThatWereGivenUp) {
  Refusing engine;
  for (const auto& kind : expect(query(corpus(), engine, {.warm_up = 0, .queries = 3}))) {
    EXPECT_EQ(kind.gave_up, 3U);
    EXPECT_THAT(kind.took_ns, IsEmpty());
  }
}

TEST(Query, AsksOnlyTheKindThatWasNamed) {
  Refusing engine;
  const auto figures = expect(query(corpus(), engine, {.queries = 1, .kind = "tag"}));
  ASSERT_EQ(figures.size(), 1U);
  EXPECT_EQ(figures.front().name, "tag");
}

}  // namespace
}  // namespace eventhorn::bench
