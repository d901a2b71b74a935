#include "store/rocks/counts.h"

#include <rocksdb/iterator.h>

#include <utility>

namespace eventhorn::store {

void RunningCounts::forget() {
  for (auto& kept : kept_) kept.clear();
}

Status RunningCounts::add_rows(const TailRun& run, Reads reads, std::vector<IndexRow>& out) {
  size_t known = 0;
  for (const auto& kept : kept_) known += kept.size();
  if (known > kMaxKept) forget();
  const auto rows = classes_.rows();
  const size_t n = run.size();
  out.reserve(out.size() + n);
  const Before before{*rows, n > 0 ? run[0].position : kNoPosition, reads};
  for (size_t i = 0; i < n; ++i) {
    const auto& e = run[i];
    const auto hook = e.hook();
    if (!hook) {
      out.push_back({ClassTable::key(e.domain, kUnseen, e.position),
                     ClassTable::encode_unseen({e.name, e.severity})});
      continue;
    }
    TRY(auto value, add(e, *hook, before));
    out.push_back(
        {ClassTable::key(e.domain, webhook::class_of(*hook), e.position), std::move(value)});
  }
  return {};
}

// The value of the next row of (entry's domain, hook's class); `hook` is the entry's. By position.
Result<std::string> RunningCounts::add(const TailEntry& entry, webhook::Hook hook,
                                       const Before& before) {
  const auto cls = webhook::class_of(hook);
  const auto [it, fresh] = kept_[static_cast<size_t>(cls)].try_emplace(entry.domain);
  auto& state = it->second;
  if (fresh) {
    auto totals = totals_before(entry.domain, cls, before);
    if (!totals && before.reads == Reads::kMustSucceed) return fail(std::move(totals).error());
    if (totals) state.totals = *totals;
  }
  add_event(state.totals[class_slot(hook)], entry.bytes);
  const bool mark = ++state.since_mark == kMarkEvery;
  if (mark) state.since_mark = 0;
  return ClassTable::encode(hook, entry.bytes, mark ? &state.totals : nullptr);
}

Result<ClassTotals> RunningCounts::totals_before(DomainUid domain, webhook::Class cls,
                                                 const Before& before) {
  ClassTotals out{};
  ClassTable::Walk walk(before.rows, domain, cls);
  for (walk.seek_up_to(just_before(before.first)); walk.valid(); walk.prev()) {
    TRY(const auto row, walk.row());
    if (!row.totals) {
      add_event(out[class_slot(row.hook)], row.bytes);
      continue;
    }
    for (size_t slot = 0; slot < out.size(); ++slot) {
      out[slot].events += (*row.totals)[slot].events;
      out[slot].bytes += (*row.totals)[slot].bytes;
    }
    break;
  }
  TRY_STATUS(walk.status());
  return out;
}

}  // namespace eventhorn::store
