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
  eventhorn export --domain DOMAIN             write the events of a domain, a line each
  eventhorn import --domain DOMAIN FILE        store events that are in a file
  eventhorn erase --domain DOMAIN ADDRESS      leave no trace of a recipient
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

With --find it only looks for a text, in any case: in every row of every table, in write-ahead logs and in all other files of
the data directory; so that one can see that nothing is left of a recipient who was erased.

Exits with 0 when the store is sound now, or the text was not found; with 1 when it is not, or was.

Examples:
  eventhorn repair --check --data /var/lib/eventhorn
  eventhorn repair --config /etc/eventhorn.toml
  eventhorn repair --find dana@example.com --data /var/lib/eventhorn
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

constexpr const char* kServerUse = R"(
It speaks to the server at --url, or at EVENTHORN_URL, with the key in EVENTHORN_API_KEY. Exits with 0 when it is done, 1 when
something failed, 2 for a mistake on the command line, 3 when there is no server, 4 when the server refuses.
)";

constexpr const char* kImportExamples = R"(
Stores the events of files (or of stdin) and pushes none of them. A file has exports of ours, or events of Mailgun as they were saved:
a line each, arrays, pages with "items", bodies of webhooks; gzip and zstd are seen by themselves. Ids are kept, and what is
there already counts as a duplicate, so that an import may be repeated and interrupted. An event without an id gets one that
is made of its content. What is rejected is named by its line, and the others are stored; the exit code is 1 then.

Examples:
  eventhorn import --domain mg.example.org events.ndjson.zst
  zcat saved/*.json.gz | eventhorn import --domain mg.example.org --json
)";

constexpr const char* kExportExamples = R"(
Writes the events of a domain, a line each, in the order of their commits. Where the connection breaks it goes on behind the last
whole line. A file gets its name once it is whole; it is compressed where its name ends in .gz or .zst.

Examples:
  eventhorn export --domain mg.example.org --output events.ndjson.zst
  eventhorn export --domain mg.example.org --begin "Fri, 13 Nov 2026 00:00:00 UTC" --filter event=failed
)";

constexpr const char* kEraseExamples = R"(
Removes every event of a recipient, replaces the address in those of others, and leaves no trace of it in pending deliveries, attempts,
bins and notices. From then on the server refuses events of the address that are older. Waits until it is done; the server goes
on with it whatever becomes of this command. Backups and DATA/quarantine-* are not touched.

Examples:
  eventhorn erase --domain mg.example.org dana@example.com
  eventhorn erase --domain mg.example.org --json dana@example.com
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

void add_server_options(CLI::App& app, client::ServerOptions& server, std::string& domain,
                        bool& json) {
  app.add_option("--url", server.url, "the server")
      ->type_name("URL")
      ->envname("EVENTHORN_URL")
      ->capture_default_str();
  app.add_option("--domain", domain, "whose events")->type_name("DOMAIN")->required();
  app.add_flag("--json", json, "print what was done as JSON");
}

CLI::App* add_import(CLI::App& app, client::ImportOptions& options) {
  auto* out = app.add_subcommand("import", "store events that are in files")
                  ->footer(std::string(kServerUse) + kImportExamples);
  add_server_options(*out, options.server, options.domain, options.json);
  out->add_option("FILE", options.files, "files; none or -: stdin")->type_name("");
  return out;
}

CLI::App* add_export(CLI::App& app, client::ExportOptions& options,
                     std::vector<std::string>& filters) {
  auto* out = app.add_subcommand("export", "write the events of a domain")
                  ->footer(std::string(kServerUse) + kExportExamples);
  add_server_options(*out, options.server, options.domain, options.json);
  out->add_option("--begin", options.begin, "of the events' own time: epoch seconds or a date")
      ->type_name("TIME");
  out->add_option("--end", options.end, "events before it")->type_name("TIME");
  out->add_option("--filter", filters, "a filter of the Events API; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  out->add_option("--resume-after", options.resume_after, "only what comes behind this event")
      ->type_name("ID");
  out->add_option("--output", options.output, "a file instead of stdout")->type_name("FILE");
  return out;
}

CLI::App* add_erase(CLI::App& app, client::EraseOptions& options) {
  auto* out = app.add_subcommand("erase", "leave no trace of a recipient")
                  ->footer(std::string(kServerUse) + kEraseExamples);
  add_server_options(*out, options.server, options.domain, options.json);
  out->add_option("ADDRESS", options.address, "of the recipient")->type_name("")->required();
  return out;
}

// Throws a CLI::ParseError, which parse_command_line explains.
std::vector<std::pair<std::string, std::string>> to_filters(const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      throw CLI::ValidationError("--filter", text + ": takes name=value, such as event=failed");
    out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
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
  repair
      ->add_option("--find", repair_command.find,
                   "only look for a text in all of the data directory, change nothing")
      ->type_name("TEXT");
  CLI::App* reindex =
      app.add_subcommand("reindex", "make the index of searches anew")->footer(kReindexExamples);
  add_options(*reindex, options);
  Import import_command;
  const CLI::App* import_app = add_import(app, import_command.options);
  Export export_command;
  std::vector<std::string> filters;
  const CLI::App* export_app = add_export(app, export_command.options, filters);
  Erase erase_command;
  const CLI::App* erase_app = add_erase(app, erase_command.options);
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
    if (import_app->parsed()) return import_command;
    if (export_app->parsed()) {
      export_command.options.filters = to_filters(filters);
      return export_command;
    }
    if (erase_app->parsed()) return erase_command;
    return Serve{to_sources(*serve, options)};
  } catch (const CLI::CallForHelp&) {
    const auto commands = app.get_subcommands();
    return Exit{0, print->parsed()    ? print->help()
                   : commands.empty() ? app.help()
                                      : commands[0]->help()};
  } catch (const CLI::ParseError& error) {
    // `eventhorn --version` lacks a command only formally.
    if (app.count("--version") > 0 && app.get_subcommands().empty()) return Version{};
    const char* where = print->parsed()        ? " config print"
                        : serve->parsed()      ? " serve"
                        : config->parsed()     ? " config"
                        : hostile->parsed()    ? " selftest"
                        : repair->parsed()     ? " repair"
                        : reindex->parsed()    ? " reindex"
                        : import_app->parsed() ? " import"
                        : export_app->parsed() ? " export"
                        : erase_app->parsed()  ? " erase"
                                               : "";
    return Exit{2, fmt::format("eventhorn: {}\nTry: eventhorn{} --help\n", error.what(), where)};
  }
}

}  // namespace eventhorn::cli
