#include "outbound/resolver.h"

#include "async/block_on.h"
#include "async/cores.h"
#include "outbound/dns_server_test_support.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <optional>

namespace eventhorn::outbound {
namespace {

using namespace std::chrono_literals;
using testing::DnsReply;
using testing::DnsServer;
using ::testing::ElementsAre;
using ::testing::SizeIs;
using Addresses = Result<std::vector<net::IpAddress>>;

class ResolverTest : public ::testing::Test {
 protected:
  ResolverTest() { cores_.start(); }

  ~ResolverTest() override {
    cores_.stop();
    resolver_.reset();
  }

  void ask(DnsServer::Script script, ResolverOptions options = {}) {
    server_.emplace(std::move(script));
    options.query.servers = {server_->address()};
    resolver_.emplace(executor(), std::move(options));
  }

  asio::any_io_executor executor() { return cores_.at(0).get_executor(); }

  static Deadline soon() { return std::chrono::steady_clock::now() + 30s; }

  std::future<Addresses> begin(const std::string& host, Deadline deadline = soon()) {
    return asio::co_spawn(executor(), resolver_->resolve(host, deadline), asio::use_future);
  }

  Addresses resolve(const std::string& host, Deadline deadline = soon()) {
    return begin(host, deadline).get();
  }

  static Task<bool> check_still_has(DnsResolver& resolver, std::string host, std::string address) {
    co_return resolver.still_has(host, *net::IpAddress::parse(address));
  }

  bool still_has(const std::string& host, const std::string& address) {
    return block_on(executor(), check_still_has(*resolver_, host, address));
  }

  static std::vector<std::string> texts(const Addresses& found) {
    std::vector<std::string> out;
    if (!found) return {found.error().message};
    for (const auto& address : *found) out.push_back(address.to_string());
    return out;
  }

  Cores cores_{1};
  std::atomic<int> phase_ = 0;  // of a script: questions come after a test's last line, too
  std::optional<DnsServer> server_;
  std::optional<DnsResolver> resolver_;
};

TEST_F(ResolverTest, BothFamiliesInTurns) {
  ask([](const std::string&, bool) {
    return DnsReply{.addresses = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"}};
  });
  EXPECT_THAT(texts(resolve("a.example")),
              ElementsAre("2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"));
}

TEST_F(ResolverTest, LiteralsAndTheHostsFileAskNobody) {
  ask([](const std::string&, bool) { return DnsReply{.addresses = {"192.0.2.1"}}; });
  EXPECT_THAT(texts(resolve("192.0.2.7")), ElementsAre("192.0.2.7"));
  EXPECT_THAT(texts(resolve("2001:db8::7")), ElementsAre("2001:db8::7"));
  const auto localhost = resolve("localhost");
  ASSERT_TRUE(localhost);
  for (const auto& address : *localhost)
    EXPECT_EQ(net::classify(address), net::AddressClass::kLoopback) << address.to_string();
  EXPECT_EQ(server_->questions("localhost"), 0);
}

// R21: an answer counts as long as its TTL says, within our bounds.
TEST_F(ResolverTest, R21AnswersAreKeptForTheirTtl) {
  ask([](const std::string& name, bool) {
    return DnsReply{.addresses = {"192.0.2.1"}, .ttl = name == "zero.example" ? 0U : 300U};
  });
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(resolve("a.example"));
    EXPECT_TRUE(resolve("zero.example"));
  }
  EXPECT_EQ(server_->questions("a.example"), 1);
  EXPECT_EQ(server_->questions("zero.example"), 1) << "a second at least";
}

TEST_F(ResolverTest, R21AnswersAreNotKeptForLonger) {
  ask([](const std::string&,
         bool) { return DnsReply{.addresses = {"192.0.2.1"}, .ttl = 1'000'000}; },
      {.min_ttl = 1ms, .max_ttl = 20ms});
  while (server_->questions("a.example") < 3) ASSERT_TRUE(resolve("a.example"));
}

// R23: what fails is not asked for again and again.
TEST_F(ResolverTest, R23FailuresAreCached) {
  ask([](const std::string& name, bool) {
    return DnsReply{.rcode = name == "missing.example" ? 3 : 2};
  });
  for (int i = 0; i < 3; ++i) {
    const auto missing = resolve("missing.example");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Errc::kNotFound);
    EXPECT_EQ(missing.error().message, "host not found");
    const auto broken = resolve("broken.example");
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code, Errc::kUnavailable) << broken.error().message;
  }
  EXPECT_EQ(server_->questions("missing.example"), 1);
  const int before = server_->questions("broken.example");
  EXPECT_FALSE(resolve("broken.example"));
  EXPECT_EQ(server_->questions("broken.example"), before);
}

TEST_F(ResolverTest, R23FailuresAreForgotten) {
  ask(
      [this](const std::string&, bool) {
        return phase_ == 0 ? DnsReply{.rcode = 3} : DnsReply{.addresses = {"192.0.2.1"}};
      },
      {.failure_ttl = 10ms});
  EXPECT_FALSE(resolve("a.example"));
  phase_ = 1;
  while (!resolve("a.example")) {
  }
}

// R23: a name without records, and one that is its own alias, have no address.
TEST_F(ResolverTest, R23NoAddress) {
  ask([](const std::string& name, bool) {
    return name == "empty.example" ? DnsReply{} : DnsReply{.cname_loop = "b." + name};
  });
  for (const char* host : {"empty.example", "loop.example"}) {
    const auto found = resolve(host);
    ASSERT_FALSE(found) << host;
    EXPECT_EQ(found.error().code, Errc::kNotFound) << host << ": " << found.error().message;
  }
}

// R23: a long answer comes over TCP, and only some of it is used.
TEST_F(ResolverTest, R23TruncatedAnswersAndTheirCap) {
  ask([](const std::string&, bool v6) {
    DnsReply reply{.truncated = !v6};
    for (int i = 0; i < 100; ++i) reply.addresses.push_back("192.0.2." + std::to_string(i));
    return reply;
  });
  const auto found = resolve("many.example");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(*found, SizeIs(16));
}

// R23: a stalled name server delays the one name, and nobody else.
TEST_F(ResolverTest, R23AStallIsPerHost) {
  ask(
      [](const std::string& name, bool) {
        return name == "good.example" ? DnsReply{.addresses = {"192.0.2.1"}}
                                      : DnsReply{.silent = true};
      },
      {.query = {.timeout = 400ms}});
  auto stalled = begin("stalled.example");
  EXPECT_TRUE(resolve("good.example"));
  const auto found = stalled.get();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Errc::kTimeout);
  const int before = server_->questions("stalled.example");
  EXPECT_GT(before, 1) << "asked a second time";
  EXPECT_FALSE(resolve("stalled.example"));
  EXPECT_EQ(server_->questions("stalled.example"), before) << "cached";
}

// A caller waits no longer than it wants; the look-up goes on for the next one.
TEST_F(ResolverTest, DeadlineOfTheCaller) {
  std::promise<void> gate;
  auto open = gate.get_future().share();
  ask([open](const std::string&, bool) {
    open.wait();
    return DnsReply{.addresses = {"192.0.2.1"}};
  });
  const auto found = resolve("a.example", std::chrono::steady_clock::now() + 20ms);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Errc::kTimeout);
  auto patient = begin("a.example");
  gate.set_value();
  EXPECT_TRUE(patient.get());
}

TEST_F(ResolverTest, OneLookUpPerHostAtATime) {
  std::promise<void> gate;
  auto open = gate.get_future().share();
  ask([open](const std::string&, bool) {
    open.wait();
    return DnsReply{.addresses = {"192.0.2.1"}};
  });
  std::vector<std::future<Addresses>> all;
  for (int i = 0; i < 20; ++i) all.push_back(begin("a.example"));
  EXPECT_FALSE(still_has("a.example", "192.0.2.1")) << "the core has started all of them";
  gate.set_value();
  for (auto& one : all) EXPECT_TRUE(one.get());
  EXPECT_EQ(server_->questions("a.example"), 1);
}

// One family without an answer: the other one serves, and it is asked again soon.
TEST_F(ResolverTest, R22AFamilyThatStallsIsNotWaitedFor) {
  ask(
      [](const std::string&, bool v6) {
        return v6 ? DnsReply{.silent = true} : DnsReply{.addresses = {"192.0.2.1"}, .ttl = 300};
      },
      {.query = {.timeout = 60s}, .min_ttl = 1ms});
  EXPECT_THAT(texts(resolve("a.example")), ElementsAre("192.0.2.1"));
  while (server_->questions("a.example") < 2) ASSERT_TRUE(resolve("a.example"));
}

// What a kept connection is told: the last answer counts until a newer one is here.
TEST_F(ResolverTest, R21KeptConnectionsFollowTheName) {
  ask(
      [this](const std::string&, bool) {
        if (phase_ == 0) return DnsReply{.addresses = {"192.0.2.1"}, .ttl = 0};
        if (phase_ == 1) return DnsReply{.rcode = 2};
        if (phase_ == 2) return DnsReply{.addresses = {"192.0.2.2"}, .ttl = 0};
        return DnsReply{.rcode = 3};
      },
      {.min_ttl = 1ms, .failure_ttl = 1ms});
  EXPECT_FALSE(still_has("a.example", "192.0.2.1")) << "never resolved";
  ASSERT_TRUE(resolve("a.example"));
  EXPECT_TRUE(still_has("a.example", "192.0.2.1"));
  EXPECT_FALSE(still_has("a.example", "192.0.2.2"));
  phase_ = 1;
  while (resolve("a.example")) {
  }
  EXPECT_TRUE(still_has("a.example", "192.0.2.1")) << "name servers that fail break nothing";
  phase_ = 2;
  while (still_has("a.example", "192.0.2.1")) {
  }
  EXPECT_TRUE(still_has("a.example", "192.0.2.2"));
  phase_ = 3;
  while (still_has("a.example", "192.0.2.2")) {
  }
}

TEST_F(ResolverTest, CacheAndLookUpsHaveBounds) {
  ask([](const std::string&, bool) { return DnsReply{.addresses = {"192.0.2.1"}, .ttl = 300}; },
      {.max_hosts = 2});
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(resolve(std::to_string(i) + ".example"));
  int known = 0;
  for (int i = 0; i < 10; ++i) known += still_has(std::to_string(i) + ".example", "192.0.2.1");
  EXPECT_EQ(known, 2);
}

TEST_F(ResolverTest, TooManyLookUpsFailAtOnce) {
  std::promise<void> gate;
  auto open = gate.get_future().share();
  ask(
      [open](const std::string&, bool) {
        open.wait();
        return DnsReply{.addresses = {"192.0.2.1"}};
      },
      {.max_lookups = 1});
  auto first = begin("a.example");
  const auto second = resolve("b.example");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kInternal);
  gate.set_value();
  EXPECT_TRUE(first.get());
}

TEST_F(ResolverTest, EndsWithALookUpUnderWay) {
  ask([](const std::string&, bool) { return DnsReply{.silent = true}; });
  auto waiting = begin("a.example", std::chrono::steady_clock::now() + 10ms);
  EXPECT_FALSE(waiting.get());
  cores_.stop();
  resolver_.reset();
}

}  // namespace
}  // namespace eventhorn::outbound
