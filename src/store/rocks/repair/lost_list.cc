#include "store/rocks/repair/lost_list.h"

#include "json/writer.h"
#include "webhook/url.h"

#include <cstdint>

namespace eventhorn::store {
namespace {

std::string hex(std::string_view key) {
  std::string out;
  for (const char c : key) {
    constexpr const char* kDigits = "0123456789abcdef";
    out += kDigits[static_cast<uint8_t>(c) >> 4];
    out += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

}  // namespace

Status LostList::open(const std::filesystem::path& file) {
  file_ = file;
  out_.open(file);
  if (!out_) return fail(Errc::kUnavailable, "cannot write to " + file.string());
  return {};
}

void LostList::add_event(uint64_t position, std::string_view domain, std::string_view id) {
  std::string line;
  json::Writer(line)
      .begin_object()
      .key("position")
      .value(position)
      .key("domain")
      .value(domain)
      .key("id")
      .value(id)
      .end_object();
  out_ << line << '\n';
}

void LostList::add_range(const Range& range) {
  std::string line;
  json::Writer json(line);
  json.begin_object().key("from_position").value(range.first);
  if (range.last) json.key("to_position").value(*range.last);
  json.key("committed_after").value(range.committed_after);
  if (range.last) json.key("committed_before").value(range.committed_before);
  json.end_object();
  out_ << line << '\n';
}

void LostList::add_rows(Family family, const ReadableRows::Gap& gap) {
  std::string line;
  json::Writer(line)
      .begin_object()
      .key("family")
      .value(kFamilyNames[static_cast<size_t>(family)])
      .key("after_key")
      .value(hex(gap.after))
      .key("before_key")
      .value(hex(gap.before))
      .end_object();
  out_ << line << '\n';
}

void LostList::add_lane(LaneId lane, std::string_view domain, const std::string& url) {
  std::string line;
  json::Writer(line)
      .begin_object()
      .key("lane")
      .value(lane.value)
      .key("domain")
      .value(domain)
      .key("url")
      .value(webhook::masked(url))
      .end_object();
  out_ << line << '\n';
}

Status LostList::close() {
  out_.close();
  if (!out_) return fail(Errc::kUnavailable, "cannot write " + file_.string());
  return {};
}

}  // namespace eventhorn::store
