#include "store/memory/memory_disk.h"

#include "base/check.h"

#include <algorithm>
#include <ranges>

namespace eventhorn::store {

void MemoryWrite::show() {
  if (shown_) return;
  for (const auto& swap : swaps_) swap();
  shown_ = true;
}

void MemoryWrite::take_back() {
  if (!shown_) return;
  for (const auto& swap : std::views::reverse(swaps_)) swap();
  shown_ = false;
}

void MemoryDisk::power_cut(size_t left) {
  kill();
  settle(std::min(left, unsynced_.size()));
}

MemoryDisk::Owner MemoryDisk::take() {
  CHECK(!owner_);
  owner_ = ++last_owner_;
  return *owner_;
}

void MemoryDisk::release(Owner owner) {
  if (owner_ == owner) owner_.reset();
}

void MemoryDisk::write(MemoryWrite write) {
  CHECK(unsynced_.empty() || unsynced_.back().shown());
  CHECK(!write.shown());
  unsynced_.push_back(std::move(write));
}

void MemoryDisk::show() {
  if (!unsynced_.empty()) unsynced_.back().show();
}

void MemoryDisk::settle(size_t count) {
  CHECK(count <= unsynced_.size());
  while (unsynced_.size() > count) {
    unsynced_.back().take_back();
    unsynced_.pop_back();
  }
  show();
  unsynced_.clear();
}

void MemoryDisk::check_invariants() const {
  for (size_t i = 0; i + 1 < unsynced_.size(); ++i) CHECK(unsynced_[i].shown());
  tables_.check_invariants();
}

}  // namespace eventhorn::store
