// Addresses for functions that come without: in the windows of their bridge, aligned, apart from
// each other and from neighbours.
#include "core/device/pci/assignment.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::pci;

namespace {

constexpr Address port_before{0, 0, 2, 0}, slot_behind{0, 2, 0, 0};

/// The configuration spaces of a bridge and of what is behind it.
struct AssignedSpaces {
    u8 bytes[2][256]{};

    u32 space_bytes(Address) { return 256; }
    u32 read(Address where, u32 offset, u32 width) {
        u32 value = 0;
        for (u32 i = width; i > 0; --i) {
            value = value << 8 | bytes[where.bus == 0 ? 0 : 1][offset + i - 1];
        }
        return value;
    }
    void write(Address where, u32 offset, u32 width, u32 value) {
        for (u32 i = 0; i < width; ++i) {
            bytes[where.bus == 0 ? 0 : 1][offset + i] = static_cast<u8>(value >> 8 * i);
        }
    }
    u32 bar(u8 number) { return read(slot_behind, 0x10 + u32{number} * 4, 4); }
};

struct AssignmentBench {
    AssignedSpaces spaces;
    Function function;
    Function neighbour;

    AssignmentBench() {
        spaces.write(port_before, 0x20, 4, 0x0030'0030); // 3 to 4 MiB
        spaces.write(port_before, 0x24, 4, 0x0000'fff0); // none
        function.where = slot_behind;
        neighbour.where = {0, 2, 0, 1};
    }
    void add(Function& to, u8 number, BarKind kind, u64 size, bool ahead = false, u64 at = 0) {
        to.bars
            .push_back(
                {.kind = kind,
                 .number = number,
                 .prefetchable = ahead,
                 .address = at,
                 .size = Bytes{size}})
            .value();
    }
    Result<void> assign() {
        return assign_addresses(
            Configuration::of(spaces), port_before, function, std::span(&neighbour, 1));
    }
};

} // namespace

TEST(PciAssignment, TheLargestIsFirstAndAllAreAligned) {
    AssignmentBench it;
    it.add(it.function, 0, BarKind::memory_32, 0x1000);
    it.add(it.function, 1, BarKind::memory_32, 0x4000);
    it.add(it.function, 2, BarKind::memory_64, 0x2000);
    EXPECT_TRUE(lacks_addresses(it.function));
    ASSERT_TRUE(it.assign().has_value());
    EXPECT_EQ(it.spaces.bar(1), 0x30'0000u);
    EXPECT_EQ(it.spaces.bar(2), 0x30'4000u);
    EXPECT_EQ(it.spaces.bar(3), 0u);
    EXPECT_EQ(it.spaces.bar(0), 0x30'6000u);
}

TEST(PciAssignment, NeighboursAndWhatHasAnAddressStay) {
    AssignmentBench it;
    it.add(it.neighbour, 0, BarKind::memory_32, 0x2000, false, 0x30'0000);
    it.add(it.function, 0, BarKind::memory_32, 0x1000, false, 0x30'2000);
    it.add(it.function, 1, BarKind::io, 0x20);
    EXPECT_FALSE(lacks_addresses(it.function));
    it.add(it.function, 2, BarKind::memory_32, 0x2000);
    it.spaces.write(slot_behind, 0x10, 4, 0x30'2000);
    ASSERT_TRUE(it.assign().has_value());
    EXPECT_EQ(it.spaces.bar(0), 0x30'2000u);
    EXPECT_EQ(it.spaces.bar(1), 0u);
    EXPECT_EQ(it.spaces.bar(2), 0x30'2000u + 0x2000u);
}

TEST(PciAssignment, WhatDoesNotFitIsAnError) {
    AssignmentBench it;
    it.add(it.function, 0, BarKind::memory_32, u64{1} << 20);
    ASSERT_TRUE(it.assign().has_value());
    EXPECT_EQ(it.spaces.bar(0), 0x30'0000u);
    it.add(it.function, 1, BarKind::memory_32, 0x1000);
    EXPECT_FALSE(it.assign().has_value());
    it.spaces.write(port_before, 0x20, 4, 0x0000'fff0); // the bridge passes nothing on
    EXPECT_FALSE(it.assign().has_value());
}

TEST(PciAssignment, WhatMayBeReadAheadMayLieFar) {
    AssignmentBench it;
    it.spaces.write(port_before, 0x20, 4, 0x0000'fff0);
    it.spaces.write(port_before, 0x24, 4, 0x0001'0001);
    it.spaces.write(port_before, 0x28, 4, 8);
    it.spaces.write(port_before, 0x2c, 4, 8);
    it.add(it.function, 0, BarKind::memory_64, 0x4000, true);
    ASSERT_TRUE(it.assign().has_value());
    EXPECT_EQ(it.spaces.bar(0), 0u);
    EXPECT_EQ(it.spaces.bar(1), 8u);
    it.add(it.function, 2, BarKind::memory_32, 0x1000, true);
    EXPECT_FALSE(it.assign().has_value());
}
