#include "app/local_bins.h"

#include "async/block_on.h"

#include <gtest/gtest.h>

namespace eventhorn::app {
namespace {

class LocalBinsTest : public ::testing::Test {
 protected:
  LocalBinsTest() { local_.set_origins({"https://events.example", "http://localhost:80"}, 8480); }

  bool takes(const std::string& url) {
    const auto parsed = webhook::parse_target_url(url);
    EXPECT_TRUE(parsed) << url;
    return local_.post(*parsed, "{}", Deadline::max()).has_value();
  }

  SystemClock clock_;
  bin::Bins bins_{clock_, [](size_t n) { return std::string(n, 'x'); }, {}};
  LocalBins local_{bins_, clock_};
};

TEST_F(LocalBinsTest, BinsUnderOurOriginsAreOurs) {
  EXPECT_TRUE(takes("https://events.example/bin/a"));
  EXPECT_TRUE(takes("http://localhost/bin/a")) << "80 is the port of http";
  EXPECT_FALSE(takes("https://events.example/other"));
  EXPECT_FALSE(takes("https://events.example:8443/bin/a"));
  EXPECT_FALSE(takes("http://elsewhere.example:8480/bin/a"));
}

// However users came: a server that listens everywhere is reached by each address of the machine.
TEST_F(LocalBinsTest, BinsAtEveryAddressOfTheMachineAreOurs) {
  EXPECT_TRUE(takes("http://127.0.0.5:8480/bin/a"));
  EXPECT_TRUE(takes("http://[::1]:8480/bin/a"));
  EXPECT_FALSE(takes("http://127.0.0.5:8481/bin/a"));
  EXPECT_FALSE(takes("http://192.0.2.77:8480/bin/a"));
}

}  // namespace
}  // namespace eventhorn::app
