#include "search_corpus.h"

#include "base/check.h"

#include <fmt/format.h>

#include <algorithm>

namespace eventhorn::bench {
namespace {

constexpr unsigned kLatePerMille = 20;
constexpr std::chrono::hours kLateBy{12};

}  // namespace

std::string_view text_of(std::string_view event, std::string_view key) {
  const std::string start = fmt::format("\"{}\":\"", key);
  const size_t at = event.find(start);
  if (at == std::string_view::npos) return {};
  event.remove_prefix(at + start.size());
  return event.substr(0, event.find('"'));
}

std::vector<std::string> tags_of(std::string_view event) {
  constexpr std::string_view kStart = "\"tags\":[\"";
  constexpr std::string_view kBetween = "\",\"";
  const size_t at = event.find(kStart);
  if (at == std::string_view::npos) return {};
  event.remove_prefix(at + kStart.size());
  event = event.substr(0, event.find("\"]"));
  const size_t comma = event.find(kBetween);
  if (comma == std::string_view::npos) return {std::string(event)};
  return {std::string(event.substr(0, comma)), std::string(event.substr(comma + kBetween.size()))};
}

Corpus::Corpus(Options options) : options_(options) {
  CHECK(options_.events > 0);
  const Pace pace{std::max(Micros(1), Micros(std::chrono::hours(24 * kDays)) /
                                          static_cast<int64_t>(options_.events)),
                  kLatePerMille, kLateBy};
  for (size_t n = 0; n <= kSmallDomains; ++n) {
    names_.push_back(n == 0 ? kDomain : fmt::format("d{}.{}", n, kDomain));
    generators_.emplace_back(options_.seed, options_.start, names_.back(), pace);
  }
}

size_t Corpus::domain_of(uint64_t event) {
  const uint64_t block = event / kBlock;
  return block % 2 == 0 ? 0 : 1 + block / 2 % kSmallDomains;
}

void Corpus::append_event(uint64_t event, std::string& out) const {
  generators_[domain_of(event)].append_event(event, out);
}

uint64_t Corpus::pick_of_big_domain(Random& random) const {
  for (;;) {
    const uint64_t event = random.below(options_.events);
    if (domain_of(event) == 0) return event;
  }
}

}  // namespace eventhorn::bench
