#include "net/address.h"

#include <gtest/gtest.h>

namespace eventhorn::net {
namespace {

using enum AddressClass;

IpAddress ip(std::string_view text) {
  const auto address = IpAddress::parse(text);
  EXPECT_TRUE(address) << text;
  return address.value_or(IpAddress::v4({0, 0, 0, 0}));
}

Cidr net(std::string_view text) {
  auto network = parse_cidr(text);
  EXPECT_TRUE(network) << text;
  return network ? *network : Cidr(ip("255.255.255.255"), 32);
}

void expect_class(AddressClass expected, std::initializer_list<const char*> texts) {
  for (const char* text : texts) {
    EXPECT_EQ(classify(ip(text)), expected) << text;
    EXPECT_EQ(AddressGuard({}).check(ip(text)).has_value(), expected == kPublic) << text;
  }
}

TEST(IpAddress, ReadsAndWritesTheUsualForms) {
  EXPECT_EQ(ip("203.0.113.9").to_string(), "203.0.113.9");
  EXPECT_EQ(ip("2606:4700:0:0:0:0:0:1111").to_string(), "2606:4700::1111");
  EXPECT_EQ(ip("::FFFF:10.0.0.1").to_string(), "::ffff:10.0.0.1");
  EXPECT_EQ(ip("10.0.0.1"), IpAddress::v4({10, 0, 0, 1}));
  EXPECT_EQ(ip("::1"), IpAddress::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(ip("10.0.0.1").bytes().size(), 4U);
  EXPECT_EQ(ip("::1").bytes().size(), 16U);
  EXPECT_NE(ip("0.0.0.0"), ip("::"));
}

// Reliability S2, S3: the loose spellings are no addresses here; webhook/url.h turns them into this
// form.
TEST(IpAddress, S2S3RefusesEverythingElse) {
  for (const std::string_view bad :
       {std::string_view(""), std::string_view("127.1"), std::string_view("0177.0.0.1"),
        std::string_view("0x7f.0.0.1"), std::string_view("2130706433"),
        std::string_view("1.2.3.4.5"), std::string_view("256.1.1.1"), std::string_view(" 1.2.3.4"),
        std::string_view("1.2.3.4 "), std::string_view("1.2.3.4\0x", 9), std::string_view("[::1]"),
        std::string_view("fe80::1%eth0"), std::string_view("::1/128"), std::string_view("1::2::3"),
        std::string_view("localhost"),
        std::string_view("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb")}) {
    EXPECT_EQ(IpAddress::parse(bad), std::nullopt) << bad;
  }
}

TEST(Cidr, ContainsWhatSharesThePrefix) {
  EXPECT_TRUE(net("10.0.0.0/8").contains(ip("10.255.255.255")));
  EXPECT_FALSE(net("10.0.0.0/8").contains(ip("11.0.0.0")));
  EXPECT_TRUE(net("172.16.0.0/12").contains(ip("172.31.255.255")));
  EXPECT_FALSE(net("172.16.0.0/12").contains(ip("172.32.0.0")));
  EXPECT_TRUE(net("192.168.1.7").contains(ip("192.168.1.7")));
  EXPECT_FALSE(net("192.168.1.7").contains(ip("192.168.1.6")));
  EXPECT_TRUE(net("0.0.0.0/0").contains(ip("8.8.8.8")));
  EXPECT_TRUE(net("fd00::/8").contains(ip("fdff::1")));
  EXPECT_FALSE(net("fd00::/8").contains(ip("fc00::1")));
  EXPECT_FALSE(net("::/0").contains(ip("127.0.0.1"))) << "no IPv6 network holds IPv4 addresses";
  EXPECT_FALSE(net("0.0.0.0/0").contains(ip("::1")));
}

// Reliability S3: the mapped form is the same host, in the address and in the network.
TEST(Cidr, S3MappedAddressesAreIpv4) {
  EXPECT_TRUE(net("127.0.0.0/8").contains(ip("::ffff:127.0.0.1")));
  EXPECT_TRUE(net("::ffff:127.0.0.0/104").contains(ip("127.0.0.1")));
  EXPECT_EQ(net("::ffff:127.0.0.0/104"), net("127.0.0.0/8"));
  EXPECT_FALSE(net("::/0").contains(ip("::ffff:127.0.0.1")));
}

TEST(Cidr, WritesItself) {
  EXPECT_EQ(net("10.0.0.0/8").to_string(), "10.0.0.0/8");
  EXPECT_EQ(net("10.1.2.3").to_string(), "10.1.2.3/32");
  EXPECT_EQ(net("::1").to_string(), "::1/128");
  EXPECT_EQ(Cidr(ip("10.1.2.3"), 9).to_string(), "10.0.0.0/9");
}

TEST(Cidr, ErrorsSayWhatIsWrong) {
  const auto message = [](std::string_view text) {
    const auto network = parse_cidr(text);
    return network ? "accepted as " + network->to_string() : network.error().message;
  };
  for (const char* bad : {"", "/8", "10/8", "example.com", "10.0.0.0 /8", "[::1]/128"}) {
    EXPECT_EQ(message(bad), "network must be an IP address with or without /prefix") << bad;
  }
  for (const char* bad :
       {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0"}) {
    EXPECT_EQ(message(bad), "network prefix must be a number from 0 to 32") << bad;
  }
  EXPECT_EQ(message("::/129"), "network prefix must be a number from 0 to 128");
  EXPECT_EQ(message("192.168.1.5/24"),
            "network has bits set beyond its prefix; 192.168.1.0/24 was probably meant");
}

// Reliability S1: this host, and where clouds keep credentials.
TEST(Cidr, ListsNameTheFirstThatIsNone) {
  const std::vector<std::string> good = {"10.0.0.0/8", "::1"};
  EXPECT_EQ(parse_networks(good)->size(), 2U);
  const std::vector<std::string> bad = {"10.0.0.0/8", "proxy", "10.0.0.1/8"};
  const auto networks = parse_networks(bad);
  ASSERT_FALSE(networks);
  EXPECT_TRUE(networks.error().message.starts_with("proxy: ")) << networks.error().message;
}

TEST(AddressClass, S1ThisHostAndMetadata) {
  expect_class(kThisNetwork, {"0.0.0.0", "0.255.255.255", "::"});
  expect_class(kLoopback, {"127.0.0.0", "127.0.0.1", "127.255.255.255", "::1"});
  EXPECT_TRUE(is_loopback("127.0.0.1") && is_loopback("::1"));
  EXPECT_FALSE(is_loopback("0.0.0.0") || is_loopback("localhost") || is_loopback(""));
  expect_class(kLinkLocal,
               {"169.254.0.0", "169.254.169.254", "169.254.255.255", "fe80::1", "febf::1"});
  expect_class(kPrivate, {"fd00:ec2::254", "168.63.129.16"});
  expect_class(kShared, {"100.100.100.200"});
  expect_class(kPublic, {"1.0.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
                         "169.255.0.0", "168.63.129.15", "168.63.129.17"});
}

// Reliability S4: both edges of every special IPv4 block.
TEST(AddressClass, S4SpecialIpv4Blocks) {
  expect_class(kPrivate, {"10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255",
                          "192.168.0.0", "192.168.255.255"});
  expect_class(kShared, {"100.64.0.0", "100.127.255.255"});
  expect_class(kReserved,
               {"192.0.0.0", "192.0.0.255", "240.0.0.0", "255.255.255.254", "255.255.255.255"});
  expect_class(kDocumentation, {"192.0.2.0", "192.0.2.255", "198.51.100.0", "198.51.100.255",
                                "203.0.113.0", "203.0.113.255"});
  expect_class(kTranslation, {"192.88.99.0", "192.88.99.255"});
  expect_class(kBenchmarking, {"198.18.0.0", "198.19.255.255"});
  expect_class(kMulticast, {"224.0.0.0", "239.255.255.255"});
  expect_class(kPublic, {"9.255.255.255",  "11.0.0.0",       "100.63.255.255",  "100.128.0.0",
                         "172.15.255.255", "172.32.0.0",     "191.255.255.255", "192.0.1.0",
                         "192.0.3.0",      "192.88.98.255",  "192.88.100.0",    "192.167.255.255",
                         "192.169.0.0",    "198.17.255.255", "198.20.0.0",      "198.51.99.255",
                         "198.51.101.0",   "203.0.112.255",  "203.0.114.0",     "223.255.255.255",
                         "8.8.8.8"});
}

// Reliability S4: IPv6 is closed but for the part of 2000::/3 without a special purpose.
TEST(AddressClass, S4Ipv6) {
  expect_class(kPublic,
               {"2000::1", "2606:4700::1111", "2a00:1450::1", "2001:200::", "2001:db7:ffff::1",
                "2001:db9::", "2003::", "3ffe:ffff::1", "3fff:1000::"});
  expect_class(kPrivate, {"fc00::", "fdff::1", "fec0::1", "feff::1"});
  expect_class(kMulticast, {"ff00::", "ff02::1"});
  expect_class(kDocumentation, {"2001:db8::", "2001:db8:ffff::1", "3fff::1", "3fff:fff::1"});
  expect_class(kReserved, {"2001:1::1", "2001:1ff::1", "100::1", "5f00::1", "4000::1", "1fff::1",
                           "fe00::1", "fe7f::1", "200::1", "8000::1"});
}

// Reliability S3: the forms in which an IPv4 address hides.
TEST(AddressClass, S3EmbeddedIpv4) {
  expect_class(kLoopback,
               {"::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "64:ff9b::127.0.0.1"});
  expect_class(kPrivate, {"::ffff:10.0.0.1", "64:ff9b::192.168.0.1"});
  expect_class(kLinkLocal, {"::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"});
  expect_class(kThisNetwork, {"::ffff:0.0.0.0", "64:ff9b::"});
  expect_class(kPublic, {"::ffff:8.8.8.8", "64:ff9b::8.8.8.8"});
  expect_class(kTranslation, {"::127.0.0.1", "::8.8.8.8", "::2", "::ffff:0:127.0.0.1",
                              "::ffff:0:8.8.8.8", "64:ff9b:1::7f00:1", "64:ff9b:1:ffff::808:808",
                              "2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:0:808:808::1"});
  expect_class(kReserved, {"64:ff9b:2::1", "64:ff9b:0:1::1", "64:ff9a::1", "::1:0:0:0"});
}

// Reliability S14, S17: exemptions come from the settings only, and are as narrow as they say.
TEST(AddressGuard, S14AllowedNetworksAreExempt) {
  const AddressGuard guard({net("127.0.0.0/8"), net("fd00:1::/32")});
  for (const char* text :
       {"127.0.0.1", "::ffff:127.0.0.1", "fd00:1::5", "8.8.8.8", "2606:4700::1111"}) {
    EXPECT_TRUE(guard.check(ip(text))) << text;
  }
  for (const char* text :
       {"10.0.0.1", "::1", "fd00:2::5", "64:ff9b::7f00:1", "::127.0.0.1", "0.0.0.0"}) {
    EXPECT_FALSE(guard.check(ip(text))) << text;
  }
}

// Reliability S1: what a name means everywhere needs no look-up.
TEST(AddressGuard, S1NamesThatStandForSpecialAddresses) {
  const AddressGuard closed({});
  for (const char* host : {"localhost", "a.localhost", "localhost.localdomain", "ip6-localhost",
                           "metadata.google.internal", "metadata.goog",
                           "instance-data.ec2.internal", "127.0.0.1", "::1"}) {
    const Status status = closed.check_host(host);
    ASSERT_FALSE(status) << host;
    EXPECT_EQ(status.error().message,
              "target address is not allowed (see delivery.allow_networks)");
  }
  for (const char* host : {"notlocalhost", "localhost.example", "receiver.internal", "8.8.8.8"}) {
    EXPECT_TRUE(closed.check_host(host)) << host;
  }
  const AddressGuard local({net("127.0.0.0/8")});
  EXPECT_TRUE(local.check_host("localhost"));
  EXPECT_TRUE(local.check_host("a.localhost"));
  EXPECT_FALSE(local.check_host("metadata.google.internal"));
  const AddressGuard metadata({net("169.254.169.254/32")});
  EXPECT_TRUE(metadata.check_host("metadata.google.internal"));
  EXPECT_FALSE(metadata.check_host("localhost"));
}

TEST(AddressGuard, OneAddressThatPassesIsEnough) {
  const AddressGuard guard({});
  EXPECT_TRUE(guard.check_any(std::vector{ip("10.0.0.1"), ip("8.8.8.8")}));
  EXPECT_FALSE(guard.check_any(std::vector{ip("10.0.0.1"), ip("127.0.0.1")}));
}

// Reliability S16: one text for all, so that answers tell nothing about the network behind us.
TEST(AddressGuard, S16TheMessageTellsNothingOfTheAddress) {
  const AddressGuard guard({net("10.1.0.0/16")});
  for (const char* text : {"10.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1", "ff02::1"}) {
    const Status status = guard.check(ip(text));
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::kForbidden);
    EXPECT_EQ(status.error().message,
              "target address is not allowed (see delivery.allow_networks)");
  }
}

}  // namespace
}  // namespace eventhorn::net
