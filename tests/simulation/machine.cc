#include "simulation/machine.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace eventhorn::simulation {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t kMaxCores = 4;
constexpr Micros kClosely = 10ms;
// After the disk is well again. Threads that a slow one holds up go on within a minute.
constexpr Micros kMended = 15s;
constexpr Micros kQuickAgain = 75s;

// More often short than long: most of it is below the average.
Micros about(Random& random, Micros average) {
  return random.between(Micros(1), random.between(Micros(1), 4 * average));
}

}  // namespace

Machine::Machine(World& world, Receivers& receivers, Model& model, const MakeDisk& make_disk,
                 ProcessOptions process, const MachineOptions& options)
    : world_(world),
      receivers_(receivers),
      model_(model),
      process_options_(std::move(process)),
      options_(options),
      random_(world.fork_random()),
      faults_(world),
      disk_(make_disk(faults_)) {
  if (options_.crash_once_in > 0) process_options_.on_commit = [this] { on_commit(); };
  boot();
  go_wrong_later();
}

void Machine::boot() {
  if (process_ || halted_) return;
  ++life_;
  process_options_.engine.cores = static_cast<uint32_t>(random_.between(1, kMaxCores));
  process_options_.engine.unsaved = std::make_shared<std::atomic<size_t>>(0);
  model_.on_boot(process_options_.engine.cores);
  process_ = std::make_unique<Process>(world_, "p" + std::to_string((life_ + 1) / 2), *disk_,
                                       faults_, receivers_, model_, process_options_);
}

void Machine::boot_later() {
  world_.after(calm_ ? Micros(1s) : about(random_, options_.outage), "boot", [this] { boot(); });
}

void Machine::go_wrong_later() {
  world_.after(about(random_, options_.between_faults), "", [this] {
    if (calm_) return;
    go_wrong();
    go_wrong_later();
  });
}

void Machine::go_wrong() {
  const Ingredient what{static_cast<uint8_t>(random_.below(5))};
  if (!options_.ingredients.has(what)) return;
  if (what == Ingredient::kDisk) return break_disk();
  if (what == Ingredient::kClocks) return disturb_clock();
  if (!process_) return;
  if (what == Ingredient::kStops) {
    if (process_->state() != Process::State::kUp) return;
    ++restarts_;
    world_.trace().add("stop");
    return process_->stop(random_.between(Micros(0), Micros(20s)));
  }
  what == Ingredient::kKills ? kill() : cut_power();
}

void Machine::kill() {
  ++kills_;
  world_.trace().add("kill");
  end(Model::End::kKill);
}

void Machine::cut_power() {
  ++kills_;
  world_.trace().add("power cut");
  disk_->power_cut(random_);
  end(Model::End::kPowerCut);
  if (random_.once_in(2)) be_off();
}

void Machine::break_disk() {
  static const std::vector<DiskFaults::Mode> modes = {
      DiskFaults::Mode::kFull, DiskFaults::Mode::kSyncsFail, DiskFaults::Mode::kReadsFail,
      DiskFaults::Mode::kEverything, DiskFaults::Mode::kSlow};
  change_disk(random_.pick(modes));
  const bool slow = faults_.mode() == DiskFaults::Mode::kSlow;
  model_.on_slow_disk(slow);
  model_.on_disk(!slow && faults_.mode() != DiskFaults::Mode::kReadsFail);
  const auto outage = about(random_, options_.outage);
  world_.after(outage, "", [this] { mend_disk(); });
  if (random_.once_in(2)) crash_later(outage);
}

void Machine::change_disk(DiskFaults::Mode mode) {
  const auto before = faults_.mode();
  if (before != DiskFaults::Mode::kNone) {
    const auto mended = before == DiskFaults::Mode::kSlow ? kQuickAgain : kMended;
    disk_well_at_ = std::max(disk_well_at_, world_.clock().steady_now() + mended);
  }
  faults_.set(mode);
}

// Trouble seldom comes alone.
void Machine::crash_later(Micros within) {
  const bool by_power = random_.once_in(2);
  world_.after(random_.between(Micros(1), within), "", [this, by_power] {
    const auto what = by_power ? Ingredient::kPowerCuts : Ingredient::kKills;
    if (calm_ || !process_ || !options_.ingredients.has(what)) return;
    by_power ? cut_power() : kill();
  });
}

// What is under way then is on its way to the disk.
void Machine::on_commit() {
  if (random_.once_in(options_.crash_once_in)) crash_later(kClosely);
}

bool Machine::disk_is_well() const {
  return faults_.mode() == DiskFaults::Mode::kNone && world_.clock().steady_now() > disk_well_at_;
}

// Time passes that no steady clock counts.
void Machine::be_off() {
  const auto time = about(random_, options_.outage);
  world_.trace().add("off");
  world_.clock().power_off(time);
  model_.on_wall_clock(time);
}

void Machine::disturb_clock() {
  static const std::vector<Micros> orders = {1s, 1min, 2h, 48h};
  const auto time = random_.between(Micros(1), random_.pick(orders));
  switch (random_.below(3)) {
    case 0:
      world_.trace().add("the wall clock jumps ahead");
      world_.clock().jump_wall(time);
      model_.on_wall_clock(time);
      return;
    case 1:
      world_.trace().add("the wall clock jumps back");
      world_.clock().jump_wall(-time);
      model_.on_wall_clock(Micros(0));
      return;
    default:
      world_.trace().add("sleep");
      world_.clock().suspend(time);
      model_.on_wall_clock(time);
      return;
  }
}

void Machine::mend_disk() {
  change_disk(DiskFaults::Mode::kNone);
  model_.on_disk(false);
  model_.on_slow_disk(false);
}

void Machine::end(Model::End how) {
  ++life_;
  process_.reset();
  model_.on_end(how);
  boot_later();
}

void Machine::look() {
  if (!process_) return;
  if (process_->state() == Process::State::kStopped) end(Model::End::kStop);
  if (process_ && process_->state() == Process::State::kFailed) end(Model::End::kKill);
}

void Machine::calm() {
  calm_ = true;
  mend_disk();
  if (!process_) boot();
}

void Machine::halt() {
  ++life_;
  calm_ = true;
  halted_ = true;
  process_.reset();
}

void Machine::check_invariants() const {
  if (process_) process_->check_invariants();
  disk_->check_invariants();
}

}  // namespace eventhorn::simulation
