// Finds the handler of a request in a table of routes. Built once; then const and safe to share
// between cores.
#pragma once

#include "async/task.h"
#include "http/message.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eventhorn::http {

/// The values of a pattern's parameters, percent-decoded once.
class PathParams {
 public:
  /// CHECKs that the pattern has `name`.
  const std::string& at(std::string_view name) const;

  void add(std::string_view name, std::string value) { all_.emplace_back(name, std::move(value)); }

 private:
  std::vector<std::pair<std::string_view, std::string>> all_;  // names belong to the router
};

/// What a route's handler is given; lives until the handler's task ends.
struct RequestContext {
  Request& request;
  PathParams params;
  Deadline deadline;
};

using RouteHandler = std::function<Task<Response>(RequestContext&)>;

/// One row. The pattern is made of `/literal` and `/{parameter}` segments and may end in `/*rest`,
/// a parameter that takes everything left, slashes and nothing at all included. A parameter takes
/// one segment that is not empty.
struct Route {
  std::string method;  // "*" for any
  std::string pattern;
  RouteHandler handler;
};

/// Segment by segment a literal wins over a parameter and a parameter over a rest, so the most
/// literal pattern that fits the path is chosen, whatever the order of the rows. Only then the
/// method counts.
class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  /// CHECKs that the patterns are well-formed and that no (method, pattern) comes twice.
  void add(std::vector<Route> routes);

  /// Where a request goes: 200 with its route; 404; 405 with the value for Allow; 400 for a broken
  /// %-escape in a parameter. HEAD goes to GET when it has no row of its own.
  struct Match {
    int status = 404;
    const Route* route = nullptr;
    PathParams params;
    std::string allow;
  };

  Match match(std::string_view method, std::string_view path) const;

  /// Runs the handler, or answers 400, 404 or 405 itself. The router must outlive the task.
  Task<Response> handle(Request& request, Deadline deadline) const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

}  // namespace eventhorn::http
