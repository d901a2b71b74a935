// C14: reads that fail, and bits that flipped, in each family's tables. What is unreadable costs
// itself alone, and is never taken for "nothing there".
#include "base/metrics.h"
#include "event/filter.h"
#include "store/rocks/families.h"
#include "store/writers_test_support.h"

#include <gtest/gtest.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table_properties.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

namespace eventhorn::store {
namespace {

using Ids = std::vector<std::string>;
using Outcome = AppendQueue::Outcome;
using ReadFault = FaultEnv::ReadFault;

constexpr ReadFault kReadFaults[] = {ReadFault::kError, ReadFault::kFlip};
constexpr LaneId kLane{5};

double unreadable() {
  return metrics::counter("eventhorn_store_unreadable_total", "").value();
}

double store_failures() {
  return metrics::counter("eventhorn_store_failures_total", "Writes that the store refused")
      .value();
}

// fill() makes a store whose rows are all in tables, none of them cached.
class ReadFaultTest : public testing::Test {
 protected:
  void fill(int events = 20) {
    rig_ = std::make_unique<WriterRig>();
    ids_.clear();
    rig_->create();
    for (int i = 0; i < events; ++i) ids_.push_back("e" + std::to_string(1000 + i));
    std::vector<NewEvent> all;
    for (const auto& id : ids_) {
      all.push_back(rig_->event(id));
      if (searchable_) all.back().event.bytes = R"({"id":")" + id + R"(","tags":["all"]})";
    }
    EXPECT_TRUE(rig_->append(std::move(all)));
    Progress p;
    p.exceptions = {exception_row(kLane, first(), true), exception_row(kLane, last(), false)};
    p.attempts = {attempt(first()), attempt(last())};
    std::promise<void> saved;
    rig_->writers->progress.save(std::move(p), [&] { saved.set_value(); });
    saved.get_future().wait();
    EXPECT_TRUE(rig_->store->index_now());
    rig_->restart();
  }

  static AttemptRow attempt(Position position) {
    AttemptRow out;
    out.lane = kLane;
    out.position = position;
    out.attempt = 1;
    out.at = from_micros(kBaseUs);
    out.status = 503;
    out.failure = "status";
    return out;
  }

  Position first() const { return rig_->batches()[1]->events.front()->position; }

  Position last() const { return rig_->batches()[1]->events.back()->position; }

  void break_tables(ReadFault fault, Family family) {
    std::set<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(rig_->dir.path() / "store")) {
      if (entry.path().extension() != ".sst") continue;
      rocksdb::SstFileReader reader({});
      ASSERT_TRUE(reader.Open(entry.path().string()).ok());
      if (reader.GetTableProperties()->column_family_name ==
          kFamilyNames[static_cast<size_t>(family)])
        paths.insert(entry.path().filename().string());
    }
    ASSERT_FALSE(paths.empty());
    rig_->env.set_read_fault(fault, [paths](const std::string& path) {
      return paths.contains(std::filesystem::path(path).filename().string());
    });
  }

  void heal() { rig_->env.set_read_fault(ReadFault::kNone); }

  LaneQuery lane() const {
    LaneQuery q;
    q.domain = rig_->domain;
    q.cls = webhook::Class::kNormal;
    q.since.fill(kNoPosition);
    q.max_events = SIZE_MAX;
    return q;
  }

  PageQuery page(bool ascending) const {
    PageQuery q;
    q.domain = rig_->domain;
    q.ascending = ascending;
    q.first_us = ascending ? 0 : INT64_MAX;
    q.last_us = ascending ? INT64_MAX : 0;
    q.max_scan = SIZE_MAX;
    q.max_events = SIZE_MAX;
    return q;
  }

  std::shared_ptr<const DomainSet> domains_beside(uint64_t others) const {
    DomainSet out{kOnlyAccount, {rig_->domain}};
    for (uint64_t i = 1; i <= others; ++i) out.domains.push_back({rig_->domain.value + i});
    return std::make_shared<DomainSet>(std::move(out));
  }

  // Every reader tells the truth or an error; how many told an error.
  int errors_of_readers() {
    auto& store = *rig_->store;
    int errors = 0;
    const auto check = [&](const auto& result, const auto& is_true) {
      errors += result ? 0 : 1;
      if (result) EXPECT_TRUE(is_true(*result));
    };
    const auto all = [&](const auto& slice) {
      auto got = ids_of(slice.events);
      std::sort(got.begin(), got.end());
      return got == ids_;
    };
    const auto slice = store.read_lane(lane());
    errors += slice && slice->unreadable.empty() ? 0 : 1;
    if (slice) EXPECT_EQ(slice->events.size() + slice->unreadable.size(), ids_.size());
    for (const bool ascending : {true, false}) {
      auto events = store.read_page(page(ascending));
      errors += events && !events->damaged.empty() ? 1 : 0;
      if (events) EXPECT_EQ(events->events.size() + events->damaged.size(), ids_.size());
      if (events && events->damaged.empty()) check(events, all);
      if (!events) ++errors;
      // Without the index of terms it looks at every event, and that is told.
      auto search = page(ascending);
      search.terms = event::Filter::parse({{"tags", "all"}})->term_query();
      const double before = unreadable();
      const auto found = store.read_page(search);
      errors += found && unreadable() == before ? 0 : 1;
      if (found) EXPECT_EQ(found->events.size() + found->damaged.size(), ids_.size());
      // Over a few domains by their times, over many by what the account has of terms.
      for (const uint64_t others : {1, 100}) {
        auto several = page(ascending);
        several.domains = domains_beside(others);
        const auto of_all = store.read_page(several);
        errors += of_all && unreadable() == before ? 0 : 1;
        if (of_all) EXPECT_EQ(of_all->events.size() + of_all->damaged.size(), ids_.size());
      }
    }
    for (const auto domain : {std::optional(rig_->domain), std::optional<DomainUid>()}) {
      OrderQuery order;
      order.domain = domain;
      order.max_scan = order.max_events = SIZE_MAX;
      const auto events = store.read_order(order);
      errors += events && events->damaged.empty() ? 0 : 1;
      // Where the log alone tells, a damaged place may have held no event.
      if (events) EXPECT_GE(events->events.size() + events->damaged.size(), ids_.size());
    }
    check(store.count_lane(lane()), [&](const auto& n) { return n.events == ids_.size(); });
    check(store.read_events({first(), last()}),
          [&](const auto& got) { return ids_of(got) == Ids{ids_.front(), ids_.back()}; });
    check(store.read_heads(Position{first().value - 1}, SIZE_MAX),
          [&](const auto& got) { return got.size() == ids_.size(); });
    check(store.find_events(rig_->domain, {ids_.front()}),
          [&](const auto& got) { return got.front() == first(); });
    check(store.read_exceptions(kLane, kNoPosition, 10, false),
          [](const auto& got) { return got.size() == 2; });
    check(store.read_attempts(kLane, first(), from_micros(kBaseUs), 10),
          [](const auto& got) { return got.size() == 1; });
    check(store.last_attempts(kLane, from_micros(kBaseUs + 1), 10),
          [](const auto& got) { return got.size() == 2; });
    check(store.load_progress(), [](const auto& got) { return got.missed == 1; });
    return errors;
  }

  bool index_in_the_end() {
    for (int tries = 0; tries < 100; ++tries)
      if (rig_->store->index_now()) return true;
    return false;
  }

  std::unique_ptr<WriterRig> rig_;
  Ids ids_;
  bool searchable_ = false;  // the events of fill() have a term
};

TEST_F(ReadFaultTest, C14ReadersTellTheTruthOrAnError) {
  searchable_ = true;
  fill(2000);  // the log has more than the block that an opening reads
  EXPECT_EQ(errors_of_readers(), 0);
  for (size_t i = 0; i < kFamilyNames.size(); ++i) {
    for (const ReadFault fault : kReadFaults) {
      SCOPED_TRACE(kFamilyNames[i]);
      rig_->restart();  // forgets cached blocks
      break_tables(fault, Family{i});
      const int errors = errors_of_readers();
      if (Family{i} != Family::kMeta) EXPECT_GT(errors, 0);  // that one the opening has read whole
      EXPECT_TRUE(rig_->writers->health.status());
      heal();
    }
  }
}

// A poller gets past records that are damaged; an error of the disk may pass, so nothing is left
// out because of one.
TEST_F(ReadFaultTest, C14APageLeavesOutDamagedRecordsAndNamesThem) {
  fill(2000);
  break_tables(ReadFault::kFlip, Family::kLog);
  const auto some = rig_->store->read_page(page(true));
  ASSERT_TRUE(some) << some.error().message;
  ASSERT_FALSE(some->events.empty());
  EXPECT_FALSE(some->damaged.empty());
  auto got = ids_of(some->events);
  got.insert(got.end(), some->damaged.begin(), some->damaged.end());
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, ids_);
  rig_->restart();
  break_tables(ReadFault::kError, Family::kLog);
  const auto error = rig_->store->read_page(page(true));
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().code, Errc::kUnavailable);
}

// A store with damaged tables opens with all it has, or says what it cannot read.
TEST_F(ReadFaultTest, C14AnOpeningTellsTheTruthOrAnError) {
  searchable_ = true;
  fill();
  const auto domains = rig_->store->load_domains()->size();
  for (size_t i = 0; i < kFamilyNames.size(); ++i) {
    for (const ReadFault fault : kReadFaults) {
      SCOPED_TRACE(kFamilyNames[i]);
      rig_->close();
      break_tables(fault, Family{i});
      {
        const auto opened = RocksStore::open(rocks_options(rig_->dir, &rig_->env), rig_->clock);
        if (opened) {
          EXPECT_EQ((*opened)->load_domains()->size(), domains);
          EXPECT_GE((*opened)->head(), last());
        } else {
          EXPECT_NE(opened.error().message.find(rig_->dir.path().string()), std::string::npos);
        }
      }
      heal();
      rig_->open();
    }
  }
  EXPECT_EQ(errors_of_readers(), 0);
}

// An id that cannot be read costs its own request; nothing is reopened.
TEST_F(ReadFaultTest, C14AnUnreadableIdCostsItsOwnAppend) {
  fill();
  for (const ReadFault fault : kReadFaults) {
    const std::string n = std::to_string(static_cast<int>(fault));
    rig_->restart();
    const double failures = store_failures();
    rig_->env.hold_syncs();
    auto held = rig_->submit("zz-held" + n);
    rig_->env.wait_for_held_sync();
    break_tables(fault, Family::kIds);
    auto known = rig_->submit(ids_.front());
    auto both = rig_->submit({rig_->event("zz-mate" + n), rig_->event(ids_.back())});
    auto twice = rig_->submit({rig_->event(ids_.back()), rig_->event(ids_.back())});
    auto fresh = rig_->submit("zz-fresh" + n);
    rig_->env.release_syncs();
    rig_->run();
    EXPECT_TRUE(held.get());
    for (auto* answer : {&known, &both, &twice}) {
      const auto got = answer->get();
      ASSERT_FALSE(got);
      EXPECT_EQ(got.error().code, Errc::kUnavailable);
      EXPECT_NE(got.error().message.find("cannot read"), std::string::npos) << got.error().message;
    }
    EXPECT_EQ(*fresh.get(), std::vector{Outcome::kStored}) << "of the same commit";
    EXPECT_TRUE(rig_->writers->health.status());
    EXPECT_EQ(store_failures(), failures);
    heal();
    EXPECT_EQ(*rig_->append(ids_.front()), std::vector{Outcome::kDuplicate});
    EXPECT_EQ(*rig_->append("zz-mate" + n), std::vector{Outcome::kDuplicate});
  }
}

// Running counts that cannot be read begin anew: the indexer goes on.
TEST_F(ReadFaultTest, C14TheIndexerPassesUnreadableCounts) {
  for (const ReadFault fault : kReadFaults) {
    fill(300);
    break_tables(fault, Family::kClasses);
    EXPECT_TRUE(rig_->append("later"));
    EXPECT_FALSE(rig_->store->index_now()) << "it may come right by itself";
    EXPECT_TRUE(index_in_the_end());
    heal();
    EXPECT_EQ(rig_->store->read_lane(lane())->events.size(), 301U);
    const auto count = rig_->store->count_lane(lane());
    ASSERT_TRUE(count);
    EXPECT_GT(count->events, 0U);
    EXPECT_LE(count->events, 301U);
  }
}

// The tail does not grow for ever: ingest is refused, edits are not, and it goes on by itself.
TEST(ReadFault, C14TheTailHasABound) {
  WriterRig rig(WriterRig::quick(), [](RocksOptions& options) { options.max_tail_events = 5; });
  rig.create();
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(rig.append("e" + std::to_string(i)));
  auto refused = rig.append("e6");
  while (refused) refused = rig.append("more");  // the queue looks after each of its turns
  EXPECT_EQ(refused.error().code, Errc::kUnavailable);
  EXPECT_NE(refused.error().message.find("wait for the indexes"), std::string::npos);
  EXPECT_FALSE(rig.writers->health.status());
  EXPECT_LE(rig.stored().size(), 8U);
  rig.create("b.test");
  EXPECT_TRUE(rig.store->index_now());
  while (!rig.writers->health.status()) std::this_thread::yield();
  EXPECT_EQ(*rig.append("e7"), std::vector{Outcome::kStored});
}

// A compaction that meets a table it cannot read stops no write.
TEST_F(ReadFaultTest, C14ACompactionThatFailsStopsNoWrite) {
  for (const Family family : {Family::kIds, Family::kTimes, Family::kClasses}) {
    for (const ReadFault fault : kReadFaults) {
      fill();
      break_tables(fault, family);
      EXPECT_FALSE(rig_->store->compact_now());
      const double failures = store_failures();
      EXPECT_EQ(*rig_->append("zz-later"), std::vector{Outcome::kStored});
      EXPECT_TRUE(index_in_the_end());
      EXPECT_TRUE(rig_->writers->health.status());
      EXPECT_EQ(store_failures(), failures);
      heal();
      EXPECT_TRUE(rig_->store->compact_now());
    }
  }
}

}  // namespace
}  // namespace eventhorn::store
