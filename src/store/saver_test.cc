#include "store/saver.h"

#include "async/worker_test_support.h"

#include <gtest/gtest.h>

#include <utility>

namespace eventhorn::store {
namespace {

struct Rig {
  FakeClock clock;
  HandWorkers hand;
  int saves = 0;
  bool works = true;
  bool asks_again = false;  // within the next save
  Saver saver{clock, hand, "test", std::chrono::milliseconds(500), [this] {
                ++saves;
                if (std::exchange(asks_again, false)) saver.request();
                return works;
              }};
};

TEST(Saver, RequestsOfAWhileAreOneSave) {
  Rig rig;
  rig.saver.start();
  EXPECT_EQ(rig.hand.run(), std::nullopt);
  rig.saver.request();
  rig.clock.advance(std::chrono::milliseconds(200));
  rig.saver.request();
  EXPECT_EQ(rig.hand.run(), Micros(300'000));
  EXPECT_EQ(rig.saves, 0);
  rig.clock.advance(std::chrono::milliseconds(300));
  EXPECT_EQ(rig.hand.run(), std::nullopt);
  EXPECT_EQ(rig.saves, 1);
  rig.hand.run();
  EXPECT_EQ(rig.saves, 1);
}

TEST(Saver, OneThatFailsIsTriedAgainAfterASecond) {
  Rig rig;
  rig.saver.start();
  rig.works = false;
  rig.saver.request();
  rig.clock.advance(std::chrono::milliseconds(500));
  EXPECT_EQ(rig.hand.run(), Micros(1'000'000));
  rig.saver.request();
  rig.clock.advance(std::chrono::milliseconds(999));
  EXPECT_EQ(rig.hand.run(), Micros(1'000)) << "a request in between brings it no sooner";
  rig.works = true;
  rig.clock.advance(std::chrono::milliseconds(1));
  rig.hand.run();
  EXPECT_EQ(rig.saves, 2);
}

TEST(Saver, RequestsOfBeforeTheStartCount) {
  Rig rig;
  rig.saver.request();
  rig.clock.advance(std::chrono::seconds(1));
  rig.hand.run();
  EXPECT_EQ(rig.saves, 0);
  rig.saver.start();
  EXPECT_TRUE(rig.hand.woken());
  rig.hand.run();
  EXPECT_EQ(rig.saves, 1);
}

TEST(Saver, WhatIsAskedForInTheLastSaveIsSavedToo) {
  Rig rig;
  rig.saver.start();
  rig.saver.request();
  rig.asks_again = true;
  rig.saver.stop();
  EXPECT_EQ(rig.saves, 2);
}

TEST(Saver, StopSavesWhatWasAskedForAtOnce) {
  Rig rig;
  rig.saver.start();
  rig.saver.request();
  rig.saver.stop();
  EXPECT_EQ(rig.saves, 1);
  Rig failing;
  failing.works = false;
  failing.saver.start();
  failing.saver.request();
  failing.saver.stop();
  EXPECT_EQ(failing.saves, 1) << "and does not try for ever";
  Rig unstarted;
  unstarted.saver.request();
  unstarted.saver.stop();
  EXPECT_EQ(unstarted.saves, 0);
}

}  // namespace
}  // namespace eventhorn::store
