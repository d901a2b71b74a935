#include "simulation/model.h"

#include <fmt/format.h>

#include <algorithm>

namespace eventhorn::simulation {
namespace {

using Outcome = store::AppendQueue::Outcome;
using webhook::Hook;

constexpr size_t kReadAtOnce = 1000;
// An id may come again when its event has been gone for so long.
constexpr std::chrono::hours kIdsOutliveEvents{7 * 24};
// After a webhook was removed attempts may still begin until the URL's core has heard of it.
constexpr std::chrono::seconds kHeard{1};
// With more of a URL than that open, a lane may have more than it keeps in order.
constexpr size_t kCrowd = 500;

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
  if (through_ >= store.head()) check_expected();
  through_ = std::max(through_, store.head());
  for (const auto& [url, of_url] : of_url_) {
    if (of_url.open > 0) turns_.disturb(url);
  }
}

// All that the log has is handed over.
void Model::check_expected() {
  for (const auto& bytes : expected_) {
    if (find(bytes) == nullptr) break_with("seen on a page, and not in the log: " + bytes);
  }
  expected_.clear();
}

void Model::on_operator(const std::string& url) {
  auto& of_url = of_url_[url];
  of_url.pace.forget_retry_after();
  of_url.pace.excuse(now());
  if (of_url.open > 0) turns_.disturb(url);
}

void Model::on_resume(const std::string& url) {
  on_operator(url);
  pauses_.end(url);
}

uint64_t Model::on_pause(const std::string& url) {
  if (of_url_[url].open > 0) turns_.disturb(url);
  return pauses_.ask(url);
}

// The row of an endpoint that nobody names does not outlive the process.
void Model::on_paused(const std::string& url, uint64_t asked) {
  pauses_.on_paused(url, asked, now());
  forget_unnamed();
}

void Model::forget_unnamed() {
  std::set<std::string> named;
  for (const auto& [uid, domain] : domains_) {
    for (const auto& lane : domain->lanes) named.insert(lane.url);
  }
  for (const auto& [url, of_url] : of_url_) {
    if (!named.contains(url)) pauses_.end(url);
  }
}

void Model::judge(const std::optional<std::string>& wrong) {
  if (wrong) break_with(*wrong);
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
  forget_unnamed();
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
  out.id = event.event.id;
  out.timestamp_us = event.event.timestamp_us;
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
      if (of_url.open == 0)
        turns_.wake(delivery.url, now(), reads_in_time() && of_url.pace.is_free(now()));
      if (++of_url.open > kCrowd || !options_.has_room) turns_.disturb(delivery.url);
      out.deliveries.push_back(std::move(delivery));
    }
  }
  const auto [known, first] = ids_.try_emplace({event.domain, event.event.id}, log_.size());
  if (!first && !is_gone(log_[known->second], kIdsOutliveEvents))
    break_with("an id was stored twice: " + event.event.id);
  known->second = log_.size();
  const auto [same, fresh] = by_bytes_.try_emplace(out.bytes, log_.size());
  if (!fresh && first) break_with("an event was stored twice: " + out.bytes);
  same->second = log_.size();
  log_.push_back(std::move(out));
}

size_t Model::in_flight(const std::string& url) const {
  const auto at = of_url_.find(url);
  return at == of_url_.end() ? 0 : at->second.in_flight;
}

const Model::Event* Model::find_event(const std::string& bytes) const {
  const auto at = by_bytes_.find(bytes);
  return at == by_bytes_.end() ? nullptr : &log_[at->second];
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
  const auto wrong = of_url.pace.begin(now(), options_.rate);
  if (wrong && reads_in_time()) break_with(fmt::format("an attempt began {}: {}", *wrong, url));
}

void Model::check_pause(const std::string& url) {
  const auto paused = pauses_.since(url);
  if (paused && now() > *paused + Pace::kBegun && reads_in_time())
    break_with("an attempt began while its endpoint was paused: " + url);
}

size_t Model::attempts_of(const Event& event) const {
  const bool once = event.hook == Hook::kDelivered && !options_.retry_delivered;
  return once ? 1 : options_.delays.attempts();
}

// True when a process has ended since that life began, and what was decided in it, or the times of
// what waited, may not be what the next one found.
bool Model::forgot_since(size_t life) const {
  return std::any_of(lives_.begin() + static_cast<ptrdiff_t>(life), lives_.end(),
                     [](const Life& ended) { return ended.forgets; });
}

// Only of those of which the code is sure to have counted each attempt.
void Model::check_retry(const Event& event, const Delivery& delivery) {
  if (delivery.failures == 0 || delivery.unsure || delivery.settled() || delivery.dropped ||
      delivery.optional || forgot_since(delivery.failed_life))
    return;
  const bool restarted = delivery.failed_life != lives_.size();
  if (restarted && moved_ahead_at_ >= delivery.failed_at) return;
  if (!of_url_[delivery.url].pace.keeps_delays(delivery.failed_at)) return;
  if (delivery.failures >= attempts_of(event))
    return break_with(
        fmt::format("attempted after its last attempt: {} to {}", event.bytes, delivery.url));
  if (now() < delivery.failed_at + options_.delays.least(delivery.failures))
    break_with(
        fmt::format("tried again before its delay was over: {} to {}", event.bytes, delivery.url));
}

void Model::fail(Delivery& delivery) {
  const bool counted = of_url_[delivery.url].pace.keeps_delays(now());
  const bool forgot = delivery.failures > 0 && forgot_since(delivery.failed_life);
  if (!counted || forgot) delivery.unsure = true;
  ++delivery.failures;
  delivery.failed_at = now();
  delivery.failed_life = lives_.size();
}

// Only of those that are sure to be first attempts of the lane's own.
void Model::check_turn(const Event& event, const Delivery& delivery) {
  const bool first = !delivery.settled() && !delivery.tried && !delivery.dropped &&
                     !delivery.optional && delivery.replays == 0;
  if (!first || of_url_[delivery.url].open > kCrowd) return;
  const auto wrong = turns_.begin(delivery.url, delivery.lane, event.key, event.position);
  if (wrong) break_with(fmt::format("{} began {}: {}", event.bytes, *wrong, delivery.url));
}

void Model::close(const Delivery& delivery) {
  if (delivery.optional) return;
  auto& of_url = of_url_[delivery.url];
  if (--of_url.open == 0 && options_.has_room) turns_.rest(delivery.url, now());
}

void Model::on_attempt(const std::string& url, const std::string& bytes) {
  check_bounds(url);
  check_pause(url);
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
  check_retry(*event, *delivery);
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
  const bool answered = verdict == Verdict::kSuccess || verdict == Verdict::kRejected;
  const bool ended = result.kind == webhook::FailureKind::kCancelled;  // by us
  if (!ended) of_url.pace.end(answered, result.retry_after, now());
  auto* event = find(bytes);
  auto* delivery = event == nullptr ? nullptr : find(*event, url);
  if (delivery == nullptr) return;  // on_attempt() has told
  turns_.end(delivery->lane, event->key, event->position);
  if (answered) return settle(*event, *delivery);
  delivery->tried = true;
  turns_.disturb(url);
  if (!ended && verdict == Verdict::kRetry) fail(*delivery);
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
    if (settlement.at >= life.lossy_since) return true;
    if (life.repeats == life.max_repeats) continue;
    ++life.repeats;
    return true;
  }
  return false;
}

void Model::on_end(End end) {
  const auto unsure_since = disk_.unsure_since(now(), options_.durable_after);
  // A stop saves what was decided, if it can.
  const bool late = disk_.slow.lately(now()) || disk_.fails.lately(now());
  const bool saved = end == End::kStop && !late;
  auto lossy_since = saved ? SteadyTime::max() : unsure_since;
  if (end == End::kPowerCut)
    lossy_since = std::min(lossy_since, disk_.durable_until(now(), options_.durable_after));
  const size_t repeats = saved ? 0 : cores_ * options_.max_in_flight + options_.max_unsaved;
  lives_.push_back({!saved, lossy_since, repeats});
  pauses_.on_lost(std::min(lossy_since, unsure_since));
  for (auto& [url, of_url] : of_url_) {
    of_url.in_flight = 0;
    of_url.pace.on_end();
  }
  in_flight_ = 0;
  turns_.clear();
}

void Model::on_wall_clock(Micros ahead) {
  ahead_ = ahead_.value_or(Micros(0)) + ahead;
  if (ahead > Micros(0)) moved_ahead_at_ = now();
}

void Model::on_boot(size_t cores) {
  cores_ = cores;
  booted_at_ = now();
}

void Model::on_disk(bool fails) {
  disk_.fails.set(fails, now());
}

void Model::on_slow_disk(bool slow) {
  disk_.slow.set(slow, now());
}

}  // namespace eventhorn::simulation
