#include "simulation/disk.h"

#include "store/memory/memory_store.h"

#include <utility>

namespace eventhorn::simulation {

Result<std::unique_ptr<store::Store>> PlainDisk::open(const Clock& clock, Micros clock_hold,
                                                      Workers&) {
  store::MemoryOptions options;
  options.faults = &faults_;
  options.clock_hold = clock_hold;
  TRY(auto opened, store::MemoryStore::open(disk_, clock, options));
  return std::unique_ptr<store::Store>(std::move(opened));
}

std::unique_ptr<Disk> make_plain_disk(DiskFaults& faults) {
  return std::make_unique<PlainDisk>(faults);
}

}  // namespace eventhorn::simulation
