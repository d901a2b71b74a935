// The records of domains, lanes, exceptions, endpoints and attempts.
#include "base/check.h"
#include "store/codec.h"
#include "store/rocks/format.h"

#include <algorithm>
#include <array>

namespace eventhorn::store::format {
namespace {

using codec::Reader;
using codec::Writer;

/// Version 2 added: the retry schedule of a domain, the source of a segment and its replay, the
/// hook of an exception. What version 1 wrote is still read (reliability C9).
constexpr uint8_t kRecordVersion = 2;
/// Version 3 added the last failure and how many there were in a row.
constexpr uint8_t kEndpointVersion = 3;
constexpr uint8_t kKeptClockVersion = 1;
constexpr uint8_t kMarkVersion = 3;  // 2 were those by core
constexpr char kMarkKind = '*';

constexpr uint8_t kPackedSuccesses = 1;
constexpr uint8_t kFullAttempt = 2;
constexpr uint8_t kAttemptWithPhases = 3;  // as kFullAttempt, and how it spent its time

Result<uint8_t> read_version(Reader& in, const char* what, uint8_t newest = kRecordVersion) {
  const uint8_t version = in.u8();
  if (version > newest) {
    return fail(Errc::kCorruption,
                std::string(what) + " row in the store is of a newer version of eventhorn");
  }
  if (version == 0) return damaged(what);
  return version;
}

}  // namespace

std::string encode_domain(const Domain& d) {
  Writer w(256);
  w.u8(kRecordVersion);
  w.u64(d.uid.value);
  w.text(d.name);
  w.text(d.id);
  w.i64(to_micros(d.created_at));
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
  w.u8(d.retry_schedule ? 1 : 0);
  if (d.retry_schedule) w.durations(*d.retry_schedule);
  return w.take();
}

Result<DomainPtr> decode_domain(std::string_view value) {
  Reader in(value);
  TRY(const uint8_t version, read_version(in, "domain"));
  auto d = std::make_shared<Domain>();
  d->uid = {in.u64()};
  d->name = std::string(in.text());
  d->id = std::string(in.text());
  d->created_at = from_micros(in.i64());
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
  if (version >= 2 && in.u8() != 0) d->retry_schedule = in.durations();
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
    w.u8(static_cast<uint8_t>(s.source));
    w.u64(s.replay);
    w.u8(s.paused ? 1 : 0);
  }
  return w.take();
}

Result<LaneRow> decode_lane(LaneId lane, std::string_view value) {
  Reader in(value);
  TRY(const uint8_t version, read_version(in, "lane"));
  LaneRow row{lane, {in.u64()}, {}};
  for (uint16_t n = in.u16(); n > 0 && in.ok(); --n) {
    SegmentRow s;
    const uint8_t cls = in.u8();
    if (cls >= webhook::kClasses) return damaged("lane");
    s.cls = static_cast<webhook::Class>(cls);
    s.after = {in.u64()};
    if (in.u8() != 0) s.to = Position{in.u64()};
    s.acked_through = {in.u64()};
    for (uint32_t k = in.u32(); k > 0 && in.ok(); --k) {
      const Position first{in.u64()};
      s.settled.push_back({first, Position{in.u64()}});
    }
    if (version >= 2) {
      const uint8_t source = in.u8();
      if (source > static_cast<uint8_t>(SegmentRow::Source::kMissed)) return damaged("lane");
      s.source = static_cast<SegmentRow::Source>(source);
      s.replay = in.u64();
      s.paused = in.u8() != 0;
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
  w.i64(to_micros(row.last_attempt));
  w.i64(row.delay.count());
  w.u16(static_cast<uint64_t>(row.last_status));
  w.u8(static_cast<uint8_t>(row.hook));
  return w.take();
}

bool exception_has_hook(std::string_view value) {
  return !value.empty() && value[0] > 1;
}

Result<ExceptionRow> decode_exception(LaneId lane, Position position, std::string_view value) {
  Reader in(value);
  TRY(const uint8_t version, read_version(in, "exception"));
  ExceptionRow row;
  row.lane = lane;
  row.position = position;
  row.missed = in.u8() != 0;
  row.attempts = in.u16();
  row.last_attempt = from_micros(in.i64());
  row.delay = Micros(in.i64());
  row.last_status = in.u16();
  if (version >= 2) {
    const uint8_t hook = in.u8();
    if (hook >= webhook::kHooks) return damaged("exception");
    row.hook = static_cast<webhook::Hook>(hook);
  }
  if (!in.done()) return damaged("exception");
  return row;
}

std::string encode_kept_clock(const KeptClock::Saved& saved) {
  Writer w;
  w.u8(kKeptClockVersion);
  w.i64(to_micros(saved.kept));
  w.u64(saved.at.boot);
  w.i64(saved.at.since.count());
  w.u16(saved.gaps.size());
  for (const auto& gap : saved.gaps) {
    w.i64(to_micros(gap.begin));
    w.i64(to_micros(gap.end));
  }
  w.u8(!saved.open ? 0 : saved.open->corrected ? 2 : 1);
  if (saved.open) w.i64(to_micros(saved.open->begin));
  return w.take();
}

Result<KeptClock::Saved> decode_kept_clock(std::string_view value) {
  Reader in(value);
  TRY_STATUS(read_version(in, "kept clock", kKeptClockVersion));
  KeptClock::Saved out;
  out.kept = from_micros(in.i64());
  out.at.boot = in.u64();
  out.at.since = Micros(in.i64());
  for (uint16_t n = in.u16(); n > 0 && in.ok(); --n) {
    const SystemTime begin = from_micros(in.i64());
    out.gaps.push_back({begin, from_micros(in.i64())});
  }
  const uint8_t open = in.u8();
  if (open > 2) return damaged("kept clock");
  if (open != 0) out.open = KeptClock::OpenGap{from_micros(in.i64()), open == 2};
  if (!in.done()) return damaged("kept clock");
  return out;
}

std::string mark_key(SlotSet slots) {
  CHECK(!slots.empty());
  return meta_key(kSlotPrefix, std::string(1, kMarkKind) + u64_key(slots.bits));
}

bool is_core_mark(std::string_view key) {
  return key.size() == 1 + 8;
}

std::string encode_mark(Position settled_through) {
  Writer w(9);
  w.u8(kMarkVersion);
  w.u64(settled_through.value);
  return w.take();
}

Result<SlotMark> decode_mark(std::string_view key, std::string_view value) {
  if (key.size() != 2 + 8 || key[1] != kMarkKind) return damaged("mark");
  Reader in(value);
  TRY_STATUS(read_version(in, "mark", kMarkVersion));
  const SlotMark mark{{get_u64_be(key.data() + 2)}, {in.u64()}};
  if (!in.done() || mark.slots.bits == 0) return damaged("mark");
  return mark;
}

std::string encode_endpoint(const EndpointRow& row) {
  Writer w(64 + row.reason.size());
  w.u8(kEndpointVersion);
  w.u8(static_cast<uint8_t>(row.state));
  w.i64(to_micros(row.since));
  w.i64(to_micros(row.last_success));
  w.u32(row.probes);
  w.u32(row.healthy_peak);
  w.text(row.reason);
  w.i64(to_micros(row.last_failure));
  w.u32(row.failures);
  return w.take();
}

Result<EndpointRow> decode_endpoint(std::string_view url, std::string_view value) {
  Reader in(value);
  TRY(const uint8_t version, read_version(in, "endpoint", kEndpointVersion));
  EndpointRow row;
  row.url = std::string(url);
  const uint8_t state = in.u8();
  if (state > static_cast<uint8_t>(EndpointRow::State::kPaused)) return damaged("endpoint");
  row.state = static_cast<EndpointRow::State>(state);
  row.since = from_micros(in.i64());
  row.last_success = from_micros(in.i64());
  row.probes = in.u32();
  row.healthy_peak = in.u32();
  row.reason = std::string(in.text());
  if (version >= 3) {
    row.last_failure = from_micros(in.i64());
    row.failures = in.u32();
  }
  if (!in.done()) return damaged("endpoint");
  return row;
}

namespace {

constexpr uint8_t kKeptConnection = 1;
constexpr uint8_t kWholeAnswer = 2;

void write_phases(Writer& w, const webhook::Phases& phases) {
  for (const auto phase : {phases.dns, phases.connect, phases.tls, phases.exchange})
    w.u32(static_cast<uint64_t>(std::min<int64_t>(phase.count(), UINT32_MAX)));
  w.u8((phases.kept_connection ? kKeptConnection : 0) | (phases.whole_answer ? kWholeAnswer : 0));
}

webhook::Phases read_phases(Reader& in) {
  webhook::Phases out;
  for (auto* phase : {&out.dns, &out.connect, &out.tls, &out.exchange})
    *phase = std::chrono::microseconds(in.u32());
  const uint8_t flags = in.u8();
  out.kept_connection = (flags & kKeptConnection) != 0;
  out.whole_answer = (flags & kWholeAnswer) != 0;
  return out;
}

}  // namespace

std::string encode_successes(const std::vector<const AttemptRow*>& rows) {
  Writer w(1 + rows.size() * 20);
  w.u8(kPackedSuccesses);
  for (const auto* row : rows) {
    w.u64(row->position.value);
    w.i64(to_micros(row->at));
    w.u16(static_cast<uint64_t>(std::min<int64_t>(row->took.count(), 0xffff)));
    w.u16(static_cast<uint64_t>(row->status));
  }
  return w.take();
}

std::string encode_attempt(const AttemptRow& row) {
  Writer w(64 + row.error.size() + row.response.size());
  w.u8(row.phases ? kAttemptWithPhases : kFullAttempt);
  w.u64(row.position.value);
  w.i64(to_micros(row.at));
  w.u32(static_cast<uint64_t>(row.took.count()));
  w.u16(static_cast<uint64_t>(row.attempt));
  w.u16(static_cast<uint64_t>(row.status));
  w.text(row.failure);
  w.text(row.error);
  w.text(row.response);
  if (row.phases) write_phases(w, *row.phases);
  return w.take();
}

Status decode_attempts(LaneId lane, std::optional<Position> only, std::string_view value,
                       std::vector<AttemptRow>& out) {
  Reader in(value);
  const uint8_t kind = in.u8();
  if (kind == kPackedSuccesses) {
    while (in.left() > 0) {
      AttemptRow row;
      row.lane = lane;
      row.position = {in.u64()};
      row.at = from_micros(in.i64());
      row.took = std::chrono::milliseconds(in.u16());
      row.status = in.u16();
      if (!in.ok()) return damaged("attempt");
      if (!only || row.position == *only) out.push_back(std::move(row));
    }
    return {};
  }
  if (kind != kFullAttempt && kind != kAttemptWithPhases) return damaged("attempt");
  AttemptRow row;
  row.lane = lane;
  row.position = {in.u64()};
  if (only && in.ok() && row.position != *only) return {};
  row.at = from_micros(in.i64());
  row.took = std::chrono::milliseconds(in.u32());
  row.attempt = in.u16();
  row.status = in.u16();
  row.failure = std::string(in.text());
  row.error = std::string(in.text());
  row.response = std::string(in.text());
  if (kind == kAttemptWithPhases) row.phases = read_phases(in);
  if (!in.done()) return damaged("attempt");
  out.push_back(std::move(row));
  return {};
}

}  // namespace eventhorn::store::format
