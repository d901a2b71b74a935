#include "http/origin.h"

#include <gtest/gtest.h>

namespace eventhorn::http {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

Request make_request(const Headers& headers, std::string method = "GET",
                     std::string path = "/v3/domains") {
  Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  for (const auto& [name, value] : headers) request.fields.add(name, value);
  return request;
}

OriginOptions on(std::string address) {
  OriginOptions options;
  options.listen_address = std::move(address);
  options.listen_port = 8480;
  return options;
}

// 200 when admitted.
int status(const OriginOptions& options, Request request) {
  const auto refusal = OriginPolicy(options).admit(request, "192.0.2.9");
  return refusal ? refusal->status : 200;
}

int host_status(const OriginOptions& options, const std::string& host) {
  return status(options, make_request({{"Host", host}}));
}

std::string base(const OriginOptions& options, const Headers& headers,
                 std::string_view peer = "192.0.2.9") {
  auto request = make_request(headers);
  const auto refusal = OriginPolicy(options).admit(request, peer);
  return refusal ? std::to_string(refusal->status) : request.base;
}

TEST(Host, LoopbackSpellingsWhenListeningThere) {
  for (const char* host :
       {"127.0.0.1:8480", "localhost:8480", "LOCALHOST.", "[::1]:8480", "[0:0::1]:9000"}) {
    EXPECT_EQ(host_status(on("127.0.0.1"), host), 200) << host;
  }
  for (const char* host :
       {"evil.example", "192.0.2.1:8480", "localhost.evil.example", "127.0.0.1.evil.example"}) {
    EXPECT_EQ(host_status(on("127.0.0.1"), host), 421) << host;
  }
}

TEST(Host, AnyIpLiteralWhenListeningEverywhere) {
  for (const char* address : {"0.0.0.0", "::"}) {
    EXPECT_EQ(host_status(on(address), "192.0.2.1:8480"), 200);
    EXPECT_EQ(host_status(on(address), "[2001:db8::1]"), 200);
    EXPECT_EQ(host_status(on(address), "localhost:8480"), 200);
    EXPECT_EQ(host_status(on(address), "evil.example:8480"), 421);
  }
}

TEST(Host, OneAddressAllowsOnlyItself) {
  EXPECT_EQ(host_status(on("192.0.2.1"), "192.0.2.1:8480"), 200);
  EXPECT_EQ(host_status(on("192.0.2.1"), "localhost:8480"), 421);
}

TEST(Host, PublicUrlAndAllowedHosts) {
  auto options = on("127.0.0.1");
  options.public_url = "https://Hooks.example.com/";
  options.allowed_hosts = {"mail.example.com", "other.example.com:9000"};
  EXPECT_EQ(host_status(options, "hooks.example.com"), 200);
  EXPECT_EQ(host_status(options, "mail.example.com:8480"), 200);
  EXPECT_EQ(host_status(options, "other.example.com"), 200);
  EXPECT_EQ(host_status(options, "example.com"), 421);
  EXPECT_EQ(base(options, {{"Host", "mail.example.com"}}), "https://Hooks.example.com");
}

TEST(Host, RefusalNamesTheSetting) {
  auto request = make_request({{"Host", "evil.example"}});
  const auto refusal = OriginPolicy(on("127.0.0.1")).admit(request, "127.0.0.1");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(
      refusal->body,
      "{\"message\":\"host 'evil.example' is not allowed: add it to server.allowed_hosts\"}\n");
}

TEST(Host, MustBeAHost) {
  for (const char* host :
       {"a b", "user@localhost", "localhost:", "localhost:0", "localhost:65536", "localhost:8x",
        "[::1", "[::g]", "::1", ".", "localhost/x", "loc\"alhost", "[::1]8480"}) {
    EXPECT_EQ(host_status(on("127.0.0.1"), host), 400) << host;
  }
  EXPECT_EQ(host_status(on("127.0.0.1"), std::string(300, 'a')), 400);
}

TEST(Host, HealthChecksAnswerUnderAnyName) {
  EXPECT_EQ(status(on("127.0.0.1"), make_request({{"Host", "pod-7.cluster"}}, "GET", "/healthz")),
            200);
  EXPECT_EQ(status(on("127.0.0.1"), make_request({{"Host", "pod-7.cluster"}}, "GET", "/readyz")),
            200);
  EXPECT_EQ(status(on("127.0.0.1"), make_request({{"Host", "pod-7.cluster"}}, "GET", "/healthz/x")),
            421);
}

TEST(Base, IsSchemeAndValidatedHost) {
  EXPECT_EQ(base(on("127.0.0.1"), {{"Host", "LocalHost:9000"}}), "http://localhost:9000");
  auto tls = on("0.0.0.0");
  tls.tls = true;
  EXPECT_EQ(base(tls, {{"Host", "[2001:DB8:0::1]"}}), "https://[2001:db8::1]");
  EXPECT_EQ(base(tls, {}), "https://127.0.0.1:8480");  // HTTP/1.0
  EXPECT_EQ(base(on("::1"), {}), "http://[::1]:8480");
}

OriginOptions behind_proxy() {
  auto options = on("127.0.0.1");
  options.allowed_hosts = {"hooks.example.com"};
  options.trusted_proxy = [](std::string_view ip) { return ip == "10.0.0.1" || ip == "10.0.0.2"; };
  return options;
}

std::string client(const std::string& peer, const Headers& headers) {
  auto request = make_request(headers);
  request.fields.add("Host", "localhost");
  (void)OriginPolicy(behind_proxy()).admit(request, peer);
  return request.remote_address;
}

TEST(RemoteAddress, IsThePeerUnlessATrustedProxySaysOtherwise) {
  EXPECT_EQ(client("192.0.2.9", {{"X-Forwarded-For", "203.0.113.5"}}), "192.0.2.9");
  EXPECT_EQ(client("10.0.0.1", {}), "10.0.0.1");
  EXPECT_EQ(client("10.0.0.1", {{"X-Forwarded-For", "203.0.113.5"}}), "203.0.113.5");
  EXPECT_EQ(client("::ffff:10.0.0.1", {{"X-Forwarded-For", "203.0.113.5"}}), "203.0.113.5");
  EXPECT_EQ(client("::ffff:192.0.2.9", {}), "192.0.2.9");
}

TEST(RemoteAddress, IsTheLastUntrustedHop) {
  // What the client wrote itself comes first and is never reached.
  EXPECT_EQ(client("10.0.0.1", {{"X-Forwarded-For", "1.1.1.1, 203.0.113.5, 10.0.0.2"}}),
            "203.0.113.5");
  EXPECT_EQ(
      client("10.0.0.1", {{"X-Forwarded-For", "1.1.1.1"}, {"x-forwarded-for", "203.0.113.5"}}),
      "203.0.113.5");
  EXPECT_EQ(client("10.0.0.1", {{"X-Forwarded-For", "10.0.0.2"}}), "10.0.0.2");
  EXPECT_EQ(client("10.0.0.1", {{"X-Forwarded-For", "[2001:db8::1]:443"}}), "2001:db8::1");
  EXPECT_EQ(client("10.0.0.1", {{"X-Forwarded-For", "203.0.113.5:1234"}}), "203.0.113.5");
  EXPECT_EQ(client("10.0.0.1", {{"X-Forwarded-For", "203.0.113.5, unknown"}}), "10.0.0.1");
}

TEST(Forwarded, SchemeAndHostOnlyFromTrustedProxies) {
  const Headers headers = {{"Host", "localhost"},
                           {"X-Forwarded-Proto", "https"},
                           {"X-Forwarded-Host", "hooks.example.com"}};
  EXPECT_EQ(base(behind_proxy(), headers, "10.0.0.1"), "https://hooks.example.com");
  EXPECT_EQ(base(behind_proxy(), headers, "192.0.2.9"), "http://localhost");
  // A forwarded host is checked as well, and only http and https are schemes.
  EXPECT_EQ(base(behind_proxy(), {{"Host", "localhost"}, {"X-Forwarded-Host", "evil.example"}},
                 "10.0.0.1"),
            "421");
  EXPECT_EQ(base(behind_proxy(), {{"Host", "localhost"}, {"X-Forwarded-Proto", "javascript"}},
                 "10.0.0.1"),
            "http://localhost");
}

// Each proxy adds its view to the end; the one that the client spoke to has the right one.
TEST(Forwarded, TheFirstTrustedProxysViewCounts) {
  const Headers two_hops = {{"Host", "inner:8480"},
                            {"X-Forwarded-For", "203.0.113.5, 10.0.0.2"},
                            {"X-Forwarded-Host", "hooks.example.com, inner"},
                            {"X-Forwarded-Proto", "https, http"},
                            {"X-Forwarded-Port", "8443, 80"}};
  EXPECT_EQ(base(behind_proxy(), two_hops, "10.0.0.1"), "https://hooks.example.com:8443");
  // What the client wrote itself comes before that of the proxy; lines are one list.
  const Headers forged = {{"Host", "inner"},
                          {"X-Forwarded-For", "203.0.113.5"},
                          {"X-Forwarded-Host", "evil.example"},
                          {"X-Forwarded-Host", "hooks.example.com"},
                          {"X-Forwarded-Proto", "https"}};
  EXPECT_EQ(base(behind_proxy(), forged, "10.0.0.1"), "https://hooks.example.com");
  // Proxies on the way that are not trusted, or that do not say for whom they ask.
  const Headers listed = {{"Host", "inner"}, {"X-Forwarded-Host", "hooks.example.com, inner"}};
  EXPECT_EQ(base(behind_proxy(), listed, "10.0.0.1"), "http://hooks.example.com");
  auto unknown_first = listed;
  unknown_first.emplace_back("X-Forwarded-For", "203.0.113.5");
  EXPECT_EQ(base(behind_proxy(), unknown_first, "10.0.0.1"), "http://hooks.example.com");
}

TEST(Forwarded, ThePortIsOnlyAddedWhereItSaysMore) {
  const auto with_port = [](const char* host, const char* proto, const char* port) {
    return base(behind_proxy(),
                {{"Host", host}, {"X-Forwarded-Proto", proto}, {"X-Forwarded-Port", port}},
                "10.0.0.1");
  };
  EXPECT_EQ(with_port("hooks.example.com", "https", "443"), "https://hooks.example.com");
  EXPECT_EQ(with_port("hooks.example.com", "https", "8443"), "https://hooks.example.com:8443");
  EXPECT_EQ(with_port("hooks.example.com:9", "https", "8443"), "https://hooks.example.com:9");
  EXPECT_EQ(with_port("hooks.example.com", "http", "70000"), "http://hooks.example.com");
}

// An SDK that puts a paging URL behind its base path.
TEST(Host, AUrlInThePathIsTakenIfItIsOurs) {
  const auto asked = [](std::string path) {
    auto request = make_request({{"Host", "localhost:8480"}}, "GET", path);
    request.target = path + "?page=x";
    EXPECT_FALSE(OriginPolicy(on("127.0.0.1")).admit(request, "127.0.0.1"));
    EXPECT_EQ(request.target, request.path + "?page=x");
    return request.path;
  };
  EXPECT_EQ(asked("/v3http://localhost:8480/v3/d.example/events/T"), "/v3/d.example/events/T");
  EXPECT_EQ(asked("/v3https://127.0.0.1/v3/domains"), "/v3/domains");
  for (const char* other :
       {"/v3http://evil.example/v3/domains", "/v3http://localhost", "/v3http:/x/y",
        "/v3ftp://localhost/v3/domains", "/v4http://localhost/v3/domains"}) {
    EXPECT_EQ(asked(other), other);
  }
}

int post(Headers headers, std::string method = "POST", std::string path = "/v3/domains") {
  auto options = on("127.0.0.1");
  options.public_url = "https://hooks.example.com";
  headers.emplace_back("Host", "localhost:8480");
  return status(options, make_request(headers, std::move(method), std::move(path)));
}

TEST(Browser, ForeignPagesChangeNothing) {
  EXPECT_EQ(post({{"Origin", "https://evil.example"}}), 403);
  EXPECT_EQ(post({{"Origin", "null"}}), 403);
  EXPECT_EQ(post({{"Origin", "http://localhost:3000"}}), 403);
  EXPECT_EQ(post({{"Origin", ""}}), 403);
  EXPECT_EQ(post({{"Origin", "ftp://localhost:8480"}}), 403);
  EXPECT_EQ(post({{"Sec-Fetch-Site", "cross-site"}}), 403);
  EXPECT_EQ(post({{"Sec-Fetch-Site", "same-site"}}), 403);
  EXPECT_EQ(post({{"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://localhost:8480"}}), 403);
  for (const char* method : {"PUT", "DELETE", "PATCH", "OPTIONS"}) {
    EXPECT_EQ(post({{"Origin", "https://evil.example"}}, method), 403) << method;
  }
}

TEST(Browser, OurPagesAndProgramsDo) {
  EXPECT_EQ(post({}), 200);
  EXPECT_EQ(post({{"Origin", "http://localhost:8480"}, {"Sec-Fetch-Site", "same-origin"}}), 200);
  EXPECT_EQ(post({{"Origin", "https://hooks.example.com:443"}}), 200);
  EXPECT_EQ(post({{"Sec-Fetch-Site", "none"}}), 200);
  EXPECT_EQ(post({{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}}, "GET"),
            200);
  EXPECT_EQ(post({{"Origin", "https://evil.example"}}, "HEAD"), 200);
}

TEST(Browser, BinsTakePostsFromAnywhere) {
  EXPECT_EQ(post({{"Origin", "https://evil.example"}}, "POST", "/bin/abc"), 200);
  EXPECT_EQ(post({{"Origin", "https://evil.example"}}, "POST", "/binary"), 403);
}

}  // namespace
}  // namespace eventhorn::http
