#include "bin/kept_bins.h"

#include "base/log.h"
#include "base/strings.h"
#include "store/codec.h"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

namespace eventhorn::bin {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::string_view kPrefix = "bins/";
constexpr std::chrono::milliseconds kDelay{500};
constexpr size_t kMaxBytesPerWrite = 1 << 20;

std::string key_of(const std::string& id) {
  return std::string(kPrefix) + id;
}

std::string key_of(const std::string& id, uint64_t number) {
  return fmt::format("{}{}/{}", kPrefix, id, number);
}

std::string encode(const BinState& state) {
  store::codec::Writer w;
  w.u8(kVersion);
  w.i64(state.left.count());
  w.u64(state.total);
  w.u16(state.repeats.size());
  for (const auto& [path, times] : state.repeats) {
    w.u64(path);
    w.u32(times);
  }
  return w.take();
}

std::optional<BinState> decode_state(std::string id, std::string_view value) {
  store::codec::Reader r(value);
  if (r.u8() != kVersion) return std::nullopt;
  BinState out;
  out.id = std::move(id);
  out.left = std::chrono::milliseconds(r.i64());
  out.total = r.u64();
  for (uint16_t n = r.u16(); n > 0 && r.ok(); --n) {
    const uint64_t path = r.u64();
    out.repeats.emplace_back(path, r.u32());
  }
  if (!r.done()) return std::nullopt;
  return out;
}

std::string encode(const Captured& request) {
  store::codec::Writer w(request.body.size() + 1024);
  w.u8(kVersion);
  w.u64(request.number);
  w.i64(to_micros(request.time));
  w.u8(request.truncated ? 1 : 0);
  w.text(request.method);
  w.text(request.path);
  w.text(request.remote_address);
  w.u16(request.fields.all().size());
  for (const auto& [name, value] : request.fields.all()) {
    w.text(name);
    w.text(value);
  }
  w.text(request.body);
  return w.take();
}

std::optional<Captured> decode_request(std::string_view value) {
  store::codec::Reader r(value);
  if (r.u8() != kVersion) return std::nullopt;
  Captured out;
  out.number = r.u64();
  out.time = from_micros(r.i64());
  out.truncated = r.u8() != 0;
  out.method = r.text();
  out.path = r.text();
  out.remote_address = r.text();
  for (uint16_t n = r.u16(); n > 0 && r.ok(); --n) {
    const auto name = r.text();
    out.fields.add(std::string(name), std::string(r.text()));
  }
  out.body = r.text();
  if (!r.done()) return std::nullopt;
  return out;
}

store::ValueChanges to_values(const Changes& changes) {
  store::ValueChanges out;
  for (const auto& [id, state] : changes.bins)
    out.emplace_back(key_of(id), state ? std::optional(encode(*state)) : std::nullopt);
  for (const auto& [place, request] : changes.requests) {
    out.emplace_back(key_of(place.first, place.second),
                     request ? std::optional(encode(*request)) : std::nullopt);
  }
  return out;
}

}  // namespace

KeptBins::KeptBins(store::Values& values, const store::Upkeep& upkeep, Bins& bins,
                   const Clock& clock, Workers& workers, uint64_t min_free_bytes)
    : values_(values),
      upkeep_(upkeep),
      bins_(bins),
      min_free_bytes_(min_free_bytes),
      saver_(clock, workers, "bins", kDelay, [this] { return save(); }) {}

Status KeptBins::load() {
  TRY(const auto values, values_.load_values(std::string(kPrefix)));
  std::vector<BinState> states;
  std::vector<std::pair<std::string, Captured>> requests;
  store::ValueChanges unreadable;
  for (const auto& [key, value] : values) {
    const std::string_view place = std::string_view(key).substr(kPrefix.size());
    const auto slash = place.find('/');
    const std::string id(place.substr(0, slash));
    if (slash == std::string_view::npos) {
      if (auto state = decode_state(id, value)) {
        states.push_back(*std::move(state));
      } else {
        unreadable.emplace_back(key, std::nullopt);
      }
    } else {
      if (auto request = decode_request(value)) {
        requests.emplace_back(id, *std::move(request));
      } else {
        unreadable.emplace_back(key, std::nullopt);
      }
    }
  }
  if (!unreadable.empty()) {
    log_warn("bin", "kept requests can't be read, they are left out count={}", unreadable.size());
    TRY_STATUS(values_.save_values(unreadable));
  }
  bins_.restore(states, std::move(requests), [this] { saver_.request(); });
  return {};
}

void KeptBins::stop() {
  bins_.mark_all();  // how long each has left
  saver_.stop();
}

bool KeptBins::save() {
  size_t written = 0;
  while (written < kMaxBytesPerRun) {
    if (upkeep_.free_bytes() < min_free_bytes_) return false;
    auto changes = bins_.take_changes(kMaxBytesPerWrite);
    if (changes.empty()) return true;
    if (!values_.save_values(to_values(changes))) {
      bins_.give_back(std::move(changes));
      return false;
    }
    written += changes.bytes;
  }
  saver_.request();  // for the rest
  return true;
}

}  // namespace eventhorn::bin
