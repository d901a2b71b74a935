// What the benchmark of search asks of each engine that it compares: Eventhorn's store through its
// seam, a server over HTTP, PostgreSQL, SQLite. Each keeps the same events and gives the same
// pages.
#pragma once

#include "base/result.h"
#include "event/event.h"
#include "search_queries.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace eventhorn::bench {

/// An event as both doors of the server send it.
struct Item {
  size_t domain;  // index into Corpus::domains()
  event::Event event;
};

/// Where a page ended: the next one begins beyond.
struct Place {
  int64_t timestamp_us = 0;
  std::string id;
  std::string path;  // of the next page, over HTTP
};

struct Page {
  std::vector<std::string> ids;  // newest first
  std::optional<Place> end;      // nullopt when there is no next page
  size_t bytes = 0;              // of the events
  /// From the question until all bytes of the answer were there.
  int64_t took_ns = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;

  /// Threads that may append at the same time.
  virtual size_t writers() const = 0;

  /// Before the first append to an engine that is empty.
  virtual Status prepare() { return {}; }

  /// Stores the events; they are durable when it returns. `writer` is one of [0, writers()).
  virtual Status append(size_t writer, std::vector<Item> items) = 0;

  /// Until queries find all that was appended by way of the indexes.
  virtual Status settle() = 0;

  /// Puts the files in the order that they get with time, for those who look at their size.
  virtual Status compact() { return {}; }

  /// The page of the big domain's events that begins beyond `after`, or the first one. kTimeout
  /// when the engine gave up. From one thread.
  virtual Result<Page> read(const Query& query, const Place* after) = 0;
};

struct EngineOptions {
  /// Directory of the store, URL of the server, connection string of PostgreSQL, file of SQLite.
  std::string at;
  std::string key{};          // of the server
  bool more_indexes = false;  // PostgreSQL: one for each kind of query
};

/// `domains`: the names of the corpus. Each opens or connects. kUnavailable with the engine's
/// reason.
Result<std::unique_ptr<Engine>> open_embedded(const EngineOptions& options,
                                              const std::vector<std::string>& domains);
Result<std::unique_ptr<Engine>> open_server(const EngineOptions& options,
                                            const std::vector<std::string>& domains);
Result<std::unique_ptr<Engine>> open_postgres(const EngineOptions& options);
Result<std::unique_ptr<Engine>> open_sqlite(const EngineOptions& options);

}  // namespace eventhorn::bench
