// One io_context and one thread per core. What is created on a core stays there, so it needs no
// locks.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <thread>
#include <vector>

namespace eventhorn {

class Cores {
 public:
  /// `count` ≥ 1 loops; none runs before start().
  explicit Cores(size_t count);
  /// Stops and joins.
  ~Cores();
  Cores(const Cores&) = delete;
  Cores& operator=(const Cores&) = delete;

  void start();
  /// Ends the loops at once, whatever they hold, and joins their threads. Idempotent.
  void stop();

  size_t size() const { return cores_.size(); }

  boost::asio::io_context& at(size_t index) { return cores_.at(index)->context; }

 private:
  struct Core {
    boost::asio::io_context context{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
        context.get_executor()};
    std::thread thread;
  };

  std::vector<std::unique_ptr<Core>> cores_;
};

}  // namespace eventhorn
