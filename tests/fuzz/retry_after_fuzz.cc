// Retry-After fields: never a crash, always within bounds, and several are the longest of them.
#include "base/check.h"
#include "base/strings.h"
#include "webhook/retry_after.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace eventhorn;
  using std::chrono::seconds;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const SystemTime now = from_micros(1'773'219'600'000'000);
  constexpr seconds kMax{3600};
  const auto values = split(text, '\n');
  std::optional<seconds> longest;
  for (const std::string_view value : values) {
    const auto one = webhook::parse_retry_after(std::span(&value, 1), now, kMax);
    CHECK(!one || (*one >= seconds::zero() && *one <= kMax));
    longest = std::max(longest, one);
  }
  CHECK(webhook::parse_retry_after(values, now, kMax) == longest);
  return 0;
}
