#include "simulation/disk_faults.h"

#include "base/check.h"

#include <vector>

namespace eventhorn::simulation {
namespace {

using Operation = store::MemoryFaults::Operation;

constexpr uint64_t kOneIn = 8;  // of what fails now and then
const std::vector<Micros> kHoldUps = {std::chrono::milliseconds(5), std::chrono::seconds(1),
                                      std::chrono::minutes(1)};

bool is_write(Operation operation) {
  switch (operation) {
    case Operation::kCommit:
    case Operation::kSaveProgress:
    case Operation::kSaveMarks:
    case Operation::kSaveValues:
    case Operation::kExpire:
      return true;
    default:
      return false;
  }
}

bool is_sync(Operation operation) {
  return operation == Operation::kFlush || operation == Operation::kSync;
}

bool is_opening(Operation operation) {
  return operation == Operation::kOpen || operation == Operation::kRecover;
}

}  // namespace

const char* to_string(DiskFaults::Mode mode) {
  switch (mode) {
    case DiskFaults::Mode::kNone:
      return "well";
    case DiskFaults::Mode::kFull:
      return "full";
    case DiskFaults::Mode::kSyncsFail:
      return "syncs fail";
    case DiskFaults::Mode::kReadsFail:
      return "reads fail";
    case DiskFaults::Mode::kEverything:
      return "everything fails now and then";
    case DiskFaults::Mode::kSlow:
      return "slow";
  }
  CHECK(false);
}

void DiskFaults::set(Mode mode) {
  if (mode == mode_) return;
  mode_ = mode;
  world_.trace().add("disk", to_string(mode));
}

bool DiskFaults::fails(Operation operation) {
  const bool reads = !is_write(operation) && !is_sync(operation) && !is_opening(operation);
  switch (mode_) {
    case Mode::kNone:
    case Mode::kSlow:
      return false;
    case Mode::kFull:
      return is_write(operation);
    case Mode::kSyncsFail:
      return is_sync(operation);
    case Mode::kReadsFail:
      return reads && random_.once_in(kOneIn);
    case Mode::kEverything:
      return random_.once_in(kOneIn);
  }
  CHECK(false);
}

Micros DiskFaults::hold_up() {
  if (mode_ != Mode::kSlow || pauses_ > 0 || random_.once_in(2)) return Micros(0);
  return random_.between(Micros(1), random_.pick(kHoldUps));
}

Status DiskFaults::on(Operation operation) {
  if (pauses_ > 0 || !fails(operation)) return {};
  world_.trace().add("disk fails", std::to_string(static_cast<int>(operation)));
  return fail(Errc::kUnavailable, "input/output error");
}

size_t DiskFaults::found_by_recovery(size_t unsynced) {
  return random_.below(unsynced + 1);
}

}  // namespace eventhorn::simulation
