// The embedded engine against the specification: random operations on both, every answer compared.
// A seed that fails prints itself and what was done; EVENTHORN_MODEL_SEEDS=<first>:<count> runs
// others than the fixed ones.
#include "store/contract/engines_test_support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::store {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kSteps = 250;
constexpr int kFixedSeeds = 6;  // some two seconds each

// Answers as texts.

std::string text(const Status& status) {
  return status ? "ok" : fmt::format("error {}", errc_name(status.error().code));
}

std::string text(const EventPtr& e) {
  if (!e) return "null";
  return fmt::format("{}/{}/{}/{}/{}/{}/{}/{}/{}/{}/{}", e->position.value, e->domain.value,
                     e->shard.value, e->push, to_micros(e->committed), e->event.id,
                     e->event.timestamp_us, static_cast<int>(e->event.name),
                     static_cast<int>(e->event.severity), e->event.order_key, e->event.bytes);
}

std::string text(const DomainPtr& d) {
  if (!d) return "null";
  std::string out = fmt::format("{}/{}/{}", d->uid.value, d->name, d->id);
  for (const auto& lane : d->lanes) out += fmt::format("/{}={}", lane.id.value, lane.url);
  for (const auto& hook : d->hooks) {
    out += "/";
    for (const auto& s : hook) out += fmt::format("{}@{},", s.lane.value, s.since.value);
  }
  return out;
}

std::string text(const ExceptionRow& r) {
  return fmt::format("{}/{}/{}/{}/{}/{}/{}/{}", r.lane.value, r.position.value, r.missed,
                     r.attempts, to_micros(r.last_attempt), r.delay.count(), r.last_status,
                     static_cast<int>(r.hook));
}

std::string text(const AttemptRow& r) {
  return fmt::format("{}/{}/{}/{}/{}/{}/{}/{}/{}/{}/{}", r.lane.value, r.position.value,
                     to_micros(r.written), to_micros(r.at), r.took.count(), r.attempt, r.status,
                     r.failure, r.error, r.response, r.phases ? r.phases->exchange.count() : -1);
}

template <class T>
std::string text(const std::vector<T>& rows) {
  std::string out;
  for (const auto& row : rows) out += text(row) + " ";
  return out;
}

std::string text(const LoadedProgress& p) {
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
std::string text(const Result<T>& result) {
  return result ? text(*result) : fmt::format("error {}", errc_name(result.error().code));
}

std::string text(const Result<Position>& p) {
  return p ? std::to_string(p->value) : fmt::format("error {}", errc_name(p.error().code));
}

std::string text_of_error(const Error& error) {
  return fmt::format("error {}", errc_name(error.code));
}

// They come in no order.
std::string text_of_domains(Result<std::vector<DomainPtr>> domains) {
  if (domains) std::ranges::sort(*domains, {}, [](const DomainPtr& d) { return d->name; });
  return text(domains);
}

class Engines {
 public:
  explicit Engines(uint32_t seed) : random_(seed) {}

  /// What was done, a line for each operation.
  const std::vector<std::string>& done() const { return done_; }

  void step();

 private:
  using Op = void (Engines::*)();

  uint64_t up_to(uint64_t limit) { return random_() % (limit + 1); }

  bool one_in(uint64_t n) { return random_() % n == 0; }

  /// Some position of the log, or a little beyond; rather one of the last.
  Position any_position() {
    const uint64_t end = memory_.store().head().value + 3;
    return {one_in(3) ? up_to(end) : end - std::min(end, up_to(12))};
  }

  /// Of what retention has left. Of what is forgotten, the engines may still know different things.
  Position any_position_left() {
    const auto first = memory_.store().read_heads(kNoPosition, 1);
    if (!first || first->empty()) return any_position();
    return std::max(first->front().position, any_position());
  }

  LaneId any_lane() { return {1 + up_to(3)}; }

  DomainUid any_domain() { return {kDomain.value + up_to(2)}; }

  webhook::Hook any_hook() { return webhook::kAllHooks[up_to(webhook::kHooks - 1)]; }

  SystemTime any_time() {
    return memory_.clock.now() - Micros(up_to(hours(24 * 12) / Micros(1)) / (1 + up_to(1000)));
  }

  /// Does it on both, and compares what comes back.
  template <class F>
  void both(const std::string& what, F f) {
    done_.push_back(what);
    const std::string specified = f(static_cast<TestEngine&>(memory_));
    const std::string got = f(static_cast<TestEngine&>(rocks_));
    EXPECT_EQ(got, specified) << what;
  }

  NewEvent any_event();
  WriteSet any_set();
  DomainEdit any_edit(const std::string& name);
  Progress any_progress();
  AttemptRow any_attempt(SystemTime written);
  LaneQuery any_lane_query();
  PageQuery any_page_query();

  void commit();
  void save();
  void flush();
  void replace_marks();
  void save_values();
  void pass_time();
  void jump();
  void expire();
  void index();
  void reopen();
  void cut_power();
  void fail_and_recover();

  void read_log();
  void read_lane();
  void read_page();
  void read_progress();
  void read_attempts();
  void read_values();
  void read_clock();

  std::mt19937 random_;
  RocksEngine rocks_;
  MemoryEngine memory_;
  std::vector<std::string> done_;
  std::vector<Position> attempted_;  // events that were
  int ids_ = 0;
};

NewEvent Engines::any_event() {
  constexpr event::Name kNames[] = {event::Name::kDelivered,  event::Name::kOpened,
                                    event::Name::kFailed,     event::Name::kStored,
                                    event::Name::kComplained, event::Name::kAccepted};
  // Half of the ids are new ones, and some come with other bytes.
  const auto id = one_in(2) ? ids_++ : static_cast<int>(up_to(static_cast<uint64_t>(ids_)));
  auto e = make_event("e" + std::to_string(id), kBaseUs + id % 17, kNames[up_to(5)], any_domain());
  e.push = !one_in(8);
  if (one_in(4)) e.event.bytes += std::string(up_to(200), ' ');
  return e;
}

DomainEdit Engines::any_edit(const std::string& name) {
  std::vector<std::string> urls;
  for (uint64_t n = up_to(2); n > 0; --n) urls.push_back("http://" + std::to_string(n) + "/");
  const auto hook = any_hook();
  const auto kind = up_to(5);
  return [=](const DomainPtr& current, Position at) -> Result<DomainPtr> {
    if (kind == 0) return fail(Errc::kConflict, "refused");
    if (kind == 1) return DomainPtr();
    auto d = current ? std::make_shared<Domain>(*current) : std::make_shared<Domain>();
    if (!current) d->uid = {at.value};
    d->name = name;
    d->id = std::to_string(at.value);
    set_hook_urls(*d, hook, urls, at);
    return DomainPtr(d);
  };
}

WriteSet Engines::any_set() {
  WriteSet out;
  const bool edits = one_in(5);
  for (auto n = edits ? up_to(2) : 1 + up_to(8); n > 0; --n)
    out.appends.push_back({any_event(), WriteSet::Append::Outcome::kStored, nullptr});
  for (auto n = edits ? 1 + up_to(2) : 0; n > 0; --n) {
    WriteSet::Edit edit;
    edit.name = "d" + std::to_string(up_to(3)) + ".test";
    edit.edit = any_edit(edit.name);
    out.edits.push_back(std::move(edit));
  }
  return out;
}

AttemptRow Engines::any_attempt(SystemTime written) {
  AttemptRow row;
  row.lane = any_lane();
  row.position = attempted_.empty() || one_in(2) ? just_after(any_position())
                                                 : attempted_[up_to(attempted_.size() - 1)];
  attempted_.push_back(row.position);
  row.at = row.written = written;
  row.took = milliseconds(up_to(60'000));
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

Progress Engines::any_progress() {
  Progress p;
  if (one_in(2)) {
    const SlotMark mark{SlotSet::of_core(static_cast<uint32_t>(up_to(2)), 3), any_position()};
    p.mark = mark;
  }
  for (auto n = up_to(2); n > 0; --n) {
    LaneRow row{any_lane(), any_domain(), {}};
    for (auto k = up_to(2); k > 0; --k) {
      SegmentRow s{webhook::Class::kBulk, any_position(), any_position(), any_position(), {}};
      s.replay = up_to(3);
      s.paused = one_in(2);
      row.segments.push_back(s);
    }
    p.lanes.push_back(row);
  }
  if (one_in(4)) p.settled_lanes.push_back(any_lane());
  for (auto n = up_to(8); n > 0; --n) {
    if (one_in(3)) {
      p.end_exception(any_lane(), any_position());
    } else {
      p.exceptions.push_back(exception_row(any_lane(), any_position_left(), one_in(2), any_hook()));
    }
  }
  if (one_in(12)) p.ended_lanes.push_back(any_lane());
  if (one_in(3)) {
    EndpointRow row;
    row.url = "http://" + std::to_string(up_to(3)) + "/";
    row.state = EndpointRow::State::kParked;
    row.reason = std::to_string(up_to(100));
    p.endpoints.push_back(row);
  }
  if (one_in(5)) p.well_endpoints.push_back("http://" + std::to_string(up_to(3)) + "/");
  // No two attempts are written in one microsecond.
  const SystemTime now = memory_.store().kept_clock().now();
  for (auto n = up_to(6); n > 0; --n)
    p.attempts.push_back(any_attempt(now - Micros(static_cast<int64_t>(n))));
  return p;
}

LaneQuery Engines::any_lane_query() {
  LaneQuery q;
  q.domain = any_domain();
  q.cls = static_cast<webhook::Class>(up_to(webhook::kClasses - 1));
  if (one_in(2)) q.after = any_position();
  if (one_in(2)) q.to = any_position();
  for (auto& since : q.since) {
    if (!one_in(5)) since = one_in(3) ? any_position() : kNoPosition;
  }
  if (one_in(3)) q.source = SegmentRow::Source::kMissed;
  q.lane = any_lane();
  q.max_events = 1 + up_to(20);
  if (one_in(2)) q.max_bytes = 1 + up_to(500);
  return q;
}

PageQuery Engines::any_page_query() {
  PageQuery q;
  q.domain = any_domain();
  q.ascending = one_in(2);
  const auto any_us = [&] { return kBaseUs - 1 + static_cast<int64_t>(up_to(19)); };
  const bool all = one_in(2);
  q.first_us = all ? 0 : any_us();
  q.last_us = all ? INT64_MAX : any_us();
  if (q.ascending != (q.first_us < q.last_us)) std::swap(q.first_us, q.last_us);
  if (one_in(4)) q.beyond = PageCursor{any_us(), "e" + std::to_string(up_to(50))};
  q.max_scan = 1 + up_to(30);
  q.max_events = 1 + up_to(20);
  if (one_in(3)) q.max_bytes = 1 + up_to(500);
  if (one_in(3)) q.may_match = [](auto name, auto) { return name == event::Name::kDelivered; };
  if (one_in(3)) q.matches = [](auto bytes) { return bytes.size() % 2 == 0; };
  if (one_in(4)) q.give_up = [] { return true; };
  return q;
}

void Engines::commit() {
  const auto set = any_set();
  std::string what = "commit";
  for (const auto& a : set.appends) what += " " + a.event.event.id;
  for (const auto& e : set.edits) what += " edit " + e.name;
  both(what, [&](TestEngine& engine) {
    WriteSet mine = set;
    std::string out = text(engine.store().commit(mine));
    for (const auto& a : mine.appends)
      out += fmt::format(" {}:{}", static_cast<int>(a.outcome), text(a.stored));
    for (const auto& e : mine.edits) {
      if (!e.outcome) {
        out += " refused";
        continue;
      }
      const auto& change = *e.outcome;
      out += fmt::format(" {}:{}>{}", change.at.value, text(change.before), text(change.after));
    }
    return out + fmt::format(" head {}", engine.store().head().value);
  });
}

void Engines::save() {
  memory_.clock.advance(milliseconds(1));
  rocks_.clock.advance(milliseconds(1));
  std::vector<Progress> progress;
  for (auto n = 1 + up_to(1); n > 0; --n) {
    memory_.clock.advance(milliseconds(1));
    rocks_.clock.advance(milliseconds(1));
    progress.push_back(any_progress());
  }
  std::vector<const Progress*> all;
  for (const auto& p : progress) all.push_back(&p);
  both("save", [&](TestEngine& engine) {
    const auto token = engine.store().save(all);
    return token ? fmt::format("{}", engine.store().durable(*token))
                 : errc_name(token.error().code);
  });
}

void Engines::flush() {
  both("flush", [](TestEngine& engine) { return text(engine.store().flush()); });
}

void Engines::replace_marks() {
  const std::vector<SlotMark> marks = {{SlotSet::all(), any_position()},
                                       {SlotSet::of_core(1, 3), any_position()}};
  both("replace marks",
       [&](TestEngine& engine) { return text(engine.store().replace_marks(marks)); });
}

void Engines::save_values() {
  const auto kind = up_to(2);
  ValueChanges changes;
  for (auto n = up_to(3); n > 0; --n) {
    const std::string key = fmt::format("k{}", up_to(12));
    changes.emplace_back(key, one_in(3) ? std::nullopt : std::optional(std::to_string(up_to(99))));
  }
  both("save values", [&](TestEngine& engine) {
    if (kind == 0) return text(engine.store().save_values(changes));
    if (changes.empty()) return std::string();
    if (kind == 1) return text(engine.store().remove_value(changes.front().first));
    return text(engine.store().save_value(changes.front().first, "one"));
  });
}

void Engines::pass_time() {
  const Micros by = one_in(2) ? Micros(milliseconds(up_to(3000))) : Micros(hours(up_to(120)));
  both(fmt::format("{} ms pass", by / milliseconds(1)), [&](TestEngine& engine) {
    engine.clock.advance(by);
    return std::to_string(engine.store().kept_clock().watch().ahead.count());
  });
}

void Engines::jump() {
  const Micros by = seconds(up_to(4000)) - seconds(1000);
  both(fmt::format("wall time jumps by {} ms", by / milliseconds(1)), [&](TestEngine& engine) {
    engine.clock.jump_wall(by);
    return std::to_string(engine.store().kept_clock().watch().ahead.count());
  });
}

// What is not indexed yet stays, and what is not compacted may be found: so both before it is
// looked at.
void Engines::expire() {
  const Micros age = hours(1 + up_to(100));
  both(fmt::format("expire {} h", age / hours(1)), [&](TestEngine& engine) {
    engine.index_now();
    const auto cut = engine.store().kept_clock().cut(age);
    const auto dropped = engine.store().expire(cut, cut - hours(5));
    engine.compact();
    return dropped ? std::to_string(*dropped) : errc_name(dropped.error().code);
  });
}

void Engines::index() {
  done_.emplace_back("index");
  rocks_.index_now();
}

void Engines::reopen() {
  const Micros off = one_in(2) ? Micros(0) : Micros(seconds(up_to(9000)));
  both(fmt::format("reopen, off for {} ms", off / milliseconds(1)), [&](TestEngine& engine) {
    if (off > Micros(0)) engine.clock.power_off(off);
    engine.reopen();
    return std::to_string(engine.store().head().value);
  });
}

void Engines::cut_power() {
  both("cut power", [](TestEngine& engine) {
    engine.clock.power_off(seconds(1));
    engine.cut_power();
    return std::to_string(engine.store().head().value);
  });
}

void Engines::fail_and_recover() {
  both("a sync fails", [](TestEngine& engine) {
    engine.fail_one_sync();
    return std::string();
  });
  if (one_in(2)) {
    commit();
  } else {
    flush();
  }
  read_lane();
  read_log();
  save_values();  // refused
  both("recover", [](TestEngine& engine) {
    return text(engine.store().recover()) + fmt::format(" {}", engine.store().head().value);
  });
}

void Engines::read_log() {
  const Position after = any_position();
  const auto max = up_to(20);
  std::vector<Position> positions;
  for (auto n = up_to(12); n > 0; --n) positions.push_back({up_to(memory_.store().head().value)});
  if (one_in(2)) std::sort(positions.begin(), positions.end());
  std::vector<std::string> ids;
  for (auto n = up_to(5); n > 0; --n) ids.push_back(fmt::format("e{}", up_to(ids_ + 3)));
  const auto domain = any_domain();
  const auto time = any_time();
  both(fmt::format("read heads after {}, events, ids, time {}", after.value, to_micros(time)),
       [&](TestEngine& engine) {
         auto& store = engine.store();
         std::string out;
         const auto heads = store.read_heads(after, max);
         if (!heads) return text_of_error(heads.error());
         for (const auto& h : *heads)
           out += fmt::format("{}/{}/{}/{}/{} ", h.position.value, h.domain.value, h.push,
                              static_cast<int>(h.name), static_cast<int>(h.severity));
         out += text(store.read_events(positions));
         const auto found = store.find_events(domain, ids);
         if (!found) return out + text_of_error(found.error());
         for (const auto& p : *found) out += fmt::format(" {}", p.value);
         out += " before " + text(store.position_before(time));
         return out + " " + text_of_domains(store.load_domains());
       });
}

void Engines::read_lane() {
  const auto query = any_lane_query();
  both(fmt::format("read lane {} of {} after {} to {}", query.lane.value, query.domain.value,
                   query.after.value, query.to ? query.to->value : 0),
       [&](TestEngine& engine) {
         auto& store = engine.store();
         std::string out;
         size_t expired = 0;
         for (auto q = query;;) {
           const auto slice = store.read_lane(q);
           if (!slice) return text_of_error(slice.error());
           out += text(slice->events);
           expired += slice->expired;
           size_t bytes = 0;
           for (const auto& e : slice->events) {
             EXPECT_TRUE(e->position > q.after && e->position <= slice->through);
             bytes += e->event.bytes.size();
           }
           EXPECT_LE(slice->events.size(), q.max_events);
           EXPECT_TRUE(slice->events.size() < 2 || bytes <= q.max_bytes);
           if (slice->at_end || slice->through <= q.after) break;
           q.after = slice->through;
         }
         const auto count = store.count_lane(query);
         if (!count) return text_of_error(count.error());
         out += fmt::format("expired {} counted {}", expired, count->events);
         // The bytes of missed events are an estimate.
         if (query.source == SegmentRow::Source::kLog) out += fmt::format("/{}", count->bytes);
         return out;
       });
}

void Engines::read_page() {
  const auto query = any_page_query();
  both(fmt::format("read page of {} {} {} {}", query.domain.value, query.ascending ? "up" : "down",
                   query.first_us, query.last_us),
       [&](TestEngine& engine) {
         std::string out;
         for (auto q = query;;) {
           const auto slice = engine.store().read_page(q);
           if (!slice) return text_of_error(slice.error());
           EXPECT_LE(slice->events.size(), q.max_events);
           EXPECT_TRUE(slice->damaged.empty());
           out += text(slice->events);
           if (slice->at_end) return out;
           EXPECT_TRUE(slice->reached && slice->reached != q.beyond) << "does not move on";
           if (!slice->reached || slice->reached == q.beyond) return out;
           q.beyond = slice->reached;
         }
       });
}

void Engines::read_progress() {
  const auto lane = any_lane();
  const auto after = any_position();
  const auto max = up_to(10);
  const bool missed_only = one_in(2);
  both(fmt::format("read progress, exceptions of {} after {}", lane.value, after.value),
       [&](TestEngine& engine) {
         return text(engine.store().load_progress()) + " " +
                text(engine.store().read_exceptions(lane, after, max, missed_only));
       });
}

void Engines::read_attempts() {
  const auto lane = any_lane();
  const auto position =
      attempted_.empty() ? any_position() : attempted_[up_to(attempted_.size() - 1)];
  const auto committed = one_in(2) ? SystemTime() : any_time();
  const auto max = up_to(5);
  both(fmt::format("read attempts of {} at {}", lane.value, position.value),
       [&](TestEngine& engine) {
         auto& store = engine.store();
         std::string out = text(store.read_attempts(lane, position, committed, max)) + "| ";
         for (SystemTime before = SystemTime(hours(24 * 365 * 100));;) {
           auto rows = store.last_attempts(lane, before, 1 + max);
           if (!rows || rows->empty()) return out;
           before = rows->back().written;
           std::sort(rows->begin(), rows->end(), [](const auto& a, const auto& b) {
             return std::tie(b.written, b.at, b.position) < std::tie(a.written, a.at, a.position);
           });
           out += text(*rows);
         }
       });
}

void Engines::read_values() {
  const std::string prefix = one_in(2) ? "k" : fmt::format("k{}", up_to(3));
  both("read values " + prefix, [&](TestEngine& engine) {
    const auto values = engine.store().load_values(prefix);
    if (!values) return text_of_error(values.error());
    std::string out;
    for (const auto& [key, value] : *values) out += fmt::format("{}={} ", key, value);
    const auto one = engine.store().load_value(prefix);
    return out + (one && *one ? **one : "none");
  });
}

void Engines::read_clock() {
  both("kept time", [](TestEngine& engine) {
    return std::to_string(to_micros(engine.store().kept_clock().now()));
  });
}

void Engines::step() {
  static const std::vector<std::pair<int, Op>> kOps = {
      {30, &Engines::commit},        {20, &Engines::save},          {2, &Engines::flush},
      {2, &Engines::replace_marks},  {4, &Engines::save_values},    {10, &Engines::pass_time},
      {1, &Engines::jump},           {3, &Engines::expire},         {4, &Engines::index},
      {2, &Engines::reopen},         {2, &Engines::cut_power},      {2, &Engines::fail_and_recover},
      {15, &Engines::read_log},      {20, &Engines::read_lane},     {15, &Engines::read_page},
      {10, &Engines::read_progress}, {10, &Engines::read_attempts}, {3, &Engines::read_values},
      {4, &Engines::read_clock}};
  static const int all = [] {
    int out = 0;
    for (const auto& [weight, op] : kOps) out += weight;
    return out;
  }();
  auto dice = static_cast<int>(up_to(static_cast<uint64_t>(all) - 1));
  for (const auto& [weight, op] : kOps) {
    dice -= weight;
    if (dice < 0) return (this->*op)();
  }
}

void run(uint32_t seed) {
  Engines engines(seed);
  for (int step = 0; step < kSteps && !testing::Test::HasFailure(); ++step) engines.step();
  if (!testing::Test::HasFailure()) return;
  std::string done;
  for (const auto& line : engines.done()) done += "\n  " + line;
  ADD_FAILURE() << "seed " << seed << ":" << done;
}

// EVENTHORN_MODEL_SEEDS=<first>:<count>.
std::pair<uint32_t, uint32_t> seeds() {
  const char* given = std::getenv("EVENTHORN_MODEL_SEEDS");
  if (given == nullptr) return {1, kFixedSeeds};
  const std::string_view all = given;
  std::pair<uint32_t, uint32_t> out{0, 1};
  const auto colon = std::min(all.find(':'), all.size());
  std::from_chars(all.data(), all.data() + colon, out.first);
  if (colon < all.size())
    std::from_chars(all.data() + colon + 1, all.data() + all.size(), out.second);
  return out;
}

TEST(EnginesAgree, OnEveryAnswer) {
  const auto [first, count] = seeds();
  for (uint32_t seed = first; seed < first + count && !HasFailure(); ++seed) run(seed);
}

}  // namespace
}  // namespace eventhorn::store
