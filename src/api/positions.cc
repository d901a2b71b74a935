#include "api/positions.h"

#include "api/parameters.h"
#include "api/sealed_token.h"
#include "base/dates.h"
#include "base/strings.h"

namespace eventhorn::api {
namespace {

// The first byte of a position's bytes. Never given twice, because clients keep positions.
constexpr uint64_t kForm = 1;
constexpr size_t kMaxText = 64;

}  // namespace

std::string format_position(const NamedPosition& named) {
  std::string bytes;
  put_number(bytes, kForm, 1);
  put_number(bytes, named.generation, 8);
  put_number(bytes, named.position.value, 8);
  return base64url_encode(bytes);
}

Result<NamedPosition> parse_position(std::string_view name, std::string_view text) {
  const auto bytes = text.size() <= kMaxText ? base64url_decode(text) : std::nullopt;
  TokenReader in(bytes ? std::string_view(*bytes) : std::string_view());
  const uint64_t form = in.number(1);
  NamedPosition out;
  out.generation = in.number(8);
  out.position = {in.number(8)};
  if (form != kForm || !in.ok() || !in.at_end())
    return invalid(name, "must be a position that an answer gave, or 0, or now");
  return out;
}

void add_position(http::Response& response, const NamedPosition& named,
                  std::optional<SystemTime> complete_until) {
  response.fields.add("X-Eventhorn-Position", format_position(named));
  if (complete_until)
    response.fields.add("X-Eventhorn-Complete-Until", format_rfc3339(*complete_until));
}

}  // namespace eventhorn::api
