// What is made of the table of processors and interrupt controllers, hostile ones included.
#include "core/boot/topology.hpp"

#include "tests/core/acpi/memory.hpp"
#include "tests/support/test.hpp"

namespace twofold::boot {
namespace {

using acpi::test::PhysicalMemory;
using hal::Polarity;
using hal::Trigger;

/// A MADT with what `fill` writes behind its head.
template<class Fill>
acpi::Madt make_madt(PhysicalMemory& memory, Fill const& fill) {
    PhysAddr const start = memory.begin("APIC");
    memory.put<u32>(0xFEE0'0000).put<u32>(1);
    fill(memory);
    return acpi::parse_madt(memory.end(start)).value();
}

void put_processor(PhysicalMemory& memory, u8 acpi_id, u8 apic_id, u32 flags) {
    memory.put<u8>(0).put<u8>(8).put<u8>(acpi_id).put<u8>(apic_id).put<u32>(flags);
}

TEST(Topology, EnabledProcessorsInTheirOrder) {
    PhysicalMemory memory;
    Topology const topology = read_topology(make_madt(memory, [](PhysicalMemory& madt) {
        put_processor(madt, 1, 6, 1);
        put_processor(madt, 2, 4, 0); // not enabled
        put_processor(madt, 5, 5, 2); // that, but may be while the system runs: none asks for it
        put_processor(madt, 3, 2, 1);
        put_processor(madt, 4, 2, 1);                                                // said twice
        madt.put<u8>(9).put<u8>(16).put<u16>(0).put<u32>(2).put<u32>(1).put<u32>(3); // and again
        madt.put<u8>(9).put<u8>(16).put<u16>(0).put<u32>(700).put<u32>(1).put<u32>(9);
    }));
    ASSERT_EQ(topology.count(), 3u);
    EXPECT_EQ(topology.processors[0].hardware_id, 6u);
    EXPECT_EQ(topology.processors[1].hardware_id, 2u);
    EXPECT_EQ(topology.processors[1].acpi_id, 3u);
    EXPECT_EQ(topology.processors[2].hardware_id, 700u);
    EXPECT_EQ(topology.left_out, 0u);
}

TEST(Topology, ThereIsAlwaysOne) {
    PhysicalMemory memory;
    Topology const topology = read_topology(make_madt(memory, [](PhysicalMemory&) {}));
    EXPECT_EQ(topology.count(), 1u);
    EXPECT_TRUE(topology.processors.empty());
}

TEST(Topology, MoreThanThereIsRoomFor) {
    PhysicalMemory memory;
    Topology const topology = read_topology(make_madt(memory, [](PhysicalMemory& madt) {
        for (u32 i = 0; i < 240; ++i) {
            put_processor(madt, static_cast<u8>(i), static_cast<u8>(i), 1);
        }
    }));
    EXPECT_EQ(topology.count(), 240u);
    PhysicalMemory second;
    PhysAddr const start = second.begin("APIC");
    second.put<u32>(0xFEE0'0000).put<u32>(1);
    u32 put = 0;
    while (second.here().value - PhysicalMemory::base + 16 < PhysicalMemory::size) {
        second.put<u8>(9).put<u8>(16).put<u16>(0).put<u32>(put).put<u32>(1).put<u32>(put);
        ++put;
    }
    Topology const many = read_topology(acpi::parse_madt(second.end(start)).value());
    EXPECT_EQ(many.count() + many.left_out, put);
    EXPECT_LE(many.count(), Topology::processors_max);
}

TEST(Topology, LegacyLinesAndTheirOverrides) {
    PhysicalMemory memory;
    acpi::Madt const madt = make_madt(memory, [](PhysicalMemory& table) {
        put_processor(table, 5, 0, 1);
        put_processor(table, 7, 1, 1);
        table.put<u8>(1).put<u8>(12).put<u8>(0).put<u8>(0).put<u32>(0xFEC0'0000).put<u32>(0);
        table.put<u8>(2).put<u8>(10).put<u8>(0).put<u8>(0).put<u32>(2).put<u16>(0);
        table.put<u8>(2).put<u8>(10).put<u8>(0).put<u8>(9).put<u32>(20).put<u16>(0xF);
        table.put<u8>(2).put<u8>(10).put<u8>(1).put<u8>(3).put<u32>(9).put<u16>(0);  // not ISA
        table.put<u8>(2).put<u8>(10).put<u8>(0).put<u8>(16).put<u32>(9).put<u16>(0); // no such
        table.put<u8>(3).put<u8>(8).put<u16>(0).put<u32>(11);
        table.put<u8>(4).put<u8>(6).put<u8>(0xFF).put<u16>(5).put<u8>(1);
        table.put<u8>(4).put<u8>(6).put<u8>(7).put<u16>(0xF).put<u8>(0);
        table.put<u8>(4).put<u8>(6).put<u8>(8).put<u16>(5).put<u8>(1); // no such processor
        table.put<u8>(4).put<u8>(6).put<u8>(7).put<u16>(5).put<u8>(9); // no such input
    });
    InterruptDescription const description = read_interrupts(madt, read_topology(madt));
    EXPECT_EQ(description.local, PhysAddr{0xFEE0'0000});
    ASSERT_EQ(description.io.size(), 1u);
    EXPECT_EQ(description.legacy[0].line.value, 2u);
    EXPECT_EQ(description.legacy[0].trigger, Trigger::edge);
    EXPECT_EQ(description.legacy[9].line.value, 20u);
    EXPECT_EQ(description.legacy[9].trigger, Trigger::level);
    EXPECT_EQ(description.legacy[9].polarity, Polarity::low);
    EXPECT_EQ(description.legacy[3].line.value, 3u);
    EXPECT_EQ(description.legacy[4].line.value, 4u);
    ASSERT_EQ(description.non_maskable_lines.size(), 1u);
    EXPECT_EQ(description.non_maskable_lines[0].value, 11u);
    ASSERT_EQ(description.non_maskable.size(), 2u);
    EXPECT_EQ(
        description.non_maskable[0].processor,
        hal::InterruptPlan::LocalNonMaskable::all_processors);
    EXPECT_EQ(description.non_maskable[0].input, 1u);
    EXPECT_EQ(description.non_maskable[1].processor, 1u);
    EXPECT_EQ(description.non_maskable[1].trigger, Trigger::level);
    EXPECT_EQ(description.left_out, 4u);
}

TEST(Topology, ControllersThatAreDoubledOrTooMany) {
    PhysicalMemory memory;
    acpi::Madt const madt = make_madt(memory, [](PhysicalMemory& table) {
        for (u32 i = 0; i < 20; ++i) {
            u32 const address = 0xFEC0'0000 + (i == 3 ? 2 : i) * 0x1000; // the fourth is doubled
            table.put<u8>(1).put<u8>(12).put<u8>(0).put<u8>(0).put<u32>(address).put<u32>(i * 24);
        }
        table.put<u8>(1).put<u8>(12).put<u8>(0).put<u8>(0).put<u32>(0).put<u32>(1000);
    });
    InterruptDescription const description = read_interrupts(madt, Topology());
    EXPECT_EQ(description.io.size(), hal::InterruptPlan::io_controllers_max);
    EXPECT_EQ(description.left_out, 21u - 16);
}

} // namespace
} // namespace twofold::boot
