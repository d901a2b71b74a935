// What a failed sync leaves: nothing of the write-ahead log behind a certain place was
// acknowledged, and there may be a hole there, with progress behind it that was written meanwhile.
//
// It is kept in a file as well, because the process may be killed before it has reopened the store.
// The file is not synced: after a power cut it may be gone, and the store then refuses to open.
#pragma once

#include "store/rocks/durability.h"

#include <filesystem>
#include <optional>

namespace eventhorn::store {

/// From a sync that failed to the next opening. One thread at a time.
class FailedSync {
 public:
  /// Takes up what the process before has left in `directory`.
  explicit FailedSync(const std::filesystem::path& directory);

  /// A sync failed. All before `synced` is on the disk; `last_file` is the last of the log.
  void note(WalPlace synced, uint64_t last_file);

  /// The store was opened: what its logs held is in synced tables. Should the file stay, it covers
  /// nothing, because new logs have higher numbers.
  void forget();

  /// Whether nothing at `place` and behind it was acknowledged.
  bool covers(WalPlace place) const;

 private:
  struct State {
    WalPlace synced;
    uint64_t last_file = 0;
  };

  const std::filesystem::path file_;
  std::optional<State> state_;
};

}  // namespace eventhorn::store
