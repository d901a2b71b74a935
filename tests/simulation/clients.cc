#include "simulation/clients.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace eventhorn::simulation {
namespace {

using Outcome = store::AppendQueue::Outcome;
using webhook::Hook;

constexpr int64_t kFirstTimestamp = 1'773'222'000'000'001;  // microseconds
constexpr uint64_t kRecipients = 5;
constexpr uint64_t kMaxReplay = 5;  // events by their ids
constexpr Micros kClosely = std::chrono::milliseconds(5);
constexpr int64_t kBetweenEvents = 1000;        // microseconds, as they are numbered
constexpr int64_t kApart = 3'600'000'000;       // what comes late or early, at most
constexpr uint64_t kSmall = 40, kLarge = 4000;  // bytes that an event has beyond its id

struct Kind {
  event::Name name;
  event::Severity severity = event::Severity::kNone;
};

// One of each class, and one that no webhook is for.
constexpr std::array kKinds = {Kind{event::Name::kDelivered}, Kind{event::Name::kOpened},
                               Kind{event::Name::kFailed, event::Severity::kPermanent},
                               Kind{event::Name::kAccepted}, Kind{event::Name::kRejected}};
constexpr std::array kHooks = {Hook::kDelivered, Hook::kOpened, Hook::kPermanentFail,
                               Hook::kAccepted};

}  // namespace

Clients::Clients(World& world, Machine& machine, Receivers& receivers, Model& model,
                 ClientOptions options)
    : world_(world),
      machine_(machine),
      receivers_(receivers),
      model_(model),
      options_(options),
      random_(world.fork_random()),
      lines_(world),
      tasks_(World::executor(lines_.make("clients")), world.clock()) {
  for (size_t i = 0; i < options_.domains; ++i) {
    Domain domain;
    domain.name = fmt::format("domain{}.test", i);
    domains_.push_back(std::move(domain));
  }
  act_later();
}

Clients::~Clients() {
  lines_.drop();
}

void Clients::act_later() {
  world_.after(random_.between(Micros(1), 2 * options_.pace), "", [this] {
    if (calm_) return;
    act();
    act_later();
  });
}

void Clients::act() {
  auto* process = machine_.process();
  if (process == nullptr) return;
  auto& domain = domains_[random_.below(domains_.size())];
  const auto known = process->directory().find(domain.name);
  if (!known) return begin_edit(domain);
  if (known->uid != domain.uid) domain = Domain{domain.name, known->uid, {}, {}};
  const uint64_t what = random_.below(20);
  const auto may = [&](uint64_t number, Ingredient one) {
    return what == number && options_.ingredients.has(one);
  };
  if (may(0, Ingredient::kEdits)) return begin_edit(domain);
  if (may(1, Ingredient::kPauses)) {
    const auto& url = random_.pick(receivers_.urls());
    const bool paused = random_.once_in(2);
    world_.trace().add(paused ? "pause" : "resume", url);
    return tasks_.spawn("pause", set_paused(machine_.life(), url, paused));
  }
  if (may(2, Ingredient::kRemovals) && random_.once_in(5)) {
    world_.trace().add("remove", domain.name);
    return tasks_.spawn("remove", remove(machine_.life(), domain.name));
  }
  if (may(3, Ingredient::kReplays) && !known->lanes.empty()) return begin_replay(domain, known);
  begin_append(domain);
}

void Clients::begin_edit(Domain& domain) {
  const Hook hook = kHooks[random_.below(kHooks.size())];
  auto urls = some_urls();
  world_.trace().add(
      "edit", fmt::format("{} {} {}", domain.name, webhook::to_string(hook), fmt::join(urls, " ")));
  tasks_.spawn("edit", edit(machine_.life(), domain.name, hook, std::move(urls)));
  // Events follow it closely, now and then.
  if (random_.once_in(2)) return;
  world_.after(random_.between(Micros(1), kClosely), "", [this, &domain] {
    auto* process = machine_.process();
    const auto known = process == nullptr ? nullptr : process->directory().find(domain.name);
    if (known && known->uid == domain.uid && !calm_) begin_append(domain);
  });
}

std::vector<std::string> Clients::some_urls() {
  std::vector<std::string> out;
  if (random_.once_in(5)) return out;
  for (uint64_t n = random_.between(1, webhook::kMaxUrlsPerHook); n > 0; --n) {
    const auto& url = random_.pick(receivers_.urls());
    if (std::ranges::count(out, url) == 0) out.push_back(url);
  }
  return out;
}

void Clients::begin_replay(const Domain& domain, const store::DomainPtr& known) {
  const auto lane = random_.pick(known->lanes);
  if (random_.once_in(2)) {
    if (domain.sent.empty()) return;
    std::vector<std::string> ids;
    for (uint64_t n = random_.between(1, kMaxReplay); n > 0; --n) {
      const auto& id = random_.pick(domain.sent);
      if (std::ranges::count(ids, id) == 0) ids.push_back(id);
    }
    world_.trace().add("send again", fmt::format("{} {}", lane.url, fmt::join(ids, " ")));
    return tasks_.spawn("send again", send_again(machine_.life(), known, lane, std::move(ids)));
  }
  store::SegmentRow segment;
  segment.cls = static_cast<webhook::Class>(random_.below(webhook::kClasses));
  segment.source =
      random_.once_in(2) ? store::SegmentRow::Source::kLog : store::SegmentRow::Source::kMissed;
  segment.replay = ++last_replay_;
  world_.trace().add("replay", lane.url);
  tasks_.spawn("replay", replay(machine_.life(), known, lane, std::move(segment)));
}

// New events; now and then also what was not answered before, an event that is there already, or
// other bytes under its id.
void Clients::begin_append(Domain& domain) {
  std::vector<store::NewEvent> events;
  for (const auto& id : std::exchange(domain.unsure, {})) events.push_back(make_event(domain, id));
  for (uint64_t n = random_.between(1, options_.max_burst); n > 0; --n)
    events.push_back(make_event(domain, std::to_string(++last_id_)));
  if (!domain.sent.empty() && random_.once_in(4)) {
    events.push_back(make_event(domain, random_.pick(domain.sent)));
    if (random_.once_in(2)) events.back().event.bytes += " ";
  }
  appended_ += events.size();
  world_.trace().add(
      "append", fmt::format("{} {} to {}", domain.name, events.size(), events.back().event.id));
  tasks_.spawn("append", append(machine_.life(), domain, std::move(events)));
}

store::NewEvent Clients::make_event(const Domain& domain, const std::string& id) {
  const uint64_t number = std::stoull(id);
  Random of_number(number);  // the same when it is sent again
  const auto& kind = kKinds[number % kKinds.size()];
  store::NewEvent out;
  out.domain = domain.uid;
  out.shard = shard_of(domain.name);
  out.event.id = id;
  out.event.timestamp_us = kFirstTimestamp + static_cast<int64_t>(number) * kBetweenEvents;
  if (of_number.once_in(4))
    out.event.timestamp_us += static_cast<int64_t>(of_number.below(2 * kApart)) - kApart;
  out.event.name = kind.name;
  out.event.severity = kind.severity;
  out.event.order_key = number % kRecipients;
  const uint64_t more = of_number.below(of_number.once_in(16) ? kLarge : kSmall);
  out.event.bytes = fmt::format(R"({{"id":"{}","more":"{}"}})", id, std::string(more, 'x'));
  return out;
}

Process* Clients::process(uint64_t life) const {
  return machine_.life() == life ? machine_.process() : nullptr;
}

Task<void> Clients::append(uint64_t life, Domain& domain, std::vector<store::NewEvent> events) {
  auto* to = process(life);
  if (to == nullptr) co_return;
  const auto uid = domain.uid;
  std::vector<std::string> ids;
  std::vector<std::string> bytes;
  for (const auto& event : events) {
    ids.push_back(event.event.id);
    bytes.push_back(event.event.bytes);
  }
  const auto outcomes = co_await to->appends().append(std::move(events));
  const bool answered = life == machine_.life() && outcomes.has_value();
  world_.trace().add("appended", answered ? "yes" : "no");
  for (size_t i = 0; answered && i < ids.size(); ++i)
    model_.on_acknowledged(bytes[i], (*outcomes)[i]);
  if (domain.uid != uid) co_return;
  auto& known = answered ? domain.sent : domain.unsure;
  known.insert(known.end(), ids.begin(), ids.end());
}

Task<void> Clients::edit(uint64_t life, std::string name, Hook hook,
                         std::vector<std::string> urls) {
  auto* to = process(life);
  if (to == nullptr) co_return;
  store::DomainEdit edit = [&](const store::DomainPtr& current,
                               Position at) -> Result<store::DomainPtr> {
    auto domain =
        current ? std::make_shared<store::Domain>(*current) : std::make_shared<store::Domain>();
    if (!current) {
      domain->uid = {at.value};
      domain->name = name;
    }
    store::set_hook_urls(*domain, hook, urls, at);
    return store::DomainPtr(domain);
  };
  const auto changed = co_await to->appends().edit(name, std::move(edit));
  if (!changed) co_return;
  for (const auto& url : urls) {
    if (process(life) == nullptr) co_return;
    model_.on_operator(url);
    co_await to->deliveries().configured(url);
  }
}

Task<void> Clients::remove(uint64_t life, std::string name) {
  auto* to = process(life);
  if (to == nullptr) co_return;
  store::DomainEdit edit = [](const store::DomainPtr&, Position) -> Result<store::DomainPtr> {
    return store::DomainPtr();
  };
  (void)co_await to->appends().edit(name, std::move(edit));
}

Task<void> Clients::set_paused(uint64_t life, std::string url, bool paused) {
  auto* to = process(life);
  if (to == nullptr) co_return;
  if (!paused) {
    model_.on_resume(url);
    (void)co_await to->deliveries().resume(url);
    co_return;
  }
  const uint64_t asked = model_.on_pause(url);
  const auto saved = co_await to->deliveries().pause(url);
  if (saved && process(life) != nullptr) model_.on_paused(url, asked);
}

Task<void> Clients::send_again(uint64_t life, store::DomainPtr domain, store::LaneConfig lane,
                               std::vector<std::string> ids) {
  auto* to = process(life);
  if (to == nullptr) co_return;
  auto positions = to->store().find_events(domain->uid, ids);
  if (!positions) co_return;
  std::erase(*positions, kNoPosition);
  auto events = to->store().read_events(*positions);
  if (!events) co_return;
  std::erase_if(*events, [&](const store::EventPtr& event) {
    if (!event) return true;
    const auto hook = webhook::hook_for(event->event.name, event->event.severity);
    if (!hook) return true;
    const auto& subscribed = domain->hooks[static_cast<size_t>(*hook)];
    return std::ranges::none_of(subscribed, [&](const auto& s) { return s.lane == lane.id; });
  });
  for (const auto& event : *events) model_.on_replay(lane.url, lane.id, event->event.bytes);
  (void)co_await to->deliveries().attempt_again(lane.id, lane.url, *std::move(events));
}

Task<void> Clients::replay(uint64_t life, store::DomainPtr domain, store::LaneConfig lane,
                           store::SegmentRow segment) {
  auto* to = process(life);
  if (to == nullptr) co_return;
  segment.to = to->store().head();
  model_.on_replay(domain->uid, lane.url, segment.cls);
  std::vector<store::SegmentRow> segments{std::move(segment)};
  (void)co_await to->deliveries().add_segments(lane.id, domain->uid, lane.url, std::move(segments));
}

void Clients::calm() {
  calm_ = true;
}

void Clients::resume_all() {
  for (const auto& url : receivers_.urls())
    tasks_.spawn("resume", set_paused(machine_.life(), url, false));
}

}  // namespace eventhorn::simulation
