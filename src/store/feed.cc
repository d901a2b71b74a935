#include "store/feed.h"

#include "base/check.h"

#include <algorithm>
#include <utility>

namespace eventhorn::store {
namespace {

constexpr size_t kCatchUpEvents = 2048;  // in a batch

bool in_order(const CommittedBatch& batch, Position after) {
  for (const auto& event : batch.events) {
    if (event->position <= after) return false;
    after = event->position;
  }
  return after <= batch.head;
}

}  // namespace

void Feed::subscribe(std::function<void(const BatchPtr&)> subscriber) {
  subscribers_.push_back(std::move(subscriber));
}

void Feed::start(Position head) {
  handed_over_ = head;
}

void Feed::publish(std::shared_ptr<CommittedBatch> batch) {
  CHECK(in_order(*batch, handed_over_));
  handed_over_ = batch->head;
  const BatchPtr ready = std::move(batch);
  for (const auto& subscriber : subscribers_) subscriber(ready);
}

void Feed::events(std::vector<EventPtr> events) {
  if (events.empty()) return;
  auto batch = std::make_shared<CommittedBatch>();
  batch->head = events.back()->position;
  batch->events = std::move(events);
  publish(std::move(batch));
}

void Feed::changes(std::span<const WriteSet::Edit> edits, Position head) {
  auto batch = std::make_shared<CommittedBatch>();
  for (const auto& edit : edits) {
    if (!edit.outcome) continue;
    directory_.apply(edit.name, *edit.outcome);
    batch->changes.push_back(*edit.outcome);
  }
  batch->head = head;
  publish(std::move(batch));
}

Status Feed::catch_up(EventLog& log, DomainStore& domains) {
  while (handed_over_ < log.head()) {
    TRY(const auto heads, log.read_heads(handed_over_, kCatchUpEvents));
    if (heads.empty()) break;
    std::vector<Position> positions;
    for (const auto& h : heads) positions.push_back(h.position);
    auto batch = std::make_shared<CommittedBatch>();
    TRY(batch->events, log.read_events(positions));
    std::erase(batch->events, nullptr);
    batch->head = positions.back();
    publish(std::move(batch));
  }
  TRY(const auto all, domains.load_domains());
  auto changed = std::make_shared<CommittedBatch>();
  changed->changes = directory_.replace_all(all, log.head());
  changed->head = log.head();
  if (!changed->changes.empty()) publish(std::move(changed));
  return {};
}

}  // namespace eventhorn::store
