#include "store/rocks/domains.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace eventhorn::store {
namespace {

class DomainsTest : public TableTest {
 protected:
  static WriteSet::Edit create(const std::string& name) {
    WriteSet::Edit out;
    out.name = name;
    out.edit = [name](const DomainPtr& before, Position at) -> Result<DomainPtr> {
      if (before) return fail(Errc::kConflict, "it is there");
      auto domain = std::make_shared<Domain>();
      domain->name = name;
      domain->uid = {at.value};
      return DomainPtr(std::move(domain));
    };
    return out;
  }

  static WriteSet::Edit remove(const std::string& name) {
    WriteSet::Edit out;
    out.name = name;
    out.edit = [](const DomainPtr&, Position) -> Result<DomainPtr> { return DomainPtr(); };
    return out;
  }

  std::vector<std::string> names(const Domains& of) {
    std::vector<std::string> out;
    for (const auto& domain : of.all()) out.push_back(domain->name);
    std::sort(out.begin(), out.end());
    return out;
  }

  DomainTable table{database};
  Domains domains{table};
};

TEST_F(DomainsTest, EditsOfOneSetSeeEachOther) {
  std::vector<WriteSet::Edit> edits;
  for (auto edit : {create("a"), create("a"), remove("a"), create("a"), create("b")})
    edits.push_back(std::move(edit));
  uint64_t next = 100;
  rocksdb::WriteBatch batch;
  domains.run(edits, next, batch);
  EXPECT_EQ(next, 100 + 5 * kEditStride);
  EXPECT_TRUE(edits[0].outcome);
  EXPECT_EQ(edits[1].outcome.error().code, Errc::kConflict);
  EXPECT_EQ(edits[2].outcome->before->uid, DomainUid{100});
  EXPECT_EQ(edits[3].outcome->at, Position{100 + 3 * kEditStride});
  EXPECT_TRUE(names(domains).empty()) << "not durable yet";
  EXPECT_TRUE(database.write(batch, "writing"));
  domains.publish(edits);
  EXPECT_EQ(names(domains), (std::vector<std::string>{"a", "b"}));
  Domains loaded(table);
  EXPECT_TRUE(loaded.load());
  EXPECT_EQ(names(loaded), names(domains));
}

TEST_F(DomainsTest, LoadingForgetsWhatWasNotDurable) {
  std::vector<WriteSet::Edit> edits;
  edits.push_back(create("a"));
  uint64_t next = 100;
  rocksdb::WriteBatch batch;
  domains.run(edits, next, batch);
  domains.publish(edits);
  EXPECT_EQ(names(domains), std::vector<std::string>{"a"});
  EXPECT_TRUE(domains.load());
  EXPECT_TRUE(names(domains).empty());
}

}  // namespace
}  // namespace eventhorn::store
