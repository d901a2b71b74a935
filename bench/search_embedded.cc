// The store through its seam, as a page of the Events API reads it.
#include "base/time.h"
#include "event/filter.h"
#include "event/terms.h"
#include "net.h"
#include "search_engine.h"
#include "store/rocks/rocks_store.h"

#include <chrono>
#include <limits>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace eventhorn::bench {
namespace {

using namespace std::chrono_literals;
using store::WriteSet;

/// As many events as one call of the store gives to a page of the server.
constexpr size_t kSliceEvents = 100;
constexpr size_t kWriters = 2;
constexpr auto kGiveUpAfter = 10s;

event::Filter::Terms filter_terms(const Query& query) {
  event::Filter::Terms terms;
  for (const auto& term : query.terms) terms.emplace_back(name_of(term.field), expression_of(term));
  return terms;
}

class Embedded final : public Engine {
 public:
  explicit Embedded(const std::vector<std::string>& domains) : names_(domains) {}

  Status open(const std::string& directory) {
    store::RocksOptions options;
    options.directory = directory;
    TRY(db_, store::RocksStore::open(options, clock_));
    return find_domains();
  }

  size_t writers() const override { return kWriters; }

  Status prepare() override {
    WriteSet set;
    for (const auto& name : names_) {
      set.edits.push_back(
          {name, [name](const store::DomainPtr&, Position at) -> Result<store::DomainPtr> {
             auto domain = std::make_shared<store::Domain>();
             domain->uid = {at.value};
             domain->name = name;
             return store::DomainPtr(std::move(domain));
           }});
    }
    TRY_STATUS(db_->commit(set));
    return find_domains();
  }

  Status append(size_t /*writer*/, std::vector<Item> items) override {
    // As in the server, terms are made by the threads of requests, and commits come one by one.
    WriteSet set;
    for (auto& item : items) {
      store::NewEvent event;
      event.domain = uids_.at(item.domain);
      event.event = std::move(item.event);
      event.terms = event::terms_of(event.event.bytes);
      set.appends.push_back({std::move(event), WriteSet::Append::Outcome::kStored, nullptr});
    }
    const std::lock_guard lock(commit_);
    while (!db_->may_append()) std::this_thread::sleep_for(1ms);
    TRY_STATUS(db_->commit(set));
    for (const auto& appended : set.appends) {
      if (appended.outcome != WriteSet::Append::Outcome::kStored)
        return fail(Errc::kConflict, "an event was in the store already");
    }
    return {};
  }

  Status settle() override { return db_->index_now(); }

  Status compact() override { return db_->compact_now(); }

  Result<Page> read(const Query& query, const Place* after) override {
    const int64_t begin = monotonic_ns();
    TRY(const auto filter, event::Filter::parse(filter_terms(query)));
    auto asked = store_query(query, filter);
    if (after != nullptr) asked.beyond = store::PageCursor{after->timestamp_us, after->id};
    std::vector<store::EventPtr> events;
    bool at_end = false;
    while (!at_end && events.size() < query.limit) {
      asked.max_events = std::min(query.limit - events.size(), kSliceEvents);
      TRY(auto slice, db_->read_page(asked));
      for (auto& event : slice.events) events.push_back(std::move(event));
      at_end = slice.at_end;
      asked.beyond = std::move(slice.reached);
      if (std::chrono::nanoseconds(monotonic_ns() - begin) > kGiveUpAfter)
        return fail(Errc::kTimeout, "the page took too long");
    }
    Page page;
    page.took_ns = monotonic_ns() - begin;
    for (const auto& event : events) {
      page.ids.push_back(event->event.id);
      page.bytes += event->event.bytes.size();
    }
    if (!events.empty())
      page.end = Place{events.back()->event.timestamp_us, events.back()->event.id, {}};
    return page;
  }

 private:
  static constexpr int64_t kLatestUs = std::numeric_limits<int64_t>::max() / 2;

  Status find_domains() {
    std::map<std::string, DomainUid> by_name;
    TRY(const auto domains, db_->load_domains());
    for (const auto& domain : domains) by_name[domain->name] = domain->uid;
    uids_.clear();
    for (const auto& name : names_) uids_.push_back(by_name[name]);
    return {};
  }

  store::PageQuery store_query(const Query& query, const event::Filter& filter) const {
    store::PageQuery out;
    out.domain = uids_.front();
    out.ascending = false;
    out.first_us = (query.range ? query.range->to_us : kLatestUs) - 1;
    out.last_us = (query.range ? query.range->from_us : 0) - 1;
    out.max_bytes = 2 << 20;
    if (!filter.empty()) {
      out.may_match = [&filter](event::Name name, event::Severity severity) {
        return filter.may_match(name, severity);
      };
      out.terms = filter.term_query();
      out.matches = [&filter](std::string_view bytes) { return filter.matches(bytes); };
    }
    return out;
  }

  const std::vector<std::string> names_;
  const SystemClock clock_;
  std::unique_ptr<store::RocksStore> db_;
  std::mutex commit_;            // held by the one that commits
  std::vector<DomainUid> uids_;  // in the order of names_
};

}  // namespace

Result<std::unique_ptr<Engine>> open_embedded(const EngineOptions& options,
                                              const std::vector<std::string>& domains) {
  auto engine = std::make_unique<Embedded>(domains);
  TRY_STATUS(engine->open(options.at));
  return engine;
}

}  // namespace eventhorn::bench
