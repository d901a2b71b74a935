// The machine: a disk, and the process that runs on it, which comes and goes. Faults of the machine
// are decided here by chance: kills, power cuts, clean restarts with another number of cores, a
// disk that fails for a while, a wall clock that jumps, a machine that sleeps or was off.
#pragma once

#include "simulation/disk.h"
#include "simulation/ingredients.h"
#include "simulation/process.h"

#include <cstdint>
#include <memory>

namespace eventhorn::simulation {

struct MachineOptions {
  Ingredients ingredients;
  Micros between_faults = std::chrono::minutes(1);  // on average
  Micros outage = std::chrono::seconds(10);         // of the machine or the disk, on average
  /// One commit in so many is followed closely by a kill or a power cut; 0: none is.
  uint64_t crash_once_in = 0;
};

class Machine {
 public:
  /// All outlive it. Faults happen until calm().
  Machine(World& world, Receivers& receivers, Model& model, const MakeDisk& make_disk,
          ProcessOptions process, const MachineOptions& options);

  /// Null unless it is up.
  Process* process() const {
    return process_ && process_->state() == Process::State::kUp ? process_.get() : nullptr;
  }

  /// Nothing has gone wrong with the disk for so long that all is written anew.
  bool disk_is_well() const;

  /// Changes when a process begins, and when it is no more: a client that waited for its
  /// answer knows that none came.
  uint64_t life() const { return life_; }

  /// No more faults; a process that is not up is started.
  void calm();

  /// The end of the run: the process is killed, and no other one comes.
  void halt();

  /// Looks after the process between two steps: what has stopped, or could not start, is removed
  /// and started again later.
  void look();

  void check_invariants() const;

  uint64_t kills() const { return kills_; }

  uint64_t restarts() const { return restarts_; }

 private:
  void boot();
  void boot_later();
  void go_wrong();
  void go_wrong_later();
  void kill();
  void cut_power();
  void break_disk();
  void change_disk(DiskFaults::Mode mode);
  void crash_later(Micros within);
  void on_commit();
  void mend_disk();
  void disturb_clock();
  void be_off();
  void end(Model::End how);

  World& world_;
  Receivers& receivers_;
  Model& model_;
  ProcessOptions process_options_;
  const MachineOptions options_;
  Random random_;
  DiskFaults faults_;
  const std::unique_ptr<Disk> disk_;
  SteadyTime disk_well_at_{};  // when what went wrong with it is over
  bool calm_ = false;
  bool halted_ = false;
  std::unique_ptr<Process> process_;
  uint64_t life_ = 0;
  uint64_t kills_ = 0;
  uint64_t restarts_ = 0;
};

}  // namespace eventhorn::simulation
