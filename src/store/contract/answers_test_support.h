// What a store answers, as text: to be compared, and read when it differs.
#pragma once

#include "store/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace eventhorn::store {

inline std::string text(const Status& status) {
  return status ? "ok" : fmt::format("error {}", errc_name(status.error().code));
}

inline std::string text(const EventPtr& e) {
  if (!e) return "null";
  return fmt::format("{}/{}/{}/{}/{}/{}/{}/{}/{}/{}/{}", e->position.value, e->domain.value,
                     e->shard.value, e->push, to_micros(e->committed), e->event.id,
                     e->event.timestamp_us, static_cast<int>(e->event.name),
                     static_cast<int>(e->event.severity), e->event.order_key, e->event.bytes);
}

inline std::string text(const DomainPtr& d) {
  if (!d) return "null";
  std::string out = fmt::format("{}/{}/{}", d->uid.value, d->name, d->id);
  for (const auto& lane : d->lanes) out += fmt::format("/{}={}", lane.id.value, lane.url);
  for (const auto& hook : d->hooks) {
    out += "/";
    for (const auto& s : hook) out += fmt::format("{}@{},", s.lane.value, s.since.value);
  }
  return out;
}

inline std::string text(const ExceptionRow& r) {
  return fmt::format("{}/{}/{}/{}/{}/{}/{}/{}", r.lane.value, r.position.value, r.missed,
                     r.attempts, to_micros(r.last_attempt), r.delay.count(), r.last_status,
                     static_cast<int>(r.hook));
}

inline std::string text(const AttemptRow& r) {
  return fmt::format("{}/{}/{}/{}/{}/{}/{}/{}/{}/{}/{}", r.lane.value, r.position.value,
                     to_micros(r.written), to_micros(r.at), r.took.count(), r.attempt, r.status,
                     r.failure, r.error, r.response, r.phases ? r.phases->exchange.count() : -1);
}

template <class T>
inline std::string text(const std::vector<T>& rows) {
  std::string out;
  for (const auto& row : rows) out += text(row) + " ";
  return out;
}

inline std::string text(const LoadedProgress& p) {
  std::string out = fmt::format("missed {} least {} ", p.missed, p.marks.least().value);
  for (const auto& mark : p.marks.joined())
    out += fmt::format("{:x}={} ", mark.slots.bits, mark.settled_through.value);
  for (const auto& lane : p.lanes) {
    out += fmt::format("lane {}/{}", lane.lane.value, lane.domain.value);
    for (const auto& s : lane.segments) {
      out += fmt::format(":{}/{}/{}/{}/{}/{}/{}", static_cast<int>(s.cls), s.after.value,
                         s.to ? s.to->value : 0, s.acked_through.value, s.settled.size(), s.replay,
                         s.paused);
    }
    out += " ";
  }
  for (const auto& e : p.endpoints)
    out += fmt::format("{}/{}/{} ", e.url, static_cast<int>(e.state), e.reason);
  return out + text(p.waiting);
}

template <class T>
inline std::string text(const Result<T>& result) {
  return result ? text(*result) : fmt::format("error {}", errc_name(result.error().code));
}

inline std::string text(const Result<Position>& p) {
  return p ? std::to_string(p->value) : fmt::format("error {}", errc_name(p.error().code));
}

inline std::string text_of_error(const Error& error) {
  return fmt::format("error {}", errc_name(error.code));
}

// They come in no order.
inline std::string text_of_domains(Result<std::vector<DomainPtr>> domains) {
  if (domains) std::ranges::sort(*domains, {}, [](const DomainPtr& d) { return d->name; });
  return text(domains);
}

}  // namespace eventhorn::store
