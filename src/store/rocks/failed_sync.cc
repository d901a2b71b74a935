#include "store/rocks/failed_sync.h"

#include <fstream>

namespace eventhorn::store {

FailedSync::FailedSync(const std::filesystem::path& directory) : file_(directory / "failed_sync") {
  State found;
  std::ifstream in(file_);
  if (in >> found.synced.file >> found.synced.bytes >> found.last_file) state_ = found;
}

void FailedSync::note(WalPlace synced, uint64_t last_file) {
  state_ = {synced, last_file};
  std::ofstream(file_, std::ios::trunc)
      << synced.file << ' ' << synced.bytes << ' ' << last_file << '\n';
}

void FailedSync::forget() {
  state_.reset();
  std::error_code ec;
  std::filesystem::remove(file_, ec);
}

bool FailedSync::covers(WalPlace place) const {
  return state_ && place >= state_->synced && place.file <= state_->last_file;
}

}  // namespace eventhorn::store
