// How long the store takes to open, and what it holds in memory then: with many domains, or with a
// long log behind many lanes. `--fill` makes the store; without it the store is opened.
#include "base/check.h"
#include "store/rocks/rocks_store.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <fstream>
#include <string>
#include <unistd.h>

namespace eventhorn {
namespace {

using store::RocksStore;
using store::WriteSet;

struct Options {
  std::string data;
  bool fill = false;
  uint64_t domains = 0;
  uint64_t events = 0;
  uint64_t lanes = 0;
};

constexpr uint64_t kBatch = 2048;

std::string domain_name(uint64_t i) {
  return "customer-" + std::to_string(i) + ".mail.example";
}

Status fill_domains(RocksStore& db, uint64_t count) {
  for (uint64_t i = 0; i < count;) {
    WriteSet set;
    for (; set.edits.size() < kBatch && i < count; ++i) {
      const std::string name = domain_name(i);
      set.edits.push_back(
          {name, [name, i](const store::DomainPtr&, Position at) -> Result<store::DomainPtr> {
             auto d = std::make_shared<store::Domain>();
             d->uid = {at.value};
             d->name = name;
             d->id = fmt::format("{:024x}", i);
             for (const auto hook : webhook::kAllHooks)
               store::set_hook_urls(*d, hook, {"https://hooks." + name + "/v1/events"}, at);
             return store::DomainPtr(d);
           }});
    }
    TRY_STATUS(db.commit(set));
  }
  return {};
}

// Events of as many domains as there are lanes, each lane behind from the beginning.
Status fill_events(RocksStore& db, uint64_t count, uint64_t lanes, const Clock& clock) {
  for (uint64_t i = 0; i < count;) {
    WriteSet set;
    for (; set.appends.size() < kBatch && i < count; ++i) {
      store::NewEvent e;
      e.domain = {1 + i % lanes};
      e.event.id = fmt::format("{:022x}", i);
      e.event.timestamp_us = to_micros(clock.now());
      e.event.name = event::Name::kDelivered;
      e.event.bytes = fmt::format(R"({{"event":"delivered","id":"{:022x}"}})", i);
      set.appends.push_back({std::move(e), WriteSet::Append::Outcome::kStored, nullptr});
    }
    TRY_STATUS(db.commit(set));
  }
  store::Progress progress;
  for (uint64_t lane = 1; lane <= lanes; ++lane) {
    store::LaneRow row{{lane}, {lane}, {}};
    row.segments.push_back({webhook::Class::kNormal, {}, std::nullopt, {}, {}});
    progress.lanes.push_back(std::move(row));
  }
  const store::Progress* const one[] = {&progress};
  TRY(const auto token, db.save(one));
  TRY_STATUS(db.flush());
  CHECK(db.durable(token));
  return {};
}

double rss_mib() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0;
  uint64_t resident = 0;
  statm >> total >> resident;
  return static_cast<double>(resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE))) / (1 << 20);
}

Status run(const Options& options) {
  const SystemClock clock;
  store::RocksOptions rocks;
  rocks.directory = options.data;
  const double before = rss_mib();
  const auto t0 = std::chrono::steady_clock::now();
  TRY(const auto db, RocksStore::open(rocks, clock));
  if (options.fill) {
    TRY_STATUS(fill_domains(*db, options.domains));
    if (options.lanes > 0) TRY_STATUS(fill_events(*db, options.events, options.lanes, clock));
    return {};
  }
  const auto t1 = std::chrono::steady_clock::now();
  TRY(const auto domains, db->load_domains());
  const auto t2 = std::chrono::steady_clock::now();
  TRY(const auto progress, db->load_progress());
  const auto t3 = std::chrono::steady_clock::now();
  store::LaneQuery lane;
  lane.domain = {1};
  lane.cls = webhook::Class::kNormal;
  lane.since.fill(kNoPosition);
  TRY(const auto counted, db->count_lane(lane));
  const auto t4 = std::chrono::steady_clock::now();
  const auto ms = [](auto d) { return std::chrono::duration<double, std::milli>(d).count(); };
  fmt::print(
      "domains {} lanes {} head {} | open {:.0f} ms, load_domains {:.0f} ms, load_progress {:.0f} "
      "ms, count_lane {:.2f} ms ({} events) | rss {:.0f} MiB, of that the program {:.0f}\n",
      domains.size(), progress.lanes.size(), db->head().value, ms(t1 - t0), ms(t2 - t1),
      ms(t3 - t2), ms(t4 - t3), counted.events, rss_mib(), before);
  return {};
}

int run_main(int argc, char** argv) {
  CLI::App app("opens a store and tells what it cost");
  Options options;
  app.add_option("--data", options.data, "data directory")->required();
  app.add_flag("--fill", options.fill, "make the store");
  app.add_option("--domains", options.domains, "with --fill: domains with 8 hooks and a URL");
  app.add_option("--events", options.events, "with --fill: small events");
  app.add_option("--lanes", options.lanes, "with --fill: lanes that are behind with them");
  CLI11_PARSE(app, argc, argv);
  if (auto status = run(options); !status) {
    fmt::print(stderr, "{}\n", status.error().message);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace eventhorn

int main(int argc, char** argv) {
  return eventhorn::run_main(argc, argv);
}
