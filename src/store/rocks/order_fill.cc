#include "store/rocks/order_fill.h"

#include "base/log.h"
#include "store/rocks/tables/class_table.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <optional>

namespace eventhorn::store {

// A store without the row is an older one, or new: then nothing is indexed.
Status OrderFill::load(Position indexed_through) {
  TRY(const auto kept, parts_.numbers.load(NumberTable::kOrderedAfter));
  mark_.store(kept.value_or(indexed_through.value), std::memory_order_release);
  if (kept) return {};
  rocksdb::WriteBatch batch;
  parts_.numbers.put(NumberTable::kOrderedAfter, indexed_through.value, batch);
  return parts_.database.write(batch, "marking the index");
}

void OrderFill::step() {
  if (complete_after() == kNoPosition) return;
  auto status = fill();
  if (!status && !told_)
    log_error("store", "completing the index failed, will try again error={}",
              status.error().message);
  told_ = !status;
}

// Of a part of the log that is damaged, what can be read: position by position. The others tell
// nothing of their domain, so only a repair knows what they were.
Result<std::vector<EventHead>> OrderFill::heads_before_mark(Position& begin) const {
  const Position mark = complete_after();
  auto heads = parts_.log.read_heads_back(mark, kStep);
  if (heads) {
    begin = heads->size() < kStep ? kNoPosition : just_before(heads->back().position);
    return heads;
  }
  if (heads.error().code != Errc::kCorruption) return heads;
  std::vector<EventHead> out;
  Position at = mark;
  for (size_t n = 0; n < kStep && at > kNoPosition; ++n, at = just_before(at)) {
    const auto head = parts_.log.find_head(at);
    if (!head && head.error().code != Errc::kCorruption) return fail(head.error());
    if (!head)
      log_error("store", "an event is left out of the index position={} error={}", at.value,
                head.error().message);
    if (!head) continue;
    if (const auto& found = *head) out.push_back(*found);
  }
  begin = at;
  return out;
}

Status OrderFill::fill() {
  Position begin;
  TRY(const auto heads, heads_before_mark(begin));
  rocksdb::WriteBatch batch;
  for (const auto& head : heads) {
    if (head.push && webhook::hook_for(head.name, head.severity)) continue;
    batch.Put(parts_.database.family(Family::kClasses),
              ClassTable::key(head.domain, kUnseen, head.position),
              ClassTable::encode_unseen({head.name, head.severity}));
  }
  if (begin.value < parts_.floors.events) begin = kNoPosition;
  parts_.numbers.put(NumberTable::kOrderedAfter, begin.value, batch);
  TRY_STATUS(parts_.database.write(batch, "completing the index"));
  mark_.store(begin.value, std::memory_order_release);
  if (begin == kNoPosition) log_info("store", "the index of commits is complete");
  return {};
}

}  // namespace eventhorn::store
