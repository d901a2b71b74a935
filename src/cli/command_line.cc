#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <utility>
#include <vector>

namespace eventhorn::cli {
namespace {

constexpr const char* kExamples = R"(
Examples:
  eventhorn serve --dev                        try it out on this machine
  eventhorn serve --config eventhorn.toml      run with a configuration file
  eventhorn config print                       every setting, explained, as it is in effect
  eventhorn selftest --hostile                 prove on this machine that bad receivers hurt nobody
  eventhorn repair --check --data DIR          look for damage in a store
  eventhorn reindex --data DIR                 make the index of searches anew
  eventhorn serve --help                       options of a command
)";

constexpr const char* kServeExamples = R"(
Prints "eventhorn ready http://ADDR:PORT" on stdout when it accepts requests; logs go to stderr. SIGTERM drains and
stops, a second one stops at once. EVENTHORN_API_KEY and EVENTHORN_SIGNING_KEY give the first keys; otherwise they are
generated and kept in the data directory.

Examples:
  eventhorn serve --dev --data /tmp/eventhorn
  eventhorn serve --config /etc/eventhorn.toml --listen 0.0.0.0:8480
  eventhorn serve --set delivery.timeout=2s --set delivery.retry_schedule=1s,2s
  EVENTHORN_DELIVERY_TIMEOUT=2s eventhorn serve
)";

constexpr const char* kPrintExamples = R"(
Examples:
  eventhorn config print > eventhorn.toml
  eventhorn config print --config eventhorn.toml --set log.level=debug
)";

constexpr const char* kSelftestExamples = R"(
Starts a server in a temporary directory, a good receiver and one of every bad kind on loopback (never answers, slow
head, resets, closes, 103 for ever, endless body, redirects, 500, 410, 429, wrong protocol, refuses), sends events to
all of them and kills the server at random moments. The good one must get everything meanwhile; then the bad ones turn
good and must get what was kept. Prints a table; exits with 0 when it is passed and 1 when it is not.

Examples:
  eventhorn selftest --hostile
  eventhorn selftest --hostile --events 20000 --kills 20 --seconds 60
)";

constexpr const char* kRepairExamples = R"(
For a store that `serve` refuses to open. Reads all of it; when something is damaged, writes what can be read to a new
store and puts that in its place. The old one is kept in DATA/quarantine-TIME, with lost.ndjson: the events that were
lost, by id where the index knows it, else as ranges of positions and times; send those again. The server must be
stopped; there must be as much free space as the store takes.

Exits with 0 when the store is sound now, with 1 when it is not.

Examples:
  eventhorn repair --check --data /var/lib/eventhorn
  eventhorn repair --config /etc/eventhorn.toml
)";

constexpr const char* kReindexExamples = R"(
Makes the index by which searches of the Events API find events anew, of all events that the store has. It is never needed in
operation: a store of an older version gets the index by itself, behind its other work. It is for an index that cannot be read
(a line of the log says so; searches look at every event then), and for measuring. The server must be stopped. It may be
interrupted: the server goes on with it.

Exits with 0 when the index is made, with 1 when it is not.

Examples:
  eventhorn reindex --data /var/lib/eventhorn
  eventhorn reindex --config /etc/eventhorn.toml
)";

struct Options {
  std::string file;
  std::vector<std::string> set;
  std::string data;
  std::string listen;
  std::string store;
  bool dev = false;
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("--config", options.file, "TOML file with settings")->type_name("FILE");
  app.add_option("--data", options.data, "directory of the embedded store (store.data)")
      ->type_name("DIR");
  app.add_option("--listen", options.listen,
                 "address to listen on; port 0 takes a free one (server.listen)")
      ->type_name("ADDR:PORT");
  app.add_option("--store", options.store,
                 "reserved: only the embedded store is built in (store.url)")
      ->type_name("URL");
  app.add_flag("--dev", options.dev, "allow loopback targets, create unknown domains (dev)");
  app.add_option("--set", options.set, "any setting; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

void add_selftest_options(CLI::App& app, selftest::HostileOptions& options) {
  app.add_flag("--hostile")->description("hostile receivers and kill -9")->required();
  app.add_option("--events", options.events, "events for each receiver")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--kills", options.kills, "how many times the server is killed")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  app.add_option_function<int64_t>(
         "--seconds", [&options](int64_t s) { options.seconds = std::chrono::seconds(s); },
         "how long events are sent")
      ->check(CLI::Range(1, 86'400))
      ->default_val(options.seconds.count());
}

// Throws a CLI::ParseError, which parse_command_line explains.
config::Sources to_sources(const CLI::App& app, const Options& options) {
  config::Sources sources;
  sources.file = options.file;
  for (const std::string& pair : options.set) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw CLI::ValidationError("--set", pair + ": takes key=value, such as delivery.timeout=2s");
    }
    sources.settings.push_back({pair.substr(0, equals), pair.substr(equals + 1), "--set"});
  }
  const auto dedicated = [&](const char* option, const char* key, const std::string& text) {
    if (app.count(option) > 0) sources.settings.push_back({key, text, option});
  };
  dedicated("--data", "store.data", options.data);
  dedicated("--listen", "server.listen", options.listen);
  dedicated("--store", "store.url", options.store);
  dedicated("--dev", "dev", options.dev ? "true" : "false");
  return sources;
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  CLI::App app(
      "Eventhorn keeps the events of your e-mail and hands them out: signed webhooks and an Events "
      "API.",
      "eventhorn");
  app.footer(kExamples);
  app.require_subcommand(1);
  bool wants_version = false;
  app.add_flag("--version", wants_version, "same as the command version");

  Options options;
  CLI::App* serve = app.add_subcommand("serve", "run the server")->footer(kServeExamples);
  add_options(*serve, options);
  CLI::App* config =
      app.add_subcommand("config", "look at the configuration")->require_subcommand(1);
  CLI::App* print = config->add_subcommand("print", "write the configuration in effect as TOML")
                        ->footer(kPrintExamples);
  add_options(*print, options);
  Selftest hostile_test;
  CLI::App* hostile = app.add_subcommand("selftest", "prove that it works on this machine")
                          ->footer(kSelftestExamples);
  add_selftest_options(*hostile, hostile_test.options);
  Repair repair_command;
  CLI::App* repair =
      app.add_subcommand("repair", "make a damaged store usable")->footer(kRepairExamples);
  add_options(*repair, options);
  repair->add_flag("--check", repair_command.check, "only look for damage, change nothing");
  CLI::App* reindex =
      app.add_subcommand("reindex", "make the index of searches anew")->footer(kReindexExamples);
  add_options(*reindex, options);
  const CLI::App* version = app.add_subcommand("version", "print the version")
                                ->footer("\nExample:\n  eventhorn version\n");

  try {
    app.parse(argc, argv);
    if (version->parsed()) return Version{};
    if (print->parsed()) return ConfigPrint{to_sources(*print, options)};
    if (hostile->parsed()) return hostile_test;
    if (repair->parsed()) {
      repair_command.sources = to_sources(*repair, options);
      return repair_command;
    }
    if (reindex->parsed()) return Reindex{to_sources(*reindex, options)};
    return Serve{to_sources(*serve, options)};
  } catch (const CLI::CallForHelp&) {
    const auto commands = app.get_subcommands();
    return Exit{0, print->parsed()    ? print->help()
                   : commands.empty() ? app.help()
                                      : commands[0]->help()};
  } catch (const CLI::ParseError& error) {
    // `eventhorn --version` lacks a command only formally.
    if (app.count("--version") > 0 && app.get_subcommands().empty()) return Version{};
    const char* where = print->parsed()     ? " config print"
                        : serve->parsed()   ? " serve"
                        : config->parsed()  ? " config"
                        : hostile->parsed() ? " selftest"
                        : repair->parsed()  ? " repair"
                        : reindex->parsed() ? " reindex"
                                            : "";
    return Exit{2, fmt::format("eventhorn: {}\nTry: eventhorn{} --help\n", error.what(), where)};
  }
}

}  // namespace eventhorn::cli
