#include "store/rocks/retention_filter.h"

#include "base/check.h"
#include "store/rocks/tables/attempt_table.h"
#include "store/rocks/tables/class_table.h"
#include "store/rocks/tables/exception_table.h"
#include "store/rocks/tables/id_table.h"
#include "store/rocks/tables/term_table.h"
#include "store/rocks/tables/time_table.h"
#include "store/rocks/tables/try_table.h"

#include <rocksdb/compaction_filter.h>

#include <string_view>

namespace eventhorn::store {
namespace {

bool expired(Family family, std::string_view key, std::string_view value, const Floors& floors) {
  switch (family) {
    case Family::kMeta:  // of all that is there only missed events
      return ExceptionTable::expired(key, value, floors);
    case Family::kLog:  // whole ranges go at once
      return false;
    case Family::kIds:
      return IdTable::expired(key, value, floors);
    case Family::kTimes:
      return TimeTable::expired(key, value, floors);
    case Family::kClasses:
      return ClassTable::expired(key, value, floors);
    case Family::kAttempts:
      return AttemptTable::expired(key, value, floors);
    case Family::kTries:
      return TryTable::expired(key, value, floors);
    case Family::kTerms:
      return TermTable::expired(key, value, floors);
  }
  CHECK(false);
}

class RetentionFilter final : public rocksdb::CompactionFilter {
 public:
  RetentionFilter(Family family, std::shared_ptr<Floors> floors)
      : family_(family), floors_(std::move(floors)) {}

  const char* Name() const override { return "eventhorn-retention"; }

  bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice& value, std::string*,
              bool*) const override {
    return expired(family_, key.ToStringView(), value.ToStringView(), *floors_);
  }

  bool FilterMergeOperand(int, const rocksdb::Slice& key,
                          const rocksdb::Slice& operand) const override {
    return expired(family_, key.ToStringView(), operand.ToStringView(), *floors_);
  }

 private:
  Family family_;
  std::shared_ptr<Floors> floors_;
};

class FilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  FilterFactory(Family family, std::shared_ptr<Floors> floors)
      : family_(family), floors_(std::move(floors)) {}

  const char* Name() const override { return "eventhorn-retention"; }

  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<RetentionFilter>(family_, floors_);
  }

 private:
  Family family_;
  std::shared_ptr<Floors> floors_;
};

}  // namespace

std::shared_ptr<rocksdb::CompactionFilterFactory> make_retention_filter(
    Family family, std::shared_ptr<Floors> floors) {
  return std::make_shared<FilterFactory>(family, std::move(floors));
}

}  // namespace eventhorn::store
