// What goes wrong on the simulated disk, by logical operation.
#pragma once

#include "simulation/world.h"
#include "store/memory/memory_faults.h"

#include <string>

namespace eventhorn::simulation {

class DiskFaults final : public store::MemoryFaults {
 public:
  enum class Mode {
    kNone,
    kFull,        // writes fail
    kSyncsFail,   // what was written before them may be lost
    kReadsFail,   // now and then
    kEverything,  // anything fails, now and then
    kSlow,        // a thread that uses it is held up, now and then
  };

  explicit DiskFaults(World& world) : world_(world), random_(world.fork_random()) {}

  void set(Mode mode);

  Mode mode() const { return mode_; }

  /// For how long a thread is held up before it does the next thing.
  Micros hold_up();

  /// While it lives nothing fails: for the model's own reads.
  class Pause {
   public:
    explicit Pause(DiskFaults& faults) : faults_(faults) { ++faults_.pauses_; }

    ~Pause() { --faults_.pauses_; }

    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    DiskFaults& faults_;
  };

  Status on(Operation operation) override;
  size_t found_by_recovery(size_t unsynced) override;

 private:
  bool fails(Operation operation);

  World& world_;
  Random random_;
  Mode mode_ = Mode::kNone;
  int pauses_ = 0;
};

const char* to_string(DiskFaults::Mode mode);

}  // namespace eventhorn::simulation
