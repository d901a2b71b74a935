// What the outcome of an attempt means: for its event, its lane, and its endpoint.
//
//   success, rejected   the event is settled
//   retry               it waits for its next attempt, or is missed after the last one
//   gone                it is given back; the endpoint is gone
//   a fault of ours     it is given back, and counts for nobody
//
// An event whose webhook was removed while it was under way is dropped unless it got through.
#pragma once

#include "base/log.h"
#include "base/metrics.h"
#include "crypto/random.h"
#include "delivery/endpoint.h"
#include "delivery/log_reader.h"
#include "delivery/recent.h"
#include "delivery/retry_book.h"
#include "delivery/saver.h"
#include "delivery/scheduler.h"
#include "delivery/transitions.h"
#include "store/store.h"
#include "webhook/outcome.h"

#include <string>

namespace eventhorn::delivery {

struct OutcomesOptions {
  webhook::SuccessRule success = webhook::SuccessRule::kAny2xx;
  /// False: events of the name `delivered` are attempted once.
  bool retry_delivered = true;
  /// Before an event that cannot be read is read again.
  std::chrono::milliseconds between_reads{5000};
};

/// Owned by the engine; on the core's executor.
///
/// Invariants:
/// - Each job is settled, or given back, once.
/// - Each outcome that changes the progress of a lane leaves a record of its attempt, counts as
///   unsaved until both are written, and marks the lane.
class Outcomes {
 public:
  /// What it works with; everything outlives it.
  struct Parts {
    const Clock& clock;
    store::Store& store;
    crypto::RandomPool& random;
    Saver& saver;
    RetryBook& retries;
    LogReader& reader;
    Scheduler& scheduler;
    Transitions& transitions;
    RecentSuccesses& recent;
  };

  Outcomes(Parts parts, OutcomesOptions options);

  /// The receiver has answered, or not, to the attempt that began at `started`.
  void on_reply(const EndpointPtr& endpoint, const LanePtr& lane, const Job& job,
                const SendReply& reply, SteadyTime started);

  // Of a retry, which is read before it is sent.

  /// Its lane ended while it was read.
  void on_lane_ended() { meters_.dropped.add(); }

  /// The event costs itself alone: it is put off, and missed after a few reads that found it
  /// damaged. While the disk or the store as a whole refuses, nothing is known of the event.
  void on_unreadable(const LanePtr& lane, const Job& job, const Error& error);
  /// It is not there any more (`job.event` is null), or its webhook was removed.
  void on_unwanted(const LanePtr& lane, const Job& job);

 private:
  struct Meters {
    Meters();
    metrics::Counter success, rejected, gone, retried, given_up, own_fault, dropped;
    metrics::Counter probe_success, probe_failure;
    metrics::Histogram attempt_seconds, lag_seconds;
  };

  bool not_its_fault(const EndpointPtr& endpoint, const LanePtr& lane, const Job& job,
                     const webhook::AttemptResult& result);
  void on_own_fault(Endpoint& endpoint, const Job& job, const webhook::AttemptResult& result);
  void decide(const LanePtr& lane, const Job& job, const webhook::AttemptResult& result,
              webhook::Verdict verdict);
  void on_settled(const LanePtr& lane, const Job& job);
  void on_failure(const LanePtr& lane, const Job& job, const webhook::AttemptResult& result);
  void on_missed(const Lane& lane, const Job& job, const webhook::AttemptResult& result);
  void tell_missed(const Lane& lane, std::string event, std::string reason);
  void drop_outlived(const LanePtr& lane, const Job& job);
  void record(const Lane& lane, const Job& job, const SendReply& reply, webhook::Verdict verdict,
              SystemTime now, std::chrono::milliseconds took);

  const Parts parts_;
  const OutcomesOptions options_;
  SteadyTime own_fault_log_due_{};
  uint64_t own_faults_unlogged_ = 0;
  LogLimit miss_lines_, read_lines_;
  Meters meters_;
};

}  // namespace eventhorn::delivery
