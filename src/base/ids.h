// Distinct types for the numbers that name things, so that two of them cannot be swapped.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace eventhorn {

/// A number with a name of its own. `Tag` is never defined.
template <class Tag, class Rep = uint64_t>
struct Id {
  Rep value{};
  friend auto operator<=>(const Id&, const Id&) = default;
};

/// Where an append put an event in its shard's log. Opaque and totally ordered; gaps are allowed;
/// nothing outside store/ does arithmetic on it. Zero is before every event.
using Position = Id<struct PositionTag>;
inline constexpr Position kNoPosition{0};

/// One life of a domain: creating a deleted name again gives a new one, so that nothing of the old
/// one shows.
using DomainUid = Id<struct DomainTag>;

/// An account: domains that one customer has. There is one.
using AccountId = Id<struct AccountTag>;
inline constexpr AccountId kOnlyAccount{1};

/// One life of a (scope, URL, format): removing a URL from every name and adding it again gives a
/// new one.
using LaneId = Id<struct LaneTag>;

/// A shard of the log: the unit of ownership.
using ShardId = Id<struct ShardTag, uint16_t>;
inline constexpr uint16_t kShards = 64;

/// The shard of a domain, by a hash of its (lower-case) name that never changes: FNV-1a, 64 bits.
inline ShardId shard_of(std::string_view domain) {
  uint64_t h = 0xcbf29ce484222325U;
  for (const char c : domain) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return {static_cast<uint16_t>((h ^ (h >> 32)) % kShards)};
}

}  // namespace eventhorn

template <class Tag, class Rep>
struct std::hash<eventhorn::Id<Tag, Rep>> {
  size_t operator()(const eventhorn::Id<Tag, Rep>& id) const noexcept {
    // splitmix64: positions and lane ids are consecutive, buckets should not be.
    uint64_t x = static_cast<uint64_t>(id.value) + 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return static_cast<size_t>(x ^ (x >> 31));
  }
};
