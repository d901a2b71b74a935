// One process: the core of a server as app/ puts it together, on a simulated machine. The log, its
// writers and the engines are the real ones; their threads are lines of the world, their disk is a
// simulated one, and so are their receivers.
//
//   constructor -> kStarting -> kUp -> stop() -> kStopped
//                      '-> kFailed (the store cannot be opened, or read)
//
// It may be killed in every state: its destructor does so.
#pragma once

#include "async/pool.h"
#include "async/task_group.h"
#include "control/notices.h"
#include "control/retention.h"
#include "delivery/deliveries.h"
#include "simulation/disk.h"
#include "simulation/model.h"
#include "simulation/receivers.h"
#include "simulation/workers.h"
#include "store/directory.h"
#include "store/writers.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace eventhorn::simulation {

struct ProcessOptions {
  delivery::EngineOptions engine;  // of each core
  store::WriterOptions writers;
  control::RetentionOptions retention;
  /// Called as a commit is handed over. Null: nobody is told.
  std::function<void()> on_commit;
};

class Process {
 public:
  enum class State { kStarting, kUp, kStopping, kStopped, kFailed };

  /// All outlive it. `name` stands in the trace.
  Process(World& world, std::string name, Disk& disk, DiskFaults& faults, Receivers& receivers,
          Model& model, const ProcessOptions& options);
  /// As kill -9: nothing of it runs any more, and nothing of it reaches the disk. Not from within
  /// its own work.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  State state() const { return state_; }

  /// Begins a clean stop; attempts under way have so long to end. Only while kUp.
  void stop(Micros drain);

  // Only while kUp.
  store::AppendQueue& appends() { return writers_->appends; }

  delivery::EngineDeliveries& deliveries() { return deliveries_; }

  const store::Directory& directory() const { return directory_; }

  store::Store& store() { return *store_; }

  /// Aborts when an invariant of the code does not hold. Cheap enough for now and then.
  void check_invariants() const;

 private:
  Line& make_readers(DiskFaults& faults);
  void make_engines(const ProcessOptions& options);
  Task<void> start();
  Task<Status> start_engines();
  Task<void> run_stop(Micros drain);
  void start_housekeeping();
  Task<void> end_housekeeping();
  Task<void> expire_lanes(Position last);

  World& world_;
  const std::string name_;
  Disk& disk_;
  State state_ = State::kStarting;
  LineSet lines_;
  LineWorkers workers_;
  TaskGroup main_;
  Pool readers_;
  Wire wire_;
  control::NoticeBoard notices_;
  store::Directory directory_;
  std::unique_ptr<store::Store> store_;  // null when it cannot be opened
  std::unique_ptr<store::Writers> writers_;
  std::vector<std::unique_ptr<delivery::Engine>> engines_;
  delivery::EngineDeliveries deliveries_;
  std::unique_ptr<control::Retention> retention_;
  std::unique_ptr<TaskGroup> housekeeping_;  // on the first core
};

}  // namespace eventhorn::simulation
