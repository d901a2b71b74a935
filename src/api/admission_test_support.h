// What the server makes of a request that has come whole.
#pragma once

#include "api/admission.h"

namespace eventhorn::api {

/// `peer`: the connection it came on, if any.
inline Task<http::Response> answer(Admission& admission, http::Request& request, Deadline deadline,
                                   const http::Peer* peer = nullptr) {
  auto admitted = admission.admit(request);
  if (!admitted) co_return std::move(admitted).error();
  http::RequestContext context{request, admitted->params, deadline, admitted->caller, peer};
  auto out = co_await http::run(*admitted, context);
  co_return out;
}

}  // namespace eventhorn::api
