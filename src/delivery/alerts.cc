#include "delivery/alerts.h"

#include "base/log.h"
#include "base/strings.h"
#include "json/writer.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace eventhorn::delivery {
namespace {

metrics::Counter outcome_counter(const char* outcome) {
  return metrics::counter("eventhorn_alerts_total", "Notices that alerts.url was, or was not, told",
                          {{"outcome", outcome}});
}

std::string body_before_notice(const webhook::Signature& signature) {
  std::string out;
  json::Writer w(out);
  w.begin_object().key("signature").begin_object();
  w.key("timestamp").value(signature.timestamp);
  w.key("token").value(signature.token);
  w.key("signature").value(signature.signature);
  w.end_object().key("notice");
  return out;
}

std::string body_after_notice(uint64_t suppressed) {
  return suppressed == 0 ? "}" : ",\"suppressed\":" + std::to_string(suppressed) + "}";
}

std::string describe(const webhook::AttemptResult& result) {
  return result.error.empty() ? "status " + std::to_string(result.status)
                              : escape_for_log(result.error);
}

}  // namespace

Alerts::Alerts(asio::any_io_executor executor, control::NoticeBoard& board, Sender& sender,
               const Clock& clock, std::function<webhook::SigningKeys()> keys, AlertOptions options)
    : executor_(executor),
      board_(board),
      sender_(sender),
      clock_(clock),
      keys_(std::move(keys)),
      options_(std::move(options)),
      seen_(options_.after.value_or(board.last_id())),
      told_(seen_),
      posted_(std::make_shared<Bell>(executor, clock_)),
      queued_(std::make_shared<Bell>(executor, clock_)),
      retry_timer_(executor, clock_),
      tasks_(executor, clock_),
      meters_{outcome_counter("delivered"), outcome_counter("given_up"),
              outcome_counter("suppressed"), outcome_counter("dropped")} {}

void Alerts::start() {
  listener_ = board_.listen([bell = posted_](const control::Notice&) { bell->ring(); });
  asio::post(executor_, [this] {
    target_ = sender_.open(options_.url, {});
    tasks_.spawn("alerts take", take());
    tasks_.spawn("alerts send", send_all());
  });
}

Task<void> Alerts::stop(Deadline deadline) {
  board_.unlisten(listener_);
  take_new();
  end_intervals(SteadyTime::max());
  stopping_ = true;
  stop_deadline_ = deadline;
  posted_->ring();
  queued_->ring();
  retry_timer_.cancel();
  const bool done = co_await tasks_.join(deadline);
  if (!done) {
    log_warn("delivery", "alerts not sent at shutdown, they go out after the next start count={}",
             queue_.size() + 1);
    tasks_.cancel();
    co_await tasks_.join(Deadline::max());
  }
}

// Apart from sending, so that a receiver that hangs delays no decision about intervals.
Task<void> Alerts::take() {
  while (!stopping_) {
    take_new();
    const auto next = end_intervals(clock_.steady_now());
    co_await posted_->wait(room() > 0 ? next : Deadline::max());
  }
}

// What the queue has no room for waits on the board, which the next process takes up too.
void Alerts::take_new() {
  while (room() > 0) {
    const auto notices = board_.after(seen_, room());
    if (notices.empty()) return;
    // Ids are consecutive: what lies between was pushed off the board.
    meters_.dropped.add(static_cast<double>(notices.front().id - seen_ - 1));
    seen_ = notices.back().id;
    for (const auto& notice : notices) admit(notice);
    tell_settled();
  }
}

void Alerts::admit(const control::Notice& notice) {
  if (options_.min_interval == std::chrono::milliseconds(0)) {
    enqueue({notice});
    return;
  }
  const auto now = clock_.steady_now();
  const auto [at, is_new] = intervals_.try_emplace({notice.kind, notice.url});
  auto& interval = at->second;
  if (is_new) {
    interval.end = now + options_.min_interval;
    enqueue({notice});
  } else {
    if (interval.held) {
      ++interval.suppressed;
      meters_.suppressed.add();
      open_.erase(interval.held->id);
    }
    interval.held = notice;
    open_.insert(notice.id);
  }
  if (intervals_.size() <= options_.max_watched) return;
  const auto first =
      std::min_element(intervals_.begin(), intervals_.end(),
                       [](const auto& a, const auto& b) { return a.second.end < b.second.end; });
  release(first->second);
  intervals_.erase(first);
}

size_t Alerts::room() const {
  return options_.max_queue - std::min(options_.max_queue, queue_.size());
}

// Ends those that are over at `until`, while there is room; when the next one is over.
SteadyTime Alerts::end_intervals(SteadyTime until) {
  auto next = SteadyTime::max();
  for (auto at = intervals_.begin(); at != intervals_.end();) {
    auto& interval = at->second;
    if (room() > 0 && interval.end <= until && !release(interval)) {
      at = intervals_.erase(at);
      continue;
    }
    next = std::min(next, interval.end);
    ++at;
  }
  return next;
}

// Sends what the interval held, which begins the next one. False when it held nothing.
bool Alerts::release(Interval& interval) {
  if (!interval.held) return false;
  enqueue({*std::move(interval.held), interval.suppressed});
  interval = {clock_.steady_now() + options_.min_interval, std::nullopt, 0};
  return true;
}

void Alerts::enqueue(Alert alert) {
  open_.insert(alert.notice.id);
  queue_.push_back(std::move(alert));
  queued_->ring();
}

void Alerts::settle(uint64_t id) {
  open_.erase(id);
  tell_settled();
}

void Alerts::tell_settled() {
  const uint64_t settled = open_.empty() ? seen_ : *open_.begin() - 1;
  if (std::exchange(told_, settled) != settled) options_.settled(settled);
}

Task<void> Alerts::send_all() {
  for (;;) {
    while (!queue_.empty()) {
      auto alert = std::move(queue_.front());
      queue_.pop_front();
      posted_->ring();  // there is room
      co_await send(std::move(alert));
    }
    if (stopping_) co_return;
    co_await queued_->wait(Deadline::max());
  }
}

Task<void> Alerts::send(Alert alert) {
  for (auto retry = options_.retries.begin();; ++retry) {
    const auto reply = co_await post(alert);
    if (classify(reply.result, webhook::SuccessRule::kAny2xx) == webhook::Verdict::kSuccess) {
      meters_.delivered.add();
      settle(alert.notice.id);
      co_return;
    }
    if (stopping_) {
      log_warn("delivery", "alert not sent at shutdown, it goes out after the next start notice={}",
               alert.notice.id);
      co_return;
    }
    if (retry == options_.retries.end()) {
      meters_.given_up.add();
      settle(alert.notice.id);
      log_warn("delivery", "alert given up notice={} kind={} url={} error={}", alert.notice.id,
               to_string(alert.notice.kind), escape_for_log(alert.notice.url),
               describe(reply.result));
      co_return;
    }
    retry_timer_.set(clock_.steady_now() + *retry);
    co_await retry_timer_.wait();
  }
}

Task<SendReply> Alerts::post(const Alert& alert) {
  const auto deadline = std::min(clock_.steady_now() + options_.timeout, stop_deadline_);
  const auto keys = keys_();
  const auto signature = webhook::make_signature(*keys.current, clock_.now(), random_);
  const auto prefix = body_before_notice(signature);
  const auto notice = to_json(alert.notice);
  const auto suffix = body_after_notice(alert.suppressed);
  const auto head = webhook::previous_signature_head(keys, signature);
  auto reply = co_await sender_.post(*target_, {head, prefix, notice, suffix, true}, deadline);
  co_return reply;
}

}  // namespace eventhorn::delivery
