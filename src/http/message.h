// Requests and responses as values, free of any HTTP library. Field names compare without case.
#pragma once

#include "async/task.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eventhorn::http {

/// Fields in the order received; names as received.
class Fields {
 public:
  void add(std::string name, std::string value);
  /// Replaces all fields of that name by one.
  void set(std::string name, std::string value);
  /// The first value of that name; empty when absent.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  size_t count(std::string_view name) const;

  const std::vector<std::pair<std::string, std::string>>& all() const { return all_; }

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

/// A request to our server. Bodies arrive decoded (gzip) and capped.
struct Request {
  std::string method;  // upper case as sent
  std::string target;  // origin form as sent: path and query, still encoded
  std::string path;    // target without the query, still percent-encoded
  std::string query;   // without '?'
  Fields fields;
  std::string body;
  bool truncated = false;      // the body went on, and its route takes no more (BodyLimit::cut)
  std::string remote_address;  // textual IP of the peer, or of the client behind a trusted proxy
  std::string base;  // "scheme://host[:port]" of the validated Host: what paging URLs start with
};

/// A body made piece by piece: gives the next piece, or nullopt at the end. Runs on the
/// connection's core, and again only when the system has taken the piece before, so nothing piles
/// up here. When the client goes or the server stops, its task is cancelled (operation_aborted) and
/// it is destroyed: it must wait for nothing that cannot be cancelled. The request is gone by then.
using BodySource = std::function<Task<std::optional<std::string>>()>;

struct Response {
  int status = 200;
  Fields fields;
  std::string body;
  /// When set, the body comes from here and `body` is not sent. See ServerOptions::max_streams.
  BodySource stream{};
  /// Of a streamed body: it is of use only as a whole, so a client that does not get all of it must
  /// not take it for whole. Otherwise the body is whole wherever the server stops.
  bool must_end = false;
};

/// The JSON answer every API route gives: `Content-Type: application/json; charset=utf-8`,
/// no-store. `body` is sent with a newline after it.
Response json_response(int status, std::string body);
/// {"message":"..."} with the text escaped.
Response message_response(int status, std::string_view message);
Response text_response(int status, std::string body);

}  // namespace eventhorn::http
