#include "store/doorbells.h"

#include "base/test_support.h"
#include "store/store_test_support.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

namespace eventhorn::store {
namespace {

class DoorbellsTest : public testing::Test {
 protected:
  std::shared_ptr<Bell> make_bell() {
    return std::make_shared<Bell>(context_.get_executor(), clock_);
  }

  /// Whether it was rung since this was asked last.
  bool rung(Bell& bell) {
    bool out = false;
    const auto look = [&]() -> Task<void> { out = co_await bell.wait(clock_.steady_now()); };
    asio::co_spawn(context_, look, asio::detached);
    context_.restart();
    context_.run();
    return out;
  }

  void commit(DomainUid domain) {
    auto event = std::make_shared<StoredEvent>();
    event->position = {++position_};
    event->domain = domain;
    feed_.events({event});
  }

  asio::io_context context_;
  FakeClock clock_;
  Directory directory_;
  Feed feed_{directory_};
  Doorbells doorbells_{feed_};
  uint64_t position_ = 0;
};

TEST_F(DoorbellsTest, RingForTheirDomainAlone) {
  const auto one = make_bell();
  const auto other = make_bell();
  const auto all = make_bell();
  const Doorbells::Place at_one(doorbells_, kDomain, one);
  const Doorbells::Place at_other(doorbells_, kOtherDomain, other);
  const Doorbells::Place at_all(doorbells_, std::nullopt, all);
  commit(kDomain);
  EXPECT_TRUE(rung(*one));
  EXPECT_FALSE(rung(*other));
  EXPECT_TRUE(rung(*all));
  commit(kOtherDomain);
  EXPECT_FALSE(rung(*one));
  EXPECT_TRUE(rung(*other));
  EXPECT_TRUE(rung(*all));
  doorbells_.ring_all();
  for (auto* bell : {one.get(), other.get(), all.get()}) EXPECT_TRUE(rung(*bell));
}

TEST_F(DoorbellsTest, RingWhenTheDomainEnds) {
  auto domain = std::make_shared<Domain>();
  domain->uid = kDomain;
  domain->name = "a.test";
  const auto bell = make_bell();
  const Doorbells::Place place(doorbells_, kDomain, bell);
  WriteSet::Edit edit;
  edit.name = domain->name;
  edit.outcome = DomainChange{{1}, domain, nullptr};
  feed_.changes({&edit, 1}, {32});
  EXPECT_TRUE(rung(*bell));
}

TEST_F(DoorbellsTest, APlaceEndsWithItsObject) {
  const auto bell = make_bell();
  {
    const Doorbells::Place place(doorbells_, kDomain, bell);
    const Doorbells::Place of_all(doorbells_, std::nullopt, bell);
  }
  EXPECT_EQ(bell.use_count(), 1);
  commit(kDomain);
  EXPECT_FALSE(rung(*bell));
}

}  // namespace
}  // namespace eventhorn::store
