// The table of routes: what each takes, who may call it, and its handler. Built once; then const
// and safe to share between cores.
#pragma once

#include "async/task.h"
#include "http/message.h"
#include "http/reply.h"

#include <tl/expected.hpp>

#include <cstdint>
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
  /// Null when the pattern has no such parameter.
  const std::string* find(std::string_view name) const;

  void add(std::string_view name, std::string value) { all_.emplace_back(name, std::move(value)); }

 private:
  std::vector<std::pair<std::string_view, std::string>> all_;  // names belong to the router
};

/// What a key's holder may do (spec: keys). Stored on disk: do not change the values.
enum class Role : uint8_t {
  kAdmin = 0,      // everything in the account
  kDeveloper = 1,  // everything but keys
  kBasic = 2,      // reads
  kSending = 3,    // messages
  kIngest = 4,     // appends events
  kBin = 5,        // makes request bins, and reads them
};

/// Who sent a request, as its key tells.
struct Caller {
  std::string account;
  std::string key_id;
  Role role = Role::kAdmin;
  /// The key is of this domain alone; empty: of all. Lower case.
  std::string domain{};
};

/// The other end of the connection that a request came on.
class Peer {
 public:
  virtual ~Peer() = default;
  /// Whether nobody can read the answer any more: the connection was reset or has failed. False
  /// for a client that has only ended its own side, since it may still read. Costs a system call.
  virtual bool gone() const = 0;
};

/// What a route's handler is given; lives until the handler's task ends.
struct RequestContext {
  Request& request;
  PathParams params;
  Deadline deadline;
  /// Null when the request has no right key, which only routes with Access::kAnyone allow.
  std::shared_ptr<const Caller> caller{};
  const Peer* peer = nullptr;

  /// For handlers that work long, between two steps. Never a reason to give up an append or an
  /// edit, whose effect the client may count on.
  bool client_gone() const { return peer != nullptr && peer->gone(); }
};

using RouteHandler = std::function<Task<Reply>(RequestContext&)>;

/// Who may call a route. Of holders of a key those whose role allows it (api/permission.h).
enum class Access {
  kAnyone,
  kKey,             // holders of a key
  kKeyWithinLimit,  // the same, each account as often as api.webhook_rate_limit allows
  kReading,         // holders of a key; changes nothing, whatever its method
  kIngest,          // the same, and those who only append events
  kBins,            // the same, and those who only have request bins
  kKeys,            // holders of a key who may see and change keys
};

/// How much of a request's body a route takes, decoded. The server's own limits hold as well.
struct BodyLimit {
  size_t bytes = SIZE_MAX;
  /// What is over `bytes` is read and dropped, rather than refused (413).
  bool cut = false;
};

inline constexpr BodyLimit kAnyBody{};
/// Routes that take nothing: some clients send an empty form or `{}` all the same.
inline constexpr BodyLimit kNoBody{size_t{64} * 1024};
/// Forms. The largest are those of settings with a client's certificate chain and lists of ids.
inline constexpr BodyLimit kFormBody{size_t{1024} * 1024};

/// One row. The pattern is made of `/literal` and `/{parameter}` segments and may end in `/*rest`,
/// a parameter that takes everything left, slashes and nothing at all included. A parameter takes
/// one segment that is not empty.
struct Route {
  std::string method;  // "*" for any
  std::string pattern;
  Access access;
  BodyLimit max_body;
  RouteHandler handler;
};

/// What was decided from a request's head: it is served by `route`.
struct Admitted {
  const Route* route = nullptr;
  PathParams params;
  std::shared_ptr<const Caller> caller{};
  /// Set in the answer, whatever the handler gives.
  Fields answer_fields{};
};

/// What is to be done with a request, or the answer that refuses it.
using Verdict = tl::expected<Admitted, Response>;

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

  /// The route of a head, or the answer 400, 404 or 405. The router must outlive the use of both.
  Verdict admit(const Request& head) const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

/// The answer of the handler of what was admitted, refusals too; `context` is made from that.
Task<Response> run(const Admitted& admitted, RequestContext& context);

}  // namespace eventhorn::http
