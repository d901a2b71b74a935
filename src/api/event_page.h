// One page of a domain's events by their time.
#pragma once

#include "api/page_token.h"
#include "api/services.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::api {

struct EventPage {
  std::vector<store::EventPtr> events;  // in the range's direction
  // Where the page before this one ends; nullopt for the end of the range.
  std::optional<store::PageCursor> previous;
  // Where the page after this one begins; nullopt for the beginning of the range.
  std::optional<store::PageCursor> next;
  // Ids of the events that this page would have, were their records in the log not damaged.
  std::vector<std::string> damaged;
};

/// Of events whose ids `wants_id` takes; null takes all. Slice by slice, until the page is full,
/// the range ends, the deadline or events.query_timeout has come or the client is gone, which
/// nobody is told. So a page may have fewer events than its limit while more follow, but is empty
/// only at the end. kInvalidArgument where nothing was found until the deadline: an empty page
/// would mean the end, and clients would repeat what they take for a fault of the server.
Task<Result<EventPage>> read_event_page(const Services& services, DomainUid domain,
                                        const PageToken& token, const http::RequestContext& context,
                                        std::function<bool(std::string_view)> wants_id = nullptr);

}  // namespace eventhorn::api
