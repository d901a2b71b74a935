// Multipart bodies. An input is a Content-Type line, a line feed, and the body. Never a crash,
// never over the limits, and no header value that could break out of a header.
#include "base/check.h"
#include "http/forms.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

bool one_line(std::string_view text) {
  return text.find_first_of("\r\n") == std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace eventhorn::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(text.find('\n'), text.size());
  const std::string_view body = text.substr(std::min(line + 1, text.size()));
  const auto form = parse_form(text.substr(0, line), body);
  if (!form) {
    CHECK(!form.error().message.empty() && one_line(form.error().message));
    return 0;
  }
  CHECK(form->fields().size() <= kMaxFormFields);
  size_t total = 0;
  for (const FormField& field : form->fields()) {
    CHECK(field.name.size() <= kMaxFieldNameBytes);
    CHECK(one_line(field.content_type) && one_line(field.filename.value_or("")));
    total += field.name.size() + field.value.size();
  }
  CHECK(total <= body.size());
  return 0;
}
