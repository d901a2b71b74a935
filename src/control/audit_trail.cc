#include "control/audit_trail.h"

#include "base/log.h"
#include "base/strings.h"
#include "store/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace eventhorn::control {
namespace {

constexpr std::string_view kPrefix = "audit/";
constexpr uint8_t kVersion = 1;
constexpr size_t kMaxPathBytes = 1024;

// In the order of the ids.
std::string value_key(uint64_t id) {
  return fmt::format("{}{:020}", kPrefix, id);
}

std::string encode(const AuditEntry& entry) {
  store::codec::Writer w;
  w.u8(kVersion);
  w.i64(to_micros(entry.at));
  for (const auto* text : {&entry.key_id, &entry.address, &entry.method, &entry.path})
    w.text(*text);
  return w.take();
}

std::optional<AuditEntry> decode(std::string_view key, std::string_view value) {
  store::codec::Reader in(value);
  AuditEntry out;
  const auto id = parse_uint(key.substr(kPrefix.size()));
  if (!id || in.u8() != kVersion) return std::nullopt;
  out.id = *id;
  out.at = from_micros(in.i64());
  for (auto* text : {&out.key_id, &out.address, &out.method, &out.path})
    *text = std::string(in.text());
  return in.done() ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

Result<std::unique_ptr<AuditTrail>> AuditTrail::load(store::Values& values) {
  std::unique_ptr<AuditTrail> out(new AuditTrail(values));
  TRY(const auto kept, values.load_values(std::string(kPrefix)));
  const MutexLock lock(out->mutex_);
  for (const auto& [key, value] : kept) {
    if (auto entry = decode(key, value)) {
      out->entries_.push_back(*std::move(entry));
    } else {
      log_warn("store", "an entry of the audit trail can't be read, it is left out key={}", key);
    }
  }
  return out;
}

Status AuditTrail::add(AuditEntry entry) {
  store::ValueChanges changes;
  {
    const MutexLock lock(mutex_);
    entry.id = entries_.empty() ? 1 : entries_.back().id + 1;
    if (entries_.size() >= kKeep)
      changes.emplace_back(value_key(entries_.front().id), std::nullopt);
  }
  entry.path = clipped(entry.path, kMaxPathBytes);
  changes.emplace_back(value_key(entry.id), encode(entry));
  TRY_STATUS(values_.save_values(changes));
  const MutexLock lock(mutex_);
  entries_.push_back(std::move(entry));
  if (entries_.size() > kKeep) entries_.pop_front();
  return {};
}

std::vector<AuditEntry> AuditTrail::read(uint64_t before, size_t max) const {
  const MutexLock lock(mutex_);
  auto end = before == 0 ? entries_.end()
                         : std::ranges::lower_bound(entries_, before, {}, &AuditEntry::id);
  std::vector<AuditEntry> out;
  while (end != entries_.begin() && out.size() < max) out.push_back(*--end);
  return out;
}

}  // namespace eventhorn::control
