// All that writes a store, as one: the append queue, the progress saver, the store's health, the
// feed of what became durable, and the bells of who waits for it. Each is used by itself; this
// builds, starts and stops them.
//
// start() once everything else is ready, and all subscribers of `feed` are there. stop() first ends
// the appends, then saves the progress that the last of them brought; `store` may be closed after.
#pragma once

#include "async/worker.h"
#include "store/append_queue.h"
#include "store/doorbells.h"
#include "store/feed.h"
#include "store/health.h"
#include "store/progress_saver.h"
#include "store/store.h"

namespace eventhorn::store {

class Writers {
 public:
  /// All must outlive this. `directory` is as of the end of the log.
  Writers(Store& store, Directory& directory, const Clock& clock, Workers& workers,
          const WriterOptions& options)
      : health(store, clock, options),
        feed(directory),
        doorbells(feed),
        progress({store, health, clock, workers}, options),
        appends({store, store, directory, feed, health, clock, workers}, options),
        store_(store) {}

  /// As stop().
  ~Writers() { stop(); }

  Writers(const Writers&) = delete;
  Writers& operator=(const Writers&) = delete;

  void start() {
    feed.start(store_.head());
    health.start();
    progress.start();
    appends.start();
  }

  /// Idempotent.
  void stop() {
    appends.stop();
    progress.stop();
  }

  StoreHealth health;
  Feed feed;
  Doorbells doorbells;
  ProgressSaver progress;
  AppendQueue appends;

 private:
  Store& store_;
};

}  // namespace eventhorn::store
