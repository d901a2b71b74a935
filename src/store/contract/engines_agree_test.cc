// The embedded engine against the specification: random operations on both, every answer compared.
// A seed that fails prints itself and what was done; EVENTHORN_MODEL_SEEDS=<first>:<count> runs
// others than the fixed ones.
#include "store/contract/answers_test_support.h"
#include "store/contract/engines_test_support.h"
#include "store/contract/random_inputs_test_support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace eventhorn::store {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Rows that tell the number of the write that they came with.
constexpr LaneId kNumbered{99};
constexpr const char* kNumberedKey = "number";

constexpr int kSteps = 250;
constexpr int kFixedSeeds = 5;  // some two seconds each

class Engines {
 public:
  explicit Engines(uint32_t seed) : any_(seed, memory_) {}

  /// What was done, a line for each operation.
  const std::vector<std::string>& done() const { return done_; }

  void step();

 private:
  using Op = void (Engines::*)();

  /// Does it on both, and compares what comes back.
  template <class F>
  void both(const std::string& what, F f) {
    done_.push_back(what);
    const std::string specified = f(static_cast<TestEngine&>(memory_));
    const std::string got = f(static_cast<TestEngine&>(rocks_));
    EXPECT_EQ(got, specified) << what;
  }

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
  void tear();
  void fail_and_recover();

  void read_log();
  void read_lane();
  void read_page();
  void read_order();
  void read_progress();
  void read_attempts();
  void read_values();
  void read_clock();

  RocksEngine rocks_;
  MemoryEngine memory_;
  RandomInputs any_;
  std::vector<std::string> done_;
  uint64_t writes_ = 0;  // that were not synced when they were made, each with its number in it
};

void Engines::commit() {
  const auto set = any_.set();
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
  for (auto n = 1 + any_.up_to(1); n > 0; --n) {
    memory_.clock.advance(milliseconds(1));
    rocks_.clock.advance(milliseconds(1));
    progress.push_back(any_.progress());
  }
  progress.back().lanes.push_back({kNumbered, {++writes_}, {}});
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
  const std::vector<SlotMark> marks = {{SlotSet::all(), any_.position()},
                                       {SlotSet::of_core(1, 3), any_.position()}};
  both("replace marks",
       [&](TestEngine& engine) { return text(engine.store().replace_marks(marks)); });
}

void Engines::save_values() {
  const auto kind = any_.up_to(2);
  ValueChanges changes;
  for (auto n = any_.up_to(3); n > 0; --n) {
    const std::string key = fmt::format("k{}", any_.up_to(12));
    changes.emplace_back(
        key, any_.one_in(3) ? std::nullopt : std::optional(std::to_string(any_.up_to(99))));
  }
  if (kind == 0 && !memory_.store().failed())
    changes.emplace_back(kNumberedKey, std::to_string(++writes_));
  both("save values", [&](TestEngine& engine) {
    if (kind == 0) return text(engine.store().save_values(changes));
    if (changes.empty()) return std::string();
    if (kind == 1) return text(engine.store().remove_value(changes.front().first));
    return text(engine.store().save_value(changes.front().first, "one"));
  });
}

void Engines::pass_time() {
  const Micros by =
      any_.one_in(2) ? Micros(milliseconds(any_.up_to(3000))) : Micros(hours(any_.up_to(120)));
  both(fmt::format("{} ms pass", by / milliseconds(1)), [&](TestEngine& engine) {
    engine.clock.advance(by);
    return std::to_string(engine.store().kept_clock().watch().ahead.count());
  });
}

void Engines::jump() {
  const Micros by = seconds(any_.up_to(4000)) - seconds(1000);
  both(fmt::format("wall time jumps by {} ms", by / milliseconds(1)), [&](TestEngine& engine) {
    engine.clock.jump_wall(by);
    return std::to_string(engine.store().kept_clock().watch().ahead.count());
  });
}

// What is not indexed yet stays, and what is not compacted may be found: so both before it is
// looked at.
void Engines::expire() {
  const Micros age = hours(1 + any_.up_to(100));
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
  const Micros off = any_.one_in(2) ? Micros(0) : Micros(seconds(any_.up_to(9000)));
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

// What is left is the beginning of what was written: the numbers tell how much.
void Engines::tear() {
  const uint64_t bytes = any_.up_to(4000);
  done_.push_back(fmt::format("cut power, {} bytes stay of {} writes", bytes, memory_.unsynced()));
  rocks_.cut_power_in(bytes);
  uint64_t found = writes_ - memory_.unsynced();
  const auto progress = rocks_.store().load_progress();
  const auto value = rocks_.store().load_value(kNumberedKey);
  ASSERT_TRUE(progress && value);
  for (const auto& lane : progress->lanes)
    if (lane.lane == kNumbered) found = std::max(found, lane.domain.value);
  if (*value) found = std::max<uint64_t>(found, std::stoull(**value));
  ASSERT_LE(found, writes_);
  memory_.cut_power_behind(memory_.unsynced() - (writes_ - found));
  read_progress();
  read_values();
}

void Engines::fail_and_recover() {
  both("a sync fails", [](TestEngine& engine) {
    engine.fail_one_sync();
    return std::string();
  });
  if (any_.one_in(2)) {
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
  const Position after = any_.position();
  const auto max = any_.up_to(20);
  std::vector<Position> positions;
  for (auto n = any_.up_to(12); n > 0; --n) positions.push_back(any_.position());
  if (any_.one_in(2)) std::sort(positions.begin(), positions.end());
  std::vector<std::string> ids;
  for (auto n = any_.up_to(5); n > 0; --n) ids.push_back(any_.id());
  const auto domain = any_.domain();
  const auto time = any_.time();
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
  const auto query = any_.lane_query();
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
  const auto query = any_.page_query();
  both(fmt::format("read page of {} {} {} {}",
                   query.domains ? query.domains->domains.size() : query.domain.value,
                   query.ascending ? "up" : "down", query.first_us, query.last_us),
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

void Engines::read_order() {
  const auto query = any_.order_query();
  both(fmt::format("read the order of {} after {}", query.domain ? query.domain->value : 0,
                   query.after.value),
       [&](TestEngine& engine) {
         std::string out;
         for (auto q = query;;) {
           const auto slice = engine.store().read_order(q);
           if (!slice) return text_of_error(slice.error());
           EXPECT_LE(slice->events.size(), q.max_events);
           EXPECT_TRUE(slice->damaged.empty());
           if (slice->gone_through > q.after) {
             out += fmt::format("gone through {} ", slice->gone_through.value);
             q.after = slice->gone_through;
             continue;
           }
           out += text(slice->events);
           if (slice->at_end) {
             const auto last = engine.store().last_commit();
             return out + fmt::format("reached {}, {} at {}", slice->reached.value,
                                      last.position.value, to_micros(last.at));
           }
           EXPECT_GT(slice->reached, q.after) << "does not move on";
           if (slice->reached <= q.after) return out;
           q.after = slice->reached;
         }
       });
}

void Engines::read_progress() {
  const auto lane = any_.lane();
  const auto after = any_.position();
  const auto max = any_.up_to(10);
  const bool missed_only = any_.one_in(2);
  both(fmt::format("read progress, exceptions of {} after {}", lane.value, after.value),
       [&](TestEngine& engine) {
         return text(engine.store().load_progress()) + " " +
                text(engine.store().read_exceptions(lane, after, max, missed_only));
       });
}

void Engines::read_attempts() {
  const auto lane = any_.lane();
  const auto position = any_.attempted();
  const auto committed = any_.one_in(2) ? SystemTime() : any_.time();
  const auto max = any_.up_to(5);
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
  const std::string prefix = any_.one_in(2) ? "k" : fmt::format("k{}", any_.up_to(3));
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
  static const std::vector<std::pair<int, Op>> kOps = {{30, &Engines::commit},
                                                       {20, &Engines::save},
                                                       {2, &Engines::flush},
                                                       {2, &Engines::replace_marks},
                                                       {4, &Engines::save_values},
                                                       {10, &Engines::pass_time},
                                                       {1, &Engines::jump},
                                                       {3, &Engines::expire},
                                                       {4, &Engines::index},
                                                       {2, &Engines::reopen},
                                                       {1, &Engines::cut_power},
                                                       {3, &Engines::tear},
                                                       {2, &Engines::fail_and_recover},
                                                       {15, &Engines::read_log},
                                                       {20, &Engines::read_lane},
                                                       {15, &Engines::read_page},
                                                       {15, &Engines::read_order},
                                                       {10, &Engines::read_progress},
                                                       {10, &Engines::read_attempts},
                                                       {3, &Engines::read_values},
                                                       {4, &Engines::read_clock}};
  static const int all = [] {
    int out = 0;
    for (const auto& [weight, op] : kOps) out += weight;
    return out;
  }();
  auto dice = static_cast<int>(any_.up_to(static_cast<uint64_t>(all) - 1));
  for (const auto& [weight, op] : kOps) {
    dice -= weight;
    if (dice < 0) return (this->*op)();
  }
}

void run(uint32_t seed) {
  Engines engines(seed);
  try {
    for (int step = 0; step < kSteps && !testing::Test::HasFailure(); ++step) engines.step();
  } catch (const std::exception& e) {  // a store that does not open
    ADD_FAILURE() << e.what();
  }
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
