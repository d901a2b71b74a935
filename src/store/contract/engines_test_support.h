// The engines that the contract suite runs over.
#pragma once

#include "store/contract/contract_test_support.h"
#include "store/memory/memory_store.h"
#include "store/rocks_test_support.h"

#include <memory>

namespace eventhorn::store {

class RocksEngine final : public TestEngine {
 public:
  RocksEngine() { reopen(); }

  Store& store() override { return *store_; }

  void reopen() override {
    store_.reset();
    store_ = open_rocks(dir_, clock);
  }

  void index_now() override { EXPECT_TRUE(store_->index_now()); }

  void compact() override { EXPECT_TRUE(store_->compact_now()); }

 private:
  TempDir dir_;
  std::unique_ptr<RocksStore> store_;
};

class MemoryEngine final : public TestEngine {
 public:
  MemoryEngine() { reopen(); }

  Store& store() override { return *store_; }

  void reopen() override {
    store_.reset();
    disk_.check_invariants();
    store_ = expect(MemoryStore::open(disk_, clock));
  }

  void index_now() override {}

  void compact() override {}

 private:
  MemoryDisk disk_;
  std::unique_ptr<MemoryStore> store_;
};

}  // namespace eventhorn::store
