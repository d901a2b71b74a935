// Finding an address in events, and leaving no trace of it in them. Pure; any thread.
#pragma once

#include "base/result.h"
#include "event/event.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace eventhorn::event {

/// What stands in the place of an address that was erased. No mail can go there (RFC 2606).
inline constexpr std::string_view kErasedAddress = "erased@erased.invalid";

/// An address as it is compared: in lower case (of ASCII), without space and angle brackets around
/// it. kInvalidArgument for what is none: 3 to 254 bytes with an '@' within, and no space, control
/// character, bracket, comma or quote.
Result<std::string> normal_address(std::string_view text);

/// Finds one address in texts: in any case, as a whole (not within a longer address), also where
/// bytes of it are percent-encoded, as in URLs.
class AddressPattern {
 public:
  /// `address` is normal_address().
  explicit AddressPattern(std::string address) : address_(std::move(address)) {}

  const std::string& address() const { return address_; }

  bool in(std::string_view text) const { return find(text, 0).has_value(); }

  /// The text with kErasedAddress in place of it; nullopt when it is not in the text.
  std::optional<std::string> replaced(std::string_view text) const;

 private:
  struct Place {
    size_t begin;
    size_t end;
  };

  std::optional<Place> find(std::string_view text, size_t from) const;

  const std::string address_;
};

/// Calls `each` with every address that may stand in a text, as it is compared; an address may come
/// in two readings, since it cannot be told where some begin.
void for_each_address(std::string_view text, const std::function<void(std::string_view)>& each);

/// What is to become of an event.
enum class Trace {
  kNone,     // nothing of the address is in it
  kMention,  // it is of another recipient, or of several
  kOwn,      // its recipient is the address
};

/// `bytes` are normalised.
Trace find_trace(const Event& event, const AddressPattern& pattern);

/// The event with kErasedAddress in place of the address, in all keys and values. Of one that is
/// the recipient's own only what says nothing of a person is left: what happened, when, why, and
/// the names of message, tags and campaigns. An id that has the address in it becomes `new_id`.
Event without_trace(const Event& event, const AddressPattern& pattern, Trace trace,
                    const std::string& new_id);

/// Calls `each` with the recipient of an event, in lower case, and with every address that stands
/// in its keys and values, as for_each_address().
void for_each_address_of(const Event& event, const std::function<void(std::string_view)>& each);

}  // namespace eventhorn::event
