// One page of the events of a domain, or of an account, by their time.
#pragma once

#include "api/page_token.h"
#include "api/services.h"
#include "event/filter.h"
#include "event/terms.h"

#include <functional>
#include <memory>
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
  // Nothing more was there in the direction that it was read in.
  bool at_end = false;
  // Ids of the events that this page would have, were their records in the log not damaged.
  std::vector<std::string> damaged;
};

/// Of which events a page is.
struct EventSearch {
  DomainUid domain;
  /// In place of `domain`, when not null.
  std::shared_ptr<const store::DomainSet> domains{};
  // As in store::PageQuery; null takes all.
  std::function<bool(std::string_view id)> wants_id{};
  std::function<bool(event::Name, event::Severity)> may_match{};
  std::function<bool(std::string_view bytes)> matches{};
  event::TermQuery terms{};
  /// What would make it shorter, in words of its API.
  std::string_view advice =
      "narrow the range with begin and end, or add a filter on recipient, message-id, tags, "
      "subject, from, to, list or attachment";

  /// With a filter, which must outlive it.
  void filter_by(const event::Filter& filter);
};

/// All domains of the account. Not for a core: an installation may have 100 000.
std::shared_ptr<const store::DomainSet> domains_of_account(const Services& services);

/// The page of `token`, whose terms it does not look at. Slice by slice, until the page is full,
/// the range ends, the deadline or events.query_timeout has come or the client is gone, which
/// nobody is told. So a page may have fewer events than its limit while more follow, but is empty
/// only at the end. kInvalidArgument where nothing was found until the deadline: an empty page
/// would mean the end, and clients would repeat what they take for a fault of the server.
Task<Result<EventPage>> read_event_page(const Services& services, const EventSearch& search,
                                        const PageToken& token,
                                        const http::RequestContext& context);

}  // namespace eventhorn::api
