#include "config/load.h"

#include "base/strings.h"
#include "config/fields.h"
#include "config/value.h"
#include "webhook/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>
#include <unistd.h>

namespace eventhorn::config {
namespace {

constexpr std::string_view kEnvironmentPrefix = "EVENTHORN_";
constexpr size_t kMaxFileBytes = 1 << 20;

std::string quoted_guess(std::string_view unknown) {
  const std::string_view guess = nearest_key(unknown);
  return guess.empty() ? std::string() : fmt::format("; did you mean {}?", guess);
}

class Loader {
 public:
  void read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string text(kMaxFileBytes + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(in.gcount()));
    // Reading a directory opens well and then fails without reaching the end.
    if (!in.eof() && text.size() <= kMaxFileBytes) {
      const std::string why = std::error_code(errno, std::generic_category()).message();
      return error(fmt::format("{}: can't be read: {}; check --config", path, to_lower(why)));
    }
    if (text.size() > kMaxFileBytes) return error(fmt::format("{}: must be at most 1 MiB", path));
    const auto entries = parse_toml(text);
    if (!entries) return error(fmt::format("{}: {}", path, entries.error().message));
    for (const FileEntry& entry : *entries) {
      const std::string origin = fmt::format("{}:{}", path, entry.line);
      const Field* field = find_field(entry.key);
      if (field == nullptr) {
        unknown(entry.key, origin);
      } else {
        set(*field, entry.value, origin);
      }
    }
  }

  void read_environment(const std::vector<std::string>& environment) {
    for (const std::string& variable : environment) {
      if (!variable.starts_with(kEnvironmentPrefix)) continue;
      const size_t equals = variable.find('=');
      const std::string name = variable.substr(0, equals);
      if (name == "EVENTHORN_API_KEY" || name == "EVENTHORN_SIGNING_KEY") continue;
      if (equals == std::string::npos || equals + 1 == variable.size()) continue;
      const auto all = fields();
      const auto field = std::find_if(
          all.begin(), all.end(), [&](const Field& f) { return environment_name(f.key) == name; });
      if (field == all.end()) {
        loaded_.findings.warnings.push_back(escape_for_log(name) +
                                            ": is no setting's variable; ignored");
      } else {
        set(*field, parse_text(*field, std::string_view(variable).substr(equals + 1)), name);
      }
    }
  }

  void apply(const Setting& setting) {
    const Field* field = find_field(setting.key);
    if (field == nullptr) {
      unknown(setting.key, setting.origin);
    } else {
      set(*field, parse_text(*field, setting.text), setting.origin);
    }
  }

  Loaded finish() {
    Config& config = loaded_.config;
    if (config.dev) {
      for (const char* network : {"127.0.0.0/8", "::1/128"}) {
        auto& allowed = config.delivery.allow_networks;
        if (std::find(allowed.begin(), allowed.end(), network) == allowed.end())
          allowed.emplace_back(network);
      }
      config.domains.auto_create = true;
    }
    Findings checked = validate(config);
    auto& found = loaded_.findings;
    std::move(checked.errors.begin(), checked.errors.end(), std::back_inserter(found.errors));
    std::move(checked.warnings.begin(), checked.warnings.end(), std::back_inserter(found.warnings));
    return std::move(loaded_);
  }

 private:
  void set(const Field& field, const Result<Value>& value, std::string_view origin) {
    const Status done = value ? assign(field, loaded_.config, *value) : Status(fail(value.error()));
    // The value stays out of the message: store.url may hold a password.
    if (!done) error(fmt::format("{}: {} ({})", field.key, done.error().message, origin));
  }

  void unknown(std::string_view key, std::string_view origin) {
    error(
        fmt::format("{}: unknown key ({}){}", escape_for_log(key, 100), origin, quoted_guess(key)));
  }

  void error(std::string text) { loaded_.findings.errors.push_back(std::move(text)); }

  Loaded loaded_;
};

}  // namespace

Loaded load(const Sources& sources) {
  Loader loader;
  if (!sources.file.empty()) loader.read_file(sources.file);
  loader.read_environment(sources.environment);
  for (const Setting& setting : sources.settings) loader.apply(setting);
  return loader.finish();
}

std::vector<std::string> process_environment() {
  std::vector<std::string> out;
  for (char** variable = environ; *variable != nullptr; ++variable) out.emplace_back(*variable);
  return out;
}

std::string render(const Config& config) {
  Config shown = config;
  // A password may stand in any part of it.
  if (!config.store.url.empty()) shown.store.url = "***";
  shown.delivery.proxy = webhook::masked(config.delivery.proxy);
  shown.alerts.url = webhook::masked(config.alerts.url);
  std::string out;
  std::string section;
  for (const std::string_view line : split(default_toml(), '\n')) {
    const size_t equals = line.find(" = ");
    if (line.starts_with('[')) section = std::string(line.substr(1, line.find(']') - 1)) + ".";
    if (line.empty() || line[0] == '#' || line[0] == '[' || equals == std::string_view::npos) {
      out += line;
    } else {
      const Field* field = find_field(section + std::string(line.substr(0, equals)));
      out += fmt::format("{} = {}", line.substr(0, equals), format_value(*field, shown));
    }
    out += '\n';
  }
  out.pop_back();
  return out;
}

}  // namespace eventhorn::config
