// Keys, and the records of the log.
#include "store/rocks/format.h"

#include "store/codec.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace eventhorn::store::format {
namespace {

using codec::Reader;
using codec::Writer;

constexpr uint8_t kLogVersion = 1;

struct LogHeader {
  bool push;
  uint16_t shard;
  uint64_t domain;
  uint8_t name;
  uint8_t severity;
  int64_t timestamp_us;
  int64_t committed_us;
  uint64_t order_key;
  std::string_view id;
};

Result<LogHeader> read_header(Reader& in) {
  if (in.u8() != kLogVersion) return damaged("log");
  LogHeader h{};
  h.push = (in.u8() & 1) != 0;
  h.shard = in.u16();
  h.domain = in.u64();
  h.name = in.u8();
  h.severity = in.u8();
  h.timestamp_us = static_cast<int64_t>(in.u64());
  h.committed_us = static_cast<int64_t>(in.u64());
  h.order_key = in.u64();
  h.id = in.raw(in.u8());
  if (!in.ok()) return damaged("log");
  return h;
}

}  // namespace

tl::unexpected<Error> damaged(const char* what) {
  return fail(Errc::kCorruption, std::string("damaged ") + what + " row in the store");
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

std::string id_key(DomainUid domain, std::string_view id) {
  std::string out;
  out.reserve(8 + id.size());
  put_u64_be(out, domain.value);
  out.append(id);
  return out;
}

std::string id_value(Position position, uint64_t content_hash) {
  std::string out;
  put_u64_be(out, position.value);
  put_u64_be(out, content_hash);
  return out;
}

std::string time_key(DomainUid domain, int64_t timestamp_us, std::string_view id) {
  std::string out;
  out.reserve(16 + id.size());
  put_u64_be(out, domain.value);
  put_u64_be(out, static_cast<uint64_t>(timestamp_us));
  out.append(id);
  return out;
}

std::string time_value(Position position, event::Name name, event::Severity severity) {
  std::string out;
  put_u64_be(out, position.value);
  out.push_back(static_cast<char>(name));
  out.push_back(static_cast<char>(severity));
  return out;
}

std::string class_prefix(DomainUid domain, webhook::Class cls) {
  std::string out;
  out.reserve(17);
  put_u64_be(out, domain.value);
  out.push_back(static_cast<char>(cls));
  return out;
}

std::string class_key(DomainUid domain, webhook::Class cls, Position position) {
  std::string out = class_prefix(domain, cls);
  put_u64_be(out, position.value);
  return out;
}

size_t class_slot(webhook::Hook hook) {
  static const auto slots = [] {
    std::array<size_t, webhook::kHooks> out{};
    std::array<size_t, webhook::kClasses> used{};
    for (const auto h : webhook::kAllHooks)
      out[static_cast<size_t>(h)] = used[static_cast<size_t>(webhook::class_of(h))]++;
    return out;
  }();
  return slots[static_cast<size_t>(hook)];
}

std::string class_value(webhook::Hook hook, uint32_t bytes, const ClassTotals* totals) {
  std::string out;
  out.push_back(static_cast<char>(hook));
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(bytes >> shift));
  if (totals == nullptr) return out;
  for (const auto& count : *totals) {
    put_u64_be(out, count.events);
    put_u64_be(out, count.bytes);
  }
  return out;
}

Result<ClassRow> decode_class(std::string_view value) {
  constexpr size_t kPlain = 5;
  constexpr size_t kWithTotals = kPlain + std::tuple_size_v<ClassTotals> * 16;
  if (value.size() != 1 && value.size() != kPlain && value.size() != kWithTotals)
    return damaged("class");
  ClassRow out;
  const auto hook = static_cast<uint8_t>(value[0]);
  if (hook >= webhook::kHooks) return damaged("class");
  out.hook = static_cast<webhook::Hook>(hook);
  if (value.size() == 1) return out;
  for (size_t i = 1; i < kPlain; ++i) out.bytes = out.bytes << 8 | static_cast<uint8_t>(value[i]);
  if (value.size() == kPlain) return out;
  const char* at = value.data() + kPlain;
  for (auto& count : out.totals.emplace()) {
    count.events = get_u64_be(at);
    count.bytes = get_u64_be(at + 8);
    at += 16;
  }
  return out;
}

std::string attempt_key(LaneId lane, SystemTime at, Position position) {
  std::string out;
  out.reserve(24);
  put_u64_be(out, lane.value);
  put_u64_be(out, static_cast<uint64_t>(std::max<int64_t>(to_micros(at), 0)));
  put_u64_be(out, position.value);
  return out;
}

std::string try_prefix(LaneId lane, Position position) {
  std::string out;
  out.reserve(24);
  put_u64_be(out, lane.value);
  put_u64_be(out, position.value);
  return out;
}

std::string try_key(LaneId lane, Position position, SystemTime at) {
  std::string out = try_prefix(lane, position);
  put_u64_be(out, static_cast<uint64_t>(std::max<int64_t>(to_micros(at), 0)));
  return out;
}

std::string log_header(const NewEvent& e, SystemTime committed) {
  Writer w(64 + e.event.id.size());
  w.u8(kLogVersion);
  w.u8(e.push ? 1 : 0);
  w.u16(e.shard.value);
  w.u64(e.domain.value);
  w.u8(static_cast<uint8_t>(e.event.name));
  w.u8(static_cast<uint8_t>(e.event.severity));
  w.u64(static_cast<uint64_t>(e.event.timestamp_us));
  w.u64(static_cast<uint64_t>(to_micros(committed)));
  w.u64(e.event.order_key);
  w.u8(e.event.id.size());
  w.raw(e.event.id);
  return w.take();
}

Result<EventPtr> decode_log(Position position, std::string_view value) {
  Reader in(value);
  TRY(const auto h, read_header(in));
  auto out = std::make_shared<StoredEvent>();
  out->position = position;
  out->domain = {h.domain};
  out->shard = {h.shard};
  out->push = h.push;
  out->committed = from_micros(h.committed_us);
  out->event.id = std::string(h.id);
  out->event.timestamp_us = h.timestamp_us;
  out->event.name = static_cast<event::Name>(h.name);
  out->event.severity = static_cast<event::Severity>(h.severity);
  out->event.order_key = h.order_key;
  out->event.bytes = std::string(in.rest());
  out->hold();
  return EventPtr(std::move(out));
}

Result<EventHead> decode_head(Position position, std::string_view value) {
  Reader in(value);
  TRY(const auto h, read_header(in));
  return EventHead{position,
                   {h.domain},
                   h.push,
                   static_cast<event::Name>(h.name),
                   static_cast<event::Severity>(h.severity)};
}

}  // namespace eventhorn::store::format
