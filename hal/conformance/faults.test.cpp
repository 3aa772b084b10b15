// Synchronous exceptions: each arrives with its kind and address, and execution goes on after it.
#include "core/boot/boot.hpp"
#include "core/boot/provoke.hpp"
#include "hal/conformance/page_tables.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using hal::FaultKind;

namespace {

std::optional<boot::CaughtFault> provoke(std::string_view kind) {
    return boot::catch_fault([kind] { boot::provoke_fault(kind).value(); });
}

} // namespace

TEST(Faults, ReadingWhereNothingIsMapped) {
    auto const fault = provoke("read");
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, FaultKind::page);
    EXPECT_FALSE(fault->cause.present);
    EXPECT_FALSE(fault->cause.write);
    EXPECT_FALSE(fault->cause.execute);
    EXPECT_FALSE(fault->cause.user);
    EXPECT_TRUE(hal::Layout::current().views.contains(fault->address));
}

TEST(Faults, ReadingPageZero) {
    auto const fault = provoke("null");
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, FaultKind::page);
    EXPECT_EQ(fault->address.value, 0u);
    EXPECT_FALSE(fault->cause.write);
}

TEST(Faults, WritingAConstant) {
    auto const fault = provoke("write");
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, FaultKind::page);
    EXPECT_TRUE(fault->cause.present);
    EXPECT_TRUE(fault->cause.write);
}

TEST(Faults, ExecutingTheStack) {
    auto const fault = provoke("execute");
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, FaultKind::page);
    EXPECT_TRUE(fault->cause.present);
    EXPECT_TRUE(fault->cause.execute);
    EXPECT_EQ(fault->instruction, fault->address.value);
}

TEST(Faults, DividingByZero) {
    auto const fault = provoke("divide");
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, FaultKind::divide);
}

TEST(Faults, ExecutingWhatIsNoInstruction) {
    auto const fault = provoke("opcode");
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, FaultKind::invalid_instruction);
    EXPECT_NE(fault->instruction, 0u);
}

TEST(Faults, UsingANonCanonicalAddress) {
    VirtAddr const bad{0x8000'0000'0000'0000};
    ASSERT_FALSE(hal::Mmu::is_canonical(bad));
    auto const fault = boot::catch_fault([bad] { static_cast<void>(*conformance::word_at(bad)); });
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, FaultKind::protection);
}

TEST(Faults, AnUnknownKindIsRefused) {
    EXPECT_FALSE(boot::provoke_fault("no such kind").has_value());
    EXPECT_FALSE(boot::provoke_fault("").has_value());
}

TEST(Faults, AThousandInARow) {
    for (unsigned i = 0; i < 1000; ++i) {
        ASSERT_TRUE(provoke("opcode").has_value());
    }
}
