// `eventhorn import`, `export` and `erase`: what they are asked for, and the commands themselves.
// Each gives the exit code (session.h).
#pragma once

#include "client/session.h"

#include <string>
#include <utility>
#include <vector>

namespace eventhorn::client {

struct ImportOptions {
  ServerOptions server;
  std::string domain;
  std::vector<std::string> files;  // none: stdin
  bool json = false;
};

struct ExportOptions {
  ServerOptions server;
  std::string domain;
  std::string begin;
  std::string end;
  std::vector<std::pair<std::string, std::string>> filters;
  std::string resume_after;
  std::string output;  // a file; empty: stdout
  bool json = false;
};

struct EraseOptions {
  ServerOptions server;
  std::string domain;
  std::string address;
  bool json = false;
};

/// Stores the events of files without pushing them. Prints what became of them.
int import_events(const ImportOptions& options);

/// Writes the events of a domain, a line each; a file only as a whole, compressed where its name
/// ends in .gz or .zst.
int export_events(const ExportOptions& options);

/// Erases a recipient, and waits until that is done.
int erase_recipient(const EraseOptions& options);

}  // namespace eventhorn::client
