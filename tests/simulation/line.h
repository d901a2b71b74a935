// A line of work: what one thread of the machine would do, one thing after the other, in the order
// in which it was given. A core is a line, a worker is one, a pool of n threads is one that is n
// wide. The world picks the line that goes on next (world.h), so lines run in every order, and the
// work of one line in its own.
//
// LineExecutor is Asio's view of a line: what is posted, spawned or resumed on it becomes its work.
#pragma once

#include "base/time.h"

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace eventhorn::simulation {

/// A callable that may be move-only. Runs once, or is destroyed unrun.
class Work {
 public:
  template <class F>
  explicit Work(F body) : body_(std::make_unique<Body<F>>(std::move(body))) {}

  void run() { std::exchange(body_, nullptr)->run(); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void run() = 0;
  };

  template <class F>
  struct Body final : Base {
    explicit Body(F f) : function(std::move(f)) {}

    void run() override { std::move(function)(); }

    F function;
  };

  std::unique_ptr<Base> body_;
};

/// Owned by the world.
struct Line {
  Line(std::string line_name, size_t line_width, boost::asio::execution_context& timer_context)
      : name(std::move(line_name)), width(line_width), context(timer_context) {}

  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  const std::string name;
  /// So many of the first pieces of work may overtake each other.
  const size_t width;
  boost::asio::execution_context& context;  // where Asio keeps the timers
  /// Asked before each piece of work: for how long the threads are held up. Null: never.
  std::function<Micros()> hold_up;
  std::deque<Work> work;
  bool running = false;        // the world runs a piece of it now
  uint64_t stalled_until = 0;  // a step of the world: the thread has no processor before it
  SteadyTime held_until{};     // nothing of it goes on before
  bool was_held = false;       // before what comes next
};

class LineExecutor {
 public:
  explicit LineExecutor(Line& line) noexcept : line_(&line) {}

  boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept {
    return line_->context;
  }

  LineExecutor require(boost::asio::execution::blocking_t::never_t) const noexcept {
    return {line_, true};
  }

  LineExecutor require(boost::asio::execution::blocking_t::possibly_t) const noexcept {
    return {line_, false};
  }

  /// As an io_context does it: at once when the caller runs on the line and lets it, else later.
  template <class F>
  void execute(F&& function) const {
    if (!never_blocks_ && line_->running) {
      std::decay_t<F> here(std::forward<F>(function));
      here();
    } else {
      line_->work.emplace_back(std::decay_t<F>(std::forward<F>(function)));
    }
  }

  bool operator==(const LineExecutor&) const noexcept = default;

 private:
  LineExecutor(Line* line, bool never_blocks) noexcept : line_(line), never_blocks_(never_blocks) {}

  Line* line_;
  bool never_blocks_ = false;
};

}  // namespace eventhorn::simulation
