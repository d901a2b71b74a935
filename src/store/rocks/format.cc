#include "store/rocks/format.h"

#include "store/codec.h"

#include <array>
#include <cstring>

namespace eventhorn::store::format {

tl::unexpected<Error> damaged(const char* what) {
  return fail(Errc::kCorruption, std::string("damaged ") + what + " row in the store");
}

Result<uint8_t> read_version(codec::Reader& in, const char* what, uint8_t newest) {
  const uint8_t version = in.u8();
  if (version > newest) {
    return fail(Errc::kCorruption,
                std::string(what) + " row in the store is of a newer version of eventhorn");
  }
  if (version == 0) return damaged(what);
  return version;
}

void put_u64_be(std::string& out, uint64_t v) {
  std::array<char, 8> b{};
  const uint64_t big = __builtin_bswap64(v);
  std::memcpy(b.data(), &big, 8);
  out.append(b.data(), 8);
}

uint64_t get_u64_be(const char* p) {
  uint64_t v = 0;
  std::memcpy(&v, p, 8);
  return __builtin_bswap64(v);
}

std::string u64_key(uint64_t v) {
  std::string out;
  put_u64_be(out, v);
  return out;
}

std::string meta_key(char prefix) {
  return std::string(1, prefix);
}

std::string meta_key(char prefix, std::string_view rest) {
  return std::string(1, prefix).append(rest);
}

std::string meta_key(char prefix, uint64_t a) {
  std::string out(1, prefix);
  put_u64_be(out, a);
  return out;
}

std::string meta_key(char prefix, uint64_t a, uint64_t b) {
  std::string out = meta_key(prefix, a);
  put_u64_be(out, b);
  return out;
}

}  // namespace eventhorn::store::format
