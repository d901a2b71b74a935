#include "store/rocks/tail.h"

#include "base/check.h"
#include "base/hash.h"

#include <algorithm>
#include <cstring>

namespace eventhorn::store {
namespace {

constexpr size_t kTableSize = TailRun::kCapacity * 2;
constexpr size_t kArenaBlock = 64 * 1024;

}  // namespace

TailEntry TailEntry::of(const StoredEvent& e, std::span<const event::Term> terms) {
  return {e.position,
          e.domain,
          e.event.timestamp_us,
          hash_bytes(e.event.bytes),
          e.event.id,
          e.event.name,
          e.event.severity,
          e.push,
          static_cast<uint32_t>(e.event.bytes.size()),
          terms};
}

TailRun::TailRun() : entries_(new TailEntry[kCapacity]), table_(new uint32_t[kTableSize]()) {}

uint64_t TailRun::id_hash(DomainUid domain, std::string_view id) {
  return hash_bytes(id, domain.value);
}

std::string_view TailRun::keep(std::string_view id) {
  if (arena_.empty() || arena_used_ + id.size() > kArenaBlock) {
    arena_.emplace_back(new char[kArenaBlock]);
    arena_used_ = 0;
  }
  char* at = arena_.back().get() + arena_used_;
  std::memcpy(at, id.data(), id.size());
  arena_used_ += id.size();
  return {at, id.size()};
}

std::span<const event::Term> TailRun::keep(std::span<const event::Term> terms) {
  static_assert(event::kMaxTerms <= kTermBlock);
  if (term_arena_.empty() || terms_used_ + terms.size() > kTermBlock) {
    term_arena_.emplace_back(new event::Term[kTermBlock]);
    terms_used_ = 0;
    term_blocks_.store(term_arena_.size(), std::memory_order_release);
  }
  auto* at = term_arena_.back().get() + terms_used_;
  std::ranges::copy(terms, at);
  terms_used_ += terms.size();
  return {at, terms.size()};
}

void TailRun::append(TailEntry entry) {
  const size_t index = count_.load(std::memory_order_relaxed);
  CHECK(index < kCapacity);
  entry.id = keep(entry.id);
  entry.terms = keep(entry.terms);
  entries_[index] = entry;
  for (size_t slot = id_hash(entry.domain, entry.id) % kTableSize;;
       slot = (slot + 1) % kTableSize) {
    if (table_[slot] != 0) continue;
    table_[slot] = static_cast<uint32_t>(index + 1);
    break;
  }
  count_.store(index + 1, std::memory_order_release);
}

const TailEntry* TailRun::find(DomainUid domain, std::string_view id) const {
  for (size_t slot = id_hash(domain, id) % kTableSize; table_[slot] != 0;
       slot = (slot + 1) % kTableSize) {
    const auto& entry = entries_[table_[slot] - 1];
    if (entry.domain == domain && entry.id == id) return &entry;
  }
  return nullptr;
}

size_t TailRun::memory() const {
  return kCapacity * sizeof(TailEntry) + kTableSize * sizeof(uint32_t) +
         arena_.size() * kArenaBlock + term_arena_.size() * kTermBlock * sizeof(event::Term);
}

size_t TailRun::first_after(Position position) const {
  const TailEntry* begin = entries_.get();
  const auto* found =
      std::upper_bound(begin, begin + size(), position,
                       [](Position p, const TailEntry& entry) { return p < entry.position; });
  return static_cast<size_t>(found - begin);
}

Tail::Tail() {
  runs_.push_back(std::make_shared<TailRun>());
}

void Tail::append(const TailEntry& entry) {
  const MutexLock lock(mutex_);
  if (runs_.back()->full()) runs_.push_back(std::make_shared<TailRun>());
  runs_.back()->append(entry);
}

std::optional<Tail::Found> Tail::find(DomainUid domain, std::string_view id) const {
  const MutexLock lock(mutex_);
  for (auto it = runs_.rbegin(); it != runs_.rend(); ++it) {
    if (const auto* found = (*it)->find(domain, id))
      return Found{found->position, found->content_hash};
  }
  return std::nullopt;
}

Tail::Runs Tail::runs() const {
  const MutexLock lock(mutex_);
  return runs_;
}

void Tail::close_open_run() {
  const MutexLock lock(mutex_);
  if (runs_.back()->size() > 0) runs_.push_back(std::make_shared<TailRun>());
}

std::shared_ptr<TailRun> Tail::oldest_closed() const {
  const MutexLock lock(mutex_);
  if (runs_.size() > 1 || runs_.front()->full()) return runs_.front();
  return nullptr;
}

void Tail::drop_oldest() {
  const MutexLock lock(mutex_);
  runs_.erase(runs_.begin());
  if (runs_.empty()) runs_.push_back(std::make_shared<TailRun>());
}

void Tail::clear() {
  const MutexLock lock(mutex_);
  runs_ = {std::make_shared<TailRun>()};
}

size_t Tail::size() const {
  const MutexLock lock(mutex_);
  size_t n = 0;
  for (const auto& run : runs_) n += run->size();
  return n;
}

size_t Tail::memory() const {
  const MutexLock lock(mutex_);
  size_t n = 0;
  for (const auto& run : runs_) n += run->memory();
  return n;
}

}  // namespace eventhorn::store
