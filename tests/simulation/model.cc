#include "simulation/model.h"

#include "control/retention.h"

#include <fmt/format.h>

#include <algorithm>

namespace eventhorn::simulation {
namespace {

using Outcome = store::AppendQueue::Outcome;
using webhook::Hook;

constexpr size_t kReadAtOnce = 1000;
// After a webhook was removed attempts may still begin until the URL's core has heard of it.
constexpr std::chrono::seconds kHeard{1};
// After the disk is well again everything is written anew, and durable.
constexpr std::chrono::seconds kMended{10};
// With more of a URL than that open, a lane may have more than it keeps in order.
constexpr size_t kCrowd = 500;
// An attempt that has its place reads its event before it is sent.
constexpr std::chrono::seconds kBegun{1};

// The lanes that a hook of the domain names; none of a domain that is no more.
std::vector<store::Subscription> subscriptions(const store::DomainPtr& domain, Hook hook) {
  if (!domain) return {};
  return domain->hooks[static_cast<size_t>(hook)];
}

bool has(const std::vector<store::Subscription>& all, LaneId lane) {
  return std::ranges::any_of(all, [&](const auto& one) { return one.lane == lane; });
}

}  // namespace

void Model::break_with(std::string what) {
  if (violation_) return;
  world_.trace().add("BROKEN", what);
  violation_ = std::move(what);
}

void Model::on_acknowledged(const std::string& bytes, Outcome outcome) {
  const bool known = find(bytes) != nullptr;
  if (outcome == Outcome::kStored || outcome == Outcome::kDuplicate) {
    if (!known) break_with("acknowledged, and not handed over: " + bytes);
  } else if (known) {
    break_with("stored under an id that has other bytes: " + bytes);
  }
}

void Model::replay(Event& event, const std::string& url, LaneId lane) {
  auto* delivery = find(event, url);
  if (delivery == nullptr || delivery->dropped) {
    if (delivery == nullptr) delivery = &event.deliveries.emplace_back();
    delivery->url = url;
    delivery->lane = lane;
    delivery->dropped = false;
    delivery->optional = true;
  }
  ++delivery->replays;
}

void Model::on_replay(const std::string& url, LaneId lane, const std::string& bytes) {
  if (auto* event = find(bytes)) replay(*event, url, lane);
}

void Model::on_replay(DomainUid domain, const std::string& url, webhook::Class cls) {
  replayed_[{domain, url, cls}] = through_;
}

bool Model::may_be_replayed(const Event& event, const std::string& url) const {
  if (!event.hook) return false;
  const auto at = replayed_.find({event.domain, url, webhook::class_of(*event.hook)});
  return at != replayed_.end() && event.position <= at->second;
}

void Model::on_batch(const store::CommittedBatch& batch) {
  last_batch_ = world_.clock().steady_now();
  for (const auto& change : batch.changes) apply(change);
  for (const auto& event : batch.events) add(*event);
  if (batch.head < through_) break_with("the log went back");
  through_ = batch.head;
}

void Model::on_opened(store::Store& store) {
  if (store.head() < through_) return break_with("the log has lost what was handed over");
  // The configuration first: an event that was not handed over yet is for those who are subscribed
  // since before it, and still are.
  const auto domains = store.load_domains();
  if (domains) compare(*domains, store.head());
  while (through_ < store.head()) {
    const auto heads = store.read_heads(through_, kReadAtOnce);
    if (!heads || heads->empty()) break;
    std::vector<Position> positions;
    for (const auto& head : *heads) positions.push_back(head.position);
    const auto events = store.read_events(positions);
    if (!events) break;
    for (const auto& event : *events) {
      if (event) add(*event);
    }
    through_ = positions.back();
  }
  through_ = std::max(through_, store.head());
  for (const auto& [url, of_url] : of_url_) {
    if (of_url.open > 0) turns_.disturb(url);
  }
}

void Model::on_operator(const std::string& url) {
  of_url_[url].held_until = {};
  if (of_url_[url].open > 0) turns_.disturb(url);
}

void Model::compare(const std::vector<store::DomainPtr>& domains, Position at) {
  const auto before = domains_;
  for (const auto& [uid, domain] : before) {
    const auto is_it = [&](const auto& one) { return one->uid == uid; };
    const auto now = std::ranges::find_if(domains, is_it);
    apply({at, domain, now == domains.end() ? nullptr : *now});
  }
  for (const auto& domain : domains) {
    if (!before.contains(domain->uid)) apply({at, nullptr, domain});
  }
}

void Model::apply(const store::DomainChange& change) {
  if (change.before) {
    for (const Hook hook : webhook::kAllHooks) {
      const auto after = subscriptions(change.after, hook);
      for (const auto& one : subscriptions(change.before, hook)) {
        if (!has(after, one.lane)) drop(change.before->uid, one.lane, hook);
      }
    }
    domains_.erase(change.before->uid);
  }
  if (change.after) domains_[change.after->uid] = change.after;
}

void Model::drop(DomainUid domain, LaneId lane, Hook hook) {
  for (auto& event : log_) {
    if (event.domain != domain || event.hook != hook) continue;
    for (auto& delivery : event.deliveries) {
      if (delivery.lane != lane || delivery.dropped) continue;
      if (!delivery.settled()) close(delivery);
      delivery.dropped = true;
      delivery.dropped_at = world_.clock().steady_now();
    }
  }
}

void Model::add(const store::StoredEvent& event) {
  if (!log_.empty() && event.position <= log_.back().position)
    return break_with("an event was handed over twice: " + event.event.bytes);
  Event out;
  out.position = event.position;
  out.domain = event.domain;
  out.key = event.event.order_key;
  out.bytes = event.event.bytes;
  out.committed_since = last_batch_;
  out.committed_until = world_.clock().steady_now();
  const auto hook = webhook::hook_for(event.event.name, event.event.severity);
  const auto domain = domains_.find(event.domain);
  out.hook = event.push ? hook : std::nullopt;
  if (out.hook && domain != domains_.end()) {
    for (const auto& one : subscriptions(domain->second, *out.hook)) {
      if (event.position <= one.since) continue;
      Delivery delivery;
      delivery.lane = one.lane;
      delivery.url = domain->second->find_lane(one.lane)->url;
      auto& of_url = of_url_[delivery.url];
      if (++of_url.open > kCrowd || !options_.has_room) turns_.disturb(delivery.url);
      out.deliveries.push_back(std::move(delivery));
    }
  }
  if (!ids_.emplace(event.domain, event.event.id).second)
    break_with("an id was stored twice: " + event.event.id);
  if (!by_bytes_.emplace(out.bytes, log_.size()).second)
    break_with("an event was stored twice: " + out.bytes);
  log_.push_back(std::move(out));
}

Model::Event* Model::find(const std::string& bytes) {
  const auto at = by_bytes_.find(bytes);
  return at == by_bytes_.end() ? nullptr : &log_[at->second];
}

Model::Delivery* Model::find(Event& event, const std::string& url) {
  const auto at = std::ranges::find(event.deliveries, url, &Delivery::url);
  return at == event.deliveries.end() ? nullptr : &*at;
}

void Model::check_bounds(const std::string& url) {
  auto& of_url = of_url_[url];
  ++in_flight_;
  if (++of_url.in_flight > options_.max_concurrency)
    break_with("too many attempts under way to " + url);
  if (in_flight_ > cores_ * options_.max_in_flight) break_with("too many attempts under way");
  const auto now = world_.clock().steady_now();
  if (now > of_url.held_since + kBegun && now < of_url.held_until)
    break_with("an attempt began before Retry-After was over: " + url);
}

// Only of those that are sure to be first attempts of the lane's own.
void Model::check_turn(const Event& event, const Delivery& delivery) {
  const bool first = !delivery.settled() && !delivery.failed && !delivery.dropped &&
                     !delivery.optional && delivery.replays == 0;
  if (!first || of_url_[delivery.url].open > kCrowd) return;
  const auto wrong = turns_.begin(delivery.url, delivery.lane, event.key, event.position);
  if (wrong) break_with(fmt::format("{} began {}: {}", event.bytes, *wrong, delivery.url));
}

void Model::close(const Delivery& delivery) {
  if (delivery.optional) return;
  auto& of_url = of_url_[delivery.url];
  if (--of_url.open == 0 && options_.has_room) turns_.calm(delivery.url);
}

void Model::on_attempt(const std::string& url, const std::string& bytes) {
  check_bounds(url);
  auto* event = find(bytes);
  if (event == nullptr) return break_with("sent what is not in the log: " + bytes);
  const auto* delivery = find(*event, url);
  // A replay takes what hooks name when the log is read, and outlives a webhook that is removed and
  // set again.
  if (may_be_replayed(*event, url)) return;
  if (delivery == nullptr)
    return break_with(fmt::format("sent to a URL that was not subscribed: {} to {}", bytes, url));
  if (delivery->replays > 0) return;
  check_turn(*event, *delivery);
  if (delivery->dropped && world_.clock().steady_now() > delivery->dropped_at + kHeard)
    break_with(fmt::format("sent after its webhook was removed: {} to {}", bytes, url));
}

void Model::on_answer(const std::string& url, const std::string& bytes,
                      const webhook::AttemptResult& result) {
  using webhook::Verdict;
  const auto verdict = webhook::classify(result, webhook::SuccessRule::kAny2xx);
  world_.trace().add(url, fmt::format("{} {}", bytes,
                                      result.status != 0 ? std::to_string(result.status)
                                                         : std::string(to_string(result.kind))));
  auto& of_url = of_url_[url];
  --of_url.in_flight;
  --in_flight_;
  if (result.retry_after) {
    of_url.held_since = world_.clock().steady_now();
    of_url.held_until = std::max(of_url.held_until, of_url.held_since + *result.retry_after);
  }
  auto* event = find(bytes);
  auto* delivery = event == nullptr ? nullptr : find(*event, url);
  if (delivery == nullptr) return;  // on_attempt() has told
  turns_.end(delivery->lane, event->key, event->position);
  if (verdict != Verdict::kSuccess && verdict != Verdict::kRejected) {
    delivery->failed = true;
    return turns_.disturb(url);
  }
  settle(*event, *delivery);
}

void Model::settle(const Event& event, Delivery& delivery) {
  const Settlement now{lives_.size(), world_.clock().steady_now()};
  if (!delivery.settled()) {
    ++settled_;
    if (!delivery.dropped) close(delivery);
    return delivery.settlements.push_back(now);
  }
  if (may_be_replayed(event, delivery.url)) return;
  if (delivery.replays > 0) {
    --delivery.replays;  // what the ends of processes since then may repeat is still to come
    return delivery.settlements.push_back(now);
  }
  ++repeated_;
  for (auto& settlement : delivery.settlements) {
    if (!repeats_crash(settlement)) continue;
    settlement = now;
    return;
  }
  break_with(fmt::format("settled twice without reason: {} at {}", event.bytes, delivery.url));
}

bool Model::repeats_crash(const Settlement& settlement) {
  for (size_t i = settlement.life; i < lives_.size(); ++i) {
    auto& life = lives_[i];
    if (life.end == End::kStop) continue;
    if (settlement.at >= life.lossy_since) return true;
    if (life.repeats == life.max_repeats) continue;
    ++life.repeats;
    return true;
  }
  return false;
}

void Model::on_end(End end) {
  const auto now = world_.clock().steady_now();
  auto lossy_since = SteadyTime::max();
  if (end == End::kPowerCut) {
    const bool slow = disk_is_slow_ || now - slow_until_ < kMended;
    lossy_since = (slow ? slow_since_ : now) - options_.durable_after;
  }
  // A store that is recovered loses what was not durable, and a kill takes it before it is written
  // again.
  if (end != End::kStop && (disk_fails_ || now - disk_changed_ < kMended))
    lossy_since = std::min(lossy_since, disk_failed_since_ - options_.durable_after);
  lives_.push_back({end, lossy_since, cores_ * options_.max_in_flight + options_.max_unsaved});
  for (auto& [url, of_url] : of_url_) of_url = {.open = of_url.open};
  in_flight_ = 0;
  turns_.clear();
}

void Model::on_wall_clock(Micros ahead) {
  ahead_ = ahead_.value_or(Micros(0)) + ahead;
}

void Model::on_boot(size_t cores) {
  cores_ = cores;
}

void Model::on_disk(bool fails) {
  if (fails == disk_fails_) return;
  disk_fails_ = fails;
  disk_changed_ = world_.clock().steady_now();
  if (fails) disk_failed_since_ = disk_changed_;
}

void Model::on_slow_disk(bool slow) {
  if (slow == disk_is_slow_) return;
  disk_is_slow_ = slow;
  (slow ? slow_since_ : slow_until_) = world_.clock().steady_now();
}

Result<std::optional<std::string>> Model::find_open(store::Store& store) const {
  std::map<LaneId, std::set<Position>> missed;
  for (const auto& [uid, domain] : domains_) {
    for (const auto& lane : domain->lanes) {
      Position after;
      for (bool more = true; more;) {
        TRY(const auto rows, store.read_exceptions(lane.id, after, kReadAtOnce, true));
        for (const auto& row : rows) missed[lane.id].insert(row.position);
        more = rows.size() == kReadAtOnce;
        if (more) after = rows.back().position;
      }
    }
  }
  for (const auto& event : log_) {
    for (const auto& delivery : event.deliveries) {
      if (delivery.settled() || delivery.dropped || delivery.optional) continue;
      if (missed[delivery.lane].contains(event.position) || is_old(event)) continue;
      return fmt::format("{} for {}", event.bytes, delivery.url);
    }
  }
  return std::nullopt;
}

bool Model::is_old(const Event& event) const {
  const auto age = world_.clock().steady_now() - event.committed_since;
  return age + ahead_.value_or(Micros(0)) >= options_.retention;
}

bool Model::done(store::Store& store) {
  const auto open = find_open(store);
  return open && !*open;
}

void Model::check_end(store::Store& store) {
  const auto open = find_open(store);
  if (!open) return break_with("cannot read what was missed: " + open.error().message);
  if (*open) return break_with("neither settled nor missed: " + **open);
  for (const auto& event : log_) {
    const auto stored = store.read_events({event.position});
    if (!stored) return break_with("cannot read the log: " + stored.error().message);
    const auto& found = stored->front();
    if (!found && !is_old(event)) return break_with("the log has lost " + event.bytes);
    if (found && found->event.bytes != event.bytes)
      return break_with("the log has changed " + event.bytes);
    const auto age = world_.clock().steady_now() - event.committed_until;
    const auto look = control::Retention::interval(
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.retention));
    if (found && !ahead_ && age > options_.retention + 3 * look + kBegun)
      return break_with("retention has left " + event.bytes);
  }
}

}  // namespace eventhorn::simulation
