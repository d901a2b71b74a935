// Owns background coroutines: nothing runs unowned. Lives on one io_context; every member must be
// called there. cancel() asks all children to end, join() waits for them; the destructor CHECKs
// that none is left. A child whose executor destroys it unfinished has ended, too.
#pragma once

#include "async/timer.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <list>
#include <string>
#include <vector>

namespace eventhorn {

class TaskGroup {
 public:
  /// `clock`, which deadlines go by, outlives the group.
  TaskGroup(asio::any_io_executor executor, const Clock& clock);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts `body`. An exception that escapes it is logged and counted as a bug, except
  /// operation_aborted.
  void spawn(const char* name, Task<void> body);

  /// Emits terminal cancellation to every child. Children that ignore it still end in their own
  /// time.
  void cancel();

  /// Ends when no child is left, or at `deadline`; true when none is left. One at a time.
  Task<bool> join(Deadline deadline);

  size_t size() const { return children_.size(); }

  /// Names of the children that still run, for the shutdown log.
  std::vector<std::string> names() const;

 private:
  struct Child {
    explicit Child(const char* n) : name(n) {}

    const char* name;
    asio::cancellation_signal signal;
  };

  using Children = std::list<Child>;
  class End;

  void forget(Children::iterator child);

  const asio::any_io_executor executor_;
  const Clock& clock_;
  Timer idle_;  // cancelled when the last child has ended
  Children children_;
};

}  // namespace eventhorn
