#include "webhook/url.h"

#include <gtest/gtest.h>

namespace eventhorn::webhook {
namespace {

std::string reason(std::string_view text) {
  const auto url = parse_target_url(text);
  if (url) return "accepted as " + url->host;
  EXPECT_EQ(url.error().code, Errc::kInvalidArgument);
  return url.error().message;
}

std::string host(std::string_view text) {
  const auto url = parse_target_url(text);
  return url ? url->host : url.error().message;
}

TEST(Url, TakesItsPartsApart) {
  const auto url =
      parse_target_url("HTTPS://u%40x:p%3Aw@Hooks.Example.ORG:8443/a%2Fb/../c?d=e/f?g#top");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, Scheme::kHttps);
  EXPECT_EQ(url->host, "hooks.example.org");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a%2Fb/../c?d=e/f?g");
  EXPECT_EQ(url->user_info, (UserInfo{"u@x", "p:w"}));
  EXPECT_EQ(url->text, "HTTPS://u%40x:p%3Aw@Hooks.Example.ORG:8443/a%2Fb/../c?d=e/f?g#top");
}

TEST(Url, DefaultPortsAndTargets) {
  EXPECT_EQ(parse_target_url("http://a.example")->port, 80);
  EXPECT_EQ(parse_target_url("https://a.example")->port, 443);
  EXPECT_EQ(parse_target_url("https://a.example")->target, "/");
  EXPECT_EQ(parse_target_url("https://a.example?x=1")->target, "/?x=1");
  EXPECT_EQ(parse_target_url("https://a.example#f")->target, "/");
  EXPECT_EQ(parse_target_url("https://a.example")->user_info, std::nullopt);
  EXPECT_EQ(parse_target_url("https://only@a.example")->user_info, (UserInfo{"only", ""}));
  EXPECT_EQ(to_string(Scheme::kHttp), "http");
}

TEST(Url, HostsPeopleReallyUseAreAccepted) {
  EXPECT_EQ(host("http://localhost:8080/x"), "localhost");
  EXPECT_EQ(host("http://my_service:3000/"), "my_service");
  EXPECT_EQ(host("https://xn--bcher-kva.example/"), "xn--bcher-kva.example");
  EXPECT_EQ(host("https://3com.4chan1.example/"), "3com.4chan1.example");
}

// Reliability S9: one spelling per host, so that guard, pool and log mean the same one.
TEST(Url, S9TrailingDotAndCaseDoNotMakeAnotherHost) {
  EXPECT_EQ(host("https://Example.COM./"), "example.com");
  EXPECT_EQ(host("https://127.0.0.1./"), "127.0.0.1");
  EXPECT_EQ(reason("https://example.com../"), "invalid host name");
  EXPECT_EQ(reason("https://./"), "missing host");
}

// Reliability S9: other protocols.
TEST(Url, S9OnlyHttpSchemes) {
  for (const char* bad : {"ftp://a.example", "file:///etc/passwd", "gopher://a.example/x",
                          "unix:/run/x.sock", "example.com/x", "//example.com", "://x", "http",
                          "javascript:alert(1)", "httpss://a.example", "hook:http://a.example"}) {
    EXPECT_EQ(reason(bad), "invalid URL scheme") << bad;
  }
  for (const char* bad : {"http:", "http:/a.example", "http:a.example", "http:x://a.example"}) {
    EXPECT_EQ(reason(bad), "missing // after the scheme") << bad;
  }
}

// Reliability S9: where one parser sees another host than the next.
TEST(Url, S9AmbiguousAuthorities) {
  EXPECT_EQ(host("http://a@127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(host("http://127.0.0.1#@ok.com"), "127.0.0.1");
  EXPECT_EQ(host("http://127.0.0.1?@ok.com"), "127.0.0.1");
  EXPECT_EQ(host("http://127.0.0.1/@ok.com"), "127.0.0.1");
  EXPECT_EQ(reason("http://ok.com\\@127.0.0.1/"), "backslashes are not allowed");
  EXPECT_EQ(reason("http://ok.com/\\"), "backslashes are not allowed");
  EXPECT_EQ(reason("http://a@b@127.0.0.1/"), "invalid user name or password");
  EXPECT_EQ(reason("http://127.0.0.1%00.ok.com/"), "host must not be percent-encoded");
  EXPECT_EQ(reason("http://127%2e0%2e0%2e1/"), "host must not be percent-encoded");
  EXPECT_EQ(reason("http:///path"), "missing host");
  EXPECT_EQ(reason("http://"), "missing host");
  EXPECT_EQ(reason("http://user:pw@/"), "missing host");
  EXPECT_EQ(reason("http://a..b/"), "invalid host name");
  EXPECT_EQ(reason("http://.a/"), "invalid host name");
  EXPECT_EQ(reason("http://a,b/"), "invalid host name");
  EXPECT_EQ(reason("http://[::1/"), "invalid IPv6 address");
  EXPECT_EQ(reason("http://[::1]x/"), "invalid port");
  EXPECT_EQ(reason("http://::1/"), "missing host");
}

// Reliability S9: full-width digits and dots become ASCII in a careless IDNA step.
TEST(Url, S9NonAsciiHostsAreRefused) {
  constexpr std::string_view kNotAscii =
      "not ASCII: use the punycode form of the host and percent-encoding elsewhere";
  EXPECT_EQ(reason("http://１２７.0.0.1/"), kNotAscii);
  EXPECT_EQ(reason("http://127。0。0。1/"), kNotAscii);
  EXPECT_EQ(reason("http://bücher.example/"), kNotAscii);
  EXPECT_EQ(reason("http://a.example/bücher"), kNotAscii);
}

// Reliability S11: nothing in a URL can end a request line or begin a header.
TEST(Url, S11ControlCharactersAreRefusedEverywhere) {
  for (const char c : {'\r', '\n', '\t', ' ', '\0', '\x1f', '\x7f'}) {
    for (const std::string_view form :
         {"*http://a.example/", "ht*tp://a.example/", "http://u*@a.example/", "http://a*.example/",
          "http://a.example:8*0/", "http://a.example/x*y", "http://a.example/?q=*",
          "http://a.example/*", "http://a.example/#*"}) {
      std::string text(form);
      text[text.find('*')] = c;
      EXPECT_EQ(reason(text), "spaces and control characters are not allowed") << form << int{c};
    }
  }
  EXPECT_EQ(reason("http://u:p%0d%0aX@a.example/"), "invalid user name or password");
  EXPECT_EQ(reason("http://u%3Ax:p@a.example/"), "invalid user name or password");
  EXPECT_EQ(reason("http://u%zz@a.example/"), "invalid user name or password");
}

// Reliability S9: port policy.
TEST(Url, S9Ports) {
  EXPECT_EQ(reason("http://a.example:0/"), "invalid port 0");
  EXPECT_EQ(reason("http://a.example:65536/"), "invalid port 65536");
  for (const char* bad : {"http://a.example:/", "http://a.example:8o/", "http://a.example:-1/",
                          "http://a.example:80:80/", "http://a.example:99999999999999999999/"}) {
    EXPECT_EQ(reason(bad), "invalid port") << bad;
  }
  for (const int port : {22, 23, 25, 53, 110, 143, 389, 465, 587, 993, 6667}) {
    EXPECT_EQ(reason("http://a.example:" + std::to_string(port)),
              "port " + std::to_string(port) + " is not allowed");
  }
  for (const int port : {80, 81, 443, 591, 1024, 3000, 8080, 8443, 65535}) {
    const auto url = parse_target_url("http://a.example:" + std::to_string(port));
    ASSERT_TRUE(url) << port;
    EXPECT_EQ(url->port, port);
  }
}

// Reliability S2: every spelling that inet_aton reads is the same address.
TEST(Url, S2AnySpellingOfAnIpv4AddressIsRecognised) {
  for (const char* text :
       {"http://127.0.0.1/", "http://2130706433/", "http://0x7f000001/", "http://0X7F.0.0.1/",
        "http://0177.0.0.1/", "http://0177.1/", "http://0x7f.1/", "http://127.1/",
        "http://127.0.1/", "http://017700000001/", "http://0x7f.0.1./",
        "http://u:p@0177.0x0.0.1:8080/"}) {
    const auto url = parse_target_url(text);
    ASSERT_TRUE(url) << text << url.error().message;
    EXPECT_EQ(url->host, "127.0.0.1") << text;
  }
  EXPECT_EQ(host("http://0/"), "0.0.0.0");
  EXPECT_EQ(host("http://169.254.43518/"), "169.254.169.254");
  EXPECT_EQ(host("http://4294967295/"), "255.255.255.255");
}

// Reliability S2: nor is a broken one passed on as a name for a resolver to interpret.
TEST(Url, S2NamesThatEndInANumberAreNoNames) {
  for (const char* text :
       {"http://256.0.0.1/", "http://1.2.3.4.5/", "http://4294967296/", "http://0x1ffffffff/",
        "http://127.0.0.08/", "http://0x/", "http://0x7g/", "http://127.16777216/",
        "http://1.2.3.256/", "http://example.123/", "http://a.0x7f/", "http://1e3.1.1.1/",
        "http://99999999999999999999999999/"}) {
    EXPECT_EQ(reason(text), "invalid IPv4 address") << text;
  }
}

// Reliability S3: IPv6 in its usual form, without zones.
TEST(Url, S3Ipv6) {
  EXPECT_EQ(host("http://[::1]:8080/"), "::1");
  EXPECT_EQ(host("http://[2606:4700:0:0::0:1111]/"), "2606:4700::1111");
  EXPECT_EQ(host("http://[::FFFF:127.0.0.1]/"), "::ffff:127.0.0.1");
  EXPECT_EQ(host("http://[0:0:0:0:0:ffff:7f00:1]/"), "::ffff:127.0.0.1");
  EXPECT_EQ(parse_target_url("http://[::1]")->port, 80);
  EXPECT_EQ(reason("http://[fe80::1%25eth0]/"), "IPv6 zones are not allowed");
  EXPECT_EQ(reason("http://[fe80::1%eth0]/"), "IPv6 zones are not allowed");
  for (const char* bad : {"http://[]/", "http://[1::2::3]/", "http://[12345::]/",
                          "http://[127.0.0.1]/", "http://[::1.2.3]/", "http://[v1.a]/"}) {
    EXPECT_EQ(reason(bad), "invalid IPv6 address") << bad;
  }
}

TEST(Url, LengthsAreBounded) {
  const std::string start = "http://a.example/";
  EXPECT_TRUE(parse_target_url(start + std::string(kMaxUrlBytes - start.size(), 'x')));
  EXPECT_EQ(reason(start + std::string(kMaxUrlBytes - start.size() + 1, 'x')),
            "longer than 2048 bytes");
  EXPECT_EQ(host("http://" + std::string(63, 'a') + ".x/"), std::string(63, 'a') + ".x");
  EXPECT_EQ(reason("http://" + std::string(64, 'a') + ".x/"), "invalid host name");
  std::string name;
  while (name.size() < 252) name += "a.";
  EXPECT_EQ(host("http://" + name + "b/"), name + "b");
  EXPECT_EQ(reason("http://" + name + "bb/"), "invalid host name");
  EXPECT_EQ(reason(""), "empty URL");
}

// Reliability S10: what lists, logs and metrics show.
TEST(Url, S10MaskedHidesTheSecret) {
  EXPECT_EQ(masked("https://user:pass@a.example/x?y#z"), "https://user:***@a.example/x?y#z");
  EXPECT_EQ(masked("https://user:a:b@a.example:1/"), "https://user:***@a.example:1/");
  EXPECT_EQ(masked("https://token@a.example/"), "https://***@a.example/");
  EXPECT_EQ(masked("https://user:@a.example/"), "https://user:***@a.example/");
  EXPECT_EQ(masked("https://a.example:8080/@me:x@y"), "https://a.example:8080/@me:x@y");
  EXPECT_EQ(masked("https://a.example?q=a:b@c"), "https://a.example?q=a:b@c");
  EXPECT_EQ(masked("https://a.example"), "https://a.example");
  EXPECT_EQ(masked(""), "");
}

// Reliability S10: a URL that is refused is repeated in the answer; its password may be what made
// it invalid.
TEST(Url, S10MaskedHidesMoreInWhatIsNoUrl) {
  EXPECT_EQ(masked("https://user:pa/ss@a.example/"), "https://user:***@a.example/");
  EXPECT_EQ(masked("https://user:pa#s?s@a.example/"), "https://user:***@a.example/");
  EXPECT_EQ(masked("https://user:p@ss@a.example/"), "https://user:***@a.example/");
  EXPECT_EQ(masked("user:pass@a.example"), "user:***@a.example");
  EXPECT_EQ(masked("user:pass@http://a.example"), "user:***@http://a.example");
  EXPECT_EQ(masked("ftp://user:pass@a.example"), "ftp://user:***@a.example");
}

// Reliability S10: reasons go to clients and logs.
TEST(Url, S10ReasonsRepeatNoSecret) {
  for (const char* text :
       {"https://user:hunter2", "https://user:hunter2@", "https://user:hunter2@a b/",
        "https://user:hunt%er2@a/", "ftp://user:hunter2@a/"}) {
    EXPECT_EQ(reason(text).find("hunt"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace eventhorn::webhook
