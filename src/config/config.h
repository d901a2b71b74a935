// Every setting, with its default in place. A plain value: read once at the start, then constant
// and shared by all threads. There is no reload: a change takes effect at the next start.
// config.default.toml says the same to users, and a test proves that both agree. Keys are
// `section.name`; fields.cc ties them to these members.
#pragma once

#include "base/log.h"
#include "base/result.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::config {

using std::chrono::milliseconds;

/// Which statuses settle a delivery: every 2xx, or 200 alone as Mailgun documents it.
enum class Success { k2xx, k200 };
enum class Erase { kRemove, kRedact };

struct Server {
  /// Address and port to listen on; port 0 takes a free one.
  std::string listen = "127.0.0.1:8480";
  /// "scheme://host[:port]" where users reach us: the base of paging URLs. Empty: taken from each
  /// request's Host.
  std::string public_url;
  /// PEM files for HTTPS; both or neither. Read again when they change.
  std::string tls_cert;
  std::string tls_key;
  /// Networks (CIDR) of proxies whose X-Forwarded-* fields are believed. Too wide a list lets
  /// clients forge addresses.
  std::vector<std::string> trusted_proxies;
  /// Names accepted in Host beside those of public_url and the listen address.
  std::vector<std::string> allowed_hosts;
  /// Bytes of one request body, before and after decompression. Each open request may hold that
  /// much memory.
  uint64_t max_body_bytes = 25ULL << 20;
  /// Bytes of all request bodies that are read or worked on at one time. Above half of it each key
  /// and each address has a part; a body that finds no room waits, and gets 429 after 10 s.
  uint64_t max_buffered_bytes = 256ULL << 20;
  /// Open client connections. For a further one that which was idle longest is closed, of the
  /// address that has most. Each costs a descriptor.
  uint32_t max_connections = 8192;
  /// A connection without a request is closed after this. Longer than usual proxies' 60 s, so that
  /// they close first.
  milliseconds idle_timeout{75'000};
  /// From the first byte of a request to the last of its answer.
  milliseconds request_timeout{60'000};
  /// Event loops, one thread each; 0 is one per core.
  uint32_t threads = 0;

  friend bool operator==(const Server&, const Server&) = default;
};

struct Store {
  /// Empty: embedded, in `data`, which is the only store built in. Reserved for another one's
  /// address, which may hold a password, so never log it.
  std::string url;
  /// Directory of the embedded store and of generated keys.
  std::string data = "./eventhorn-data";
  /// Bytes that must be free on its disk; below it ingest answers 503 while deliveries go on.
  uint64_t min_free_bytes = 256ULL << 20;

  friend bool operator==(const Store&, const Store&) = default;
};

struct Delivery {
  /// Networks (CIDR) exempt from the guard that refuses private and special targets. Whoever may
  /// set a webhook can reach everything in them.
  std::vector<std::string> allow_networks;
  /// Delay after each failed attempt; after the last one the event is missed. Empty: one attempt
  /// only.
  std::vector<milliseconds> retry_schedule = {std::chrono::minutes(5),   std::chrono::minutes(10),
                                              std::chrono::minutes(15),  std::chrono::minutes(60),
                                              std::chrono::minutes(120), std::chrono::minutes(240)};
  /// Whether `delivered` events are retried like the rest; false is Mailgun's rule.
  bool retry_delivered = true;
  /// Share of each delay that is random, in both directions. Spreads retries that fell due
  /// together.
  double retry_jitter = 0.1;
  /// One whole attempt: resolving, connecting, TLS, request, status.
  milliseconds timeout{10'000};
  /// Resolving, connecting and TLS, within `timeout`.
  milliseconds connect_timeout{5'000};
  /// Attempts under way in this process. Also bounds what may be sent twice after a crash.
  uint32_t max_in_flight = 1024;
  /// Attempts under way to one URL, once adaptive concurrency has grown that far.
  uint32_t max_concurrency_per_url = 64;
  /// Attempts under way to one host and port, whatever the URLs.
  uint32_t max_per_host = 256;
  /// Attempts per second to one URL; 0 is no limit.
  uint32_t rate_limit = 0;
  /// An endpoint is parked after so many failures in a row ...
  uint32_t park_after_failures = 20;
  /// ... when they have gone on for so long.
  milliseconds park_after = std::chrono::minutes(5);
  /// From parking to the first probe; doubled by each that fails, up to probe_max_interval.
  milliseconds probe_interval{30'000};
  milliseconds probe_max_interval = std::chrono::minutes(10);
  /// How long an endpoint that works again gets at most its last healthy concurrency.
  milliseconds slow_start{10'000};
  Success success = Success::k2xx;
  /// Events of one lane that may wait for a retry; above it the lane waits.
  uint32_t max_exceptions = 10'000;
  /// How long a stop waits for attempts under way. What is cut off is sent again after the start.
  milliseconds drain_timeout{10'000};
  /// The User-Agent of deliveries; some receivers look for Mailgun's name in it (spec:
  /// "mailgun/treq-16.12.0").
  std::string user_agent = "mailgun/1.0 (compatible; Eventhorn)";

  /// "http://[user:pass@]host:port": an HTTP proxy through which all deliveries go, by CONNECT. The
  /// guard still judges every target; the proxy itself may be anywhere. A secret with a password.
  std::string proxy;
  /// IP addresses of this machine that deliveries leave from, at most one for each family; a family
  /// without one is then not used. Empty: the system chooses.
  std::vector<std::string> source_address;

  friend bool operator==(const Delivery&, const Delivery&) = default;
};

struct Dns {
  /// Name servers, each an IP address with an optional port; empty: the system's.
  std::vector<std::string> servers;
  /// Of one look-up, all name servers together; within delivery.connect_timeout.
  milliseconds timeout{4'000};

  friend bool operator==(const Dns&, const Dns&) = default;
};

struct Domains {
  /// A webhook or ingest call with an account key on an unknown, well-formed domain creates it.
  bool auto_create = false;

  friend bool operator==(const Domains&, const Domains&) = default;
};

struct Webhooks {
  /// Resolve the host of a URL when it is configured, and refuse it when that fails, as Mailgun
  /// does.
  bool verify_host = false;

  friend bool operator==(const Webhooks&, const Webhooks&) = default;
};

struct Events {
  /// How long events are kept, from their commit.
  milliseconds retention = std::chrono::hours(24 * 30);
  /// Bytes of the log on the disk, beyond which the oldest events go sooner; 0: no limit.
  uint64_t retention_bytes = 0;
  /// Bytes of one event; a larger one is rejected alone, the rest of its batch is stored.
  uint64_t max_item_bytes = 1ULL << 20;
  /// Events in one ingest call.
  uint32_t max_batch_items = 10'000;
  /// An event whose timestamp is further ahead of the clock is refused: a poller that follows
  /// `next` past it would not see what happens until then.
  milliseconds max_ahead = std::chrono::minutes(5);
  /// How long one page of a search may take; it is refused then, unless it has found something.
  milliseconds query_timeout = std::chrono::seconds(10);
  /// What becomes of the events of a recipient who is erased.
  Erase erase = Erase::kRemove;

  friend bool operator==(const Events&, const Events&) = default;
};

struct Attempts {
  /// How long records of attempts are kept.
  milliseconds retention = std::chrono::hours(24 * 3);

  friend bool operator==(const Attempts&, const Attempts&) = default;
};

struct Api {
  /// Calls of the webhook configuration routes per account and minute; 0 is no limit. Mailgun
  /// allows 300.
  uint32_t webhook_rate_limit = 0;
  /// Polls that wait for events and event streams of one key at one time. Each holds a connection.
  uint32_t max_waits_per_key = 1000;

  friend bool operator==(const Api&, const Api&) = default;
};

struct BinLimits {
  /// Request bins; a further one replaces the bin idle the longest.
  uint32_t max = 1000;
  /// Requests kept in each, the newest ones.
  uint32_t max_requests = 100;
  /// Bytes of a body that are kept.
  uint64_t max_body_bytes = 64ULL << 10;
  /// A bin is dropped this long after its creation.
  milliseconds expire = std::chrono::hours(48);

  friend bool operator==(const BinLimits&, const BinLimits&) = default;
};

struct Alerts {
  /// Where notices about endpoints are POSTed, signed like deliveries; may hold credentials. Empty:
  /// nowhere.
  std::string url;
  /// Between two notices of one kind about one endpoint.
  milliseconds min_interval = std::chrono::minutes(1);

  friend bool operator==(const Alerts&, const Alerts&) = default;
};

struct Log {
  /// Lines below it are dropped.
  LogLevel level = LogLevel::kInfo;

  friend bool operator==(const Log&, const Log&) = default;
};

struct Config {
  /// For trying things out on one machine: loopback targets are allowed and domains.auto_create is
  /// on. load() applies it.
  bool dev = false;
  Server server;
  Store store;
  Delivery delivery;
  Dns dns;
  Domains domains;
  Webhooks webhooks;
  Events events;
  Attempts attempts;
  Api api;
  BinLimits bins;
  Alerts alerts;
  Log log;

  friend bool operator==(const Config&, const Config&) = default;
};

/// What is wrong with a configuration: all of it, each line naming the key and the rule. With
/// errors it must not be used.
struct Findings {
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};

/// Checks bounds, forms and unsafe combinations.
Findings validate(const Config& config);

struct ListenAddress {
  std::string address;  // IP literal, without brackets
  uint16_t port = 0;
};

/// "127.0.0.1:8480" or "[::1]:8480"; kInvalidArgument says the rule.
Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace eventhorn::config
