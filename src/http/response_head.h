// The bytes of a response up to its body. Internal to http/.
#pragma once

#include "http/message.h"

#include <string>
#include <string_view>

namespace eventhorn::http {

/// Whether a response with this status carries a body and a Content-Length (RFC 9110
/// section 6.4.1).
bool has_content(int status);

/// Appends status line, the response's fields, the ones that every response gets, and the empty
/// line. Control characters in a field become spaces, so that no value can start a field of its
/// own. Content-Length, Connection, Date and Transfer-Encoding of `response` are not sent: they are
/// the server's.
void append_response_head(std::string& out, const Response& response, bool keep_alive,
                          std::string_view date);

/// The same for a response whose length is not known: no Content-Length, `Connection: close`, and
/// `Transfer-Encoding: chunked` when `chunked`.
void append_stream_head(std::string& out, const Response& response, bool chunked,
                        std::string_view date);

}  // namespace eventhorn::http
