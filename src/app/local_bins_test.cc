#include "app/local_bins.h"

#include <gtest/gtest.h>

namespace eventhorn::app {
namespace {

TEST(LocalBins, AnswerForOurBinsAlone) {
  const SystemClock clock;
  bin::Bins bins(clock, [](size_t n) { return std::string(n, 'x'); }, {});
  http::OriginOptions names;
  names.listen_address = "127.0.0.1";
  const bin::OwnBins own(bins, names);
  LocalBins local(bins, own, clock);
  const std::string id = bins.create();
  const auto post = [&](const std::string& url) {
    return local.post(*webhook::parse_target_url(url), "{}", Deadline::max());
  };
  EXPECT_TRUE(post("http://localhost:99/bin/" + id + "/x?status=503"));
  EXPECT_FALSE(post("http://localhost:99/other"));
  EXPECT_FALSE(post("http://elsewhere.example/bin/" + id));
}

}  // namespace
}  // namespace eventhorn::app
