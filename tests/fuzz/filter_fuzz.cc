// Filters: lines of "field=expression". Never a crash, errors in one line, a filter survives being
// written down and read again, and may_match() never excludes what matches().
#include "base/check.h"
#include "base/strings.h"
#include "event/filter.h"
#include "event/sample.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace eventhorn;

struct Sample {
  std::string bytes;
  event::Name name;
  event::Severity severity;
};

const std::vector<Sample>& samples() {
  static const auto make = [](std::string_view hook, event::Name name, event::Severity severity) {
    const auto now = from_micros(1'773'222'400'123'456);
    return Sample{event::make_sample(hook, "mg.example.com", "a", now, "e1"), name, severity};
  };
  static const std::vector<Sample> all = {
      make("accepted", event::Name::kAccepted, event::Severity::kNone),
      make("opened", event::Name::kOpened, event::Severity::kNone),
      make("temporary_fail", event::Name::kFailed, event::Severity::kTemporary)};
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  event::Filter::Terms terms;
  for (const auto line : split({reinterpret_cast<const char*>(data), size}, '\n')) {
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    terms.emplace_back(line.substr(0, equals), line.substr(equals + 1));
  }
  const auto filter = event::Filter::parse(terms);
  if (!filter) {
    const std::string& message = filter.error().message;
    CHECK(!message.empty() && message.find_first_of("\r\n") == std::string::npos);
    return 0;
  }
  const auto again = event::Filter::parse(filter->terms());
  CHECK(again && again->terms() == filter->terms());
  for (const Sample& sample : samples()) {
    const bool matches = filter->matches(sample.bytes);
    CHECK(again->matches(sample.bytes) == matches);
    CHECK(!matches || filter->may_match(sample.name, sample.severity));
    CHECK(!filter->empty() || matches);
  }
  return 0;
}
