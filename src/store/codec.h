// Records as bytes: little-endian integers and texts of u32 length, as docs/STORAGE_FORMAT.md has
// them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eventhorn::store::codec {

class Writer {
 public:
  explicit Writer(size_t reserve = 128) { out_.reserve(reserve); }

  void u8(uint64_t v) { out_.push_back(static_cast<char>(v)); }

  void u16(uint64_t v) { little(v, 2); }

  void u32(uint64_t v) { little(v, 4); }

  void u64(uint64_t v) { little(v, 8); }

  void text(std::string_view s) {
    u32(s.size());
    out_.append(s);
  }

  void i64(int64_t v) { u64(static_cast<uint64_t>(v)); }

  void durations(const std::vector<std::chrono::milliseconds>& v) {
    u16(v.size());
    for (const auto d : v) i64(d.count());
  }

  void raw(std::string_view s) { out_.append(s); }

  std::string take() { return std::move(out_); }

 private:
  void little(uint64_t v, int bytes) {
    for (int i = 0; i < bytes; ++i) out_.push_back(static_cast<char>(v >> (8 * i)));
  }

  std::string out_;
};

/// Reads past the end give zeros and clear ok(), so that a decoder checks once, at its end.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  uint8_t u8() { return static_cast<uint8_t>(little(1)); }

  uint16_t u16() { return static_cast<uint16_t>(little(2)); }

  uint32_t u32() { return static_cast<uint32_t>(little(4)); }

  uint64_t u64() { return little(8); }

  int64_t i64() { return static_cast<int64_t>(u64()); }

  std::string_view raw(size_t n) {
    if (n > in_.size()) {
      ok_ = false;
      in_ = {};
      return {};
    }
    const auto out = in_.substr(0, n);
    in_.remove_prefix(n);
    return out;
  }

  std::string_view text() { return raw(u32()); }

  std::vector<std::chrono::milliseconds> durations() {
    std::vector<std::chrono::milliseconds> out;
    for (uint16_t n = u16(); n > 0 && ok_; --n) out.emplace_back(i64());
    return out;
  }

  std::string_view rest() { return raw(in_.size()); }

  bool ok() const { return ok_; }

  bool done() const { return ok_ && in_.empty(); }

  size_t left() const { return in_.size(); }

 private:
  uint64_t little(size_t bytes) {
    const auto s = raw(bytes);
    uint64_t v = 0;
    for (size_t i = 0; i < s.size(); ++i)
      v |= static_cast<uint64_t>(static_cast<unsigned char>(s[i])) << (8 * i);
    return v;
  }

  std::string_view in_;
  bool ok_ = true;
};

}  // namespace eventhorn::store::codec
