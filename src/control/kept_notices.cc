#include "control/kept_notices.h"

#include "base/log.h"
#include "base/strings.h"
#include "store/codec.h"

#include <algorithm>
#include <utility>

namespace eventhorn::control {
namespace {

constexpr uint8_t kVersion = 1;
constexpr const char* kPrefix = "notices/";
constexpr const char* kAlerted = "alerts/told";
// One more than hold what the board keeps, because the newest one is seldom full.
constexpr size_t kValues = NoticeBoard::kKeep / KeptNotices::kPerValue + 1;

void write(store::codec::Writer& w, const Notice& notice) {
  w.u64(notice.id);
  w.u8(static_cast<uint8_t>(notice.kind));
  w.i64(to_micros(notice.at));
  w.text(notice.url);
  w.text(notice.domain);
  w.text(notice.event);
  w.text(notice.reason);
  w.u64(notice.count);
}

Notice read(store::codec::Reader& r) {
  Notice out;
  out.id = r.u64();
  out.kind = static_cast<NoticeKind>(r.u8());
  out.at = from_micros(r.i64());
  out.url = r.text();
  out.domain = r.text();
  out.event = r.text();
  out.reason = r.text();
  out.count = r.u64();
  return out;
}

bool decode(std::string_view value, std::vector<Notice>& out) {
  store::codec::Reader r(value);
  if (r.u8() != kVersion) return false;
  for (uint16_t n = r.u16(); n > 0; --n) {
    out.push_back(read(r));
    if (!r.ok() || static_cast<size_t>(out.back().kind) >= kNoticeKinds) return false;
  }
  return r.done();
}

// The newest ones that have consecutive ids, since the board's are.
std::deque<Notice> newest_run(std::vector<Notice> all) {
  std::ranges::sort(all, {}, &Notice::id);
  std::deque<Notice> out;
  for (auto it = all.rbegin(); it != all.rend() && out.size() < NoticeBoard::kKeep; ++it) {
    if (!out.empty() && it->id + 1 != out.front().id) break;
    out.push_front(std::move(*it));
  }
  return out;
}

}  // namespace

KeptNotices::KeptNotices(store::Values& values, NoticeBoard& board, const Clock& clock,
                         Workers& workers)
    : values_(values),
      board_(board),
      saver_(clock, workers, "notices", std::chrono::milliseconds(0), [this] { return save(); }) {}

Status KeptNotices::load(bool alerts) {
  TRY(const auto values, values_.load_values(kPrefix));
  std::vector<Notice> all;
  for (const auto& [key, value] : values) {
    const size_t before = all.size();
    if (decode(value, all)) continue;
    all.resize(before);
    log_warn("store", "kept notices can't be read, they are left out key={}", key);
  }
  notices_ = newest_run(std::move(all));
  board_.restore({notices_.begin(), notices_.end()});
  saved_ = board_.last_id();
  board_.hold([this] { saver_.request(); });
  if (!alerts) return values_.remove_value(kAlerted);
  TRY(const auto told, values_.load_value(kAlerted));
  const auto id = told ? parse_uint(*told) : std::nullopt;
  alerted_ = std::min(id.value_or(board_.last_id()), board_.last_id());
  saved_alerted_ = alerted_;
  return id ? Status() : values_.save_value(kAlerted, std::to_string(alerted_));
}

uint64_t KeptNotices::alerted() const {
  const std::lock_guard lock(mutex_);
  return alerted_;
}

void KeptNotices::set_alerted(uint64_t id) {
  {
    const std::lock_guard lock(mutex_);
    alerted_ = id;
  }
  saver_.request();
}

bool KeptNotices::save() {
  const bool notices = save_notices();
  const bool alerted = save_alerted();
  const bool failed = !notices || !alerted;
  if (failed && !failing_) log_error("store", "notices can't be saved, will try again");
  failing_ = failed;
  return !failed;
}

bool KeptNotices::save_notices() {
  const auto waiting = board_.waiting();
  for (const auto& notice : waiting) {
    notices_.push_back(notice);
    if (notices_.size() > NoticeBoard::kKeep) notices_.pop_front();
  }
  if (notices_.empty()) return true;
  const uint64_t last = notices_.back().id;
  const uint64_t first = std::max(saved_ + 1, notices_.front().id);
  bool saved = true;
  for (uint64_t group = first / kPerValue; saved && first <= last && group <= last / kPerValue;
       ++group)
    saved = save_group(group).has_value();
  if (saved) saved_ = last;
  board_.publish(last);
  return saved;
}

Status KeptNotices::save_group(uint64_t group) {
  const auto id_of = [](const Notice& notice) { return notice.id; };
  const auto begin = std::ranges::lower_bound(notices_, group * kPerValue, {}, id_of);
  const auto end = std::ranges::lower_bound(notices_, (group + 1) * kPerValue, {}, id_of);
  store::codec::Writer w;
  w.u8(kVersion);
  w.u16(static_cast<uint16_t>(end - begin));
  for (auto it = begin; it != end; ++it) write(w, *it);
  return values_.save_value(kPrefix + std::to_string(group % kValues), w.take());
}

bool KeptNotices::save_alerted() {
  const uint64_t id = alerted();
  if (id == saved_alerted_) return true;
  const bool saved = values_.save_value(kAlerted, std::to_string(id)).has_value();
  if (saved) saved_alerted_ = id;
  return saved;
}

}  // namespace eventhorn::control
