// The bytes on disk: keys and records of every column family (docs/STORAGE_FORMAT.md). Do not
// change values or order. Integers in keys are big-endian, so that keys sort as numbers do; in
// records they are little-endian.
#pragma once

#include "base/result.h"
#include "store/store.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace eventhorn::store::format {

// Key prefixes in the `meta` column family.
inline constexpr char kDomainPrefix = 'd';
inline constexpr char kLanePrefix = 'l';
inline constexpr char kExceptionPrefix = 'x';
inline constexpr char kEndpointPrefix = 'e';
inline constexpr char kSlotPrefix = 's';  // marks, see mark_key()
inline constexpr char kValuePrefix = 'v';
/// (time) -> position: what retention dropped, see retention.cc.
inline constexpr char kFloorPrefix = 'f';
inline constexpr std::string_view kNextPositionKey = "n";
inline constexpr std::string_view kIndexedThroughKey = "i";
inline constexpr std::string_view kClassesFloorKey = "c";
inline constexpr std::string_view kKeptClockKey = "k";

tl::unexpected<Error> damaged(const char* what);

void put_u64_be(std::string& out, uint64_t v);
uint64_t get_u64_be(const char* p);

std::string u64_key(uint64_t v);
std::string meta_key(char prefix, std::string_view rest);
std::string meta_key(char prefix, uint64_t a);
std::string meta_key(char prefix, uint64_t a, uint64_t b);

/// `ids`: (domain, id) -> position, content hash.
std::string id_key(DomainUid domain, std::string_view id);
std::string id_value(Position position, uint64_t content_hash);

/// `times`: (domain, timestamp, id) -> position, name, severity. Timestamps are positive (events
/// before 2000 are refused).
std::string time_key(DomainUid domain, int64_t timestamp_us, std::string_view id);
std::string time_value(Position position, event::Name name, event::Severity severity);

/// `classes`: (domain, class, position) -> hook, bytes, and in some rows the totals up to and
/// including it. Only pushed events that have a hook.
std::string class_prefix(DomainUid domain, webhook::Class cls);
std::string class_key(DomainUid domain, webhook::Class cls, Position position);

/// Events of one (domain, class) from some beginning on, by class_slot().
using ClassTotals = std::array<EventCount, 3>;
/// The place of a hook among those of its class.
size_t class_slot(webhook::Hook hook);

struct ClassRow {
  webhook::Hook hook{};
  uint32_t bytes = 0;  // 0 in rows of version 1
  std::optional<ClassTotals> totals;
};

std::string class_value(webhook::Hook hook, uint32_t bytes, const ClassTotals* totals);
Result<ClassRow> decode_class(std::string_view value);

/// `attempts`: (lane, time, position); of several packed successes the last time and the first
/// position.
std::string attempt_key(LaneId lane, SystemTime at, Position position);

/// `tries`: (lane, position, time) of each full record in `attempts`, without a value.
std::string try_key(LaneId lane, Position position, SystemTime at);
std::string try_prefix(LaneId lane, Position position);

/// `log`: position -> header and the event's bytes. The header is separate so that the bytes need
/// no copy.
std::string log_header(const NewEvent& event, SystemTime committed);
Result<EventPtr> decode_log(Position position, std::string_view value);
Result<EventHead> decode_head(Position position, std::string_view value);

/// (slots) -> how far all of them are settled. Versions before slots have the key (core), which is
/// shorter, and refuse a store with these.
std::string mark_key(SlotSet slots);
bool is_core_mark(std::string_view key);
std::string encode_mark(Position settled_through);
Result<SlotMark> decode_mark(std::string_view key, std::string_view value);

std::string encode_kept_clock(const KeptClock::Saved& saved);
Result<KeptClock::Saved> decode_kept_clock(std::string_view value);

std::string encode_domain(const Domain& domain);
Result<DomainPtr> decode_domain(std::string_view value);

std::string encode_lane(const LaneRow& row);
Result<LaneRow> decode_lane(LaneId lane, std::string_view value);

std::string encode_exception(const ExceptionRow& row);
Result<ExceptionRow> decode_exception(LaneId lane, Position position, std::string_view value);

/// False for rows of version 1: their `hook` is not to be trusted.
bool exception_has_hook(std::string_view value);

std::string encode_endpoint(const EndpointRow& row);
Result<EndpointRow> decode_endpoint(std::string_view url, std::string_view value);

/// Successes at first try of one lane, packed: 20 bytes each.
std::string encode_successes(const std::vector<const AttemptRow*>& rows);
std::string encode_attempt(const AttemptRow& row);
/// Appends what an `attempts` row of either form holds; of one position where given.
Status decode_attempts(LaneId lane, std::optional<Position> only, std::string_view value,
                       std::vector<AttemptRow>& out);

}  // namespace eventhorn::store::format
