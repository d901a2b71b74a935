// Names and addresses: what the client dials.
#include "outbound/client_test_support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

namespace eventhorn::outbound {
namespace {

using namespace std::chrono_literals;
using testing::DnsReply;
using testing::kOk;
using testing::Peer;
using testing::ScriptedReceiver;
using webhook::FailureKind;

class ClientNetworkTest : public testing::ClientFixture {
 protected:
  /// Answers every name with these addresses.
  void name_is(std::vector<std::string> addresses) {
    dns.emplace([addresses](const std::string&, bool) {
      return DnsReply{.addresses = addresses, .ttl = 0};
    });
  }
};

void serve(Peer& peer, int) {
  peer.serve(kOk);
}

/// A port on `address` to which no connection is ever made: its queue is full.
class BlackHole {
 public:
  explicit BlackHole(const net::IpAddress& address) {
    family_ = address.is_v4() ? AF_INET : AF_INET6;
    ::inet_pton(family_, address.to_string().c_str(),
                address.is_v4() ? static_cast<void*>(&at_.v4.sin_addr) : &at_.v6.sin6_addr);
    at_.v4.sin_family = static_cast<sa_family_t>(family_);
    listener_ = ::socket(family_, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    if (!address.is_v4()) ::setsockopt(listener_, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    auto* generic = reinterpret_cast<sockaddr*>(&at_);
    socklen_t size = sizeof at_;
    usable_ = ::bind(listener_, generic, size) == 0 && ::listen(listener_, 0) == 0 &&
              ::getsockname(listener_, generic, &size) == 0;
    // More than the queue takes; the rest of them hang, as everybody's would who comes later.
    for (int& fd : fillers_) {
      fd = ::socket(family_, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      ::connect(fd, generic, size);
    }
  }

  ~BlackHole() {
    for (const int fd : fillers_) ::close(fd);
    ::close(listener_);
  }

  BlackHole(const BlackHole&) = delete;
  BlackHole& operator=(const BlackHole&) = delete;

  bool usable() const { return usable_; }

  uint16_t port() const { return ntohs(at_.v4.sin_port); }

 private:
  union {
    sockaddr_in v4;
    sockaddr_in6 v6;
  } at_{.v6 = {}};

  int family_ = 0;
  int listener_ = -1;
  bool usable_ = false;
  std::array<int, 4> fillers_{};
};

// S1, S5, S7, S17: the guard judges the address that is dialled, whatever it was called; nothing is
// connected.
TEST_F(ClientNetworkTest, GuardRefusesBeforeConnecting) {
  ScriptedReceiver receiver(serve);
  dns.emplace([](const std::string& name, bool) {
    return DnsReply{
        .addresses = {name == "metadata.google.internal" ? "169.254.169.254" : "127.0.0.1"}};
  });
  make_client({}, {});
  for (const char* host : {"127.0.0.1", "localhost", "2130706433", "0x7f.1", "inner.example",
                           "metadata.google.internal", "localhost.localdomain"}) {
    const auto reply = post(receiver.url(host));
    EXPECT_EQ(reply.result.kind, FailureKind::kBlocked) << host << ": " << reply.result.error;
    EXPECT_EQ(reply.result.error.find("127.0.0.1"), std::string::npos) << "S16";
  }
  EXPECT_EQ(receiver.connections(), 0);
}

// S6: of two answers the private one is dropped.
TEST_F(ClientNetworkTest, S6PrivateAnswersAreDropped) {
  ScriptedReceiver inner(serve, {.address = "127.0.0.3"});
  ScriptedReceiver outer(serve, {.address = "127.0.0.2", .port = inner.port()});
  name_is({"127.0.0.3", "127.0.0.2"});
  make_client({}, {"127.0.0.2/32"});
  EXPECT_EQ(post(outer.url("two.example")).result.status, 200);
  EXPECT_EQ(outer.connections(), 1);
  EXPECT_EQ(inner.connections(), 0);
  forget();
}

// S6: a name that was public when it was configured and is private now.
TEST_F(ClientNetworkTest, S6RebindingIsRefused) {
  ScriptedReceiver inner(serve, {.address = "127.0.0.3"});
  ScriptedReceiver outer(
      [](Peer& peer, int) {
        (void)peer.request();
        peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      },
      {.address = "127.0.0.2", .port = inner.port()});
  std::atomic<bool> rebound = false;
  dns.emplace([&](const std::string&, bool) {
    return DnsReply{.addresses = {rebound ? "127.0.0.3" : "127.0.0.2"}, .ttl = 0};
  });
  make_client({}, {"127.0.0.2/32"});
  const auto url = outer.url("rebinds.example");
  EXPECT_EQ(post(url).result.status, 200);
  rebound = true;
  auto reply = post(url);
  while (reply.result.status == 200) reply = post(url);
  EXPECT_EQ(reply.result.kind, FailureKind::kBlocked) << reply.result.error;
  EXPECT_EQ(inner.connections(), 0);
  forget();
}

// S4: our own port is refused on our own addresses, whatever is allowed.
TEST_F(ClientNetworkTest, S4OwnServerIsRefused) {
  ScriptedReceiver receiver(serve);
  ClientOptions options;
  *options.own_port = receiver.port();
  make_client(options);
  EXPECT_EQ(post(receiver.url()).result.kind, FailureKind::kBlocked);
  EXPECT_EQ(receiver.connections(), 0);
}

// R21: the name moves; the connection to the old address is not used for ever.
TEST_F(ClientNetworkTest, R21ConnectionsFollowTheName) {
  ScriptedReceiver blue(serve, {.address = "127.0.0.2"});
  ScriptedReceiver green(serve, {.address = "127.0.0.3", .port = blue.port()});
  std::atomic<bool> moved = false;
  dns.emplace([&](const std::string&, bool) {
    return DnsReply{.addresses = {moved ? "127.0.0.3" : "127.0.0.2"}, .ttl = 0};
  });
  make_client();
  const auto url = blue.url("moves.example");
  EXPECT_EQ(post(url).result.status, 200);
  EXPECT_EQ(post(url).result.status, 200);
  EXPECT_EQ(blue.connections(), 1);
  moved = true;
  while (green.connections() == 0) ASSERT_EQ(post(url).result.status, 200);
  EXPECT_EQ(blue.connections(), 1) << "it was kept as long as the name had its address";
  forget();
}

// R22: an address that swallows connections does not hold up the next one. Without happy eyeballs
// this ends at the deadline, without an answer.
TEST_F(ClientNetworkTest, R22HappyEyeballs) {
  std::string bad = "::1";
  auto hole = std::make_unique<BlackHole>(*net::IpAddress::parse(bad));
  if (!hole->usable()) {
    bad = "127.0.0.9";  // no IPv6 on this machine
    hole = std::make_unique<BlackHole>(*net::IpAddress::parse(bad));
  }
  ASSERT_TRUE(hole->usable());
  ScriptedReceiver good(serve, {.port = hole->port()});
  name_is({bad, "127.0.0.1"});
  ClientOptions options;
  options.connect_timeout = 20s;
  make_client(options, {"127.0.0.0/8", "::1/128"});
  const auto reply = post(good.url("both.example"), 20s);
  EXPECT_EQ(reply.result.status, 200) << reply.result.error;
  forget();
}

// R1: nothing but the black hole.
TEST_F(ClientNetworkTest, R1ConnectHasADeadline) {
  const BlackHole hole(*net::IpAddress::parse("127.0.0.9"));
  ASSERT_TRUE(hole.usable());
  ClientOptions options;
  options.connect_timeout = 50ms;
  make_client(options);
  const auto reply = post("http://127.0.0.9:" + std::to_string(hole.port()) + "/");
  EXPECT_EQ(reply.result.kind, FailureKind::kConnect);
  EXPECT_EQ(reply.result.error, "connect timed out");
}

// R22: one that refuses is passed over at once.
TEST_F(ClientNetworkTest, R22RefusedAddressesArePassedOver) {
  ScriptedReceiver good(serve, {.address = "127.0.0.9"});
  name_is({"127.0.0.2", "127.0.0.3", "127.0.0.9"});
  make_client();
  EXPECT_EQ(post(good.url("some.example")).result.status, 200);
  forget();
}

// R23: what DNS can't tell is a kind of its own.
TEST_F(ClientNetworkTest, R23FailuresOfDns) {
  dns.emplace([](const std::string& name, bool) {
    return DnsReply{.rcode = name == "missing.example" ? 3 : 2, .silent = name == "slow.example"};
  });
  ClientOptions options;
  options.dns_timeout = 100ms;
  make_client(options);
  const auto error = [&](const std::string& host) {
    const auto reply = post("http://" + host + "/");
    EXPECT_EQ(reply.result.kind, FailureKind::kDns);
    return reply.result.error;
  };
  EXPECT_EQ(error("missing.example"), "host not found");
  EXPECT_EQ(error("broken.example"), "the name servers failed to answer");
  EXPECT_EQ(error("slow.example"), "no name server answered in time");
}

TEST_F(ClientNetworkTest, LocalhostNeedsNoNameServer) {
  ScriptedReceiver receiver(serve);
  dns.emplace([](const std::string&, bool) { return DnsReply{.rcode = 3}; });
  make_client({}, {"127.0.0.0/8", "::1/128"});
  EXPECT_EQ(post(receiver.url("localhost")).result.status, 200);
  forget();
}

TEST_F(ClientNetworkTest, SourceAddressIsBound) {
  std::string seen;
  ScriptedReceiver receiver([&](Peer& peer, int) {
    seen = peer.remote();
    peer.serve(kOk);
  });
  ClientOptions options;
  options.source_addresses = {*net::IpAddress::parse("127.0.0.5")};
  make_client(options, {"127.0.0.0/8", "::1/128"});
  EXPECT_EQ(post(receiver.url()).result.status, 200);
  forget();
  EXPECT_EQ(seen, "127.0.0.5");
  const auto other_family = post(receiver.url("[::1]"));
  EXPECT_EQ(other_family.result.kind, FailureKind::kConnect) << "it would leave from elsewhere";
  options.source_addresses = {*net::IpAddress::parse("192.0.2.1")};
  make_client(options);
  const auto not_ours = post(receiver.url());
  EXPECT_EQ(not_ours.result.kind, FailureKind::kLocal) << not_ours.result.error;
}

// What this machine lacks for one family does not excuse a receiver that refuses by the other.
TEST_F(ClientNetworkTest, RefusalAtOneAddressIsTheReceiversFault) {
  uint16_t closed = 0;
  {
    closed = ScriptedReceiver([](Peer&, int) {}).port();
  }
  dns.emplace([](const std::string&, bool v6) {
    return DnsReply{.addresses = {v6 ? "::1" : "127.0.0.1"}};
  });
  ClientOptions options;
  options.source_addresses = {*net::IpAddress::parse("2001:db8::1"),
                              *net::IpAddress::parse("127.0.0.1")};
  make_client(options, {"127.0.0.0/8", "::1/128"});
  const auto reply = post("http://a.example:" + std::to_string(closed) + "/");
  EXPECT_EQ(reply.result.kind, FailureKind::kConnect) << reply.result.error;
}

}  // namespace
}  // namespace eventhorn::outbound
