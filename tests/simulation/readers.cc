#include "simulation/readers.h"

#include "simulation/backlog.h"
#include "store/unsettled.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace eventhorn::simulation {
namespace {

using namespace std::chrono_literals;

constexpr size_t kMaxWalks = 8;  // at once
constexpr size_t kReadAtOnce = 1000;
// A look walks through all events there are: one in so many steps for each of them costs less than
// the rest of the run.
constexpr size_t kEventsPerStep = 16;

/// Everything that a lane of the domain may want of a class.
store::LaneQuery any_query(Random& random, const store::Domain& domain, Position through) {
  const auto& lane = random.pick(domain.lanes);
  store::LaneQuery out;
  out.domain = domain.uid;
  out.cls = static_cast<webhook::Class>(random.below(webhook::kClasses));
  out.since = domain.since(lane.id);
  out.after = {random.below(through.value + 1)};
  out.to = {random.between(out.after.value, through.value)};
  return out;
}

Result<std::set<Position>> read_exceptions(store::Store& store, LaneId lane) {
  std::set<Position> out;
  Position after;
  for (bool more = true; more;) {
    TRY(const auto rows, store.read_exceptions(lane, after, kReadAtOnce, false));
    for (const auto& row : rows) out.insert(row.position);
    more = rows.size() == kReadAtOnce;
    if (more) after = rows.back().position;
  }
  return out;
}

}  // namespace

Readers::Readers(World& world, Machine& machine, Model& model, Micros pace, Ingredients ingredients)
    : world_(world),
      machine_(machine),
      model_(model),
      pace_(pace),
      random_(world.fork_random()),
      lines_(world),
      tasks_(World::executor(lines_.make("readers of pages")), world.clock()) {
  if (ingredients.has(Ingredient::kReads)) act_later();
}

Readers::~Readers() {
  lines_.drop();
}

void Readers::act_later() {
  world_.after(random_.between(Micros(1), 2 * pace_), "", [this] {
    if (calm_) return;
    act();
    act_later();
  });
}

void Readers::act() {
  auto* process = machine_.process();
  if (process == nullptr) return;
  const auto domains = process->directory().all();
  if (domains.empty()) return;
  const auto& domain = random_.pick(domains);
  const uint64_t what = random_.below(4);
  if (what == 0 && walks_.size() < kMaxWalks) return begin_walk(*domain);
  if (domain->lanes.empty() || world_.steps() < next_look_) return;
  next_look_ = world_.steps() + model_.log().size() / kEventsPerStep;
  const auto& lane = random_.pick(domain->lanes);
  if (what == 1) return count(*domain);
  if (what == 2) return tasks_.spawn("look at lane", look_at_lane(machine_.life(), domain, lane));
  tasks_.spawn("look at endpoint", look_at_endpoint(machine_.life(), lane.url));
}

Process* Readers::process(uint64_t life) const {
  return machine_.life() == life ? machine_.process() : nullptr;
}

void Readers::begin_walk(const store::Domain& domain) {
  store::PageQuery query;
  query.domain = domain.uid;
  query.ascending = random_.once_in(2);
  query.first_us = query.ascending ? 0 : std::numeric_limits<int64_t>::max();
  query.last_us = query.ascending ? std::numeric_limits<int64_t>::max() : 0;
  if (!model_.log().empty() && random_.once_in(2))
    query.last_us = random_.pick(model_.log()).timestamp_us;
  query.max_events = random_.between(1, 300);
  query.max_scan = random_.between(1, 400);
  if (random_.once_in(2)) query.max_bytes = random_.between(1, 20'000);
  world_.trace().add("walk", domain.name);
  walks_.emplace_back(model_, std::move(query));
  ++walked_;
  go_on_later(std::prev(walks_.end()));
}

// The client holds the page for a while, now and then for hours.
void Readers::go_on_later(std::list<PageWalk>::iterator walk) {
  static const std::vector<Micros> orders = {10ms, 1s, 1min, 2h};
  world_.after(random_.between(Micros(1), random_.pick(orders)), "", [this, walk] {
    if (calm_) return;  // end_walks() reads the rest
    if (read_page(walk)) go_on_later(walk);
  });
}

// A page that cannot be read now is asked for again.
bool Readers::read_page(std::list<PageWalk>::iterator walk) {
  auto* process = machine_.process();
  if (process == nullptr) return true;
  const auto page = process->store().read_page(walk->query());
  if (!page) return true;
  const auto wrong = walk->on_page(*page);
  model_.judge(wrong);
  if (!wrong && !walk->at_end()) return true;
  world_.trace().add("walk", "ends");
  walks_.erase(walk);
  return false;
}

void Readers::end_walks() {
  while (!walks_.empty() && machine_.process() != nullptr && !model_.violation()) {
    const auto walk = walks_.begin();
    while (read_page(walk)) {
    }
  }
}

void Readers::count(const store::Domain& domain) {
  const auto query = any_query(random_, domain, model_.through());
  const auto counted = machine_.process()->store().count_lane(query);
  if (!counted) return;
  ++looks_;
  model_.judge(check_count(model_, query, *counted));
}

Task<void> Readers::look_at_lane(uint64_t life, store::DomainPtr domain, store::LaneConfig lane) {
  auto* to = process(life);
  if (to == nullptr || !machine_.disk_is_well()) co_return;
  const LaneView view(model_, domain, lane);
  const auto status = co_await to->deliveries().lane(lane.id, domain->uid, lane.url);
  to = process(life);
  // What a disk that fails does not take is not in the store, and a change makes another lane.
  if (to == nullptr || !machine_.disk_is_well()) co_return;
  if (to->directory().find(domain->uid) != domain) co_return;
  const auto exceptions = read_exceptions(to->store(), lane.id);
  if (!exceptions) co_return;
  ++looks_;
  model_.judge(view.check(status, *exceptions));
  for (const auto& segment : status.segments) {
    if (segment.replay != 0) continue;
    const auto query = view.query(segment, status.through);
    if (query.after >= *query.to) continue;
    const auto left = store::count_unsettled(to->store(), query, segment.settled);
    if (left) model_.judge(view.check_segment(segment, status.through, *left));
  }
}

Task<void> Readers::look_at_endpoint(uint64_t life, std::string url) {
  auto* to = process(life);
  if (to == nullptr) co_return;
  const auto paused = model_.paused_since(url);
  const auto status = co_await to->deliveries().endpoint(url);
  ++looks_;
  model_.judge(check_endpoint(model_, status, paused));
}

}  // namespace eventhorn::simulation
