// The embedded engine as the store of a simulated machine, in a directory of its own on a file
// system in memory, below an Env that fails on command.
//
// What fails is decided for each operation of the seam, as it is for the memory engine, and never
// by RocksDB's bytes or calls. The worker of its indexes is a line of the world. RocksDB flushes
// and compacts on threads of its own, which nothing above the seam can see but in one place: how
// long an id is known after retention, and what was missed. So a run is repeated as far as that
// goes.
#pragma once

#include "simulation/disk.h"

#include <memory>

namespace eventhorn::simulation {

/// A disk with an empty store. Its files go with it.
std::unique_ptr<Disk> make_rocks_disk(DiskFaults& faults);

}  // namespace eventhorn::simulation
