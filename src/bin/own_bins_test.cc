#include "bin/own_bins.h"

#include <gtest/gtest.h>

namespace eventhorn::bin {
namespace {

const std::string kId = "0123456789abcdef0123456789abcdef";

class OwnBinsTest : public ::testing::Test {
 protected:
  static http::OriginOptions names(const std::string& listen) {
    http::OriginOptions options;
    options.listen_address = listen;
    options.listen_port = 8480;
    options.public_url = "https://events.example";
    options.allowed_hosts = {"inner.example:9000"};
    return options;
  }

  bool has(const std::string& url) {
    const auto parsed = webhook::parse_target_url(url);
    EXPECT_TRUE(parsed) << url;
    return own.has(*parsed);
  }

  SystemClock clock;
  Bins bins{clock, [](size_t n) { return std::string(n, 'x'); }, {}};
  OwnBins own{bins, names("127.0.0.1")};
};

// Ports, and schemes, change between users and us.
TEST_F(OwnBinsTest, EveryNameOfOursCountsAtAnyPort) {
  for (const std::string origin :
       {"https://events.example", "http://events.example:8080", "http://inner.example",
        "https://inner.example:9000", "http://localhost", "http://localhost:18480",
        "http://127.0.0.1:8480", "https://[::1]:1234", "http://LOCALHOST:99"})
    for (const std::string end : {"", "/below", "?status=503", "/?x"})
      EXPECT_TRUE(has(origin + "/bin/" + kId + end)) << origin << end;
  EXPECT_FALSE(has("https://elsewhere.example/bin/" + kId));
}

TEST_F(OwnBinsTest, OnlyBinsCount) {
  const std::vector<std::string> paths = {"/",
                                          "/bin",
                                          "/bin/",
                                          "/bin//x",
                                          "/bin/?x",
                                          "/bin/0123",
                                          "/x/bin/" + kId,
                                          "/bin/" + kId + "0",
                                          "/bin/0123456789ABCDEF0123456789ABCDEF"};
  for (const auto& path : paths) EXPECT_FALSE(has("http://localhost:8480" + path)) << path;
}

// A server that listens everywhere is reached by each address of the machine, and by those of what
// is around it.
TEST_F(OwnBinsTest, AddressesOfTheMachineAndThoseAroundIt) {
  EXPECT_TRUE(has("http://127.0.0.5:9999/bin/" + kId));
  EXPECT_FALSE(has("http://192.0.2.77:8480/bin/" + kId));
  EXPECT_TRUE(has("http://192.0.2.77:8480/bin/" + bins.create()));
}

}  // namespace
}  // namespace eventhorn::bin
