#include "api/own/replay_records.h"

#include "json/reader.h"
#include "json/writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace eventhorn::api {
namespace {

constexpr const char* kPrefix = "replay/";

// All of one length, so that the order of the keys is that of the numbers.
std::string key_of(uint64_t id) {
  return fmt::format("{}{:020}", kPrefix, id);
}

}  // namespace

std::string encode_replay(const ReplayRecord& record) {
  std::string out;
  json::Writer w(out);
  w.begin_object().key("id").value(record.id);
  w.key("domain").value(record.domain).key("url").value(record.url);
  if (record.lane) w.key("lane").value(record.lane->value);
  if (record.begin) w.key("begin_us").value(to_micros(*record.begin));
  if (record.end) w.key("end_us").value(to_micros(*record.end));
  w.key("created_us").value(to_micros(record.created));
  w.key("lanes").value(record.lanes);
  w.key("events").value(record.events).key("bytes").value(record.bytes);
  w.key("prepared").value(record.prepared).key("cancelled").value(record.cancelled);
  w.end_object();
  return out;
}

Result<ReplayRecord> decode_replay(std::string_view text) {
  const auto value = json::parse(text);
  bool good = value.has_value();
  const auto find = [&](const char* key) { return value ? value->find(key) : nullptr; };
  const auto number = [&](const char* key) {
    const auto* member = find(key);
    const auto out = member == nullptr ? std::nullopt : member->as_int();
    good = good && out && *out >= 0;
    return static_cast<uint64_t>(out.value_or(0));
  };
  const auto word = [&](const char* key) {
    const auto* member = find(key);
    const auto* out = member == nullptr ? nullptr : member->as_string();
    good = good && out != nullptr;
    return out == nullptr ? std::string() : *out;
  };
  const auto flag = [&](const char* key) {
    const auto* member = find(key);
    const auto out = member == nullptr ? std::nullopt : member->as_bool();
    good = good && out;
    return out.value_or(false);
  };
  const auto time = [&](const char* key) { return from_micros(static_cast<int64_t>(number(key))); };
  ReplayRecord out;
  out.id = number("id");
  out.domain = word("domain");
  out.url = word("url");
  if (find("lane") != nullptr) out.lane = LaneId{number("lane")};
  if (find("begin_us") != nullptr) out.begin = time("begin_us");
  if (find("end_us") != nullptr) out.end = time("end_us");
  out.created = time("created_us");
  out.lanes = number("lanes");
  out.events = number("events");
  out.bytes = number("bytes");
  out.prepared = flag("prepared");
  out.cancelled = flag("cancelled");
  if (!good) return fail(Errc::kCorruption, "damaged record of a replay in the store");
  return out;
}

Result<std::vector<ReplayRecord>> ReplayRecords::load_all() {
  TRY(const auto values, values_.load_values(kPrefix));
  std::vector<ReplayRecord> out;
  for (const auto& [key, value] : values) {
    TRY(auto record, decode_replay(value));
    out.push_back(std::move(record));
  }
  return out;
}

Status ReplayRecords::save(const ReplayRecord& record) {
  return values_.save_value(key_of(record.id), encode_replay(record));
}

Result<ReplayRecord> ReplayRecords::add(ReplayRecord record,
                                        const std::unordered_set<uint64_t>& live) {
  TRY(const auto known, load_all());
  if (known.size() >= max_) {
    const auto ended =
        std::ranges::find_if(known, [&](const ReplayRecord& r) { return !live.contains(r.id); });
    if (ended == known.end()) {
      return fail(Errc::kRateLimited,
                  fmt::format("{} replays are under way: wait until one has ended, or cancel one",
                              known.size()));
    }
    TRY_STATUS(values_.remove_value(key_of(ended->id)));
  }
  record.id = static_cast<uint64_t>(std::max<int64_t>(to_micros(record.created), 1));
  if (!known.empty()) record.id = std::max(record.id, known.back().id + 1);
  TRY_STATUS(save(record));
  return record;
}

Result<std::vector<ReplayRecord>> ReplayRecords::all() {
  TRY(auto records, load_all());
  std::ranges::reverse(records);
  return records;
}

Result<ReplayRecord> ReplayRecords::find(uint64_t id) {
  TRY(const auto value, values_.load_value(key_of(id)));
  if (!value) return fail(Errc::kNotFound, "Replay not found");
  return decode_replay(*value);
}

Result<ReplayRecord> ReplayRecords::change(uint64_t id,
                                           const std::function<void(ReplayRecord&)>& edit) {
  TRY(auto record, find(id));
  edit(record);
  TRY_STATUS(save(record));
  return record;
}

}  // namespace eventhorn::api
