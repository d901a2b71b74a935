#include "http/body_memory.h"

#include <gtest/gtest.h>

#include <list>
#include <string>

namespace eventhorn::http {
namespace {

constexpr size_t kMiB = size_t{1024} * 1024;

// Bodies held at the same time.
class Bodies {
 public:
  explicit Bodies(size_t max_bytes) : memory_(max_bytes) {}

  bool add(BodyMemory::Owner owner, size_t bytes) {
    auto& share = shares_.emplace_back(memory_);
    share.belongs_to(owner);
    if (share.grow_to(bytes)) return true;
    shares_.pop_back();
    return false;
  }

  // How many bodies of that size find room, of at most 10 000.
  size_t fill(BodyMemory::Owner owner, size_t bytes) {
    size_t count = 0;
    while (count < 10'000 && add(owner, bytes)) ++count;
    return count;
  }

  void drop_first() { shares_.pop_front(); }

 private:
  BodyMemory memory_;
  std::list<BodyMemory::Share> shares_;
};

const auto kKey = BodyMemory::key("one");
const auto kOtherKey = BodyMemory::key("other");

BodyMemory::Owner stranger(int n) {
  return BodyMemory::address("192.0.2." + std::to_string(n));
}

TEST(BodyMemory, GrowsAndIsGivenBack) {
  BodyMemory memory(10);
  {
    BodyMemory::Share share(memory);
    share.belongs_to(kKey);
    EXPECT_TRUE(share.grow_to(4));
    EXPECT_TRUE(share.grow_to(10));
    EXPECT_TRUE(share.grow_to(1)) << "it holds more already";
    EXPECT_FALSE(share.grow_to(11));
    BodyMemory::Share other(memory);
    other.belongs_to(kOtherKey);
    EXPECT_FALSE(other.grow_to(1));
  }
  BodyMemory::Share share(memory);
  share.belongs_to(kKey);
  EXPECT_TRUE(share.grow_to(10));
}

TEST(BodyMemory, A11SharesBindOnceHalfIsTaken) {
  Bodies bodies(16 * kMiB);
  EXPECT_EQ(bodies.fill(stranger(1), kMiB), 8U);
  EXPECT_EQ(bodies.fill(stranger(2), kMiB), 1U);
  EXPECT_EQ(bodies.fill(stranger(3), kMiB), 1U);
  bodies.drop_first();
  EXPECT_FALSE(bodies.add(stranger(1), kMiB));
}

TEST(BodyMemory, A11StrangersLeaveRoomForKeys) {
  Bodies bodies(16 * kMiB);
  size_t taken = 0;
  for (int n = 0; n < 200; ++n) taken += bodies.fill(stranger(n), 64 * 1024);
  EXPECT_EQ(taken, 12 * 16U);
  EXPECT_TRUE(bodies.add(kKey, 3 * kMiB));
  EXPECT_TRUE(bodies.add(kOtherKey, kMiB));
}

TEST(BodyMemory, A11TheLargeBodiesOfAKeyDoNotStopItsSmallOnes) {
  Bodies bodies(64 * kMiB);
  EXPECT_EQ(bodies.fill(kKey, 8 * kMiB), 4U + 1);
  EXPECT_EQ(bodies.fill(kKey, BodyMemory::kSmallBody), 24 * 4U);
}

// Bodies whose parts come in turns.
TEST(BodyMemory, A11TheLargeBodiesOfAKeyComeOneAfterTheOther) {
  BodyMemory memory(64 * kMiB);
  std::list<BodyMemory::Share> strangers;
  for (int n = 0; n < 10; ++n) {
    strangers.emplace_back(memory).belongs_to(stranger(n));
    ASSERT_TRUE(strangers.back().grow_to((n == 0 ? 14 : 2) * kMiB));
  }
  std::list<BodyMemory::Share> bodies;
  for (int n = 0; n < 3; ++n) bodies.emplace_back(memory).belongs_to(kKey);
  for (auto& body : bodies) ASSERT_TRUE(body.grow_to(kMiB));
  while (!bodies.empty()) {
    for (size_t size = 4 * kMiB; size <= 16 * kMiB; size *= 2) {
      EXPECT_TRUE(bodies.front().grow_to(size)) << size;
      if (bodies.size() > 1) EXPECT_FALSE(bodies.back().grow_to(16 * kMiB));
    }
    bodies.pop_front();
  }
}

// An address of IPv6 is easily changed within the network that it is in.
TEST(BodyMemory, AddressesOfIpv6CountByTheirNetwork) {
  Bodies bodies(16 * kMiB);
  bodies.fill(stranger(1), kMiB);
  EXPECT_TRUE(bodies.add(BodyMemory::address("2001:db8::1"), kMiB));
  EXPECT_FALSE(bodies.add(BodyMemory::address("2001:db8::2"), kMiB));
  EXPECT_TRUE(bodies.add(BodyMemory::address("2001:db8:0:1::1"), kMiB));
}

}  // namespace
}  // namespace eventhorn::http
