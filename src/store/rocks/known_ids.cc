#include "store/rocks/known_ids.h"

#include "base/hash.h"

#include <map>
#include <string_view>
#include <utility>

namespace eventhorn::store {
namespace {

using Outcome = WriteSet::Append::Outcome;

void judge_by(WriteSet::Append& append, uint64_t known_hash) {
  append.outcome = known_hash == hash_bytes(append.event.event.bytes) ? Outcome::kDuplicate
                                                                      : Outcome::kConflicting;
}

}  // namespace

Result<std::vector<Position>> KnownIds::find(DomainUid domain,
                                             const std::vector<std::string>& ids) const {
  std::vector<Position> out(ids.size(), kNoPosition);
  // The tail first, as every reader does: what leaves it meanwhile is in the index by then.
  for (size_t i = 0; i < ids.size(); ++i) {
    if (const auto found = tail_.find(domain, ids[i])) out[i] = found->position;
  }
  std::vector<size_t> rest;
  std::vector<std::string> keys;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (out[i] != kNoPosition) continue;
    rest.push_back(i);
    keys.push_back(IdTable::key(domain, ids[i]));
  }
  const auto answers = ids_.look_up(keys);
  for (size_t k = 0; k < keys.size(); ++k) {
    TRY(const auto row, answers[k]);
    if (row) out[rest[k]] = row->position;
  }
  return out;
}

void KnownIds::judge(std::vector<WriteSet::Append>& appends) const {
  if (appends.empty()) return;
  std::map<std::pair<uint64_t, std::string_view>, size_t> in_set;  // the first of each id
  std::vector<size_t> unknown;
  std::vector<size_t> repeats;
  std::vector<std::string> keys;
  for (size_t i = 0; i < appends.size(); ++i) {
    auto& append = appends[i];
    const auto& event = append.event.event;
    if (const auto found = tail_.find(append.event.domain, event.id)) {
      judge_by(append, found->content_hash);
      continue;
    }
    if (!in_set.try_emplace({append.event.domain.value, event.id}, unknown.size()).second) {
      repeats.push_back(i);
      continue;
    }
    unknown.push_back(i);
    keys.push_back(IdTable::key(append.event.domain, event.id));
  }
  const auto answers = ids_.look_up(keys);
  for (size_t k = 0; k < keys.size(); ++k) {
    auto& append = appends[unknown[k]];
    const auto row = answers[k];
    if (!row) {
      append.outcome = Outcome::kUnreadable;
      unreadable_.note("an event id", row.error().message);
    } else if (const auto& known = *row) {
      judge_by(append, known->content_hash);
    }
  }
  for (const size_t i : repeats) {
    auto& append = appends[i];
    const size_t k = in_set[{append.event.domain.value, append.event.event.id}];
    const auto& first = appends[unknown[k]];
    if (first.outcome == Outcome::kUnreadable) {
      append.outcome = Outcome::kUnreadable;
    } else if (first.outcome == Outcome::kStored) {
      judge_by(append, hash_bytes(first.event.event.bytes));
    } else {
      judge_by(append, (*answers[k])->content_hash);
    }
  }
}

}  // namespace eventhorn::store
