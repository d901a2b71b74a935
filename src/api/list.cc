#include "api/list.h"

#include "api/parameters.h"
#include "base/strings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

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
    TRY(out.limit, parse_number("limit", *text, 1, kMaxLimit));
  }
  out.page = out.query.first("page").value_or("");
  if (out.page.size() > kMaxPageBytes) return invalid("page", "is not of a list");
  return out;
}

tl::unexpected<Error> not_of_this_list() {
  return invalid("page", "is not of this list");
}

Result<std::vector<uint64_t>> parse_place(std::string_view page, size_t count) {
  std::vector<uint64_t> out;
  for (const auto piece : split(page, '-')) {
    const auto number = parse_uint(piece);
    if (!number) return not_of_this_list();
    out.push_back(*number);
  }
  if (out.size() != count) return not_of_this_list();
  return out;
}

std::string format_place(std::initializer_list<uint64_t> numbers) {
  return fmt::format("{}", fmt::join(numbers, "-"));
}

std::string next_url(const http::Request& request, std::string_view page) {
  std::string url = request.base + request.path;
  char separator = '?';
  for (const auto piece : split(request.query, '&')) {
    if (piece.empty() || piece.starts_with("page=")) continue;
    url.append(1, separator).append(piece);
    separator = '&';
  }
  if (!page.empty()) url.append(1, separator).append("page=").append(page);
  return url;
}

List::List() {
  writer_.begin_object().key("items").begin_array();
}

std::string List::finish() {
  writer_.end_array().end_object();
  return std::move(body_);
}

std::string List::finish(std::string_view next_url) {
  writer_.end_array().key("paging").begin_object().key("next").value(next_url);
  writer_.end_object().end_object();
  return std::move(body_);
}

}  // namespace eventhorn::api
