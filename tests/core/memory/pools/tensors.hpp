// A tensor pool of a test's own, which must be empty at the end.
#pragma once

#include "tests/core/memory/pools/support.hpp"

namespace twofold::memory::testing {

using namespace twofold::literals;

inline constexpr Bytes region = 16_MiB;

/// A pool that must be empty at the end, with no frame lost.
struct TensorsUnderTest {
    explicit TensorsUnderTest(Bytes size = region) {
        pool.emplace(TensorPool::create(kernel_space(), size).value());
    }
    ~TensorsUnderTest() { EXPECT_TRUE(pool->verify().has_value()); }
    TensorPool* operator->() { return &*pool; }

    NothingIsLost lost;
    std::optional<TensorPool> pool;
};

inline TensorBytes allocate(TensorsUnderTest& test, TensorClass kind, Bytes size) {
    return test->allocate({.kind = kind, .size = size}).value();
}

} // namespace twofold::memory::testing
