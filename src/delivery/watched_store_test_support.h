// A store that passes everything on, with reads that fail on request.
#pragma once

#include "store/store.h"

#include <atomic>
#include <mutex>
#include <set>

namespace eventhorn::delivery {

class WatchedStore final : public store::Store {
 public:
  explicit WatchedStore(store::Store& store) : store_(store) {}

  /// The event's record cannot be read from now on.
  void damage(Position position) {
    const std::lock_guard lock(mutex_);
    damaged_.insert(position);
  }

  /// Every record can be read again.
  void heal() {
    const std::lock_guard lock(mutex_);
    damaged_.clear();
  }

  /// What read_events() says of a damaged event.
  void fail_by(Errc code) { failure_ = code; }

  /// No lane can be read.
  void fail_lanes(bool fail) { lanes_fail_ = fail; }

  /// Rows of exceptions that were asked to be deleted so far.
  size_t ended_exceptions() const { return ended_exceptions_; }

  /// Reads of damaged events so far.
  size_t failed_reads() const { return failed_reads_; }

  Status commit(store::WriteSet& set) override { return store_.commit(set); }

  Result<store::SaveToken> save(std::span<const store::Progress* const> progress) override {
    for (const auto* one : progress) ended_exceptions_ += one->ended_exceptions.size();
    return store_.save(progress);
  }

  bool durable(store::SaveToken token) const override { return store_.durable(token); }

  Result<store::LaneSlice> read_lane(const store::LaneQuery& query) override {
    if (lanes_fail_) return fail(Errc::kCorruption, "the index is damaged");
    auto slice = store_.read_lane(query);
    if (!slice) return slice;
    std::erase_if(slice->events, [&](const store::EventPtr& event) {
      if (!is_damaged(event->position)) return false;
      const auto hook = webhook::hook_for(event->event.name, event->event.severity);
      slice->unreadable.push_back({event->position, *hook});
      return true;
    });
    return slice;
  }

  Result<std::vector<store::EventPtr>> read_events(
      const std::vector<Position>& positions) override {
    for (const auto position : positions) {
      if (!is_damaged(position)) continue;
      ++failed_reads_;
      return fail(failure_, "the record is damaged");
    }
    return store_.read_events(positions);
  }

  Status flush() override { return store_.flush(); }

  bool failed() const override { return store_.failed(); }

  Status recover() override { return store_.recover(); }

  Status may_append() const override { return store_.may_append(); }

  uint64_t free_bytes() const override { return store_.free_bytes(); }

  Position head() const override { return store_.head(); }

  store::KeptClock& kept_clock() override { return store_.kept_clock(); }

  Result<std::vector<store::DomainPtr>> load_domains() override { return store_.load_domains(); }

  Result<store::LoadedProgress> load_progress() override { return store_.load_progress(); }

  Status replace_marks(std::span<const store::SlotMark> marks) override {
    return store_.replace_marks(marks);
  }

  Result<std::vector<store::EventHead>> read_heads(Position after, size_t max) override {
    return store_.read_heads(after, max);
  }

  Result<store::EventCount> count_lane(const store::LaneQuery& query) override {
    return store_.count_lane(query);
  }

  Result<Position> position_before(SystemTime time) override {
    return store_.position_before(time);
  }

  Result<std::vector<store::ExceptionRow>> read_exceptions(LaneId lane, Position after, size_t max,
                                                           bool missed_only) override {
    return store_.read_exceptions(lane, after, max, missed_only);
  }

  Result<std::vector<store::AttemptRow>> read_attempts(LaneId lane, Position position,
                                                       SystemTime committed, size_t max) override {
    return store_.read_attempts(lane, position, committed, max);
  }

  Result<std::vector<store::AttemptRow>> last_attempts(LaneId lane, SystemTime before,
                                                       size_t max) override {
    return store_.last_attempts(lane, before, max);
  }

  Result<store::PageSlice> read_page(const store::PageQuery& query) override {
    return store_.read_page(query);
  }

  Result<store::OrderSlice> read_order(const store::OrderQuery& query) override {
    return store_.read_order(query);
  }

  store::Committed last_commit() const override { return store_.last_commit(); }

  Result<std::optional<SystemTime>> committed_at(Position position) override {
    return store_.committed_at(position);
  }

  uint64_t generation() const override { return store_.generation(); }

  Result<std::vector<Position>> find_events(DomainUid domain,
                                            const std::vector<std::string>& ids) override {
    return store_.find_events(domain, ids);
  }

  Result<uint64_t> expire(SystemTime events_before, SystemTime attempts_before) override {
    return store_.expire(events_before, attempts_before);
  }

  Result<SystemTime> cut_to_bytes(uint64_t bytes) override { return store_.cut_to_bytes(bytes); }

  Result<std::optional<std::string>> load_value(const std::string& key) override {
    return store_.load_value(key);
  }

  Status save_value(const std::string& key, const std::string& value) override {
    return store_.save_value(key, value);
  }

  Status remove_value(const std::string& key) override { return store_.remove_value(key); }

  Status save_values(const store::ValueChanges& changes) override {
    return store_.save_values(changes);
  }

  Result<std::vector<std::pair<std::string, std::string>>> load_values(
      const std::string& prefix) override {
    return store_.load_values(prefix);
  }

 private:
  bool is_damaged(Position position) {
    const std::lock_guard lock(mutex_);
    return damaged_.contains(position);
  }

  store::Store& store_;
  std::mutex mutex_;
  std::set<Position> damaged_;
  std::atomic<Errc> failure_ = Errc::kCorruption;
  std::atomic<bool> lanes_fail_ = false;
  std::atomic<size_t> ended_exceptions_ = 0;
  std::atomic<size_t> failed_reads_ = 0;
};

}  // namespace eventhorn::delivery
