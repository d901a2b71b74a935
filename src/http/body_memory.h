// The memory that the bodies of requests take together (reliability A11), shared so that a right
// key is served beside any number of strangers. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <unordered_map>

namespace eventhorn::http {

class BodyMemory {
 public:
  /// Everything in it is at most `max_bytes`; of that strangers' bodies are at most three quarters.
  explicit BodyMemory(size_t max_bytes) : max_bytes_(max_bytes) {}

  /// Whose a body is: a key's holder, or the address of anybody else.
  struct Owner {
    uint64_t hash = 0;
    bool has_key = false;
  };

  static Owner key(std::string_view key_id);
  static Owner address(std::string_view address);

  /// What one body holds, from the time its owner is known until it is destroyed.
  class Share {
   public:
    explicit Share(BodyMemory& memory) : memory_(memory) {}

    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    /// Before grow_to.
    void belongs_to(Owner owner) { owner_ = owner; }

    /// False when there is no room, and then nothing changes. Never shrinks. Until half of the
    /// memory is taken anybody may have more. From there on the bodies of one owner are at most a
    /// sixteenth of it; but a key's holder may always have one body of any size beyond, the first
    /// that asks, so that its large ones come one after the other rather than stand all still; and
    /// many of up to kSmallBody, so that its large ones cannot stop its small ones.
    bool grow_to(size_t bytes);

   private:
    friend BodyMemory;

    BodyMemory& memory_;
    Owner owner_;
    size_t held_ = 0;
  };

  static constexpr size_t kSmallBody = size_t{256} * 1024;

 private:
  struct Held {
    size_t bytes = 0;
    const Share* beyond = nullptr;  // the body that goes beyond the owner's part
  };

  bool has_room(const Share& share, Held& owners, size_t bytes) const;

  const size_t max_bytes_;
  std::mutex mutex_;
  size_t total_ = 0;                           // guarded by mutex_
  size_t strangers_ = 0;                       // of total_, guarded by mutex_
  std::unordered_map<uint64_t, Held> owners_;  // guarded by mutex_
};

}  // namespace eventhorn::http
