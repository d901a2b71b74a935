// Lists in pages, as the routes of /eventhorn/v1 give them: what they are asked for, and how they
// go on.
#pragma once

#include "http/forms.h"
#include "http/message.h"
#include "json/writer.h"

#include <string>
#include <string_view>

namespace eventhorn::api {

/// What a list is asked for.
struct ListQuery {
  http::Form query;
  size_t limit = 100;  // 1 to 300
  std::string page;    // where it goes on, empty at the beginning
};

/// kInvalidArgument naming the parameter.
Result<ListQuery> read_list_query(const http::Request& request);

/// Ends `{"items":[...` with `],"paging":{"next":...}}`: the URL of this request with another
/// `page`. Pages go on until one is empty; that one's `next` is itself.
void end_list(json::Writer& writer, const http::Request& request, std::string_view page);

}  // namespace eventhorn::api
