// The one error vocabulary. A function that the outside world can make fail returns Result<T>;
// plain absence is std::optional; a broken invariant is CHECK (check.h). Exceptions never cross a
// module boundary.
#pragma once

#include <tl/expected.hpp>

#include <string>
#include <utility>

namespace eventhorn {

/// What kind of failure, as a caller must tell them apart. api/ maps each to one HTTP status.
enum class Errc {
  kInvalidArgument,
  kUnauthenticated,
  kForbidden,
  kNotFound,
  kConflict,
  kTooLarge,
  kRateLimited,
  kTimeout,
  kCancelled,
  kUnavailable,
  kCorruption,
  kInternal,
};

/// Lower-case name for logs and metrics, e.g. "invalid_argument".
const char* errc_name(Errc code);

/// A failure: its kind and one line of text that names the thing, without newline and without
/// secrets. The constructor is on purpose: aggregates inside a co_await expression are miscompiled
/// by g++ 12.
struct Error {
  Error(Errc c, std::string m) : code(c), message(std::move(m)) {}

  Errc code;
  std::string message;
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Status = Result<void>;

inline tl::unexpected<Error> fail(Errc code, std::string message) {
  return tl::unexpected<Error>(Error(code, std::move(message)));
}

inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace eventhorn

#define EVENTHORN_CONCAT2(a, b) a##b
#define EVENTHORN_CONCAT(a, b) EVENTHORN_CONCAT2(a, b)

/// TRY(auto x, expr): x is the value of the Result `expr`, or the enclosing function returns its
/// error.
#define TRY(decl, expr)                                                            \
  auto EVENTHORN_CONCAT(try_, __LINE__) = (expr);                                  \
  if (!EVENTHORN_CONCAT(try_, __LINE__))                                           \
    return ::eventhorn::fail(std::move(EVENTHORN_CONCAT(try_, __LINE__)).error()); \
  decl = *std::move(EVENTHORN_CONCAT(try_, __LINE__))

/// TRY_STATUS(expr): returns the error of a Status.
#define TRY_STATUS(expr)                                                      \
  do {                                                                        \
    auto try_status = (expr);                                                 \
    if (!try_status) return ::eventhorn::fail(std::move(try_status).error()); \
  } while (false)

/// CO_TRY(auto x, expr): TRY for coroutines.
#define CO_TRY(decl, expr)                                                            \
  auto EVENTHORN_CONCAT(try_, __LINE__) = (expr);                                     \
  if (!EVENTHORN_CONCAT(try_, __LINE__))                                              \
    co_return ::eventhorn::fail(std::move(EVENTHORN_CONCAT(try_, __LINE__)).error()); \
  decl = *std::move(EVENTHORN_CONCAT(try_, __LINE__))

/// CO_TRY_STATUS(expr): TRY_STATUS for coroutines.
#define CO_TRY_STATUS(expr)                                                      \
  do {                                                                           \
    auto try_status = (expr);                                                    \
    if (!try_status) co_return ::eventhorn::fail(std::move(try_status).error()); \
  } while (false)
