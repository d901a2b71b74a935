// bench_search: fills one engine with events, asks it for first pages of many kinds and walks
// through what it has. bench/run search runs it for each engine and puts the figures side by side.
#include "base/strings.h"
#include "search_load.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace eventhorn;
using namespace eventhorn::bench;

struct Options {
  std::string engine;
  EngineOptions where;
  uint64_t events = 0;
  uint64_t seed = 1;
  int64_t start_s = 0;
  bool fill = false;
  bool settle = false;
  size_t batch = 500;
  QueryPlan plan;
  uint64_t walk = 0;
  bool compact = false;
};

std::vector<std::string> engines() {
  std::vector<std::string> out = {"embedded", "server"};
#ifdef BENCH_POSTGRES
  out.emplace_back("postgres");
#endif
#ifdef BENCH_SQLITE
  out.emplace_back("sqlite");
#endif
  return out;
}

/// Prints what there is, and ends.
void list() {
  std::vector<std::string_view> kinds;
  for (const auto& kind : query_kinds()) kinds.push_back(kind.name);
  fmt::print(R"({{"engines":["{}"],"kinds":["{}"]}})"
             "\n",
             fmt::join(engines(), "\",\""), fmt::join(kinds, "\",\""));
  throw CLI::Success();
}

Result<std::unique_ptr<Engine>> open_engine(const Options& options, const Corpus& corpus) {
  if (options.engine == "embedded") return open_embedded(options.where, corpus.domains());
  if (options.engine == "server") return open_server(options.where, corpus.domains());
#ifdef BENCH_POSTGRES
  if (options.engine == "postgres") return open_postgres(options.where);
#endif
#ifdef BENCH_SQLITE
  if (options.engine == "sqlite") return open_sqlite(options.where);
#endif
  return fail(Errc::kInternal, "no such engine");
}

double milliseconds(const std::vector<int64_t>& sorted_ns, double percent) {
  if (sorted_ns.empty()) return 0;
  const auto rank = std::ceil(static_cast<double>(sorted_ns.size()) * percent / 100);
  return static_cast<double>(sorted_ns[static_cast<size_t>(rank) - 1]) / 1e6;
}

std::string text_of_figures(const Figures& f) {
  return fmt::format(
      R"({{"name":"{}","aided":{},"queries":{},"gave_up":{},"events":{},"p50_ms":{:.4f},"p99_ms":{:.4f},)"
      R"("max_ms":{:.4f},"checksum":"{:016x}"}})",
      f.name, f.aided == Aided::kYes, f.took_ns.size(), f.gave_up, f.events,
      milliseconds(f.took_ns, 50), milliseconds(f.took_ns, 99), milliseconds(f.took_ns, 100),
      f.checksum);
}

Status run(const Options& options) {
  const Corpus corpus({options.events, options.seed, from_micros(options.start_s * 1'000'000)});
  TRY(const auto engine, open_engine(options, corpus));
  std::vector<std::string> parts;
  if (options.fill) {
    TRY_STATUS(engine->prepare());
    TRY(const auto filled, fill(corpus, *engine, options.batch));
    parts.push_back(fmt::format(
        R"("fill":{{"events":{},"bytes":{},"seconds":{:.3f},"settle_seconds":{:.3f},"events_per_s":{:.0f}}})",
        options.events, filled.bytes, filled.seconds, filled.settle_seconds,
        static_cast<double>(options.events) / filled.seconds));
  } else if (options.settle) {
    TRY_STATUS(engine->settle());
  }
  if (options.plan.queries > 0) {
    TRY(const auto kinds, query(corpus, *engine, options.plan));
    std::string all;
    for (const auto& figures : kinds) all += (all.empty() ? "" : ",") + text_of_figures(figures);
    parts.push_back(fmt::format(R"("kinds":[{}])", all));
  }
  if (options.walk > 0) {
    TRY(const auto walked, walk(*engine, options.walk));
    parts.push_back(
        fmt::format(R"("walk":{{"events":{},"pages":{},"seconds":{:.3f},"events_per_s":{:.0f}}})",
                    walked.events, walked.pages, walked.seconds,
                    static_cast<double>(walked.events) / walked.seconds));
  }
  if (options.compact) TRY_STATUS(engine->compact());
  fmt::print("{{{}}}\n", fmt::join(parts, ","));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Fills one engine with seeded events, asks it for first pages and walks through it; prints "
      "one JSON line.");
  Options options;
  app.add_flag_callback("--list", list, "Print which engines and kinds of query there are");
  app.add_option(
         "--engine", options.engine,
         "embedded (the store, without a server), server (over HTTP), postgres, sqlite; the "
         "last two where libpq-dev and libsqlite3-dev were installed")
      ->required()
      ->check(CLI::IsMember(engines()));
  app.add_option("--at", options.where.at, "Data directory, URL, connection string or file")
      ->required();
  app.add_option("--key", options.where.key, "API key of the server");
  app.add_flag("--more-indexes", options.where.more_indexes,
               "PostgreSQL: an index for each kind of query");
  app.add_option("--events", options.events, "Events of the corpus")
      ->required()
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "Of the corpus")->capture_default_str();
  app.add_option("--start", options.start_s,
                 "When the first event happened, seconds since the epoch; the last one is six days "
                 "later")
      ->required();
  app.add_flag("--fill", options.fill, "First append the events");
  app.add_option("--batch", options.batch, "Events of an append")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_flag("--settle", options.settle, "First let the engine put its indexes in order");
  app.add_option("--queries", options.plan.queries, "Pages of each kind, 0 for none")
      ->capture_default_str();
  app.add_option("--warm-up", options.plan.warm_up, "Pages of each kind before those")
      ->capture_default_str();
  app.add_option("--seconds", options.plan.seconds, "At most for each kind")->capture_default_str();
  app.add_option("--kind", options.plan.kind, "Only this kind of query");
  app.add_option("--values", options.plan.seed, "Seed of the values that are looked for")
      ->capture_default_str();
  app.add_option("--walk", options.walk, "Then walk back over so many events")
      ->capture_default_str();
  app.add_flag("--compact", options.compact, "In the end compact all (embedded)");
  app.footer(
      "Examples:\n"
      "  bench_search --engine embedded --at /tmp/data --events 1000000 --start $(date -d '6 days "
      "ago' +%s) --fill\n"
      "  bench_search --engine postgres --at 'host=/tmp/pg dbname=postgres' --events 1000000 "
      "--start 1773222312 --fill --queries 0");
  CLI11_PARSE(app, argc, argv);
  if (const auto status = run(options); !status) {
    fmt::print(stderr, "bench_search: {}: {}\n", options.engine, status.error().message);
    return 1;
  }
  return 0;
}
