#include "api/targets.h"

#include "api/requests.h"
#include "webhook/url.h"

#include <chrono>

namespace eventhorn::api {
namespace {

tl::unexpected<Error> refuse(std::string_view url, std::string_view reason) {
  std::string message = clipped(webhook::masked(url), webhook::kMaxUrlBytes);
  message.append(" is not a valid url: ").append(reason);
  return fail(Errc::kInvalidArgument, std::move(message));
}

bool is_this_machine(std::string_view host) {
  return host == "localhost" || host == "127.0.0.1" || host == "::1";
}

bool is_bin_below(const webhook::TargetUrl& url, const std::string& base) {
  const auto own = webhook::parse_target_url(base);
  const bool same_origin =
      own && own->scheme == url.scheme && own->port == url.port &&
      (own->host == url.host || (is_this_machine(own->host) && is_this_machine(url.host)));
  constexpr std::string_view kBins = "/bin/";
  return same_origin && url.target.starts_with(kBins) &&
         url.target.find_first_of("/?", kBins.size()) != kBins.size() &&
         url.target.size() > kBins.size();
}

}  // namespace

Task<Status> check_target(Services& services, const std::string& url, const std::string& base) {
  const auto target = webhook::parse_target_url(url);
  if (!target) co_return refuse(url, target.error().message);
  if (is_bin_below(*target, base)) co_return Status();
  const auto allowed = services.guard.check_host(target->host);
  if (!allowed) co_return refuse(url, allowed.error().message);
  if (!services.settings.verify_host || http::IpAddress::parse(target->host)) co_return Status();
  const Deadline deadline = std::chrono::steady_clock::now() + services.settings.attempt_timeout;
  const auto found = co_await services.resolver.resolve(target->host, deadline);
  if (!found) co_return refuse(url, found.error().message);
  const auto reachable = services.guard.check_any(*found);
  if (!reachable) co_return refuse(url, reachable.error().message);
  co_return Status();
}

}  // namespace eventhorn::api
