// From an item that somebody sent to the bytes that both doors send (design: "Same bytes").
#pragma once

#include "base/result.h"
#include "base/time.h"
#include "event/event.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace eventhorn::event {

struct NormalizeContext {
  /// The domain of the ingest call and the account that owns it; they go into the event.
  std::string_view domain;
  std::string_view account_id;
  /// The timestamp of an event without one.
  SystemTime now;
  /// The latest timestamp that is taken.
  SystemTime latest;
  size_t max_item_bytes = 0;
};

/// Checks and rewrites events. Pure but for the ids it asks for; one per core, not thread-safe: it
/// keeps its buffers.
class Normalizer {
 public:
  /// `make_id` gives ids for events that come without one: 22 characters of base64url.
  explicit Normalizer(std::function<std::string()> make_id);
  ~Normalizer();

  /// The event in `item`, which need not outlive the call. Normalising the result's bytes again in
  /// the same context gives the same bytes.
  ///
  /// kTooLarge over `max_item_bytes`. kInvalidArgument, with a message that names the field and the
  /// rule, for
  ///  - anything but one JSON object as json::Cursor takes it (UTF-8, at most 64 levels,
  ///    numbers within a double), a top-level key twice, a field of schema.h twice;
  ///  - `event` missing or not a Name; a `failed` event without `severity` temporary or permanent,
  ///    another with any other than these or null;
  ///  - `id` empty, over 128 bytes or not printable ASCII;
  ///  - `timestamp` before 2000 or after `latest`;
  ///  - a field of schema.h that is neither null nor of its type.
  ///
  /// What changes, while everything else stays as it came (spec: README "ten rules",
  /// event-types.md):
  ///  - no space between tokens;
  ///  - `account.id` and `domain.name` are those of the context;
  ///  - `tags` is an array and `user-variables` an object; missing or null: empty;
  ///  - `campaigns` is empty; `member.vars` is null unless it is an array of strings;
  ///  - an empty array where a known object belongs becomes an empty object (PHP writes that);
  ///  - integer fields are written as integers;
  ///  - `timestamp` has six decimals, which four would not round to a whole second: else they come
  ///    from a hash of the id; missing or null: `now`;
  ///  - `id` and `log-level` are added when missing or null (a level as spec/event-types.md lists);
  ///  - `message.headers.message-id` loses its angle brackets.
  Result<Event> normalize(std::string_view item, const NormalizeContext& context);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The id of an item that was refused, to name it in the answer: empty unless the item is readable
/// up to there and the id is one that normalize() takes.
std::string peek_id(std::string_view item);

}  // namespace eventhorn::event
