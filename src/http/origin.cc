#include "http/origin.h"

#include "base/strings.h"
#include "http/address.h"

#include <algorithm>

namespace eventhorn::http {
namespace {

constexpr size_t kMaxHost = 255;  // RFC 1035 section 2.3.4

// The one spelling of an IP address, IPv4-mapped IPv6 as IPv4; nullopt when `text` is none.
std::optional<std::string> canonical_ip(std::string_view text) {
  const auto ip = IpAddress::parse(text);
  if (!ip) return std::nullopt;
  return ip->unmapped().to_string();
}

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

// "host[:port]" taken apart. `name` is in lower case without a final dot, an IPv6 address without
// brackets; `authority` is the same with the port and brackets back.
struct HostPort {
  std::string name;
  std::string authority;
  bool is_ip = false;
};

std::optional<HostPort> parse_host(std::string_view text) {
  if (text.empty() || text.size() > kMaxHost) return std::nullopt;
  HostPort out;
  std::string_view rest;
  if (text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    auto ip = canonical_ip(text.substr(1, close - 1));
    if (!ip) return std::nullopt;
    out.name = std::move(*ip);
    out.is_ip = true;
    rest = text.substr(close + 1);
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    out.name = to_lower(text.substr(0, colon));
    if (!out.name.empty() && out.name.back() == '.') out.name.pop_back();
    if (out.name.empty() || !std::all_of(out.name.begin(), out.name.end(), is_host_char))
      return std::nullopt;
    out.is_ip = canonical_ip(out.name).has_value();
    rest = text.substr(colon);
  }
  out.authority = out.name.find(':') == std::string::npos ? out.name : "[" + out.name + "]";
  if (rest.empty()) return out;
  const auto port = parse_uint(rest.substr(1));
  if (rest.front() != ':' || !port || *port == 0 || *port > 65535) return std::nullopt;
  out.authority += ":" + std::to_string(*port);
  return out;
}

// Host and Origin leave the default port out or not, and a proxy may have ended TLS in between.
std::string_view without_default_port(std::string_view authority) {
  for (const std::string_view port : {":80", ":443"}) {
    if (authority.ends_with(port)) return authority.substr(0, authority.size() - port.size());
  }
  return authority;
}

// The authority of "http(s)://authority[/...]" in parse_host's spelling; empty for anything else,
// such as "null".
std::string origin_authority(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equals_ignore_case(url.substr(0, scheme.size()), scheme)) continue;
    url.remove_prefix(scheme.size());
    const auto host = parse_host(url.substr(0, url.find('/')));
    return host ? host->authority : std::string();
  }
  return {};
}

// The last element of a comma-separated value: the one that the proxy next to us wrote.
std::string_view last_element(std::string_view value) {
  const auto comma = value.rfind(',');
  return trim(comma == std::string_view::npos ? value : value.substr(comma + 1));
}

// One hop of X-Forwarded-For; some proxies add the port, as "1.2.3.4:5" or "[::1]:5".
std::optional<std::string> hop_address(std::string_view hop) {
  if (auto ip = canonical_ip(hop)) return ip;
  auto host = parse_host(hop);
  if (!host || !host->is_ip) return std::nullopt;
  return std::move(host->name);
}

// The nearest hop that is no trusted proxy. Anything unreadable ends the walk: what lies behind it
// proves nothing.
std::string client_address(std::string address, const Fields& fields,
                           const std::function<bool(std::string_view)>& trusted) {
  std::vector<std::string_view> hops;
  for (const auto& [name, value] : fields.all()) {
    if (!equals_ignore_case(name, "X-Forwarded-For")) continue;
    for (const auto hop : split(value, ',')) hops.push_back(trim(hop));
  }
  while (!hops.empty() && trusted(address)) {
    auto next = hop_address(hops.back());
    if (!next) break;
    address = std::move(*next);
    hops.pop_back();
  }
  return address;
}

bool is_loopback(std::string_view ip) {
  return ip.starts_with("127.") || ip == "::1";
}

}  // namespace

OriginPolicy::OriginPolicy(OriginOptions options) : options_(std::move(options)) {
  while (options_.public_url.ends_with('/')) options_.public_url.pop_back();
  public_authority_ = origin_authority(options_.public_url);

  const auto listen = canonical_ip(options_.listen_address).value_or(options_.listen_address);
  everywhere_ = listen == "0.0.0.0" || listen == "::";
  names_ = {listen};
  if (everywhere_ || is_loopback(listen))
    names_.insert(names_.end(), {"127.0.0.1", "localhost", "::1"});
  for (const auto& entry : options_.allowed_hosts) {
    if (auto host = parse_host(entry)) names_.push_back(std::move(host->name));
  }
  if (auto host = parse_host(public_authority_)) names_.push_back(std::move(host->name));

  const auto self = everywhere_ ? std::string("127.0.0.1") : listen;
  default_authority_ = (self.find(':') == std::string::npos ? self : "[" + self + "]") + ":" +
                       std::to_string(options_.listen_port);
}

bool OriginPolicy::host_allowed(std::string_view name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

bool OriginPolicy::is_foreign(const Request& request, std::string_view authority) const {
  if (request.method == "GET" || request.method == "HEAD" || request.path.starts_with("/bin/"))
    return false;
  const auto site = request.fields.get("Sec-Fetch-Site");
  if (!site.empty() && site != "same-origin" && site != "none") return true;
  if (!request.fields.has("Origin")) return false;
  const auto origin = origin_authority(request.fields.get("Origin"));
  const auto bare = without_default_port(origin);
  return bare.empty() || (bare != without_default_port(authority) &&
                          bare != without_default_port(public_authority_));
}

std::optional<Response> OriginPolicy::admit(Request& request, std::string_view peer) const {
  auto peer_ip = canonical_ip(peer).value_or(std::string(peer));
  std::string_view scheme = options_.tls ? "https" : "http";
  std::string_view host_value = request.fields.get("Host");
  if (options_.trusted_proxy && options_.trusted_proxy(peer_ip)) {
    const auto forwarded_host = last_element(request.fields.get("X-Forwarded-Host"));
    if (!forwarded_host.empty()) host_value = forwarded_host;
    const auto forwarded_scheme = last_element(request.fields.get("X-Forwarded-Proto"));
    for (const std::string_view known : {"http", "https"}) {
      if (equals_ignore_case(forwarded_scheme, known)) scheme = known;
    }
    request.remote_address =
        client_address(std::move(peer_ip), request.fields, options_.trusted_proxy);
  } else {
    request.remote_address = std::move(peer_ip);
  }

  const auto host = parse_host(host_value.empty() ? default_authority_ : host_value);
  if (!host)
    return message_response(400, "host: must be a host name or IP address with an optional port");
  request.base = options_.public_url.empty() ? std::string(scheme) + "://" + host->authority
                                             : options_.public_url;

  const bool any_name = request.path == "/healthz" || request.path == "/readyz";
  const bool allowed = any_name || host_allowed(host->name) || (everywhere_ && host->is_ip);
  if (!allowed) {
    return message_response(
        421, "host '" + host->name + "' is not allowed: add it to server.allowed_hosts");
  }
  if (is_foreign(request, host->authority)) {
    return message_response(403, "requests from foreign origins may not change state");
  }
  return std::nullopt;
}

}  // namespace eventhorn::http
