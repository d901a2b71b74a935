#include "delivery/recent.h"

#include <utility>

namespace eventhorn::delivery {

// With what a node of the list, and its place in the URL's, take.
size_t RecentSuccesses::size_of(const Kept& kept) {
  constexpr size_t kLinks = 4 * sizeof(void*);
  return sizeof(Kept) + kLinks + kept.row.response.capacity() + kept.row.error.capacity();
}

// With its place among the URLs, and the least that a deque takes.
size_t RecentSuccesses::size_of(const std::string& url) {
  constexpr size_t kEmptyDeque = 640;
  return sizeof(std::pair<const std::string, OfUrl>) + url.size() + kEmptyDeque;
}

// The node and the texts of the URL's oldest are used again: a busy URL allocates nothing.
void RecentSuccesses::add(const std::string& url, const store::AttemptRow& row,
                          std::string_view response) {
  const auto [at, is_new] = urls_.try_emplace(url);
  auto& entry = *at;
  if (is_new) bytes_ += size_of(url);
  auto& of_url = entry.second;
  if (of_url.size() >= kPerUrl) {
    const auto oldest = of_url.front();
    of_url.pop_front();
    bytes_ -= size_of(*oldest);
    order_.splice(order_.end(), order_, oldest);
    oldest->row = row;
  } else {
    order_.push_back({&entry, row});
  }
  order_.back().row.response = response;
  of_url.push_back(std::prev(order_.end()));
  bytes_ += size_of(order_.back());
  while (bytes_ > max_bytes_) drop_oldest();
}

void RecentSuccesses::drop_oldest() {
  auto& [url, of_url] = *order_.front().url;
  bytes_ -= size_of(order_.front());
  of_url.pop_front();  // the oldest of all is the oldest of its URL
  order_.pop_front();
  if (!of_url.empty()) return;
  bytes_ -= size_of(url);
  urls_.erase(urls_.find(url));
}

void RecentSuccesses::forget(const std::function<bool(std::string_view)>& mentions) {
  for (auto& kept : order_) {
    auto& row = kept.row;
    if (!mentions(row.response) && !mentions(row.error)) continue;
    bytes_ -= size_of(kept);
    row.response = row.error = std::string();
    bytes_ += size_of(kept);
  }
}

std::vector<store::AttemptRow> RecentSuccesses::of(const std::string& url) const {
  std::vector<store::AttemptRow> out;
  const auto found = urls_.find(url);
  if (found == urls_.end()) return out;
  for (auto it = found->second.rbegin(); it != found->second.rend(); ++it)
    out.push_back((*it)->row);
  return out;
}

}  // namespace eventhorn::delivery
