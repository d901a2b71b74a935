// Keeps the notices of a board in the store, and how far alerts.url has been told of them, so that
// both outlive the process.
#pragma once

#include "base/result.h"
#include "control/notices.h"
#include "store/saver.h"
#include "store/values.h"

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

namespace eventhorn::control {

/// A notice is written and synced before anybody sees it, by a thread of its own; while the store
/// can't be written to, notices are shown unsaved and saved later. The values "notices/{n}" hold
/// kPerValue notices each and are used in turn, which bounds their bytes.
///
/// The constructor's references must outlive it. load(), then start(), then stop().
class KeptNotices {
 public:
  static constexpr size_t kPerValue = 50;

  KeptNotices(store::Values& values, NoticeBoard& board, const Clock& clock, Workers& workers);

  /// Gives the board what was kept; a value that can't be read costs its notices and those before
  /// them. Before anything is posted. With `alerts` alerted() goes on where it was, or, for the
  /// first time, begins behind all that is kept; without, what was stored of it is forgotten.
  Status load(bool alerts);

  void start() { saver_.start(); }

  /// Saves what waits.
  void stop() { saver_.stop(); }

  /// The last notice that no alert has to be sent for any more, and neither for those before it.
  uint64_t alerted() const;

  /// Any thread; saved behind the caller. What a crash loses of it is told again.
  void set_alerted(uint64_t id);

 private:
  bool save();
  bool save_notices();
  bool save_alerted();
  Status save_group(uint64_t group);

  store::Values& values_;
  NoticeBoard& board_;
  mutable std::mutex mutex_;
  uint64_t alerted_ = 0;  // guarded by mutex_
  // Touched by load(), then by the saving thread alone.
  std::deque<Notice> notices_;  // as the board will have them, the newest kKeep
  uint64_t saved_ = 0;          // id of the last notice that is in the store
  uint64_t saved_alerted_ = 0;
  bool failing_ = false;
  store::Saver saver_;
};

}  // namespace eventhorn::control
