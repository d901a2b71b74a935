// The engines that the contract suite runs over.
#pragma once

#include "store/contract/contract_test_support.h"
#include "store/memory/memory_store.h"
#include "store/rocks/fault_env_test_support.h"
#include "store/rocks_test_support.h"

#include <memory>
#include <utility>

namespace eventhorn::store {

class RocksEngine final : public TestEngine {
 public:
  RocksEngine() { reopen(); }

  Store& store() override { return *store_; }

  void reopen() override {
    store_.reset();
    store_ = expect(RocksStore::open(rocks_options(dir_, &env_), clock));
  }

  void cut_power() override { cut_power_in(0); }

  /// The log is cut off so many bytes behind what was synced.
  void cut_power_in(uint64_t bytes) {
    env_.set_fault(FaultEnv::Fault::kDead);
    store_.reset();
    env_.lose_unsynced(bytes);
    env_.set_fault(FaultEnv::Fault::kNone);
    reopen();
  }

  void fail_one_sync() override { env_.fail_one_sync(); }

  void index_now() override { EXPECT_TRUE(store_->index_now()); }

  void compact() override { EXPECT_TRUE(store_->compact_now()); }

 private:
  const TempDir dir_;
  FaultEnv env_;
  std::unique_ptr<RocksStore> store_;
};

class MemoryEngine final : public TestEngine {
 public:
  MemoryEngine() { reopen(); }

  Store& store() override { return *store_; }

  void reopen() override {
    store_.reset();
    open();
  }

  void cut_power() override { cut_power_behind(0); }

  /// So many writes that were not synced stay.
  void cut_power_behind(size_t writes) {
    disk_.power_cut(writes);
    open();
  }

  size_t unsynced() const { return disk_.unsynced(); }

  void fail_one_sync() override { faults_.fail_one_sync = true; }

  void index_now() override {}

  void compact() override {}

 private:
  struct Faults final : MemoryFaults {
    Status on(Operation operation) override {
      const bool is_sync = operation == Operation::kSync || operation == Operation::kFlush;
      if (!is_sync || !std::exchange(fail_one_sync, false)) return {};
      return fail(Errc::kUnavailable, "input/output error");
    }

    bool fail_one_sync = false;
  };

  void open() {
    disk_.check_invariants();
    store_ = expect(MemoryStore::open(disk_, clock, {&faults_}));
  }

  MemoryDisk disk_;
  Faults faults_;
  std::unique_ptr<MemoryStore> store_;
};

}  // namespace eventhorn::store
