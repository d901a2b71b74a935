// Records of former versions (reliability C9), and damage.
#include "store/codec.h"
#include "store/rocks/tables/tables.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

using codec::Writer;
using std::chrono::milliseconds;
using webhook::Hook;

// What version 1 wrote: frozen, like the bytes on disk.
std::string domain_v1() {
  Writer w;
  w.u8(1);
  w.u64(64);
  w.text("a.test");
  w.text("0123456789abcdef01234567");
  w.i64(1'773'222'000'000'000);
  w.u32(1);
  w.u64(96);
  w.text("http://a/");
  for (size_t hook = 0; hook < webhook::kHooks; ++hook) {
    w.u8(hook == 2 ? 1 : 0);
    if (hook != 2) continue;
    w.u64(96);
    w.u64(95);
  }
  return w.take();
}

std::string lane_v1() {
  Writer w;
  w.u8(1);
  w.u64(64);
  w.u16(2);
  w.u8(2);
  w.u64(3);
  w.u8(1);
  w.u64(20);
  w.u64(9);
  w.u32(1);
  w.u64(11);
  w.u64(12);
  w.u8(0);
  w.u64(20);
  w.u8(0);
  w.u64(21);
  w.u32(0);
  return w.take();
}

std::string exception_v1() {
  Writer w;
  w.u8(1);
  w.u8(1);
  w.u16(8);
  w.i64(1'773'222'000'000'001);
  w.i64(60'000'000);
  w.u16(503);
  return w.take();
}

std::string endpoint_v2() {
  Writer w;
  w.u8(2);
  w.u8(1);
  w.i64(1'773'222'000'000'001);
  w.i64(1'773'222'000'000'000);
  w.u32(3);
  w.u32(40);
  w.text("timeout");
  return w.take();
}

TEST(Records, C9EndpointsOfVersion2AreRead) {
  const auto endpoint = EndpointTable::decode("http://a/", endpoint_v2());
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  EXPECT_EQ(endpoint->state, EndpointRow::State::kParked);
  EXPECT_EQ(endpoint->probes, 3U);
  EXPECT_EQ(endpoint->reason, "timeout");
  EXPECT_EQ(endpoint->failures, 0U);
}

TEST(Records, C9RowsOfVersion1AreRead) {
  const auto domain = DomainTable::decode(domain_v1());
  ASSERT_TRUE(domain) << domain.error().message;
  EXPECT_EQ((*domain)->uid, DomainUid{64});
  EXPECT_EQ((*domain)->name, "a.test");
  EXPECT_EQ((*domain)->urls(Hook::kOpened), std::vector<std::string>{"http://a/"});
  EXPECT_EQ((*domain)->retry_schedule, std::nullopt);

  const auto lane = LaneTable::decode({5}, lane_v1());
  ASSERT_TRUE(lane) << lane.error().message;
  const std::vector<SegmentRow> segments = {
      {webhook::Class::kBulk, {3}, Position{20}, {9}, {{{11}, {12}}}},
      {webhook::Class::kUrgent, {20}, std::nullopt, {21}, {}}};
  EXPECT_EQ(lane->segments, segments);

  const auto exception = ExceptionTable::decode({5}, {7}, exception_v1());
  ASSERT_TRUE(exception) << exception.error().message;
  EXPECT_TRUE(exception->missed);
  EXPECT_EQ(exception->attempts, 8);
  EXPECT_EQ(exception->last_status, 503);
  EXPECT_FALSE(ExceptionTable::has_hook(exception_v1()));
  EXPECT_TRUE(ExceptionTable::has_hook(ExceptionTable::encode(*exception)));
}

std::vector<std::string> records() {
  Domain domain;
  domain.name = "a.test";
  domain.retry_schedule = {milliseconds(1), milliseconds(2)};
  set_hook_urls(domain, Hook::kClicked, {"http://a/"}, {32});
  LaneRow lane{{1}, {2}, {{webhook::Class::kBulk, {1}, Position{9}, {1}, {{{3}, {4}}}}}};
  EndpointRow endpoint;
  endpoint.reason = "timeout";
  return {DomainTable::encode(domain), LaneTable::encode(lane), ExceptionTable::encode({}),
          EndpointTable::encode(endpoint)};
}

std::vector<Status> decode(const std::vector<std::string>& rows) {
  const auto status = [](const auto& result) { return result ? Status() : fail(result.error()); };
  return {status(DomainTable::decode(rows[0])), status(LaneTable::decode({1}, rows[1])),
          status(ExceptionTable::decode({1}, {1}, rows[2])),
          status(EndpointTable::decode("http://a/", rows[3]))};
}

TEST(Records, ARecordCutShortOrWithMoreIsDamage) {
  for (const auto& status : decode(records())) EXPECT_TRUE(status) << status.error().message;
  for (size_t which = 0; which < records().size(); ++which) {
    const size_t size = records()[which].size();
    for (size_t n = 0; n <= size; ++n) {
      auto rows = records();
      rows[which] = n < size ? rows[which].substr(0, n) : rows[which] + '\0';
      const auto status = decode(rows)[which];
      ASSERT_FALSE(status) << which << " " << n;
      EXPECT_EQ(status.error().code, Errc::kCorruption);
    }
  }
}

TEST(Records, C9ARecordOfANewerVersionSaysSo) {
  auto rows = records();
  for (auto& row : rows) row[0] = 99;
  for (const auto& status : decode(rows)) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::kCorruption);
    EXPECT_NE(status.error().message.find("newer version"), std::string::npos);
  }
}

}  // namespace
}  // namespace eventhorn::store
