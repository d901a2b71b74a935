#include "async/task_group.h"

#include "base/check.h"
#include "base/log.h"
#include "base/metrics.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <utility>

namespace eventhorn {
namespace {

void report(const char* name, const std::exception_ptr& error) {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    if (e.code() == asio::error::operation_aborted) return;
    log_error("async", "bug: exception escaped task={} error={}", name, e.what());
  } catch (const std::exception& e) {
    log_error("async", "bug: exception escaped task={} error={}", name, e.what());
  }
  metrics::counter("eventhorn_bugs_total",
                   "Exceptions that escaped a background task; should stay 0")
      .add();
}

}  // namespace

/// The completion handler of a child.
class TaskGroup::End {
 public:
  End(TaskGroup& group, Children::iterator child) : group_(&group), child_(child) {}

  ~End() {
    if (group_ != nullptr) group_->forget(child_);
  }

  End(End&& other) noexcept : group_(std::exchange(other.group_, nullptr)), child_(other.child_) {}

  End& operator=(End&&) = delete;
  End(const End&) = delete;
  End& operator=(const End&) = delete;

  void operator()(const std::exception_ptr& error) {
    report(child_->name, error);
    std::exchange(group_, nullptr)->forget(child_);
  }

 private:
  TaskGroup* group_;  // null once moved from, or called
  Children::iterator child_;
};

TaskGroup::TaskGroup(asio::any_io_executor executor, const Clock& clock)
    : executor_(executor), clock_(clock), idle_(executor, clock) {}

TaskGroup::~TaskGroup() {
  CHECK(children_.empty());
}

void TaskGroup::spawn(const char* name, Task<void> body) {
  const auto child = children_.emplace(children_.end(), name);
  asio::co_spawn(executor_, std::move(body),
                 asio::bind_cancellation_slot(child->signal.slot(), End(*this, child)));
}

void TaskGroup::forget(Children::iterator child) {
  children_.erase(child);
  if (children_.empty()) idle_.cancel();
}

void TaskGroup::cancel() {
  for (auto it = children_.begin(); it != children_.end();) {
    auto& child = *it++;  // emit may end the child at once
    child.signal.emit(asio::cancellation_type::terminal);
  }
}

Task<bool> TaskGroup::join(Deadline deadline) {
  while (!children_.empty() && clock_.steady_now() < deadline) {
    idle_.set(deadline);
    co_await idle_.wait();
  }
  co_return children_.empty();
}

std::vector<std::string> TaskGroup::names() const {
  std::vector<std::string> out;
  for (const auto& child : children_) out.emplace_back(child.name);
  return out;
}

}  // namespace eventhorn
