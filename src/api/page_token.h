// Page tokens of the Events API: everything a page's URL must carry, since clients repeat no
// parameter (spec: Events API, "Token"). Sealed (sealed_token.h). Pure.
//
// The bytes: TokenList::kEvents; flags: 1 ascending, 2 forward, 4 pretty, 8 cursor, 16 cursor with
// a position; limit, 2; range, 8 + 8; with a cursor its timestamp, 8, and id, 1 + n, or position,
// 8; for each filter term its field, 1 + n, and expression, 2 + n.
#pragma once

#include "api/event_range.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/hash.h"
#include "event/filter.h"
#include "store/store.h"

#include <optional>
#include <string>
#include <string_view>

namespace eventhorn::api {

inline constexpr unsigned kMaxPageLimit = 300;

/// Of all filter terms of a query: a page's URL holds its token twice, and must fit the 16 KiB of a
/// request's head.
inline constexpr size_t kMaxTermsBytes = 4096;

/// One page of the events of a domain, or of an account, that are in `range` and match `terms`.
struct PageToken {
  EventRange range;
  event::Filter::Terms terms;
  unsigned limit = 100;  // 1 to kMaxPageLimit
  bool pretty = true;
  /// True: the page goes on from the cursor in the range's direction; false: it is the one that
  /// ends before the cursor.
  bool forward = true;
  /// Not on the page itself; nullopt for where the range begins (forward) or ends.
  std::optional<store::PageCursor> cursor;
  friend bool operator==(const PageToken&, const PageToken&) = default;
};

/// OK when `terms` fit a token; kInvalidArgument, naming the limit, otherwise.
Status check_terms_size(const event::Filter::Terms& terms);

/// CHECKs the limits above. `owner` is a domain, or token_owner() of an account.
std::string encode_page_token(const PageToken& page, DomainUid owner, const crypto::HmacKey& key);

/// kInvalidArgument for everything that encode_page_token did not make for this owner with this
/// key. The terms are text still: Filter::parse judges them.
Result<PageToken> decode_page_token(std::string_view token, DomainUid owner,
                                    const crypto::HmacKey& key);

}  // namespace eventhorn::api
