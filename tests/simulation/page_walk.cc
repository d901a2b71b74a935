#include "simulation/page_walk.h"

#include <fmt/format.h>

#include <utility>

namespace eventhorn::simulation {

PageWalk::PageWalk(Model& model, store::PageQuery query)
    : model_(model), query_(std::move(query)), before_(model.through()) {}

bool PageWalk::in_range(int64_t timestamp_us) const {
  return query_.ascending ? query_.first_us <= timestamp_us && timestamp_us < query_.last_us
                          : query_.last_us < timestamp_us && timestamp_us <= query_.first_us;
}

std::optional<std::string> PageWalk::check_event(const store::StoredEvent& event) {
  const auto wrong = [&](const char* what) {
    return fmt::format("a page has {}: {}", what, event.event.bytes);
  };
  const auto* known = model_.find_event(event.event.bytes);
  if (known == nullptr) model_.expect(event.event.bytes);
  if (event.domain != query_.domain || (known != nullptr && known->domain != query_.domain))
    return wrong("an event of another domain");
  const int64_t timestamp_us = event.event.timestamp_us;
  if (!in_range(timestamp_us) || (known != nullptr && known->timestamp_us != timestamp_us))
    return wrong("an event of another time");
  store::PageCursor at{timestamp_us, event.event.id};
  const bool on = !last_ || (query_.ascending ? *last_ < at : at < *last_);
  if (!on) return wrong("an event that is not behind the one before");
  last_ = std::move(at);
  seen_.insert(event.event.id);
  return std::nullopt;
}

std::optional<std::string> PageWalk::on_page(const store::PageSlice& page) {
  for (const auto& event : page.events) {
    if (auto wrong = check_event(*event)) return wrong;
  }
  if (!page.damaged.empty()) return "a page leaves out what is not damaged";
  if (page.reached) query_.beyond = page.reached;
  if (!page.at_end && !page.reached) return "a page leads nowhere";
  at_end_ = page.at_end;
  return at_end_ ? check_all() : std::nullopt;
}

std::optional<std::string> PageWalk::check_all() const {
  for (const auto& event : model_.log()) {
    if (event.position > before_) break;
    const bool due = event.domain == query_.domain && in_range(event.timestamp_us);
    if (!due || seen_.contains(event.id) || model_.is_gone(event)) continue;
    return fmt::format("a walk by pages has left out {}", event.bytes);
  }
  return std::nullopt;
}

}  // namespace eventhorn::simulation
