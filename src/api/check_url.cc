#include "api/check_url.h"

#include "base/strings.h"
#include "webhook/url.h"

namespace eventhorn::api {
namespace {

tl::unexpected<Error> refuse(std::string_view url, std::string_view reason) {
  std::string message = clipped(webhook::masked(url), webhook::kMaxUrlBytes);
  message.append(" is not a valid url: ").append(reason);
  return fail(Errc::kInvalidArgument, std::move(message));
}

}  // namespace

Task<Status> check_url(Services& services, const std::string& url) {
  const auto target = webhook::parse_target_url(url);
  if (!target) co_return refuse(url, target.error().message);
  if (services.own_bins.has(*target)) co_return Status();
  const auto allowed = services.guard.check_host(target->host);
  if (!allowed) co_return refuse(url, allowed.error().message);
  if (!services.options.verify_host || net::IpAddress::parse(target->host)) co_return Status();
  const Deadline deadline = services.clock.steady_now() + services.options.attempt_timeout;
  const auto found = co_await services.resolver.resolve(target->host, deadline);
  if (!found) co_return refuse(url, found.error().message);
  const auto reachable = services.guard.check_any(*found);
  if (!reachable) co_return refuse(url, reachable.error().message);
  co_return Status();
}

}  // namespace eventhorn::api
