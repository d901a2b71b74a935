#include "control/erasures.h"

#include "async/timer.h"
#include "base/dates.h"
#include "base/log.h"
#include "base/strings.h"
#include "crypto/random.h"
#include "json/reader.h"
#include "json/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace eventhorn::control {
namespace {

using std::chrono::milliseconds;

constexpr const char* kPrefix = "erasures/";
constexpr milliseconds kBetweenLooks{50};  // for requests that have begun before
constexpr milliseconds kAfterFailure{5000};
constexpr milliseconds kBetweenBinLooks{500};  // bins are written behind their changes
constexpr milliseconds kAfterTimeout{1000};    // for the outcome of an attempt to be written

constexpr size_t kIdChance = 12;  // bytes of an id that takes the place of another

std::string key_of(const Erasure& erasure) {
  const std::string_view mark(reinterpret_cast<const char*>(erasure.mark.data()),
                              erasure.mark.size());
  return fmt::format("{}{:016x}/{}", kPrefix, erasure.domain.value, to_hex(mark));
}

std::string encode(const Erasure& e) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("version").value(1);
  w.key("domain").value(std::to_string(e.domain.value));
  w.key("mark").value(to_hex({reinterpret_cast<const char*>(e.mark.data()), e.mark.size()}));
  w.key("at").value(to_micros(e.at));
  w.key("phase").value(static_cast<int>(e.phase));
  if (!e.address.empty()) w.key("address").value(e.address);
  w.key("through").value(e.through.value).key("reached").value(e.reached.value);
  if (e.changed)
    w.key("first").value(e.changed->first.value).key("last").value(e.changed->last.value);
  w.key("looked_at").value(e.looked_at).key("removed").value(e.removed);
  w.key("redacted").value(e.redacted).key("damaged").value(e.damaged);
  w.key("attempts").value(e.attempts).key("bin_requests").value(e.bin_requests);
  w.end_object();
  return out;
}

/// Members of a record. What is missing or of another kind makes it damaged.
class Reader {
 public:
  explicit Reader(const json::Value& value) : value_(value) {}

  int64_t number(std::string_view name) {
    const auto* found = value_.find(name);
    const auto number = found != nullptr ? found->as_int() : std::nullopt;
    ok_ = ok_ && number && *number >= 0;
    return number.value_or(0);
  }

  uint64_t count(std::string_view name) { return static_cast<uint64_t>(number(name)); }

  std::string text(std::string_view name) {
    const auto* found = value_.find(name);
    const auto* text = found != nullptr ? found->as_string() : nullptr;
    ok_ = ok_ && text != nullptr;
    return text != nullptr ? *text : std::string();
  }

  bool has(std::string_view name) const { return value_.find(name) != nullptr; }

  bool ok() const { return ok_; }

 private:
  const json::Value& value_;
  bool ok_ = true;
};

bool read_mark(std::string_view hex, AddressMark& out) {
  if (hex.size() != 2 * out.size()) return false;
  for (size_t i = 0; i < out.size(); ++i) {
    const char* digits = hex.data() + 2 * i;
    const auto read = std::from_chars(digits, digits + 2, out[i], 16);
    if (read.ec != std::errc() || read.ptr != digits + 2) return false;
  }
  return true;
}

Result<Erasure> decode(const std::string& text) {
  TRY(const auto value, json::parse(text));
  Reader in(value);
  Erasure out;
  const bool version = in.number("version") == 1;
  const auto domain = parse_uint(in.text("domain"));
  const bool mark = read_mark(in.text("mark"), out.mark);
  out.domain = {domain.value_or(0)};
  out.at = from_micros(in.number("at"));
  const auto phase = in.number("phase");
  out.phase = static_cast<ErasePhase>(phase);
  if (in.has("address")) out.address = in.text("address");
  out.through = {in.count("through")};
  out.reached = {in.count("reached")};
  if (in.has("first")) out.changed = store::PositionRange{{in.count("first")}, {in.count("last")}};
  out.looked_at = in.count("looked_at");
  out.removed = in.count("removed");
  out.redacted = in.count("redacted");
  out.damaged = in.count("damaged");
  out.attempts = in.count("attempts");
  out.bin_requests = in.count("bin_requests");
  const bool needs_address = out.phase < ErasePhase::kPurge;
  if (!in.ok() || !version || !domain || !mark || phase > static_cast<int>(ErasePhase::kDone) ||
      needs_address == out.address.empty())
    return fail(Errc::kCorruption, "a record of an erasure is damaged");
  return out;
}

Erasures::Mentions mentions_of(const std::string& address) {
  return [pattern = event::AddressPattern(address)](std::string_view text) {
    return pattern.in(text);
  };
}

std::string new_id() {
  return "erased-" + base64url_encode(crypto::random_bytes(kIdChance));
}

}  // namespace

Erasures::Erasures(const Parts& parts, Elsewhere elsewhere, const Options& options)
    : parts_(parts),
      elsewhere_(std::move(elsewhere)),
      options_(options),
      erased_(std::make_shared<Erased>(parts.key)) {}

Status Erasures::load() {
  TRY(const auto values, parts_.values.load_values(kPrefix));
  auto erased = std::make_shared<Erased>(parts_.key);
  const std::lock_guard lock(mutex_);
  for (const auto& [key, text] : values) {
    TRY(auto erasure, decode(text));
    erased->add(erasure.domain, erasure.mark, erasure.at);
    all_[{erasure.domain, erasure.mark}] = std::move(erasure);
  }
  erased_ = std::move(erased);
  return {};
}

std::shared_ptr<const Erased> Erasures::erased() const {
  const std::lock_guard lock(mutex_);
  return erased_;
}

std::optional<Erasure> Erasures::find(DomainUid domain, std::string_view address) const {
  const auto mark = mark_of(parts_.key, domain, address);
  const std::lock_guard lock(mutex_);
  const auto found = all_.find({domain, mark});
  return found != all_.end() ? std::optional(found->second) : std::nullopt;
}

void Erasures::show(const Erasure& erasure) {
  const std::lock_guard lock(mutex_);
  all_[{erasure.domain, erasure.mark}] = erasure;
}

Status Erasures::save(const Erasure& erasure) {
  TRY_STATUS(parts_.values.save_value(key_of(erasure), encode(erasure)));
  show(erasure);
  return {};
}

// From the time of the record on events of the address are refused; what was let in before that
// lies before the end that is found later.
Result<Erasure> Erasures::begin(DomainUid domain, const std::string& address) {
  const std::lock_guard one_by_one(beginning_);
  const auto known = find(domain, address);
  if (known && known->phase != ErasePhase::kDone) return *known;
  Erasure out;
  out.domain = domain;
  out.mark = mark_of(parts_.key, domain, address);
  out.at = parts_.clock.now();
  if (known) out.at = std::max(out.at, known->at);
  out.address = address;
  {
    const std::lock_guard lock(mutex_);
    if (!known && all_.size() >= kMax)
      return fail(Errc::kConflict, fmt::format("at most {} addresses can be erased", kMax));
  }
  TRY_STATUS(parts_.values.save_value(key_of(out), encode(out)));
  // At once: an erasure that is seen before its mark would not wait for who does not know that.
  const std::lock_guard lock(mutex_);
  all_[{domain, out.mark}] = out;
  views_.push_back(erased_);
  erased_ = erased_->with(domain, out.mark, out.at);
  if (bell_) bell_->ring();
  return out;
}

std::optional<Erasure> Erasures::next() const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(
      all_, [](const auto& one) { return one.second.phase != ErasePhase::kDone; });
  return found != all_.end() ? std::optional(found->second) : std::nullopt;
}

Task<void> Erasures::run(asio::any_io_executor executor) {
  const auto bell = std::make_shared<Bell>(executor, parts_.clock);
  {
    const std::lock_guard lock(mutex_);
    bell_ = bell;
  }
  for (;;) {
    auto erasure = next();
    if (!erasure) {
      co_await bell->wait(Deadline::max());
      continue;
    }
    const auto done = co_await step(*erasure);
    if (done) continue;
    if (done.error().code != Errc::kCancelled)
      log_error("control", "an erasure does not go on, will try again error={}",
                done.error().message);
    co_await sleep_until(parts_.clock, parts_.clock.steady_now() + kAfterFailure);
  }
}

Task<Status> Erasures::step(Erasure& erasure) {
  switch (erasure.phase) {
    case ErasePhase::kEvents:
      co_return co_await erase_events(erasure);
    case ErasePhase::kAttempts:
      co_return co_await erase_attempts(erasure);
    case ErasePhase::kBins:
      co_return co_await erase_bins(erasure);
    case ErasePhase::kPurge: {
      const auto purge = [&]() -> Status {
        TRY_STATUS(parts_.eraser.purge(erasure.domain, erasure.changed));
        erasure.phase = ErasePhase::kDone;
        return save(erasure);
      };
      auto done = co_await run_blocking(parts_.pool, purge);
      if (done)
        log_info("control", "erased a recipient removed={} redacted={}", erasure.removed,
                 erasure.redacted);
      co_return done;
    }
    case ErasePhase::kDone:
      break;
  }
  co_return Status{};
}

// Requests that were let in before this erasure began have ended.
bool Erasures::old_views_are_gone(uint64_t number) {
  const std::lock_guard lock(mutex_);
  std::erase_if(views_, [](const auto& view) { return view.expired(); });
  return std::ranges::none_of(views_, [&](const auto& weak) {
    const auto view = weak.lock();
    return view && view->number() < number;
  });
}

Status Erasures::find_end(Erasure& erasure) {
  erasure.through = parts_.log.head();
  return save(erasure);
}

Status Erasures::erase_slice(Erasure& erasure) {
  const event::AddressPattern pattern(erasure.address);
  store::EraseQuery query;
  query.domain = erasure.domain;
  query.after = erasure.reached;
  query.through = std::min(erasure.through, parts_.log.head());  // a repair may have lost the end
  query.rewrite = [&](const store::StoredEvent& stored) -> std::optional<store::Rewrite> {
    const auto trace = event::find_trace(stored.event, pattern);
    if (trace == event::Trace::kNone) return std::nullopt;
    if (trace == event::Trace::kOwn && options_.mode == EraseMode::kRemove) return store::Rewrite{};
    return store::Rewrite{event::without_trace(stored.event, pattern, trace, new_id())};
  };
  TRY(const auto slice, parts_.eraser.erase(query, elsewhere_.lanes(erasure.domain)));
  erasure.reached = slice.at_end ? erasure.through : slice.reached;
  erasure.looked_at += slice.looked_at;
  erasure.removed += slice.removed;
  erasure.redacted += slice.redacted;
  erasure.damaged += slice.damaged;
  if (slice.changed) {
    if (!erasure.changed) erasure.changed = slice.changed;
    erasure.changed->first = std::min(erasure.changed->first, slice.changed->first);
    erasure.changed->last = std::max(erasure.changed->last, slice.changed->last);
    return save(erasure);
  }
  show(erasure);
  return {};
}

Task<Status> Erasures::erase_events(Erasure& erasure) {
  if (erasure.through == kNoPosition) {
    const uint64_t number = erased()->number();
    while (!old_views_are_gone(number))
      co_await sleep_until(parts_.clock, parts_.clock.steady_now() + kBetweenLooks);
    const auto find = [&] { return find_end(erasure); };
    CO_TRY_STATUS(co_await run_blocking(parts_.pool, find));
  }
  while (erasure.reached < erasure.through) {
    const auto slice = [&] { return erase_slice(erasure); };
    CO_TRY_STATUS(co_await run_blocking(parts_.pool, slice));
  }
  erasure.phase = ErasePhase::kAttempts;
  const auto save_it = [&] { return save(erasure); };
  co_return co_await run_blocking(parts_.pool, save_it);
}

// What is pending is read anew, so that nothing of before is sent; an attempt that was under way
// may still bring an answer with the address in it.
Task<Status> Erasures::erase_attempts(Erasure& erasure) {
  const auto mentions = mentions_of(erasure.address);
  CO_TRY(const bool under_way,
         co_await elsewhere_.forget_deliveries(erasure.domain, erasure.through, mentions));
  if (under_way) {
    co_await sleep_until(parts_.clock,
                         parts_.clock.steady_now() + options_.attempt_timeout + kAfterTimeout);
    CO_TRY_STATUS(co_await elsewhere_.forget_deliveries(erasure.domain, erasure.through, mentions));
  }
  const event::AddressPattern pattern(erasure.address);
  const auto change = [&](std::string& text) {
    auto replaced = pattern.replaced(text);
    if (replaced) text = *std::move(replaced);
    return replaced.has_value();
  };
  std::string after;
  for (bool more = true; more;) {
    const auto slice = [&] { return parts_.eraser.erase_attempts(after, change); };
    CO_TRY(const auto done, co_await run_blocking(parts_.pool, slice));
    erasure.attempts += done.changed;
    after = done.reached;
    more = !done.at_end;
  }
  erasure.phase = ErasePhase::kBins;
  const auto save_it = [&] { return save(erasure); };
  co_return co_await run_blocking(parts_.pool, save_it);
}

// The address goes from the record here: all else that mentions it is gone.
Task<Status> Erasures::erase_bins(Erasure& erasure) {
  const auto mentions = mentions_of(erasure.address);
  for (bool more = true; more;) {
    const auto look = [&]() -> Result<bool> {
      erasure.bin_requests += elsewhere_.forget_bins(mentions);
      return parts_.eraser.values_mention("bins/", mentions);
    };
    CO_TRY(more, co_await run_blocking(parts_.pool, look));
    if (more) co_await sleep_until(parts_.clock, parts_.clock.steady_now() + kBetweenBinLooks);
  }
  erasure.phase = ErasePhase::kPurge;
  erasure.address.clear();
  const auto save_it = [&] { return save(erasure); };
  co_return co_await run_blocking(parts_.pool, save_it);
}

std::string to_json(const Erasure& e, std::string_view more) {
  constexpr std::array<std::string_view, 5> kDoing = {"events", "attempts", "bins", "purge", ""};
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("state").value(e.phase == ErasePhase::kDone ? "done" : "running");
  w.key("doing").value(kDoing[static_cast<size_t>(e.phase)]);
  w.key("erased_at").value(format_rfc3339(e.at));
  w.key("looked_at").value(e.looked_at).key("removed").value(e.removed);
  w.key("redacted").value(e.redacted).key("damaged").value(e.damaged);
  w.key("attempts").value(e.attempts).key("bin_requests").value(e.bin_requests);
  w.key("not_touched").raw(more);
  w.end_object();
  return out;
}

}  // namespace eventhorn::control
