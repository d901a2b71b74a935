// What the bytes on disk of all tables have in common (docs/STORAGE_FORMAT.md); each table
// (tables/) has the rest. Do not change values or order. Integers in keys are big-endian, so that
// keys sort as numbers do; in records they are little-endian.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace eventhorn::store::codec {
class Reader;
}  // namespace eventhorn::store::codec

namespace eventhorn::store::format {

// The first byte of each key in the family `default`, by the kind of the row.
inline constexpr char kDomainPrefix = 'd';
inline constexpr char kLanePrefix = 'l';
inline constexpr char kExceptionPrefix = 'x';
inline constexpr char kEndpointPrefix = 'e';
inline constexpr char kSlotPrefix = 's';
inline constexpr char kValuePrefix = 'v';
inline constexpr char kFloorPrefix = 'f';
// Whole keys of single rows.
inline constexpr std::string_view kNextPositionKey = "n";
inline constexpr std::string_view kIndexedThroughKey = "i";
inline constexpr std::string_view kClassesFloorKey = "c";
inline constexpr std::string_view kKeptClockKey = "k";
// Their beginnings: the version of the terms follows.
inline constexpr std::string_view kTermsSinceKey = "t";
inline constexpr std::string_view kTermsThroughKey = "T";
inline constexpr std::string_view kOrderedAfterKey = "o";
inline constexpr std::string_view kGenerationKey = "g";

/// The error of a row that is not of its form; `what` names its kind.
tl::unexpected<Error> damaged(const char* what);

/// The version with which a record begins, from 1 to `newest`. Errors, naming the row as `what`,
/// for others: one of a newer version says so.
Result<uint8_t> read_version(codec::Reader& in, const char* what, uint8_t newest);

void put_u64_be(std::string& out, uint64_t v);
uint64_t get_u64_be(const char* p);

std::string u64_key(uint64_t v);
std::string meta_key(char prefix);
std::string meta_key(char prefix, std::string_view rest);
std::string meta_key(char prefix, uint64_t a);
std::string meta_key(char prefix, uint64_t a, uint64_t b);

}  // namespace eventhorn::store::format
