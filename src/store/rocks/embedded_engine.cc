// Opening, and what is read.
#include "store/rocks/embedded_engine.h"

#include "base/log.h"
#include "crypto/random.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <utility>

namespace eventhorn::store {

EmbeddedEngine::EmbeddedEngine(RocksOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      kept_clock_(clock, options_.clock_hold),
      unreadable_(options_.directory, clock),
      ballast_(
          options_.directory / "ballast", options_.ballast_bytes, [this] { return free_bytes(); },
          clock),
      opening_({options_.directory, options_.env, options_.rewrite_after, floors_}),
      tables_(database_),
      wal_(database_, options_.directory),
      clock_keeper_(kept_clock_, tables_.clock, wal_),
      domains_(tables_.domains),
      ids_(tail_, tables_.ids, unreadable_),
      progress_(tables_),
      retention_(floors_, {database_, tables_.log, tables_.floors, tables_.numbers, kept_clock_,
                           clock_keeper_}),
      lanes_({tail_, tables_.classes, progress_.exceptions, tables_.log, tables_.floors, *floors_}),
      term_rebuild_({database_, tables_.numbers, tables_.log, *floors_}),
      pages_(
          {tail_, tables_.times, tables_.terms, tables_.log, *floors_, term_rebuild_, unreadable_}),
      order_fill_({database_, tables_.log, tables_.numbers, *floors_}),
      order_({tail_, tables_.classes, tables_.log, order_fill_, tables_.floors, *floors_}),
      eraser_({database_, tables_, order_, wal_}),
      counts_(tables_.classes),
      indexer_({database_, tables_.numbers, tail_, clock,
                options_.workers != nullptr ? *options_.workers : threads_},
               {options_.directory, options_.index_idle, [this] { return chores(); },
                [this] { return wal_.failed(); }},
               {&tables_.ids, &tables_.times, &counts_, &terms_}) {}

Result<std::unique_ptr<RocksStore>> RocksStore::open(RocksOptions options, const Clock& clock) {
  auto store = std::make_unique<EmbeddedEngine>(std::move(options), clock);
  TRY_STATUS(store->start());
  return store;
}

Status EmbeddedEngine::start() {
  std::error_code ec;
  std::filesystem::create_directories(options_.directory, ec);
  if (ec) {
    return fail(Errc::kUnavailable, "cannot create data directory " + options_.directory.string() +
                                        ": " + ec.message());
  }
  {
    const auto alone = database_.alone();
    TRY_STATUS(open_database());
    if (options_.reindex) TRY_STATUS(term_rebuild_.begin_anew());
  }
  ballast_.keep();
  indexer_.start();
  return {};
}

tl::unexpected<Error> EmbeddedEngine::damaged(const std::string& where) const {
  const std::string data = options_.directory.string();
  return fail(Errc::kCorruption, "the store in " + data + " is damaged: " + where +
                                     "; nothing was changed: restore a backup, or run `eventhorn "
                                     "repair --data " +
                                     data + "`");
}

// All or nothing: readers of a store that is loaded in part would take its empty tail for "all is
// in the indexes", and lanes would skip what is not.
Status EmbeddedEngine::open_database() {
  auto status = open_and_load();
  if (!status && status.error().code == Errc::kCorruption &&
      wal_.cut_unsynced_end(opening_.directory()))
    status = open_and_load();
  if (!status)
    return status.error().code == Errc::kCorruption ? damaged(status.error().message) : status;
  head_.store(next_position_ - 1, std::memory_order_release);
  see_commit(kept_clock_.now());  // no commit is under way
  wal_.opened();
  return {};
}

Status EmbeddedEngine::open_and_load() {
  auto status = opening_.open(database_);
  if (status) status = load();
  if (!status) database_.close();
  return status;
}

Status EmbeddedEngine::load() {
  Indexer::remove_files(options_.directory);
  TRY_STATUS(retention_.load());
  TRY_STATUS(find_next_position());
  if (next_position_ <= head().value)
    return fail(Errc::kUnavailable, "the store ends before position " +
                                        std::to_string(head().value) +
                                        ", which was acknowledged: is it an older copy of itself?");
  TRY_STATUS(start_clock());
  TRY_STATUS(load_generation());
  TRY_STATUS(domains_.load());
  TRY(const auto indexed, tables_.numbers.load(NumberTable::kIndexedThrough));
  TRY_STATUS(term_rebuild_.load({indexed.value_or(0)}));
  return rebuild_tail();
}

// A position is never given twice, even when retention has emptied the log: lanes and the index
// would take the second event for settled.
Status EmbeddedEngine::find_next_position() {
  TRY(const auto after_edit, tables_.numbers.load(NumberTable::kNextPosition));
  TRY(const auto indexed, tables_.numbers.load(NumberTable::kIndexedThrough));
  TRY(const auto last, tables_.log.last());
  next_position_ = std::max({uint64_t{1}, after_edit.value_or(0), indexed.value_or(0) + 1,
                             retention_.floor().value, last.value_or(kNoPosition).value + 1});
  return {};
}

// A store of before there was a kept clock, or a new one, goes on from the wall clock, but not
// later than its last commit: the time it was off since is judged as any other step.
Status EmbeddedEngine::start_clock() {
  TRY(const auto saved, tables_.clock.load());
  if (saved) {
    kept_clock_.start(saved, {});
    return {};
  }
  SystemTime fresh = clock_.now();
  TRY(const auto last, tables_.log.last());
  if (last) {
    std::vector<EventPtr> events;
    TRY_STATUS(tables_.log.read({*last}, LogTable::kAllBytes, events));
    fresh = std::min(fresh, events.front()->committed);
  }
  kept_clock_.start(std::nullopt, fresh);
  return {};
}

Status EmbeddedEngine::load_generation() {
  TRY(const auto kept, tables_.numbers.load(NumberTable::kGeneration));
  uint64_t generation = kept.value_or(0);
  if (!kept) {
    const std::string chance = crypto::random_bytes(8);
    generation = format::get_u64_be(chance.data());
    rocksdb::WriteBatch batch;
    tables_.numbers.put(NumberTable::kGeneration, generation, batch);
    TRY_STATUS(database_.write(batch, "naming the store's generation"));
  }
  generation_ = generation;
  return {};
}

Status EmbeddedEngine::rebuild_tail() {
  tail_.clear();
  indexer_.reset();
  TRY(const auto indexed, tables_.numbers.load(NumberTable::kIndexedThrough));
  TRY_STATUS(order_fill_.load({indexed.value_or(0)}));
  size_t count = 0;
  const auto take = [&](const EventPtr& event) {
    tail_.append(TailEntry::of(*event, event::terms_of(event->event.bytes)));
    if (++count % 1'000'000 == 0)
      log_info("store", "reading the unindexed end of the log events={}", count);
  };
  return tables_.log.scan({indexed.value_or(0)}, take);
}

Status EmbeddedEngine::recover() {
  no_purges_ = true;  // one may hold the database for minutes
  const auto alone = database_.alone();
  no_purges_ = ending_.load();
  database_.close();
  ballast_.yield();
  auto status = open_database();
  if (!status) {
    ballast_.give_up();  // for the next try
    return status;
  }
  clock_keeper_.lost();  // the row may have been among what was not synced
  log_info("store", "reopened the store head={}", head().value);
  return {};
}

// Of each turn of the indexer.
bool EmbeddedEngine::chores() {
  ballast_.keep();
  change_compactions(opening_.compactions(), database_, clock_.steady_now(), unreadable_);
  if (failed()) return false;  // nothing is written behind a write that failed
  order_fill_.step();
  return term_rebuild_.step();
}

Status EmbeddedEngine::may_append() const {
  const size_t events = tail_.size();
  if (events <= options_.max_tail_events && tail_.memory() <= options_.max_tail_bytes) return {};
  return fail(Errc::kUnavailable,
              std::to_string(events) +
                  " events wait for the indexes, and no more are taken until they are there: see "
                  "the server's log");
}

uint64_t EmbeddedEngine::free_bytes() const {
  if (options_.free_bytes) return options_.free_bytes();
  std::error_code ec;
  const auto space = std::filesystem::space(options_.directory, ec);
  return ec ? UINT64_MAX : space.available;
}

Result<std::vector<EventHead>> EmbeddedEngine::read_heads(Position after, size_t max) {
  TRY(const auto use, database_.use());
  return tables_.log.read_heads(after, head(), max);
}

Result<std::vector<EventPtr>> EmbeddedEngine::read_events(const std::vector<Position>& positions) {
  TRY(const auto use, database_.use());
  std::vector<EventPtr> out;
  out.reserve(positions.size());
  TRY_STATUS(tables_.log.read(positions, LogTable::kAllBytes, out));
  // What lies behind the head is written and may yet be lost.
  const Position end = head();
  for (size_t i = 0; i < positions.size(); ++i)
    if (positions[i] > end) out[i] = nullptr;
  return out;
}

Result<std::vector<Position>> EmbeddedEngine::find_events(DomainUid domain,
                                                          const std::vector<std::string>& ids) {
  TRY(const auto use, database_.use());
  return ids_.find(domain, ids);
}

Result<Position> EmbeddedEngine::position_before(SystemTime time) {
  TRY(const auto use, database_.use());
  const Position floor = retention_.floor();
  TRY(const Position first, tables_.log.first_committed_since(time, floor, just_after(head())));
  return first <= floor ? kNoPosition : just_before(first);
}

Result<LaneSlice> EmbeddedEngine::read_lane(const LaneQuery& query) {
  TRY(const auto use, database_.use());
  return lanes_.read(query, head());
}

Result<EventCount> EmbeddedEngine::count_lane(const LaneQuery& query) {
  TRY(const auto use, database_.use());
  return lanes_.count(query, head());
}

Result<PageSlice> EmbeddedEngine::read_page(const PageQuery& query) {
  TRY(const auto use, database_.use());
  return pages_.read(query);
}

Result<OrderSlice> EmbeddedEngine::read_order(const OrderQuery& query) {
  TRY(const auto use, database_.use());
  return order_.read(query, head());
}

Committed EmbeddedEngine::last_commit() const {
  const MutexLock lock(last_commit_mutex_);
  return last_commit_;
}

Result<std::optional<SystemTime>> EmbeddedEngine::committed_at(Position position) {
  TRY(const auto use, database_.use());
  std::vector<EventPtr> events;
  if (position > head()) return std::optional<SystemTime>();
  const auto status = tables_.log.read({position}, LogTable::kAllBytes, events);
  if (!status && status.error().code != Errc::kCorruption) return fail(status.error());
  return status && events[0] ? std::optional(events[0]->committed) : std::nullopt;
}

Result<LoadedProgress> EmbeddedEngine::load_progress() {
  TRY(const auto use, database_.use());
  return progress_.load();
}

Result<std::vector<ExceptionRow>> EmbeddedEngine::read_exceptions(LaneId lane, Position after,
                                                                  size_t max, bool missed_only) {
  TRY(const auto use, database_.use());
  std::vector<ExceptionRow> out;
  if (max == 0) return out;
  const auto take = [&](const ExceptionRow& row) -> Result<bool> {
    if (row.missed || !missed_only) out.push_back(row);
    return out.size() < max;
  };
  TRY_STATUS(progress_.exceptions.scan(lane, after, take));
  return out;
}

Result<std::vector<AttemptRow>> EmbeddedEngine::read_attempts(LaneId lane, Position position,
                                                              SystemTime committed, size_t max) {
  TRY(const auto use, database_.use());
  return progress_.attempts.read(lane, position, committed, max);
}

Result<std::vector<AttemptRow>> EmbeddedEngine::last_attempts(LaneId lane, SystemTime before,
                                                              size_t max) {
  TRY(const auto use, database_.use());
  return tables_.attempts.read_back(lane, before, max);
}

Result<std::vector<DomainPtr>> EmbeddedEngine::load_domains() {
  TRY(const auto use, database_.use());
  return domains_.all();
}

Result<std::optional<std::string>> EmbeddedEngine::load_value(const std::string& key) {
  TRY(const auto use, database_.use());
  return tables_.values.load(key);
}

Result<std::vector<std::pair<std::string, std::string>>> EmbeddedEngine::load_values(
    const std::string& prefix) {
  TRY(const auto use, database_.use());
  return tables_.values.load_all(prefix);
}

}  // namespace eventhorn::store
