// What a store may be given, at random: few ids, lanes, domains and URLs, so that they meet again.
#pragma once

#include "event/filter.h"
#include "store/contract/contract_test_support.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::store {

/// The same for the same seed and the same answers of the engine.
class RandomInputs {
 public:
  /// Positions are those of the engine, times those of its clock. It must outlive this.
  RandomInputs(uint32_t seed, TestEngine& engine) : random_(seed), engine_(engine) {}

  uint64_t up_to(uint64_t limit) { return random_() % (limit + 1); }

  bool one_in(uint64_t n) { return random_() % n == 0; }

  /// Some position of the log, or a little beyond; rather one of the last.
  Position position() {
    const uint64_t end = engine_.store().head().value + 3;
    return {one_in(3) ? up_to(end) : end - std::min(end, up_to(12))};
  }

  /// Of what retention has left. Of what is forgotten, the engines may still know different things.
  Position position_left() {
    const auto left = engine_.store().read_heads(kNoPosition, 1);
    const bool none = !left || left->empty();
    return std::max(none ? engine_.store().head() : left->front().position, position());
  }

  LaneId lane() { return {1 + up_to(3)}; }

  DomainUid domain() { return {kDomain.value + up_to(2)}; }

  webhook::Hook hook() { return webhook::kAllHooks[up_to(webhook::kHooks - 1)]; }

  SystemTime time() {
    return engine_.clock.now() -
           Micros(up_to(Micros(std::chrono::hours(24 * 12)).count()) / (1 + up_to(1000)));
  }

  /// An event that was attempted, if one was.
  Position attempted() {
    if (attempted_.empty()) return just_after(position());
    return attempted_[up_to(attempted_.size() - 1)];
  }

  /// One that was appended, or one that will be.
  std::string id() { return fmt::format("e{}", up_to(static_cast<uint64_t>(ids_) + 3)); }

  NewEvent event();
  WriteSet set();
  DomainEdit edit(const std::string& name);
  Progress progress();
  AttemptRow attempt(SystemTime written);
  LaneQuery lane_query();
  PageQuery page_query();
  OrderQuery order_query();

 private:
  std::mt19937 random_;
  TestEngine& engine_;
  std::vector<Position> attempted_;
  int ids_ = 0;
};

inline NewEvent RandomInputs::event() {
  constexpr event::Name kNames[] = {event::Name::kDelivered,  event::Name::kOpened,
                                    event::Name::kFailed,     event::Name::kStored,
                                    event::Name::kComplained, event::Name::kAccepted};
  // Half of the ids are new ones, and some come with other bytes.
  const auto id = one_in(2) ? ids_++ : static_cast<int>(up_to(static_cast<uint64_t>(ids_)));
  auto e = make_event("e" + std::to_string(id), kBaseUs + id % 17, kNames[up_to(5)], domain());
  e.push = !one_in(8);
  e.event.bytes = R"({"id":")" + e.event.id + R"(","tags":["t)" + std::to_string(id % 5) + R"("]})";
  if (one_in(4)) e.event.bytes += std::string(up_to(200), ' ');
  return e;
}

inline DomainEdit RandomInputs::edit(const std::string& name) {
  std::vector<std::string> urls;
  for (uint64_t n = up_to(2); n > 0; --n) urls.push_back("http://" + std::to_string(n) + "/");
  const auto of = hook();
  const auto kind = up_to(5);
  return [=](const DomainPtr& current, Position at) -> Result<DomainPtr> {
    if (kind == 0) return fail(Errc::kConflict, "refused");
    if (kind == 1) return DomainPtr();
    auto d = current ? std::make_shared<Domain>(*current) : std::make_shared<Domain>();
    if (!current) d->uid = {at.value};
    d->name = name;
    d->id = std::to_string(at.value);
    set_hook_urls(*d, of, urls, at);
    return DomainPtr(d);
  };
}

inline WriteSet RandomInputs::set() {
  WriteSet out;
  const bool edits = one_in(5);
  for (auto n = edits ? up_to(2) : 1 + up_to(8); n > 0; --n)
    out.appends.push_back({event(), WriteSet::Append::Outcome::kStored, nullptr});
  for (auto n = edits ? 1 + up_to(2) : 0; n > 0; --n) {
    WriteSet::Edit one;
    one.name = "d" + std::to_string(up_to(3)) + ".test";
    one.edit = edit(one.name);
    out.edits.push_back(std::move(one));
  }
  return out;
}

inline AttemptRow RandomInputs::attempt(SystemTime written) {
  AttemptRow row;
  row.lane = lane();
  row.position = one_in(2) ? just_after(position()) : attempted();
  attempted_.push_back(row.position);
  row.at = row.written = written;
  row.took = std::chrono::milliseconds(up_to(60'000));
  if (one_in(3)) {
    row.status = 200;
    return row;
  }
  row.attempt = static_cast<int>(1 + up_to(8));
  row.status = one_in(2) ? 503 : 200;
  if (row.status == 503 || row.attempt == 1) row.error = "no";
  row.response = "busy";
  if (one_in(2)) row.phases = webhook::Phases{.exchange = Micros(up_to(1000))};
  return row;
}

inline Progress RandomInputs::progress() {
  Progress p;
  if (one_in(2)) {
    const SlotMark mark{SlotSet::of_core(static_cast<uint32_t>(up_to(2)), 3), position()};
    p.mark = mark;
  }
  for (auto n = up_to(2); n > 0; --n) {
    LaneRow row{lane(), domain(), {}};
    for (auto k = up_to(2); k > 0; --k) {
      SegmentRow s{webhook::Class::kBulk, position(), position(), position(), {}};
      s.replay = up_to(3);
      s.paused = one_in(2);
      row.segments.push_back(s);
    }
    p.lanes.push_back(row);
  }
  if (one_in(4)) p.settled_lanes.push_back(lane());
  for (auto n = up_to(8); n > 0; --n) {
    if (one_in(3)) {
      p.end_exception(lane(), position());
    } else {
      p.exceptions.push_back(exception_row(lane(), position_left(), one_in(2), hook()));
    }
  }
  if (one_in(12)) p.ended_lanes.push_back(lane());
  if (one_in(3)) {
    EndpointRow row;
    row.url = "http://" + std::to_string(up_to(3)) + "/";
    row.state = EndpointRow::State::kParked;
    row.reason = std::to_string(up_to(100));
    p.endpoints.push_back(row);
  }
  if (one_in(5)) p.well_endpoints.push_back("http://" + std::to_string(up_to(3)) + "/");
  // No two attempts are written in one microsecond.
  const SystemTime now = engine_.store().kept_clock().now();
  for (auto n = up_to(6); n > 0; --n)
    p.attempts.push_back(attempt(now - Micros(static_cast<int64_t>(n))));
  return p;
}

inline LaneQuery RandomInputs::lane_query() {
  LaneQuery q;
  q.domain = domain();
  q.cls = static_cast<webhook::Class>(up_to(webhook::kClasses - 1));
  if (one_in(2)) q.after = position();
  if (one_in(2)) q.to = position();
  for (auto& since : q.since) {
    if (!one_in(5)) since = one_in(3) ? position() : kNoPosition;
  }
  if (one_in(3)) q.source = SegmentRow::Source::kMissed;
  q.lane = lane();
  q.max_events = 1 + up_to(20);
  if (one_in(2)) q.max_bytes = 1 + up_to(500);
  return q;
}

inline PageQuery RandomInputs::page_query() {
  PageQuery q;
  q.domain = domain();
  q.ascending = one_in(2);
  const auto any_us = [&] { return kBaseUs - 1 + static_cast<int64_t>(up_to(19)); };
  const bool all = one_in(2);
  q.first_us = all ? 0 : any_us();
  q.last_us = all ? INT64_MAX : any_us();
  if (q.ascending != (q.first_us < q.last_us)) std::swap(q.first_us, q.last_us);
  if (one_in(3)) {
    auto some = std::make_shared<DomainSet>(DomainSet{kOnlyAccount, {}});
    for (uint64_t i = 0; i < 3; ++i)
      if (!one_in(3)) some->domains.push_back({kDomain.value + i});
    q.domains = std::move(some);
  }
  if (one_in(4) && q.domains) {
    q.beyond = PageCursor{any_us(), {}, position()};
  } else if (one_in(4)) {
    q.beyond = PageCursor{any_us(), "e" + std::to_string(up_to(50)), {}};
  }
  q.max_scan = 1 + up_to(30);
  q.max_events = 1 + up_to(20);
  if (one_in(3)) q.max_bytes = 1 + up_to(500);
  if (one_in(3)) q.may_match = [](auto name, auto) { return name == event::Name::kDelivered; };
  if (one_in(3)) q.matches = [](auto bytes) { return bytes.size() % 2 == 0; };
  if (one_in(3)) {
    const auto filter = event::Filter::parse({{"tags", "t" + std::to_string(up_to(6)) + " OR t1"}});
    q.terms = filter->term_query();
    q.matches = [filter](auto bytes) { return filter->matches(bytes); };
  }
  if (one_in(3) && !q.domains) q.wants_id = [](auto id) { return id.back() % 2 == 0; };
  if (one_in(4)) q.give_up = [] { return true; };
  return q;
}

inline OrderQuery RandomInputs::order_query() {
  OrderQuery q;
  if (!one_in(4)) q.domain = domain();
  if (!one_in(4)) q.after = position();
  q.max_scan = 1 + up_to(30);
  q.max_events = 1 + up_to(20);
  if (one_in(3)) q.max_bytes = 1 + up_to(500);
  if (one_in(3))
    q.may_match = [](auto, auto name, auto) { return name == event::Name::kDelivered; };
  if (one_in(3)) q.matches = [](auto bytes) { return bytes.size() % 2 == 0; };
  if (one_in(4)) q.give_up = [] { return true; };
  return q;
}

}  // namespace eventhorn::store
