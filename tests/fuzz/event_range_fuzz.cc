// Lines of begin, end and ascending, as in a query. Never a crash; a range is in order and within
// the years there are, and what is refused is refused in one line.
#include "api/event_range.h"
#include "base/check.h"
#include "base/strings.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using namespace eventhorn;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto lines = split({reinterpret_cast<const char*>(data), size}, '\n');
  lines.resize(3);
  const auto range =
      api::parse_event_range(lines[0], lines[1], lines[2], from_micros(1'773'222'400'123'456));
  if (!range) {
    const std::string& message = range.error().message;
    CHECK(!message.empty() && message.size() < 300);
    CHECK(message.find_first_of("\r\n") == std::string::npos);
    return 0;
  }
  CHECK(range->from_us >= 0 && range->from_us <= range->to_us);
  CHECK(range->to_us <= api::kOpenEndUs);
  return 0;
}
