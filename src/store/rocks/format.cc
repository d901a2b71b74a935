#include "store/rocks/format.h"

#include <array>
#include <cstring>

namespace eventhorn::store::format {
namespace {

constexpr uint8_t kPackedSuccesses = 1;
constexpr uint8_t kFullAttempt = 2;

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

  void raw(std::string_view s) { out_.append(s); }

  std::string take() { return std::move(out_); }

 private:
  void little(uint64_t v, int bytes) {
    for (int i = 0; i < bytes; ++i) out_.push_back(static_cast<char>(v >> (8 * i)));
  }

  std::string out_;
};

// Reads past the end give zeros and clear ok(), so that a decoder checks once, at its end.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  uint8_t u8() { return static_cast<uint8_t>(little(1)); }

  uint16_t u16() { return static_cast<uint16_t>(little(2)); }

  uint32_t u32() { return static_cast<uint32_t>(little(4)); }

  uint64_t u64() { return little(8); }

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

tl::unexpected<Error> damaged(const char* what) {
  return fail(Errc::kCorruption, std::string("damaged ") + what + " row in the store");
}

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
  if (in.u8() != kRecordVersion) return damaged("log");
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

std::string class_key(DomainUid domain, webhook::Class cls, Position position) {
  std::string out;
  out.reserve(17);
  put_u64_be(out, domain.value);
  out.push_back(static_cast<char>(cls));
  put_u64_be(out, position.value);
  return out;
}

std::string attempt_key(LaneId lane, SystemTime written, Position position) {
  std::string out;
  out.reserve(24);
  put_u64_be(out, lane.value);
  put_u64_be(out, static_cast<uint64_t>(to_micros(written)));
  put_u64_be(out, position.value);
  return out;
}

std::string log_header(const NewEvent& e, SystemTime committed) {
  Writer w(64 + e.event.id.size());
  w.u8(kRecordVersion);
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

std::string encode_domain(const Domain& d) {
  Writer w(256);
  w.u8(kRecordVersion);
  w.u64(d.uid.value);
  w.text(d.name);
  w.text(d.id);
  w.u64(static_cast<uint64_t>(to_micros(d.created_at)));
  w.u32(d.lanes.size());
  for (const auto& lane : d.lanes) {
    w.u64(lane.id.value);
    w.text(lane.url);
  }
  for (const auto& subs : d.hooks) {
    w.u8(subs.size());
    for (const auto& sub : subs) {
      w.u64(sub.lane.value);
      w.u64(sub.since.value);
    }
  }
  return w.take();
}

Result<DomainPtr> decode_domain(std::string_view value) {
  Reader in(value);
  if (in.u8() != kRecordVersion) return damaged("domain");
  auto d = std::make_shared<Domain>();
  d->uid = {in.u64()};
  d->name = std::string(in.text());
  d->id = std::string(in.text());
  d->created_at = from_micros(static_cast<int64_t>(in.u64()));
  for (uint32_t n = in.u32(); n > 0 && in.ok(); --n) {
    const LaneId id{in.u64()};
    d->lanes.push_back({id, std::string(in.text())});
  }
  for (auto& subs : d->hooks) {
    for (uint8_t n = in.u8(); n > 0 && in.ok(); --n) {
      const LaneId lane{in.u64()};
      subs.push_back({lane, Position{in.u64()}});
      if (d->find_lane(lane) == nullptr) return damaged("domain");
    }
  }
  if (!in.done()) return damaged("domain");
  return DomainPtr(std::move(d));
}

std::string encode_lane(const LaneRow& row) {
  Writer w;
  w.u8(kRecordVersion);
  w.u64(row.domain.value);
  w.u16(row.segments.size());
  for (const auto& s : row.segments) {
    w.u8(static_cast<uint8_t>(s.cls));
    w.u64(s.after.value);
    w.u8(s.to ? 1 : 0);
    if (s.to) w.u64(s.to->value);
    w.u64(s.acked_through.value);
    w.u32(s.settled.size());
    for (const auto& r : s.settled) {
      w.u64(r.first.value);
      w.u64(r.last.value);
    }
  }
  return w.take();
}

Result<LaneRow> decode_lane(LaneId lane, std::string_view value) {
  Reader in(value);
  if (in.u8() != kRecordVersion) return damaged("lane");
  LaneRow row{lane, {in.u64()}, {}};
  for (uint16_t n = in.u16(); n > 0 && in.ok(); --n) {
    SegmentRow s;
    s.cls = static_cast<webhook::Class>(in.u8());
    s.after = {in.u64()};
    if (in.u8() != 0) s.to = Position{in.u64()};
    s.acked_through = {in.u64()};
    for (uint32_t k = in.u32(); k > 0 && in.ok(); --k) {
      const Position first{in.u64()};
      s.settled.push_back({first, Position{in.u64()}});
    }
    row.segments.push_back(std::move(s));
  }
  if (!in.done()) return damaged("lane");
  return row;
}

std::string encode_exception(const ExceptionRow& row) {
  Writer w(32);
  w.u8(kRecordVersion);
  w.u8(row.missed ? 1 : 0);
  w.u16(row.attempts);
  w.u64(static_cast<uint64_t>(to_micros(row.last_attempt)));
  w.u64(static_cast<uint64_t>(row.delay.count()));
  w.u16(static_cast<uint64_t>(row.last_status));
  return w.take();
}

Result<ExceptionRow> decode_exception(LaneId lane, Position position, std::string_view value) {
  Reader in(value);
  if (in.u8() != kRecordVersion) return damaged("exception");
  ExceptionRow row;
  row.lane = lane;
  row.position = position;
  row.missed = in.u8() != 0;
  row.attempts = in.u16();
  row.last_attempt = from_micros(static_cast<int64_t>(in.u64()));
  row.delay = Micros(static_cast<int64_t>(in.u64()));
  row.last_status = in.u16();
  if (!in.done()) return damaged("exception");
  return row;
}

std::string encode_successes(const std::vector<const AttemptRow*>& rows) {
  Writer w(1 + rows.size() * 20);
  w.u8(kPackedSuccesses);
  for (const auto* row : rows) {
    w.u64(row->position.value);
    w.u64(static_cast<uint64_t>(to_micros(row->at)));
    w.u16(static_cast<uint64_t>(std::min<int64_t>(row->took.count(), 0xffff)));
    w.u16(static_cast<uint64_t>(row->status));
  }
  return w.take();
}

std::string encode_attempt(const AttemptRow& row) {
  Writer w(64 + row.error.size() + row.response.size());
  w.u8(kFullAttempt);
  w.u64(row.position.value);
  w.u64(static_cast<uint64_t>(to_micros(row.at)));
  w.u32(static_cast<uint64_t>(row.took.count()));
  w.u16(static_cast<uint64_t>(row.attempt));
  w.u16(static_cast<uint64_t>(row.status));
  w.text(row.failure);
  w.text(row.error);
  w.text(row.response);
  return w.take();
}

Status decode_attempts(LaneId lane, std::string_view value, std::vector<AttemptRow>& out) {
  Reader in(value);
  const uint8_t kind = in.u8();
  if (kind == kPackedSuccesses) {
    while (in.left() > 0) {
      AttemptRow row;
      row.lane = lane;
      row.position = {in.u64()};
      row.at = from_micros(static_cast<int64_t>(in.u64()));
      row.took = std::chrono::milliseconds(in.u16());
      row.status = in.u16();
      if (!in.ok()) return damaged("attempt");
      out.push_back(std::move(row));
    }
    return {};
  }
  AttemptRow row;
  row.lane = lane;
  row.position = {in.u64()};
  row.at = from_micros(static_cast<int64_t>(in.u64()));
  row.took = std::chrono::milliseconds(in.u32());
  row.attempt = in.u16();
  row.status = in.u16();
  row.failure = std::string(in.text());
  row.error = std::string(in.text());
  row.response = std::string(in.text());
  if (kind != kFullAttempt || !in.done()) return damaged("attempt");
  out.push_back(std::move(row));
  return {};
}

}  // namespace eventhorn::store::format
