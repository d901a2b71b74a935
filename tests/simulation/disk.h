// What a machine keeps its store on. It outlives processes, and decides with DiskFaults what fails.
#pragma once

#include "async/worker.h"
#include "base/result.h"
#include "simulation/disk_faults.h"
#include "simulation/random.h"
#include "store/memory/memory_disk.h"
#include "store/store.h"

#include <functional>
#include <memory>

namespace eventhorn::simulation {

class Disk {
 public:
  virtual ~Disk() = default;

  /// Opens the store for a process: what it does by itself it does on `workers`. All that is given
  /// outlives the store, and so does the disk.
  virtual Result<std::unique_ptr<store::Store>> open(const Clock& clock, Micros clock_hold,
                                                     Workers& workers) = 0;

  /// The process that has it open dies: what its store is asked from now on fails, and changes
  /// nothing. Does nothing when no store is open.
  virtual void kill() = 0;

  /// As kill(), and of what was not synced only a part stays, by chance.
  virtual void power_cut(Random& random) = 0;

  /// Cheap enough for every few steps.
  virtual void check_invariants() const = 0;
};

/// What a disk is made by. `faults` outlives it.
using MakeDisk = std::function<std::unique_ptr<Disk>(DiskFaults& faults)>;

/// The store in memory: the fastest, and as good as any for what is above the seam.
class PlainDisk final : public Disk {
 public:
  explicit PlainDisk(DiskFaults& faults) : faults_(faults) {}

  Result<std::unique_ptr<store::Store>> open(const Clock& clock, Micros clock_hold,
                                             Workers& workers) override;

  void kill() override { disk_.kill(); }

  void power_cut(Random& random) override { disk_.power_cut(random.below(disk_.unsynced() + 1)); }

  void check_invariants() const override { disk_.check_invariants(); }

 private:
  DiskFaults& faults_;
  store::MemoryDisk disk_;
};

std::unique_ptr<Disk> make_plain_disk(DiskFaults& faults);

}  // namespace eventhorn::simulation
