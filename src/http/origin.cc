#include "http/origin.h"

#include "base/log.h"
#include "base/strings.h"
#include "net/authority.h"

#include <algorithm>

namespace eventhorn::http {
namespace {

// Host and Origin leave the default port out or not, and a proxy may have ended TLS in between.
std::string_view without_default_port(std::string_view authority) {
  for (const std::string_view port : {":80", ":443"}) {
    if (authority.ends_with(port)) return authority.substr(0, authority.size() - port.size());
  }
  return authority;
}

// The elements of all fields of that name, lists taken apart.
std::vector<std::string_view> elements(const Fields& fields, std::string_view name) {
  std::vector<std::string_view> out;
  for (const auto& [key, value] : fields.all()) {
    if (!equals_ignore_case(key, name)) continue;
    for (const auto element : split(value, ',')) out.push_back(trim(element));
  }
  return out;
}

// One hop of X-Forwarded-For; some proxies add the port, as "1.2.3.4:5" or "[::1]:5".
std::optional<std::string> hop_address(std::string_view hop) {
  if (auto ip = net::canonical_ip(hop)) return ip;
  auto host = net::parse_authority(hop);
  if (!host || !host->is_ip) return std::nullopt;
  return std::move(host->name);
}

// The way of a request through trusted proxies.
struct Way {
  std::string client;  // the nearest address that is no trusted proxy's
  size_t proxies = 0;  // how many trusted ones there were
};

// Anything unreadable ends the walk: what lies behind it proves nothing.
Way way_of(std::string peer, const Fields& fields,
           const std::function<bool(std::string_view)>& trusted) {
  Way out{std::move(peer)};
  auto hops = elements(fields, "X-Forwarded-For");
  // Without the field the number is not known, and the first element of lists counts.
  if (hops.empty()) out.proxies = SIZE_MAX;
  while (!hops.empty() && trusted(out.client)) {
    auto next = hop_address(hops.back());
    if (!next) break;
    out.client = std::move(*next);
    hops.pop_back();
    ++out.proxies;
  }
  return out;
}

// What the first trusted proxy of the way wrote into a field to which each adds an element; empty
// when there is none. Proxies that replace the field leave one element.
std::string_view first_view(const std::vector<std::string_view>& views, size_t proxies) {
  if (views.empty()) return {};
  return views[views.size() - std::min(std::max<size_t>(proxies, 1), views.size())];
}

bool is_loopback(std::string_view ip) {
  return ip.starts_with("127.") || ip == "::1";
}

}  // namespace

OriginPolicy::OriginPolicy(OriginOptions options) : options_(std::move(options)) {
  while (options_.public_url.ends_with('/')) options_.public_url.pop_back();
  if (const auto host = net::authority_of_url(options_.public_url)) {
    public_authority_ = host->to_string();
    names_.push_back(host->name);
  }
  const auto listen = net::canonical_ip(options_.listen_address).value_or(options_.listen_address);
  everywhere_ = listen == "0.0.0.0" || listen == "::";
  names_.push_back(listen);
  if (everywhere_ || is_loopback(listen))
    names_.insert(names_.end(), {"127.0.0.1", "localhost", "::1"});
  for (const auto& entry : options_.allowed_hosts) {
    if (auto host = net::parse_authority(entry)) names_.push_back(std::move(host->name));
  }
  default_host_.name = everywhere_ ? "127.0.0.1" : listen;
  default_host_.port = options_.listen_port;
}

bool OriginPolicy::is_ours(const net::Authority& host) const {
  return (everywhere_ && host.is_ip) || answers_to(host.name);
}

bool OriginPolicy::answers_to(std::string_view host) const {
  const auto name = net::canonical_ip(host).value_or(to_lower(host));
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

bool OriginPolicy::is_foreign(const Request& request, std::string_view authority) const {
  if (request.method == "GET" || request.method == "HEAD" || request.path.starts_with("/bin/"))
    return false;
  const auto site = request.fields.get("Sec-Fetch-Site");
  if (!site.empty() && site != "same-origin" && site != "none") return true;
  if (!request.fields.has("Origin")) return false;
  const auto origin = net::authority_of_url(request.fields.get("Origin"));
  if (!origin) return true;
  const auto text = origin->to_string();
  const auto bare = without_default_port(text);
  return bare != without_default_port(authority) && bare != without_default_port(public_authority_);
}

// The host that the client asked for: Host, or what trusted proxies say it was to the first of
// them.
std::optional<net::Authority> OriginPolicy::host_of(const Request& request, std::string_view scheme,
                                                    size_t proxies) const {
  const auto host_field = request.fields.get("Host");
  auto host = host_field.empty() ? default_host_ : net::parse_authority(host_field);
  if (proxies == 0) return host;
  auto views = elements(request.fields, "X-Forwarded-Host");
  if (const auto view = first_view(views, proxies); !view.empty()) {
    host = net::parse_authority(view);
    // A proxy before them that is not trusted wrote elements too. Only our own names are believed.
    while (host && !is_ours(*host) && views.size() > 1) {
      views.pop_back();
      const auto before = net::parse_authority(views.back());
      if (before && is_ours(*before)) host = before;
    }
  }
  const auto port = parse_uint(first_view(elements(request.fields, "X-Forwarded-Port"), proxies));
  const uint16_t default_port = scheme == "https" ? 443 : 80;
  if (host && !host->port && port && *port > 0 && *port <= UINT16_MAX && *port != default_port)
    host->port = static_cast<uint16_t>(*port);
  return host;
}

void OriginPolicy::warn_of_proxy(const Request& request, std::string_view peer) const {
  if (warned_.load(std::memory_order_relaxed) || !request.fields.has("X-Forwarded-For")) return;
  if (warned_.exchange(true)) return;
  log_warn(
      "http",
      "X-Forwarded-For from {}, which is not in server.trusted_proxies: if that is your proxy, "
      "all its clients count as one address; see docs/OPERATING.md",
      peer);
}

std::optional<Response> OriginPolicy::admit(Request& request, std::string_view peer) const {
  Way way{net::canonical_ip(peer).value_or(std::string(peer))};
  std::string_view scheme = options_.tls ? "https" : "http";
  if (options_.trusted_proxy && options_.trusted_proxy(way.client)) {
    way = way_of(std::move(way.client), request.fields, options_.trusted_proxy);
    way.proxies = std::max<size_t>(way.proxies, 1);
    const auto views = elements(request.fields, "X-Forwarded-Proto");
    for (const std::string_view known : {"http", "https"}) {
      if (equals_ignore_case(first_view(views, way.proxies), known)) scheme = known;
    }
  } else {
    warn_of_proxy(request, way.client);
  }
  request.remote_address = std::move(way.client);

  const auto host = host_of(request, scheme, way.proxies);
  if (!host)
    return message_response(400, "host: must be a host name or IP address with an optional port");
  const auto authority = host->to_string();
  request.base =
      options_.public_url.empty() ? std::string(scheme) + "://" + authority : options_.public_url;

  const bool any_name = request.path == "/healthz" || request.path == "/readyz";
  if (!any_name && !is_ours(*host)) {
    return message_response(
        421, "host '" + host->name + "' is not allowed: add it to server.allowed_hosts");
  }
  take_url_in_path(request);
  if (is_foreign(request, authority)) {
    return message_response(403, "requests from foreign origins may not change state");
  }
  return std::nullopt;
}

// Clients that append a paging URL to their base path ask for "/v3http://host/v3/...".
void OriginPolicy::take_url_in_path(Request& request) const {
  constexpr std::string_view kBase = "/v3";
  if (!request.path.starts_with("/v3http")) return;
  const auto host = net::authority_of_url(std::string_view(request.path).substr(kBase.size()));
  if (!host || !is_ours(*host)) return;
  const auto slash = request.target.find('/', request.target.find("://") + 3);
  if (slash >= request.path.size()) return;
  request.target.erase(0, slash);
  request.path.erase(0, slash);
}

}  // namespace eventhorn::http
