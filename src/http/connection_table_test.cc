#include "http/connection_table.h"

#include <gtest/gtest.h>

namespace eventhorn::http {
namespace {

class Table {
 public:
  ConnectionEntryPtr add(std::string_view address, int useless_since) {
    auto entry = std::make_shared<ConnectionEntry>();
    if (useless_since > 0) entry->set_useless(SteadyTime(std::chrono::seconds(useless_since)));
    table.add(address, entry);
    return entry;
  }

  ConnectionTable table;
};

TEST(ConnectionTable, A11TheAddressThatHasMostGivesWay) {
  Table t;
  const auto alone = t.add("192.0.2.1", 1);
  const auto newer = t.add("192.0.2.2", 9);
  const auto older = t.add("192.0.2.2", 8);
  const auto busy = t.add("192.0.2.2", 0);
  EXPECT_EQ(t.table.choose(), older);
  EXPECT_EQ(t.table.choose(), newer) << "each once";
  EXPECT_EQ(t.table.choose(), alone);
  EXPECT_EQ(t.table.choose(), nullptr);
  busy->set_useless(SteadyTime(std::chrono::seconds(20)));
  EXPECT_EQ(t.table.choose(), busy);
}

TEST(ConnectionTable, ConnectionsLeave) {
  Table t;
  const auto one = t.add("192.0.2.1", 1);
  const auto two = t.add("192.0.2.1", 2);
  t.table.remove("192.0.2.1", *one);
  EXPECT_EQ(t.table.choose(), two);
  t.table.remove("192.0.2.1", *two);
  EXPECT_EQ(t.table.choose(), nullptr);
}

TEST(ConnectionTable, AddressesOfIpv6CountByTheirNetwork) {
  Table t;
  t.add("192.0.2.1", 1);
  t.add("192.0.2.1", 2);
  const auto oldest = t.add("2001:db8::1", 3);
  t.add("2001:db8::2", 4);
  t.add("2001:db8::3", 5);
  EXPECT_EQ(t.table.choose(), oldest);
}

// As who listens on "::" sees them.
TEST(ConnectionTable, A11MappedAddressesOfIpv4AreManyNetworks) {
  Table t;
  t.add("::ffff:192.0.2.1", 1);
  t.add("::ffff:192.0.2.2", 2);
  const auto older = t.add("::ffff:192.0.2.3", 3);
  t.add("192.0.2.3", 4);
  EXPECT_EQ(t.table.choose(), older);
}

}  // namespace
}  // namespace eventhorn::http
