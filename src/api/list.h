// Lists in pages, as the routes of /eventhorn/v1 give them: what they are asked for, and how they
// go on.
#pragma once

#include "base/result.h"
#include "http/forms.h"
#include "http/message.h"
#include "json/writer.h"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::api {

/// What a list is asked for.
struct ListQuery {
  http::Form query;
  size_t limit = 100;  // 1 to 300
  std::string page;    // where it goes on, empty at the beginning
};

/// kInvalidArgument naming the parameter.
Result<ListQuery> read_list_query(const http::Request& request);

/// Where a page begins, for lists whose places are numbers: `count` of them, as format_place()
/// wrote them. kInvalidArgument "page: is not of this list" for everything else.
Result<std::vector<uint64_t>> parse_place(std::string_view page, size_t count);
std::string format_place(std::initializer_list<uint64_t> numbers);

/// kInvalidArgument for a page that another list has given.
tl::unexpected<Error> not_of_this_list();

/// The URL of this request with another `page`. Pages go on until one is empty; the next page of
/// that one is itself.
std::string next_url(const http::Request& request, std::string_view page);

/// A list as it is written: {"items":[...]}.
class List {
 public:
  List();
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  /// Takes a value for each item.
  json::Writer& items() { return writer_; }

  /// The text of the whole list. Nothing may be written after it.
  std::string finish();
  /// The same with `"paging":{"next":...}`.
  std::string finish(std::string_view next_url);

 private:
  std::string body_;
  json::Writer writer_{body_};
};

}  // namespace eventhorn::api
