// The contract suite over every engine.
#include "store/contract/engines_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

INSTANTIATE_TEST_SUITE_P(Memory, StoreContract,
                         testing::Values([] { return std::make_unique<MemoryEngine>(); }));

INSTANTIATE_TEST_SUITE_P(Rocks, StoreContract,
                         testing::Values([] { return std::make_unique<RocksEngine>(); }));

}  // namespace
}  // namespace eventhorn::store
