// The condition of a store, as tests want it.
#pragma once

#include "store/upkeep.h"

namespace eventhorn::store {

class FakeUpkeep : public Upkeep {
 public:
  bool failed() const override { return has_failed; }

  Status recover() override { return recovery; }

  Status may_append() const override { return room; }

  uint64_t free_bytes() const override { return free; }

  KeptClock& kept_clock() override { return kept_clock_; }

  Result<uint64_t> expire(SystemTime, SystemTime) override { return 0; }

  Result<SystemTime> cut_to_bytes(uint64_t) override { return SystemTime(); }

  bool has_failed = false;
  Status recovery;
  Status room;
  uint64_t free = UINT64_MAX;

 private:
  FakeClock clock_;
  KeptClock kept_clock_{clock_, Micros(0)};
};

}  // namespace eventhorn::store
