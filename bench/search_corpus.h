// The events that the benchmark of search looks through: half of them of one domain, the rest of
// 200, over six days, some of them late. The same options give the same events. Immutable after
// construction; any number of threads.
#pragma once

#include "base/time.h"
#include "generator.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::bench {

/// The text after `"key":"` up to the next quote; empty when the event has no such text. Of the
/// first such key in an event of the generator.
std::string_view text_of(std::string_view event, std::string_view key);

/// The two tags of an event of the generator.
std::vector<std::string> tags_of(std::string_view event);

class Corpus {
 public:
  struct Options {
    uint64_t events = 0;
    uint64_t seed = 1;
    /// Of the first event; the last one is kDays later.
    SystemTime start;
  };

  static constexpr size_t kSmallDomains = 200;
  static constexpr int kDays = 6;
  /// So many events in a row are of one domain, as senders batch them.
  static constexpr uint64_t kBlock = 100;

  explicit Corpus(Options options);

  uint64_t events() const { return options_.events; }

  SystemTime start() const { return options_.start; }

  /// The big one first.
  const std::vector<std::string>& domains() const { return names_; }

  /// An index into domains().
  static size_t domain_of(uint64_t event);

  /// As a mail server sends it to ingest.
  void append_event(uint64_t event, std::string& out) const;

  /// One event of the big domain, each as likely as the others.
  uint64_t pick_of_big_domain(Random& random) const;

 private:
  const Options options_;
  std::vector<std::string> names_;
  std::vector<Generator> generators_;  // one for each domain
};

}  // namespace eventhorn::bench
