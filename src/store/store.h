// The seam between the platform and its storage engines: an interface for each kind of consumer,
// all of which an engine implements. Operations are coarse, so that each engine does them its best
// way; contract/ holds the suite that every engine passes, and memory/ the simplest one.
//
// Threads: each interface says which of its members come from one thread only. Every other member
// may be called from any thread at any time. All may block on the disk, so event loops go through
// run_blocking.
#pragma once

#include "store/commit_order.h"
#include "store/domain_store.h"
#include "store/event_log.h"
#include "store/lane_log.h"
#include "store/pages.h"
#include "store/progress_store.h"
#include "store/upkeep.h"
#include "store/values.h"

namespace eventhorn::store {

class Store : public EventLog,
              public LaneLog,
              public Pages,
              public CommitOrder,
              public ProgressWriter,
              public ProgressReader,
              public DomainStore,
              public Values,
              public Upkeep {};

}  // namespace eventhorn::store
