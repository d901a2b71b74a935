#include "search_load.h"

#include "base/check.h"
#include "event/normalize.h"
#include "net.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace eventhorn::bench {
namespace {

constexpr size_t kMakers = 2;
constexpr size_t kReadyBatches = 16;
constexpr uint64_t kWalkLimit = 300;
constexpr std::string_view kAccount = "5f1c9a2be77d4a0c31b8e6d2";

using Batch = std::vector<Item>;

/// Batches that are made and not yet appended.
class Ready {
 public:
  /// Waits for room. False once closed.
  bool put(Batch batch) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return closed_ || batches_.size() < kReadyBatches; });
    if (closed_) return false;
    batches_.push_back(std::move(batch));
    filled_.notify_one();
    return true;
  }

  /// Waits for a batch; nullopt when there is none and no more will come.
  std::optional<Batch> take() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return closed_ || ended_ || !batches_.empty(); });
    if (closed_ || batches_.empty()) return std::nullopt;
    Batch batch = std::move(batches_.front());
    batches_.pop_front();
    room_.notify_one();
    return batch;
  }

  /// No more is put.
  void end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    filled_.notify_all();
  }

  /// Nothing is put or taken any more.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    filled_.notify_all();
    room_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable filled_;
  // Guarded by mutex_
  std::deque<Batch> batches_;
  bool ended_ = false;
  bool closed_ = false;
};

Batch make_batch(const Corpus& corpus, event::Normalizer& normalizer, uint64_t begin,
                 uint64_t end) {
  Batch batch;
  std::string item;
  event::NormalizeContext context;
  context.account_id = kAccount;
  context.now = corpus.start();
  context.latest = SystemTime::max();
  context.max_item_bytes = kMaxEventBytes;
  for (uint64_t n = begin; n < end; ++n) {
    item.clear();
    corpus.append_event(n, item);
    const size_t domain = Corpus::domain_of(n);
    context.domain = corpus.domains()[domain];
    auto event = normalizer.normalize(item, context);
    CHECK(event.has_value());
    batch.push_back({domain, *std::move(event)});
  }
  return batch;
}

/// One run of fill().
class Filling {
 public:
  Filling(const Corpus& corpus, Engine& engine, size_t batch)
      : corpus_(corpus), engine_(engine), batch_(batch) {}

  Result<Filled> run() {
    Filled filled;
    const int64_t begin = monotonic_ns();
    {
      std::vector<std::jthread> writers;
      for (size_t n = 0; n < engine_.writers(); ++n) writers.emplace_back([this, n] { append(n); });
      {
        std::vector<std::jthread> makers;
        for (size_t n = 0; n < kMakers; ++n) makers.emplace_back([this] { make(); });
      }
      ready_.end();
    }
    if (!status_) return fail(status_.error());
    const int64_t appended = monotonic_ns();
    TRY_STATUS(engine_.settle());
    filled.seconds = static_cast<double>(appended - begin) / 1e9;
    filled.settle_seconds = static_cast<double>(monotonic_ns() - appended) / 1e9;
    filled.bytes = bytes_;
    return filled;
  }

 private:
  void make() {
    event::Normalizer normalizer([] { return std::string(); });  // every event has its id
    for (;;) {
      const uint64_t begin = next_.fetch_add(batch_);
      if (begin >= corpus_.events()) return;
      auto batch =
          make_batch(corpus_, normalizer, begin, std::min(corpus_.events(), begin + batch_));
      for (const auto& item : batch) bytes_ += item.event.bytes.size();
      if (!ready_.put(std::move(batch))) return;
    }
  }

  void append(size_t writer) {
    while (auto batch = ready_.take()) {
      auto status = engine_.append(writer, *std::move(batch));
      if (status) continue;
      const std::lock_guard lock(mutex_);
      status_ = std::move(status);
      ready_.close();
    }
  }

  const Corpus& corpus_;
  Engine& engine_;
  const size_t batch_;
  Ready ready_;
  std::atomic<uint64_t> next_ = 0;
  std::atomic<uint64_t> bytes_ = 0;
  std::mutex mutex_;
  Status status_;  // guarded by mutex_
};

/// FNV-1a.
void mix(uint64_t& checksum, std::string_view text) {
  for (const char c : text) checksum = (checksum ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
}

Result<Figures> query_kind(const Corpus& corpus, Engine& engine, const QueryPlan& plan,
                           const QueryKind& kind) {
  Figures figures{kind.name, kind.aided, {}, 0, 0, 0xcbf29ce484222325U};
  Random random(plan.seed);
  const int64_t end = monotonic_ns() + static_cast<int64_t>(plan.seconds * 1e9);
  for (uint64_t n = 0; n < plan.warm_up + plan.queries; ++n) {
    const uint64_t measured = n < plan.warm_up ? 0 : n - plan.warm_up;
    if (measured >= Figures::kCompared && monotonic_ns() > end) break;
    const auto page = engine.read(kind.make(corpus, random), nullptr);
    if (!page && page.error().code != Errc::kTimeout) return fail(page.error());
    if (n < plan.warm_up) continue;
    if (!page) {
      ++figures.gave_up;
      continue;
    }
    figures.took_ns.push_back(page->took_ns);
    figures.events += page->ids.size();
    if (measured >= Figures::kCompared) continue;
    for (const auto& id : page->ids) mix(figures.checksum, id);
    mix(figures.checksum, "\n");
  }
  std::ranges::sort(figures.took_ns);
  return figures;
}

}  // namespace

Result<Filled> fill(const Corpus& corpus, Engine& engine, size_t batch) {
  return Filling(corpus, engine, batch).run();
}

Result<std::vector<Figures>> query(const Corpus& corpus, Engine& engine, const QueryPlan& plan) {
  std::vector<Figures> out;
  for (const auto& kind : query_kinds()) {
    if (!plan.kind.empty() && plan.kind != kind.name) continue;
    TRY(auto figures, query_kind(corpus, engine, plan, kind));
    out.push_back(std::move(figures));
  }
  return out;
}

Result<Walked> walk(Engine& engine, uint64_t events) {
  Walked walked;
  Query query;
  query.limit = kWalkLimit;
  std::optional<Place> place;
  while (walked.events < events) {
    TRY(auto page, engine.read(query, place ? &*place : nullptr));
    walked.seconds += static_cast<double>(page.took_ns) / 1e9;
    walked.events += page.ids.size();
    ++walked.pages;
    if (!page.end) break;
    place = std::move(page.end);
  }
  return walked;
}

}  // namespace eventhorn::bench
