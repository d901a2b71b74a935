#include "simulation/world.h"

#include "base/check.h"

#include <algorithm>
#include <utility>

namespace eventhorn::simulation {
namespace {

// What one piece of work takes at most; and so much is gathered before the clock is moved, because
// each move looks at all timers.
constexpr Micros kMaxWork{20};
constexpr Micros kMove{200};
// One piece of work in so many is followed by a stall of so many steps. They stay far below the
// second within which a core is to hear of what it is told.
constexpr uint64_t kStallOnceIn = 200;
const std::vector<uint64_t> kStalls = {10, 100, 1000, 3000};

}  // namespace

World::World(uint64_t seed, Trace& trace)
    : trace_(trace), random_(seed), begin_(clock_.steady_now()) {}

World::~World() {
  drop(live_);
}

Micros World::time() const {
  return std::chrono::duration_cast<Micros>(clock_.steady_now() - begin_);
}

Line& World::make_line(std::string name, size_t width) {
  lines_.push_back(std::make_unique<Line>(std::move(name), width, timers_));
  live_.push_back(lines_.back().get());
  return *live_.back();
}

void World::drop(const std::vector<Line*>& lines) {
  const std::vector<Line*> dropped = lines;
  for (auto* line : dropped) CHECK(!line->running);
  std::erase_if(live_, [&](Line* line) { return std::ranges::count(dropped, line) > 0; });
  // What is destroyed may leave more.
  for (bool more = true; more;) {
    more = false;
    // A wait that is stirred comes back as work of its line.
    clock_.stir();
    poll();
    for (auto* line : dropped) {
      while (!line->work.empty()) {
        more = true;
        const Work ended = std::move(line->work.front());
        line->work.pop_front();
      }
    }
  }
}

void World::after(Micros delay, std::string name, std::function<void()> what) {
  events_.emplace(clock_.steady_now() + delay, Event{std::move(name), std::move(what)});
}

bool World::step() {
  find_ready();
  const bool event = !events_.empty() && events_.begin()->first <= clock_.steady_now();
  const size_t choices = ready_.size() + (event ? 1 : 0);
  if (choices == 0 && !move_on()) return false;
  ++steps_;
  trace_.begin_step(steps_, time());
  if (choices == 0) return true;
  const size_t choice = random_.below(choices);
  if (choice == ready_.size()) {
    run_event();
  } else {
    run(*ready_[choice]);
  }
  spend_time();
  poll();
  return true;
}

// Those that stall only while no other one has work: the clock stands while there is some.
void World::find_ready() {
  ready_.clear();
  size_t awake = 0;
  for (auto* line : live_) {
    if (line->work.empty() || line->held_until > clock_.steady_now()) continue;
    ready_.push_back(line);
    if (line->stalled_until <= steps_) std::swap(ready_[awake++], ready_.back());
  }
  if (awake > 0) ready_.resize(awake);
}

// Once before each piece of work.
bool World::is_held_up(Line& line) {
  if (!line.hold_up || std::exchange(line.was_held, false)) return false;
  const Micros time = line.hold_up();
  if (time == Micros(0)) return false;
  line.was_held = true;
  line.held_until = clock_.steady_now() + time;
  after(time, "", [] {});  // the clock stops there
  return true;
}

void World::run(Line& line) {
  if (is_held_up(line)) return;
  trace_.add(line.name);
  const size_t which = random_.below(std::min(line.width, line.work.size()));
  const auto at = line.work.begin() + static_cast<ptrdiff_t>(which);
  auto work = std::move(*at);
  line.work.erase(at);
  line.running = true;
  work.run();
  line.running = false;
  if (stalls_ && random_.once_in(kStallOnceIn))
    line.stalled_until = steps_ + random_.between(1, random_.pick(kStalls));
}

void World::run_event() {
  const auto event = std::move(events_.begin()->second);
  events_.erase(events_.begin());
  if (!event.name.empty()) trace_.add(event.name);
  event.what();
}

void World::spend_time() {
  spent_ += random_.between(Micros(0), kMaxWork);
  if (spent_ >= kMove) clock_.advance(std::exchange(spent_, Micros(0)));
}

bool World::move_on() {
  auto next = clock_.next();
  if (!events_.empty()) next = std::min(next, events_.begin()->first);
  if (next == SteadyTime::max()) return false;
  const auto now = clock_.steady_now();
  const auto gap = std::chrono::ceil<Micros>(next - now);
  clock_.advance(std::max(gap, Micros(0)));
  poll();
  return true;
}

void World::poll() {
  timers_.restart();
  timers_.poll();
}

}  // namespace eventhorn::simulation
