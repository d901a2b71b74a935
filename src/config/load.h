// Builds a Config from its sources and writes it back.
#pragma once

#include "config/config.h"

#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::config {

/// One `key=text` of the command line; `origin` is the option that gave it, for messages.
struct Setting {
  std::string key;
  std::string text;
  std::string origin;
};

/// Later sources win: defaults, file, environment, settings in their order.
struct Sources {
  std::string file;  // path of a TOML file; empty for none
  std::vector<std::string>
      environment;  // "NAME=value"; only EVENTHORN_* counts, and an empty value is none
  std::vector<Setting> settings;
};

struct Loaded {
  Config config;
  /// Everything wrong with the sources, and validate()'s findings.
  Findings findings;
};

/// Reads the file; no other effect. An unknown key is an error, an unknown EVENTHORN_ variable a
/// warning (container platforms invent some). EVENTHORN_API_KEY and EVENTHORN_SIGNING_KEY are not
/// settings and are left alone.
Loaded load(const Sources& sources);

/// The environment of this process, for Sources.
std::vector<std::string> process_environment();

/// config.default.toml: the reference manual of the settings.
std::string_view default_toml();

/// The configuration as TOML with the manual's comments. load() reads it back as it was, but for
/// the password in store.url, which is written as ***.
std::string render(const Config& config);

}  // namespace eventhorn::config
