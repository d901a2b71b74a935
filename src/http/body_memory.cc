#include "http/body_memory.h"

#include "net/address.h"

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
  return {~std::hash<std::string>()(net::network_of(address)), false};
}

bool BodyMemory::has_room(const Share& share, Held& owners, size_t bytes) const {
  const bool has_key = share.owner_.has_key;
  const size_t more = bytes - share.held_;
  if (total_ + more > max_bytes_) return false;
  if (!has_key && strangers_ + more > max_bytes_ / 4 * 3) return false;
  if (total_ + more <= max_bytes_ / 2) return true;
  if (owners.bytes + more <= max_bytes_ / kOwnersPart) return true;
  if (!has_key) return false;
  if (bytes <= kSmallBody) return true;
  if (owners.beyond == nullptr) owners.beyond = &share;
  return owners.beyond == &share;
}

bool BodyMemory::Share::grow_to(size_t bytes) {
  if (bytes <= held_) return true;
  auto& memory = memory_;
  const std::lock_guard lock(memory.mutex_);
  const auto at = memory.owners_.find(owner_.hash);
  Held owners = at == memory.owners_.end() ? Held() : at->second;
  if (!memory.has_room(*this, owners, bytes)) return false;
  const size_t more = bytes - held_;
  memory.total_ += more;
  if (!owner_.has_key) memory.strangers_ += more;
  owners.bytes += more;
  if (at == memory.owners_.end()) {
    memory.owners_.emplace(owner_.hash, owners);
  } else {
    at->second = owners;
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
  auto& owners = at->second;
  owners.bytes -= held_;
  if (owners.beyond == this) owners.beyond = nullptr;
  if (owners.bytes == 0) memory.owners_.erase(at);
}

}  // namespace eventhorn::http
