// How the steps of an attempt report: a value, or the result with which the attempt ends. Internal
// to outbound/.
#pragma once

#include "webhook/outcome.h"

#include <boost/system/error_code.hpp>
#include <tl/expected.hpp>

#include <string>
#include <utility>

namespace eventhorn::outbound {

template <class T>
using Attempted = tl::expected<T, webhook::AttemptResult>;

inline webhook::AttemptResult failure(webhook::FailureKind kind, std::string error) {
  return {0, kind, std::move(error), std::nullopt, {}};
}

inline tl::unexpected<webhook::AttemptResult> failed(webhook::FailureKind kind, std::string error) {
  return tl::unexpected<webhook::AttemptResult>(failure(kind, std::move(error)));
}

/// Whether the error is of this machine's making: no descriptor, memory or local port left, or an
/// address to bind that it does not have (reliability C6).
bool is_local_fault(const boost::system::error_code& ec);

}  // namespace eventhorn::outbound
