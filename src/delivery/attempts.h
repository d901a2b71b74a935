// Makes attempts: reads the event where it is a retry, signs it, and posts it. What comes of it is
// for Outcomes to say.
#pragma once

#include "async/pool.h"
#include "async/task_group.h"
#include "crypto/random.h"
#include "delivery/attempt.h"
#include "delivery/outcomes.h"
#include "delivery/scheduler.h"
#include "delivery/sender.h"
#include "store/store.h"
#include "webhook/signature.h"

#include <chrono>
#include <functional>

namespace eventhorn::delivery {

/// Owned by the engine; on the core's executor, and its reads on the readers' threads.
class Attempts {
 public:
  /// What it works with; everything outlives it.
  struct Parts {
    const Clock& clock;
    store::Store& store;
    Pool& readers;
    Sender& sender;
    const std::function<webhook::SigningKeys()>& keys;
    crypto::RandomPool& random;
    Scheduler& scheduler;
    Outcomes& outcomes;
  };

  /// `timeout`: of one attempt. Workers run in `tasks`.
  Attempts(Parts parts, std::chrono::milliseconds timeout, TaskGroup& tasks);

  /// Starts a worker: it makes the attempt, and goes on with the endpoint's next ones while there
  /// are any.
  void start(Attempt attempt);

 private:
  Task<void> work(Attempt first);
  Task<void> make(Attempt& attempt);
  Task<bool> load_event(Attempt& attempt);
  Task<SendReply> send(const Endpoint& endpoint, const store::StoredEvent& event, Deadline deadline,
                       bool fresh_connection);

  const Parts parts_;
  const std::chrono::milliseconds timeout_;
  TaskGroup& tasks_;
};

}  // namespace eventhorn::delivery
