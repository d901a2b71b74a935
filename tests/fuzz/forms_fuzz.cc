// Query strings and URL-encoded bodies: never a crash, never over the limits, and what was read
// reads the same again.
#include "base/check.h"
#include "http/forms.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

std::string encode(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace eventhorn::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto form = parse_query(text);
  if (!form) return 0;
  CHECK(form->fields().size() <= kMaxFormFields);
  std::string again;
  for (const FormField& field : form->fields()) {
    CHECK(field.name.size() <= kMaxFieldNameBytes);
    CHECK(form->first(field.name).has_value());
    again += encode(field.name) + "=" + encode(field.value) + "&";
  }
  const auto second = parse_query(again);
  CHECK(second && second->fields().size() == form->fields().size());
  for (size_t i = 0; i < second->fields().size(); ++i) {
    CHECK(second->fields()[i].name == form->fields()[i].name);
    CHECK(second->fields()[i].value == form->fields()[i].value);
  }
  return 0;
}
