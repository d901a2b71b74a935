#include "api/list.h"

#include "base/strings.h"

#include <fmt/format.h>

namespace eventhorn::api {
namespace {

constexpr size_t kMaxLimit = 300;
// 16 KiB of a request's head hold the URL.
constexpr size_t kMaxPageBytes = 256;

}  // namespace

Result<ListQuery> read_list_query(const http::Request& request) {
  ListQuery out;
  TRY(out.query, http::parse_query(request.query));
  if (const auto text = out.query.first("limit"); text && !text->empty()) {
    const auto limit = parse_uint(*text);
    if (!limit || *limit < 1 || *limit > kMaxLimit) {
      return fail(Errc::kInvalidArgument,
                  fmt::format("limit: must be a number from 1 to {}", kMaxLimit));
    }
    out.limit = *limit;
  }
  out.page = out.query.first("page").value_or("");
  if (out.page.size() > kMaxPageBytes)
    return fail(Errc::kInvalidArgument, "page: is not of a list");
  return out;
}

void end_list(json::Writer& writer, const http::Request& request, std::string_view page) {
  std::string url = request.base + request.path;
  char separator = '?';
  for (const auto piece : split(request.query, '&')) {
    if (piece.empty() || piece.starts_with("page=")) continue;
    url.append(1, separator).append(piece);
    separator = '&';
  }
  if (!page.empty()) url.append(1, separator).append("page=").append(page);
  writer.end_array().key("paging").begin_object().key("next").value(url).end_object().end_object();
}

}  // namespace eventhorn::api
