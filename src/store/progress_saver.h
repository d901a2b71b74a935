// Saves the progress of all cores, and keeps what was saved until it is durable, because a store
// that is recovered may have lost it: then it is saved again, in order, before anything newer.
//
// Owns the thread "progress", which must not wait behind a commit's fsync: a lane may only have so
// many outcomes unsaved. save() may be called on any core. Until start() what is saved waits;
// stop() writes what is queued, makes it durable and joins; what a failed store does not take by
// then is lost.
//
// Invariants: of the saves that wait, those that were written come first, in the order of their
// tokens; a save is called back once, after it was written; none is forgotten before it is durable.
#pragma once

#include "async/worker.h"
#include "base/mutex.h"
#include "base/time.h"
#include "store/health.h"
#include "store/progress_store.h"
#include "store/writer_options.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace eventhorn::store {

class ProgressSaver {
 public:
  /// What it writes to. All must outlive the saver.
  struct Parts {
    ProgressWriter& store;
    StoreHealth& health;
    const Clock& clock;
    Workers& workers;
  };

  ProgressSaver(const Parts& parts, const WriterOptions& options);
  /// As stop().
  ~ProgressSaver();
  ProgressSaver(const ProgressSaver&) = delete;
  ProgressSaver& operator=(const ProgressSaver&) = delete;

  void start();
  void stop();

  /// Saves at once; durable within WriterOptions::durable_after. Kept and tried again when the
  /// store fails. `saved`, which may be null, is called on the thread once it is written.
  void save(Progress progress, std::function<void()> saved);

 private:
  struct Save {
    Progress progress;
    std::function<void()> saved;       // null once it was called
    std::optional<SaveToken> token{};  // nullopt: to be written
    SteadyTime written{};
  };

  // On the thread.
  std::optional<Micros> turn();
  void take_queued();
  Status write();
  Status write_unwritten(StoreHealth::Generation generation);
  void forget_durable();
  void check_invariants() const;

  const Parts parts_;
  const Micros durable_after_;

  Mutex mutex_;
  std::vector<Save> queued_ GUARDED_BY(mutex_);
  bool started_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;

  // Touched only on the thread.
  std::deque<Save> saves_;                  // not known to be durable, in order
  StoreHealth::Generation generation_ = 0;  // of the store that took what is written of them

  const std::unique_ptr<Worker> worker_;  // last: its turns use all others
};

}  // namespace eventhorn::store
