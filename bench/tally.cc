#include "tally.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <utility>

namespace eventhorn::bench {

bool HashSet::put(uint64_t hash) {
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    if (slots_[i] == hash) return false;
    if (slots_[i] == 0) {
      slots_[i] = hash;
      return true;
    }
  }
}

bool HashSet::insert(uint64_t hash) {
  if (hash == 0) hash = 1;
  if (!put(hash)) return false;
  if (++size_ * 2 > slots_.size()) {
    const std::vector<uint64_t> old =
        std::exchange(slots_, std::vector<uint64_t>(slots_.size() * 2));
    for (const uint64_t slot : old) {
      if (slot != 0) put(slot);
    }
  }
  return true;
}

std::optional<std::string_view> find_event_id(std::string_view body) {
  constexpr std::string_view kKey = "\"id\":\"";
  for (size_t at = body.find(kKey); at != std::string_view::npos; at = body.find(kKey, at + 1)) {
    const std::string_view value = body.substr(at + kKey.size());
    if (value.find('"') == kIdBytes) return value.substr(0, kIdBytes);
  }
  return std::nullopt;
}

uint64_t Tally::add(std::string_view body, int64_t now_ns) {
  const bool needs_id = options_.unique || options_.arrivals;
  const std::optional<std::string_view> id = needs_id ? find_event_id(body) : std::nullopt;
  const std::lock_guard lock(mutex_);
  if (count_++ == 0) first_ns_ = now_ns;
  last_ns_ = now_ns;
  if (id && options_.unique) ids_.insert(std::hash<std::string_view>()(*id));
  if (id && options_.arrivals) {
    Arrival& arrival = arrivals_.emplace_back();
    std::copy(id->begin(), id->end(), arrival.id.begin());
    arrival.at_ns = now_ns;
  }
  return count_;
}

void Tally::reset() {
  const std::lock_guard lock(mutex_);
  count_ = 0;
  first_ns_ = last_ns_ = 0;
  ids_ = HashSet();
  arrivals_.clear();
}

uint64_t Tally::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

uint64_t Tally::distinct() const {
  const std::lock_guard lock(mutex_);
  return ids_.size();
}

std::string Tally::summary() const {
  const std::lock_guard lock(mutex_);
  const double seconds = static_cast<double>(last_ns_ - first_ns_) / 1e9;
  return fmt::format(R"({{"posts":{},"distinct":{},"seconds":{:.6f},"posts_per_s":{:.0f}}})",
                     count_, ids_.size(), seconds,
                     seconds > 0 ? static_cast<double>(count_) / seconds : 0);
}

Status Tally::write_arrivals(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  std::string lines;
  for (const Arrival& arrival : arrivals_) {
    lines += fmt::format("{} {}\n", std::string_view(arrival.id.data(), arrival.id.size()),
                         arrival.at_ns);
  }
  std::FILE* file = std::fopen(path.c_str(), "w");
  bool written =
      file != nullptr && std::fwrite(lines.data(), 1, lines.size(), file) == lines.size();
  if (file != nullptr) written = std::fclose(file) == 0 && written;
  if (!written) return fail(Errc::kUnavailable, fmt::format("{}: {}", path, std::strerror(errno)));
  return {};
}

}  // namespace eventhorn::bench
