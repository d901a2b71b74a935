#include "http/body_memory.h"

#include "http/address.h"

#include <functional>

namespace eventhorn::http {
namespace {

constexpr size_t kOwnersPart = 16;

}  // namespace

// Owners whose hashes are equal share what each would have: at 64 bits that may be.
BodyMemory::Owner BodyMemory::key(std::string_view key_id) {
  return {std::hash<std::string_view>()(key_id), true};
}

BodyMemory::Owner BodyMemory::address(std::string_view address) {
  return {~std::hash<std::string>()(network_of(address)), false};
}

bool BodyMemory::has_room(Owner owner, size_t owners_bytes, size_t held, size_t bytes) const {
  const size_t more = bytes - held;
  if (total_ + more > max_bytes_) return false;
  if (!owner.has_key && strangers_ + more > max_bytes_ / 4 * 3) return false;
  if (total_ + more <= max_bytes_ / 2) return true;
  if (owners_bytes + more <= max_bytes_ / kOwnersPart) return true;
  return owner.has_key && (owners_bytes == held || bytes <= kSmallBody);
}

bool BodyMemory::Share::grow_to(size_t bytes) {
  if (bytes <= held_) return true;
  auto& memory = memory_;
  const std::lock_guard lock(memory.mutex_);
  const auto at = memory.owners_.find(owner_.hash);
  const size_t owners_bytes = at == memory.owners_.end() ? 0 : at->second;
  if (!memory.has_room(owner_, owners_bytes, held_, bytes)) return false;
  const size_t more = bytes - held_;
  memory.total_ += more;
  if (!owner_.has_key) memory.strangers_ += more;
  if (at == memory.owners_.end()) {
    memory.owners_.emplace(owner_.hash, more);
  } else {
    at->second += more;
  }
  held_ = bytes;
  return true;
}

BodyMemory::Share::~Share() {
  if (held_ == 0) return;
  auto& memory = memory_;
  const std::lock_guard lock(memory.mutex_);
  memory.total_ -= held_;
  if (!owner_.has_key) memory.strangers_ -= held_;
  const auto at = memory.owners_.find(owner_.hash);
  at->second -= held_;
  if (at->second == 0) memory.owners_.erase(at);
}

}  // namespace eventhorn::http
