// parse_basic on any bytes: never crashes, and what it accepts keeps its promises.
#include "base/check.h"
#include "http/basic_auth.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto got = eventhorn::http::parse_basic(text);
  if (!got) return 0;
  CHECK(text.size() <= 1024);
  CHECK(got->user.find(':') == std::string::npos);
  for (const char c : got->user + got->password)
    CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  return 0;
}
