// The names and kinds of the processor's exceptions.
#include "hal/hosted/fault_decode.hpp"

#include <gtest/gtest.h>

namespace {

using namespace hosted;
using namespace twofold;

TEST(HostedFaultDecode, EveryVectorHasAName) {
    for (u64 vector = 0; vector < 32; ++vector) {
        EXPECT_NE(std::string_view(exception_facts(vector).name), "");
    }
    EXPECT_EQ(exception_facts(13).kind, hal::FaultKind::protection);
    EXPECT_EQ(exception_facts(99).kind, hal::FaultKind::other);
}

} // namespace
