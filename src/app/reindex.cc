#include "app/reindex.h"

#include "store/rocks/rocks_store.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

namespace eventhorn::app {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks{100};
constexpr int kLooksPerLine = 50;
constexpr int kPatience = 600;  // looks at which nothing has moved

int cannot(const std::string& why) {
  fmt::print(stderr, "eventhorn: {}\n", why);
  return 1;
}

}  // namespace

int reindex_store(const std::string& data) {
  std::error_code ec;
  if (!std::filesystem::exists(std::filesystem::path(data) / "store", ec))
    return cannot("there is no store in " + data);
  const SystemClock clock;
  store::RocksOptions options;
  options.directory = data;
  options.reindex = true;
  const auto store = store::RocksStore::open(options, clock);
  if (!store) return cannot(store.error().message);
  const uint64_t all = (*store)->terms_left();
  uint64_t last = all;
  for (int looks = 1, still = 0;; ++looks) {
    const uint64_t left = (*store)->terms_left();
    if (left == 0) break;
    still = left == last ? still + 1 : 0;
    if (still == kPatience) return cannot("the index cannot be made: the log says why");
    last = left;
    if (looks % kLooksPerLine == 0)
      fmt::print("{} of {} positions ({} %)\n", all - left, all, 100 * (all - left) / all);
    std::fflush(stdout);
    std::this_thread::sleep_for(kBetweenLooks);
  }
  fmt::print("The index of the store in {} is made.\n", data);
  return 0;
}

}  // namespace eventhorn::app
