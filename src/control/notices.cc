#include "control/notices.h"

#include "base/dates.h"
#include "json/writer.h"
#include "webhook/url.h"

#include <algorithm>
#include <iterator>

namespace eventhorn::control {
namespace {

metrics::Counter counter_of(NoticeKind kind) {
  return metrics::counter("eventhorn_notices_total", "Notices about endpoints",
                          {{"kind", std::string(to_string(kind))}});
}

}  // namespace

std::string_view to_string(NoticeKind kind) {
  switch (kind) {
    case NoticeKind::kParked:
      return "endpoint.parked";
    case NoticeKind::kGone:
      return "endpoint.gone";
    case NoticeKind::kReturned:
      return "endpoint.returned";
    case NoticeKind::kMissed:
      return "event.missed";
    case NoticeKind::kExpired:
      return "events.expired";
    case NoticeKind::kUnreadable:
      return "lane.unreadable";
    case NoticeKind::kClock:
      return "clock.ahead";
    case NoticeKind::kDamaged:
      return "event.damaged";
  }
  return "";
}

std::string to_json(const Notice& notice) {
  std::string out;
  json::Writer w(out);
  const auto text = [&w](std::string_view key, std::string_view value) {
    if (!value.empty()) w.key(key).value(value);
  };
  w.begin_object();
  w.key("id").value(notice.id);
  text("kind", to_string(notice.kind));
  text("at", format_iso8601(notice.at));
  text("url", notice.url);
  text("domain", notice.domain);
  text("event", notice.event);
  text("reason", notice.reason);
  if (notice.count > 0) w.key("count").value(notice.count);
  w.end_object();
  return out;
}

NoticeBoard::NoticeBoard(SystemTime started)
    : counters_{counter_of(NoticeKind::kParked),   counter_of(NoticeKind::kGone),
                counter_of(NoticeKind::kReturned), counter_of(NoticeKind::kMissed),
                counter_of(NoticeKind::kExpired),  counter_of(NoticeKind::kUnreadable),
                counter_of(NoticeKind::kClock),    counter_of(NoticeKind::kDamaged)},
      last_id_(static_cast<uint64_t>(to_micros(started))) {}

void NoticeBoard::post(Notice notice) {
  counters_.at(static_cast<size_t>(notice.kind)).add();
  notice.url = webhook::masked(notice.url);
  if (notice.reason.size() > kMaxReasonBytes) notice.reason.resize(kMaxReasonBytes);
  const std::lock_guard lock(mutex_);
  notice.id = last_id_ + waiting_.size() + 1;
  waiting_.push_back(std::move(notice));
  if (!wake_ || waiting_.size() > kKeep) show_oldest();
  if (wake_) wake_();
}

void NoticeBoard::restore(const std::vector<Notice>& kept) {
  const std::lock_guard lock(mutex_);
  kept_.assign(kept.begin(), kept.end());
  if (!kept_.empty()) last_id_ = kept_.back().id;
}

void NoticeBoard::hold(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

std::vector<Notice> NoticeBoard::waiting() const {
  const std::lock_guard lock(mutex_);
  return {waiting_.begin(), waiting_.end()};
}

void NoticeBoard::publish(uint64_t through) {
  const std::lock_guard lock(mutex_);
  while (!waiting_.empty() && waiting_.front().id <= through) show_oldest();
}

// Of those that wait. Called with the lock held.
void NoticeBoard::show_oldest() {
  kept_.push_back(std::move(waiting_.front()));
  waiting_.pop_front();
  last_id_ = kept_.back().id;
  if (kept_.size() > kKeep) kept_.pop_front();
  for (const auto& [number, listener] : listeners_) listener(kept_.back());
}

std::vector<Notice> NoticeBoard::after(uint64_t id, size_t max) const {
  const std::lock_guard lock(mutex_);
  // Ids are consecutive.
  const uint64_t before_oldest = last_id_ - kept_.size();
  const bool within = id >= before_oldest && id <= last_id_;
  const size_t skip = within ? id - before_oldest : 0;
  const size_t count = std::min(max, kept_.size() - skip);
  const auto first = kept_.begin() + static_cast<std::ptrdiff_t>(skip);
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

std::vector<Notice> NoticeBoard::newest(size_t max) const {
  const std::lock_guard lock(mutex_);
  const size_t count = std::min(max, kept_.size());
  return {kept_.end() - static_cast<std::ptrdiff_t>(count), kept_.end()};
}

uint64_t NoticeBoard::last_id() const {
  const std::lock_guard lock(mutex_);
  return last_id_;
}

uint64_t NoticeBoard::listen(Listener listener) {
  const std::lock_guard lock(mutex_);
  listeners_.emplace(++last_listener_, std::move(listener));
  return last_listener_;
}

void NoticeBoard::unlisten(uint64_t number) {
  const std::lock_guard lock(mutex_);
  listeners_.erase(number);
}

}  // namespace eventhorn::control
