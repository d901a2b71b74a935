// What the user asked for on the command line. Pure: reads no file and prints nothing.
#pragma once

#include "client/commands.h"
#include "config/load.h"
#include "selftest/hostile.h"

#include <string>
#include <variant>

namespace eventhorn::cli {

/// `eventhorn serve`. `sources` lacks the environment, which is the caller's to add.
struct Serve {
  config::Sources sources;
};

/// `eventhorn config print`: the configuration `serve` would use with the same options.
struct ConfigPrint {
  config::Sources sources;
};

/// `eventhorn selftest --hostile`.
struct Selftest {
  selftest::HostileOptions options;
};

/// `eventhorn repair`. `sources` lacks the environment.
struct Repair {
  config::Sources sources;
  /// Only look.
  bool check = false;
  /// Only look for this text; empty: for damage.
  std::string find{};
};

/// `eventhorn reindex`. `sources` lacks the environment.
struct Reindex {
  config::Sources sources;
};

// Of a server that runs. The key, and the URL where it is not given, are the environment's to add.

/// `eventhorn import`.
struct Import {
  client::ImportOptions options;
};

/// `eventhorn export`.
struct Export {
  client::ExportOptions options;
};

/// `eventhorn erase`.
struct Erase {
  client::EraseOptions options;
};

struct Version {};

/// Nothing to run: print `text` and exit. Code 0 is help, for stdout; code 2 a mistake, for stderr,
/// with the next step.
struct Exit {
  int code = 0;
  std::string text;
};

using Command = std::variant<Serve, ConfigPrint, Selftest, Repair, Reindex, Import, Export, Erase,
                             Version, Exit>;

/// `argv` as main() gets it. --config names the file; --set, --data, --listen, --store and --dev
/// become settings, the dedicated options after every --set. Keys and values are checked by
/// config::load(), not here.
Command parse_command_line(int argc, const char* const* argv);

}  // namespace eventhorn::cli
