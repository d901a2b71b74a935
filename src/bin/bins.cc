#include "bin/bins.h"

#include "base/hash.h"
#include "base/strings.h"

#include <algorithm>

namespace eventhorn::bin {
namespace {

constexpr size_t kIdBytes = Bins::kIdDigits / 2;
constexpr size_t kMaxPaths = 64;
// Of the list node, the pointers and the strings' headers.
constexpr size_t kOverheadBytes = 512;

// Whoever looks into a bin must not learn what else the sender's credentials open.
http::Fields without_secrets(const http::Fields& fields) {
  http::Fields out;
  for (const auto& [name, value] : fields.all()) {
    const bool cookie = equals_ignore_case(name, "Cookie");
    const bool credentials = equals_ignore_case(name, "Authorization") ||
                             equals_ignore_case(name, "Proxy-Authorization");
    if (cookie) {
      out.add(name, "***");
    } else if (credentials) {
      const size_t space = value.find(' ');
      out.add(name, space == std::string::npos ? "***" : value.substr(0, space) + " ***");
    } else {
      out.add(name, value);
    }
  }
  return out;
}

// Not in the middle of a UTF-8 sequence, so that text stays text.
void cut_body(std::string& body, size_t max_bytes) {
  size_t end = max_bytes;
  while (end > 0 && max_bytes - end < 3 && (static_cast<unsigned char>(body[end]) & 0xc0) == 0x80)
    --end;
  body.resize(end);
  body.shrink_to_fit();
}

size_t bytes_of(const Captured& request) {
  size_t bytes = kOverheadBytes + request.method.size() + request.path.size() + request.body.size();
  for (const auto& [name, value] : request.fields.all())
    bytes += name.size() + value.size() + 2 * sizeof(std::string);
  return bytes;
}

}  // namespace

Bins::Bins(const Clock& clock, std::function<std::string(size_t)> random_bytes, Options options)
    : clock_(clock), random_bytes_(std::move(random_bytes)), options_(options) {}

std::string Bins::create() {
  std::string id = to_hex(random_bytes_(kIdBytes));
  const SteadyTime now = clock_.steady_now();
  const std::lock_guard lock(mutex_);
  make_room();
  Bin& bin = bins_[id];
  bin.expires = now + options_.expire;
  bin.used = now;
  mark(id);
  return id;
}

std::optional<uint32_t> Bins::capture(std::string_view id, Captured request) {
  request.fields = without_secrets(request.fields);
  request.truncated |= request.body.size() > options_.max_body_bytes;
  if (request.body.size() > options_.max_body_bytes)
    cut_body(request.body, options_.max_body_bytes);

  const std::lock_guard lock(mutex_);
  const auto at = find(id);
  if (at == bins_.end()) return std::nullopt;
  Bin& bin = at->second;
  request.number = ++bin.total;
  const uint32_t repeat = count_repeat(bin, request.path);
  const std::pair place(at->first, request.number);
  keep(at, std::move(request));
  if (on_change_) changed_requests_[place] = kept_.back().request;
  keep_within_limits(bin);
  mark(place.first);
  return repeat;
}

void Bins::keep(BinMap::iterator bin, Captured request) {
  const size_t bytes = bytes_of(request);
  kept_.push_back({bin->first, std::make_shared<const Captured>(std::move(request)), bytes});
  bin->second.requests.push_back(std::prev(kept_.end()));
  kept_bytes_ += bytes;
}

void Bins::keep_within_limits(Bin& bin) {
  while (bin.requests.size() > options_.max_requests) drop_oldest(bin);
  while (kept_bytes_ > options_.max_total_bytes) drop_oldest(bins_.at(kept_.front().bin));
}

void Bins::restore(const std::vector<BinState>& bins,
                   std::vector<std::pair<std::string, Captured>> requests,
                   std::function<void()> on_change) {
  const SteadyTime now = clock_.steady_now();
  const std::lock_guard lock(mutex_);
  on_change_ = std::move(on_change);
  for (const auto& state : bins) {
    Bin& bin = bins_[state.id];
    bin.expires = now + std::clamp(state.left, std::chrono::milliseconds(0), options_.expire);
    bin.used = now;
    bin.total = state.total;
    bin.repeats.assign(state.repeats.begin(), state.repeats.end());
  }
  std::ranges::sort(requests, {},
                    [](const auto& r) { return std::pair(r.second.time, r.second.number); });
  for (auto& [id, request] : requests) {
    const auto at = bins_.find(id);
    if (at == bins_.end()) {
      if (on_change_) changed_requests_[{id, request.number}] = nullptr;
      continue;
    }
    at->second.total = std::max(at->second.total, request.number);
    keep(at, std::move(request));
    keep_within_limits(at->second);
  }
  while (bins_.size() > options_.max_bins) make_room();
}

Changes Bins::take_changes(size_t max_bytes) {
  Changes out;
  const SteadyTime now = clock_.steady_now();
  const std::lock_guard lock(mutex_);
  while (!changed_requests_.empty() && out.bytes < max_bytes) {
    auto node = changed_requests_.extract(changed_requests_.begin());
    out.bytes += node.mapped() ? bytes_of(*node.mapped()) : kOverheadBytes;
    out.requests.insert(std::move(node));
  }
  for (const auto& id : std::exchange(changed_bins_, {})) {
    auto& state = out.bins[id];
    const auto at = bins_.find(id);
    if (at == bins_.end()) continue;
    const auto& bin = at->second;
    state = {id,
             std::chrono::duration_cast<std::chrono::milliseconds>(bin.expires - now),
             bin.total,
             {bin.repeats.begin(), bin.repeats.end()}};
  }
  return out;
}

void Bins::give_back(Changes changes) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, state] : changes.bins) changed_bins_.insert(id);
  changed_requests_.merge(changes.requests);  // what changed since is newer
}

void Bins::mark_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, bin] : bins_) mark(id);
}

// Called with the lock held.
void Bins::mark(const std::string& bin) {
  if (!on_change_) return;
  changed_bins_.insert(bin);
  on_change_();
}

bool Bins::has(std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto at = bins_.find(std::string(id));
  return at != bins_.end() && at->second.expires > clock_.steady_now();
}

std::optional<Listing> Bins::list(std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto at = find(id);
  if (at == bins_.end()) return std::nullopt;
  Listing listing;
  listing.total = at->second.total;
  for (const auto& kept : at->second.requests) listing.items.push_back(kept->request);
  return listing;
}

// The bin, marked as used, unless it has expired.
Bins::BinMap::iterator Bins::find(std::string_view id) {
  const auto at = bins_.find(std::string(id));
  if (at == bins_.end()) return at;
  const SteadyTime now = clock_.steady_now();
  if (at->second.expires <= now) {
    drop(at);
    return bins_.end();
  }
  at->second.used = now;
  return at;
}

void Bins::drop(BinMap::iterator bin) {
  while (!bin->second.requests.empty()) drop_oldest(bin->second);
  const std::string id = bin->first;
  bins_.erase(bin);
  mark(id);
}

// Within a bin and over all of them the order is that of capture, so the oldest of all is also the
// first of its bin.
void Bins::drop_oldest(Bin& bin) {
  drop(bin, 0);
}

// One of its requests.
void Bins::drop(Bin& bin, size_t place) {
  const auto kept = bin.requests[place];
  kept_bytes_ -= kept->bytes;
  if (on_change_) {
    // What was not taken since it came need not be written at all.
    const auto [at, is_new] =
        changed_requests_.try_emplace({kept->bin, kept->request->number}, nullptr);
    if (!is_new && at->second) changed_requests_.erase(at);
  }
  kept_.erase(kept);
  bin.requests.erase(bin.requests.begin() + static_cast<std::ptrdiff_t>(place));
}

size_t Bins::forget(const std::function<bool(std::string_view)>& mentions) {
  std::vector<std::shared_ptr<const Captured>> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& kept : kept_) all.push_back(kept.request);
  }
  std::set<const Captured*> bad;
  for (const auto& request : all) {
    const auto& fields = request->fields.all();
    const bool bad_field =
        std::ranges::any_of(fields, [&](const auto& field) { return mentions(field.second); });
    if (bad_field || mentions(request->path) || mentions(request->body)) bad.insert(request.get());
  }
  const std::lock_guard lock(mutex_);
  size_t out = 0;
  for (auto& [id, bin] : bins_) {
    for (size_t i = bin.requests.size(); i-- > 0;) {
      if (!bad.contains(bin.requests[i]->request.get())) continue;
      drop(bin, i);
      mark(id);
      ++out;
    }
  }
  return out;
}

// Drops what has expired, and for room one more bin when that was not enough.
void Bins::make_room() {
  const SteadyTime now = clock_.steady_now();
  for (auto at = bins_.begin(); at != bins_.end();) {
    const auto next = std::next(at);
    if (at->second.expires <= now) drop(at);
    at = next;
  }
  if (bins_.size() < options_.max_bins) return;
  drop(std::min_element(bins_.begin(), bins_.end(), [](const auto& a, const auto& b) {
    return a.second.used < b.second.used;
  }));
}

uint32_t Bins::count_repeat(Bin& bin, std::string_view path) {
  const uint64_t hash = hash_bytes(path);
  uint32_t times = 1;
  const auto at = std::find_if(bin.repeats.begin(), bin.repeats.end(),
                               [&](const auto& r) { return r.first == hash; });
  if (at != bin.repeats.end()) {
    times = at->second + 1;
    bin.repeats.erase(at);
  } else if (bin.repeats.size() == kMaxPaths) {
    bin.repeats.pop_front();
  }
  bin.repeats.emplace_back(hash, times);
  return times;
}

}  // namespace eventhorn::bin
