// The last successes of each URL in full, in memory: their records in the store are a few bytes
// each. Lives on one core.
#pragma once

#include "store/model.h"

#include <deque>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace eventhorn::delivery {

class RecentSuccesses {
 public:
  static constexpr size_t kPerUrl = 100;

  /// At most so many bytes; beyond it the oldest of all go.
  explicit RecentSuccesses(size_t max_bytes) : max_bytes_(max_bytes) {}

  /// The row with `response` in place of its own.
  void add(const std::string& url, const store::AttemptRow& row, std::string_view response);

  /// Those of which a text satisfies `mentions` lose their texts.
  void forget(const std::function<bool(std::string_view)>& mentions);

  /// Newest first.
  std::vector<store::AttemptRow> of(const std::string& url) const;

  size_t bytes() const { return bytes_; }

 private:
  struct Kept;
  using Order = std::list<Kept>;  // oldest first
  using OfUrl = std::deque<Order::iterator>;

  struct Kept {
    std::pair<const std::string, OfUrl>* url;
    store::AttemptRow row;
  };

  static size_t size_of(const Kept& kept);
  static size_t size_of(const std::string& url);
  void drop_oldest();

  const size_t max_bytes_;
  size_t bytes_ = 0;
  Order order_;
  std::unordered_map<std::string, OfUrl> urls_;
};

}  // namespace eventhorn::delivery
