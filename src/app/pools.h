// The threads for what blocks: reads of requests, searches, reads of deliveries, changes of
// settings.
#pragma once

#include "async/pool.h"

namespace eventhorn::app {

/// Requests may ask for searches that take all of their threads; deliveries that are behind,
/// retries and probes read beside them.
struct Pools {
  Pool readers{"readers", 3};                  // of requests, and retention
  Pool searchers{"searchers", 2};              // see api::Services
  Pool delivery_readers{"delivery reads", 2};  // of the engines
  Pool writer{"writer", 1};                    // see api::Services
  Pool erasures{"erasures", 1};                // see control::Erasures

  void join() {
    readers.join();
    searchers.join();
    delivery_readers.join();
    writer.join();
    erasures.join();
  }
};

}  // namespace eventhorn::app
