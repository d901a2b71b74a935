#include "bin/kept_bins.h"

#include "bin/answer.h"
#include "store/rocks_test_support.h"

#include <gmock/gmock.h>

namespace eventhorn::bin {
namespace {

using testing::ElementsAre;

Captured request(std::string body, int64_t at = 1'773'219'603'000'000) {
  Captured captured;
  captured.method = "POST";
  captured.path = "/bin/x?a=b";
  captured.fields.add("X-Mine", "yes");
  captured.body = std::move(body);
  captured.remote_address = "192.0.2.1";
  captured.time = from_micros(at);
  return captured;
}

/// The bins of one process.
struct Process {
  Process(store::Store& store, const Clock& clock, Bins::Options options = {},
          uint64_t min_free = 0)
      : bins(
            clock, [this](size_t n) { return std::string(n, static_cast<char>(++seed)); }, options),
        kept(store, store, bins, machine, workers, min_free) {
    EXPECT_TRUE(kept.load());
    kept.start();
  }

  std::vector<std::string> bodies(const std::string& id) {
    const auto listing = bins.list(id);
    if (!listing) return {"no such bin"};
    std::vector<std::string> out;
    for (const auto& item : listing->items) out.push_back(item->body);
    return out;
  }

  int seed = 0;
  SystemClock machine;
  WorkerThreads workers;
  Bins bins;
  KeptBins kept;
};

class KeptBinsTest : public ::testing::Test {
 protected:
  const TempDir dir;
  FakeClock clock;
  std::unique_ptr<store::Store> store = store::open_rocks(dir, clock);
};

TEST_F(KeptBinsTest, ComeBackAsTheyWere) {
  std::string id;
  std::string before;
  {
    Process first(*store, clock);
    id = first.bins.create();
    for (const char* body : {"one", "two", ""}) first.bins.capture(id, request(body));
    before = listing_json(*first.bins.list(id));
    first.kept.stop();
  }
  Process second(*store, clock);
  EXPECT_EQ(listing_json(*second.bins.list(id)), before);
  EXPECT_EQ(second.bins.capture(id, request("four")), 4U) << "also how often a path was asked";
  EXPECT_EQ(second.bins.list(id)->items.back()->number, 4U);
}

// What a bin dropped leaves nothing behind.
TEST_F(KeptBinsTest, BytesAreBounded) {
  Bins::Options options;
  options.max_requests = 3;
  options.max_bins = 1;
  std::string id;
  {
    Process first(*store, clock, options);
    first.bins.capture(first.bins.create(), request("of a bin that is dropped"));
    id = first.bins.create();
    for (int n = 0; n < 50; ++n) first.bins.capture(id, request(std::to_string(n)));
    first.kept.stop();
  }
  EXPECT_EQ(store->load_values("bins/")->size(), 4U);
  {
    Process second(*store, clock, options);
    EXPECT_THAT(second.bodies(id), ElementsAre("47", "48", "49"));
    second.bins.capture(id, request("50"));
    second.kept.stop();
  }
  EXPECT_EQ(store->load_values("bins/")->size(), 4U);
  options.max_requests = 1;  // smaller now
  Process third(*store, clock, options);
  EXPECT_THAT(third.bodies(id), ElementsAre("50"));
  third.kept.stop();
  EXPECT_EQ(store->load_values("bins/")->size(), 2U);
}

// Nothing is taken for a bin that has gone, or for a request that it is not.
TEST_F(KeptBinsTest, DamageCostsItselfAlone) {
  std::string id;
  {
    Process first(*store, clock);
    id = first.bins.create();
    for (const char* body : {"one", "two"}) first.bins.capture(id, request(body));
    first.kept.stop();
  }
  ASSERT_TRUE(store->save_value("bins/" + id + "/1", "rubbish"));
  const auto orphan = store->load_value("bins/" + id + "/2")->value();
  ASSERT_TRUE(store->save_value("bins/0123/2", orphan));
  {
    Process second(*store, clock);
    EXPECT_THAT(second.bodies(id), ElementsAre("two"));
    second.kept.stop();
  }
  EXPECT_EQ(store->load_values("bins/")->size(), 2U) << "the bin and its request";
}

// Neither a clock that was set nor a machine that was off ends a bin early.
TEST_F(KeptBinsTest, AgeOnlyWhileWeRun) {
  std::string id;
  {
    Process first(*store, clock);
    id = first.bins.create();
    clock.advance(std::chrono::hours(40));
    first.kept.stop();
  }
  clock.advance(std::chrono::hours(1000));
  Process second(*store, clock);
  clock.advance(std::chrono::hours(7));
  EXPECT_TRUE(second.bins.has(id));
  clock.advance(std::chrono::hours(2));
  EXPECT_FALSE(second.bins.has(id));
}

// What could not be written is written later.
TEST_F(KeptBinsTest, AFullDiskIsWaitedFor) {
  std::string id;
  {
    Process first(*store, clock, {}, UINT64_MAX);
    id = first.bins.create();
    first.bins.capture(id, request("one"));
    first.kept.stop();
  }
  EXPECT_TRUE(store->load_values("bins/")->empty());
  Bins bins(clock, [](size_t n) { return std::string(n, 'x'); }, {});
  bins.restore({}, {}, [] {});
  id = bins.create();
  bins.capture(id, request("one"));
  auto changes = bins.take_changes(1 << 20);
  EXPECT_TRUE(bins.take_changes(1 << 20).empty());
  bins.give_back(std::move(changes));
  changes = bins.take_changes(1 << 20);
  EXPECT_EQ(changes.bins.size(), 1U);
  EXPECT_EQ(changes.requests.size(), 1U);
}

// A flood that nobody can write leaves no more than what the bins keep.
TEST_F(KeptBinsTest, ChangesAreBoundedByWhatIsKept) {
  Bins::Options options;
  options.max_requests = 3;
  Bins bins(clock, [](size_t n) { return std::string(n, 'x'); }, options);
  bins.restore({}, {}, [] {});
  const auto id = bins.create();
  for (int n = 0; n < 1000; ++n) bins.capture(id, request("x"));
  EXPECT_EQ(bins.take_changes(SIZE_MAX).requests.size(), 3U);
}

}  // namespace
}  // namespace eventhorn::bin
