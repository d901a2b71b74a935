#include "store/rocks/fair_mutex.h"

#include <gtest/gtest.h>

#include <thread>

namespace eventhorn::store {
namespace {

TEST(FairSharedMutex, ReadersShareAndLaterOnesWaitBehindAWriter) {
  FairSharedMutex mutex;
  mutex.lock_shared();
  ASSERT_TRUE(mutex.try_lock_shared());
  mutex.unlock_shared();
  std::atomic<bool> written{false};
  std::thread writer([&] {
    const std::unique_lock lock(mutex);
    written = true;
  });
  while (mutex.try_lock_shared()) {  // until the writer waits
    mutex.unlock_shared();
    std::this_thread::yield();
  }
  std::thread reader([&] {
    const std::shared_lock lock(mutex);
    EXPECT_TRUE(written) << "overtook the writer";
  });
  EXPECT_FALSE(mutex.try_lock_shared());
  EXPECT_FALSE(written);
  mutex.unlock_shared();
  reader.join();
  writer.join();
  EXPECT_TRUE(mutex.try_lock_shared());
  mutex.unlock_shared();
}

// Two readers that always overlap leave a plain shared mutex no gap.
TEST(FairSharedMutex, AStreamOfReadersDoesNotStarveAWriter) {
  FairSharedMutex mutex;
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const std::shared_lock lock(mutex);
        std::this_thread::yield();
      }
    });
  }
  for (int i = 0; i < 100; ++i) const std::unique_lock lock(mutex);
  stop = true;
  for (auto& r : readers) r.join();
}

}  // namespace
}  // namespace eventhorn::store
