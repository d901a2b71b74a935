#include "outbound/client_test_support.h"

#include <gmock/gmock.h>

namespace eventhorn::outbound {
namespace {

using testing::DnsReply;
using ::testing::HasSubstr;
using testing::kOk;
using ::testing::Not;
using testing::Peer;
using testing::ScriptedReceiver;
using webhook::FailureKind;

class ProxyTest : public testing::ClientFixture {
 protected:
  /// POSTs to `url` through a proxy that does `script` for each connection.
  ClientReply post_through(ScriptedReceiver::Script script, const std::string& url) {
    ScriptedReceiver proxy(std::move(script));
    ClientOptions options;
    options.proxy = *parse_proxy("http://me:pw@127.0.0.1:" + std::to_string(proxy.port()));
    make_client(options, {"203.0.113.0/24"});
    auto reply = post(url);
    proxied = proxy.connections();
    forget();
    return reply;
  }

  int proxied = 0;
};

const std::string kUrl = "http://203.0.113.7:8080/hook";

// The proxy's own address is exempt from the guard, and connects by address; the request in the
// tunnel is the same as without it.
TEST_F(ProxyTest, TunnelsByAddress) {
  dns.emplace([](const std::string&, bool) { return DnsReply{.addresses = {"203.0.113.7"}}; });
  std::string asked, sent;
  const auto reply = post_through(
      [&](Peer& peer, int) {
        asked = peer.head();
        peer.send("HTTP/1.1 200 Connection established\r\n\r\n");
        sent = peer.request();
        peer.send(kOk);
      },
      "http://a.example:8080/hook");
  EXPECT_EQ(reply.result.status, 200) << reply.result.error;
  EXPECT_EQ(asked,
            "CONNECT 203.0.113.7:8080 HTTP/1.1\r\nHost: 203.0.113.7:8080\r\n"
            "Proxy-Authorization: Basic bWU6cHc=\r\n\r\n");
  EXPECT_THAT(sent, HasSubstr("POST /hook HTTP/1.1\r\nHost: a.example:8080\r\n"));
  EXPECT_THAT(sent, Not(HasSubstr("Proxy-Authorization")));
}

// S15: the guard judges the target before the proxy is asked.
TEST_F(ProxyTest, S15TargetsAreGuarded) {
  const auto reply = post_through([](Peer&, int) {}, "http://127.0.0.1:8080/");
  EXPECT_EQ(reply.result.kind, FailureKind::kBlocked);
  EXPECT_EQ(proxied, 0);
}

// What the proxy does wrong is not the receiver's fault.
TEST_F(ProxyTest, FailuresAreItsOwnKind) {
  const auto answer = [&](const std::string& text) {
    const auto reply = post_through(
        [&](Peer& peer, int) {
          (void)peer.head();
          peer.send(text);
        },
        kUrl);
    EXPECT_EQ(reply.result.kind, FailureKind::kProxy) << text;
    return reply.result.error;
  };
  EXPECT_EQ(answer("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
            "proxy: refused to connect with status 407");
  EXPECT_EQ(answer("220 mail.example ESMTP\r\n\r\n"), "proxy: not an HTTP answer");
  EXPECT_THAT(answer(""), HasSubstr("proxy: connection lost: "));
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\n\r\n" + kOk), "proxy: bytes after its answer");
  EXPECT_EQ(answer(std::string(9000, 'x')), "proxy: too long a head");
}

// What it says of the receiver is the receiver's fault: else a dead one is never parked.
TEST_F(ProxyTest, ReceiverThatItCannotReachHasFailed) {
  const auto kind_of = [&](const std::string& status) {
    const auto reply = post_through(
        [&](Peer& peer, int) {
          (void)peer.head();
          peer.send("HTTP/1.1 " + status + "\r\n\r\n");
        },
        kUrl);
    return reply.result.kind;
  };
  EXPECT_EQ(kind_of("502 Bad Gateway"), FailureKind::kConnect);
  EXPECT_EQ(kind_of("503 Service Unavailable"), FailureKind::kConnect);
  EXPECT_EQ(kind_of("504 Gateway Timeout"), FailureKind::kTimeout);
}

TEST(ParseProxy, Urls) {
  const auto proxy = parse_proxy("http://[::1]:3128");
  ASSERT_TRUE(proxy);
  EXPECT_EQ(proxy->host, "::1");
  EXPECT_EQ(proxy->port, 3128);
  EXPECT_EQ(proxy->authorization, "");
  for (const char* bad : {"", "proxy", "https://proxy:1", "http://me:secret@proxy:1/path"}) {
    const auto refused = parse_proxy(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().message, "must be http://[user:pass@]host:port");
  }
}

}  // namespace
}  // namespace eventhorn::outbound
