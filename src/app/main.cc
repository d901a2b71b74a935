#include "app/application.h"
#include "app/process_limits.h"
#include "app/reindex.h"
#include "app/repair.h"
#include "base/log.h"
#include "cli/command_line.h"
#include "config/load.h"
#include "selftest/report.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>

namespace eventhorn::app {
namespace {

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// False when the configuration must not be used; everything wrong is on stderr then.
bool load_config(config::Sources sources, config::Config& out) {
  sources.environment = config::process_environment();
  auto loaded = config::load(sources);
  for (const auto& warning : loaded.findings.warnings)
    std::fprintf(stderr, "eventhorn: warning: %s\n", warning.c_str());
  for (const auto& error : loaded.findings.errors)
    std::fprintf(stderr, "eventhorn: %s\n", error.c_str());
  if (!loaded.findings.errors.empty()) {
    std::fprintf(stderr,
                 "eventhorn: `eventhorn config print` shows every setting with its meaning\n");
    return false;
  }
  out = std::move(loaded.config);
  return true;
}

sigset_t shutdown_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

void exit_at_another(sigset_t signals) {
  try {
    std::thread([signals] {
      int second = 0;
      sigwait(&signals, &second);
      std::_Exit(1);
    }).detach();
  } catch (const std::system_error& e) {
    log_warn("app", "a second signal will do nothing: {}", e.what());
  }
}

int serve(const cli::Serve& command) {
  keep_secrets();
  config::Config config;
  if (!load_config(command.sources, config)) return 2;
  set_log_level(config.log.level);
  raise_descriptor_limit(config);
  end_when_out_of_memory();
  // Blocked in every thread; this one waits for them.
  const sigset_t signals = shutdown_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  Application application(std::move(config), {from_environment("EVENTHORN_API_KEY"),
                                              from_environment("EVENTHORN_SIGNING_KEY")});
  const auto base = application.start();
  if (!base) {
    log_error("app", "cannot start: {}", base.error().message);
    flush_log();
    std::fflush(nullptr);
    std::_Exit(1);  // threads may be running half-built parts; nothing was promised yet
  }
  std::printf("eventhorn ready %s\n", base->c_str());
  std::fflush(stdout);

  int signal = 0;
  sigwait(&signals, &signal);
  log_info("app", "shutting down signal={}; a second one exits at once", signal);
  exit_at_another(signals);
  application.stop();
  return 0;
}

int run_selftest(const cli::Selftest& command) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    std::fprintf(stderr, "eventhorn: /proc/self/exe: %s\n", error.message().c_str());
    return 1;
  }
  const auto report = selftest::run_hostile(command.options, self.string());
  std::fputs(selftest::render(report).c_str(), stdout);
  return selftest::find_failures(report).empty() ? 0 : 1;
}

// Of commands that work on the embedded store of a stopped server.
bool load_store_config(const config::Sources& sources, config::Config& config) {
  keep_secrets();
  if (!load_config(sources, config)) return false;
  set_log_level(config.log.level);
  if (config.store.url.empty()) return true;
  std::fputs("eventhorn: this is for the embedded store; store.url names another\n", stderr);
  return false;
}

int run_repair(const cli::Repair& command) {
  config::Config config;
  if (!load_store_config(command.sources, config)) return 2;
  if (!command.find.empty()) return find_in_store(config.store.data, command.find);
  return command.check ? check_store(config.store.data) : repair_store(config.store.data);
}

int run_reindex(const cli::Reindex& command) {
  config::Config config;
  if (!load_store_config(command.sources, config)) return 2;
  return reindex_store(config.store.data);
}

// Of commands that speak to a server.
template <class Options>
Options with_key(Options options) {
  options.server.key = from_environment("EVENTHORN_API_KEY");
  return options;
}

int run(int argc, char** argv) {
  const auto command = cli::parse_command_line(argc, argv);
  if (const auto* exit = std::get_if<cli::Exit>(&command)) {
    std::fputs(exit->text.c_str(), exit->code == 0 ? stdout : stderr);
    return exit->code;
  }
  if (std::holds_alternative<cli::Version>(command)) {
    std::puts("eventhorn " EVENTHORN_VERSION);
    return 0;
  }
  if (const auto* print = std::get_if<cli::ConfigPrint>(&command)) {
    config::Config config;
    if (!load_config(print->sources, config)) return 2;
    std::fputs(config::render(config).c_str(), stdout);
    return 0;
  }
  if (const auto* hostile = std::get_if<cli::Selftest>(&command)) return run_selftest(*hostile);
  if (const auto* repair = std::get_if<cli::Repair>(&command)) return run_repair(*repair);
  if (const auto* reindex = std::get_if<cli::Reindex>(&command)) return run_reindex(*reindex);
  if (const auto* import_command = std::get_if<cli::Import>(&command))
    return client::import_events(with_key(import_command->options));
  if (const auto* export_command = std::get_if<cli::Export>(&command))
    return client::export_events(with_key(export_command->options));
  if (const auto* erase = std::get_if<cli::Erase>(&command))
    return client::erase_recipient(with_key(erase->options));
  return serve(std::get<cli::Serve>(command));
}

}  // namespace
}  // namespace eventhorn::app

int main(int argc, char** argv) {
  const int code = eventhorn::app::run(argc, argv);
  eventhorn::flush_log();
  return code;
}
