// What the tables say: MADT, SRAT, HPET, MCFG and FADT, right and malformed.
#include "tests/core/acpi/memory.hpp"
#include "tests/support/test.hpp"

#include <algorithm>

namespace twofold::acpi {
namespace {

using test::PhysicalMemory;

/// What a walk over a MADT met.
struct MadtLog {
    char storage[512];
    TextBuffer text{storage};

    void operator()(Processor const& processor) {
        format_to(
            text.output(), "cpu {} apic {}{}{}{}; ", processor.acpi_id, processor.apic_id,
            processor.enabled ? " on" : "", processor.online_capable ? " capable" : "",
            processor.x2apic ? " x2" : "");
    }
    void operator()(IoApic const& io) {
        format_to(text.output(), "io {} {:#x} {}; ", io.id, io.address, io.interrupt_base);
    }
    void operator()(InterruptOverride const& line) {
        format_to(
            text.output(), "irq {}.{} to {} {}{}; ", line.bus, line.source, line.interrupt,
            line.mode.polarity == LineMode::Polarity::low ? "low" : "",
            line.mode.trigger == LineMode::Trigger::level ? " level" : "");
    }
    void operator()(NmiSource const& nmi) { format_to(text.output(), "nmi {}; ", nmi.interrupt); }
    void operator()(LocalNmi const& nmi) {
        format_to(text.output(), "lint{} {:#x}; ", nmi.input, nmi.acpi_id);
    }
};

TEST(AcpiMadt, EveryRecord) {
    PhysicalMemory memory;
    PhysAddr const start = memory.begin("APIC");
    memory.put<u32>(0xFEE0'0000).put<u32>(1);
    memory.put<u8>(0).put<u8>(8).put<u8>(1).put<u8>(4).put<u32>(1);
    memory.put<u8>(0).put<u8>(8).put<u8>(2).put<u8>(5).put<u32>(2);
    memory.put<u8>(9).put<u8>(16).put<u16>(0).put<u32>(300).put<u32>(1).put<u32>(7);
    memory.put<u8>(1).put<u8>(12).put<u8>(3).put<u8>(0).put<u32>(0xFEC0'0000).put<u32>(24);
    memory.put<u8>(2).put<u8>(10).put<u8>(0).put<u8>(9).put<u32>(20).put<u16>(0xF);
    memory.put<u8>(3).put<u8>(8).put<u16>(0).put<u32>(11);
    memory.put<u8>(4).put<u8>(6).put<u8>(0xFF).put<u16>(5).put<u8>(1);
    memory.put<u8>(10).put<u8>(12).put<u16>(0).put<u32>(8).put<u8>(0).put_zeros(3);
    memory.put<u8>(0x7F).put<u8>(3).put<u8>(0); // unknown: passed over
    memory.put<u8>(5).put<u8>(12).put<u16>(0).put<u64>(0x1'FEE0'0000);
    Result<Madt> const madt = parse_madt(memory.end(start));
    ASSERT_TRUE(madt.has_value());
    EXPECT_EQ(madt.value().local_apic, PhysAddr{0x1'FEE0'0000});
    EXPECT_TRUE(madt.value().has_legacy_controllers);
    MadtLog log;
    madt.value().visit(log);
    EXPECT_EQ(
        log.text.view(),
        "cpu 1 apic 4 on; cpu 2 apic 5 capable; cpu 7 apic 300 on x2; io 3 0xfec00000 24; "
        "irq 0.9 to 20 low level; nmi 11; lint1 0xffffffff; lint0 0x8; ");
    u32 processors = 0;
    madt.value().visit([&](Processor const&) { ++processors; });
    EXPECT_EQ(processors, 3u);
}

/// Reserved types are to be skipped, and so are those that only other architectures have (ACPI 6.5,
/// section 5.2.12, table 5.21).
TEST(AcpiMadt, EveryTypeThatIsNotUnderstoodIsPassedOver) {
    constexpr u32 understood[] = {0, 1, 2, 3, 4, 5, 9, 10};
    for (u32 type = 0; type <= 0xFF; ++type) {
        if (std::ranges::find(understood, type) != std::end(understood)) {
            continue;
        }
        for (u8 const length : {u8{2}, u8{3}, u8{8}, u8{255}}) {
            PhysicalMemory memory;
            PhysAddr const start = memory.begin("APIC");
            memory.put<u64>(0);
            memory.put<u8>(static_cast<u8>(type)).put<u8>(length).put_zeros(length - 2u);
            memory.put<u8>(0).put<u8>(8).put<u8>(1).put<u8>(4).put<u32>(1);
            Result<Madt> const madt = parse_madt(memory.end(start));
            ASSERT_TRUE(madt.has_value());
            MadtLog log;
            madt.value().visit(log);
            ASSERT_EQ(log.text.view(), "cpu 1 apic 4 on; ");
        }
        PhysicalMemory endless; // a walk by this length would never end
        PhysAddr const start = endless.begin("APIC");
        endless.put<u64>(0).put<u8>(static_cast<u8>(type)).put<u8>(0).put_zeros(6);
        ASSERT_EQ(parse_madt(endless.end(start)).error(), Error::corrupted);
    }
}

TEST(AcpiMadt, MalformedRecords) {
    struct Case {
        u8 type;
        u8 length; // claimed
        u8 bytes;  // written
    };
    for (Case const wrong :
         {Case{0, 0, 8},
          {0, 1, 8},
          {0, 7, 8},
          {0, 8, 7},
          {0, 255, 8},
          {1, 11, 11},
          {2, 9, 9},
          {3, 7, 7},
          {4, 5, 5},
          {5, 11, 11},
          {9, 15, 15},
          {10, 11, 11},
          {77, 0, 4},
          {77, 1, 1}}) {
        PhysicalMemory memory;
        PhysAddr const start = memory.begin("APIC");
        memory.put<u64>(0).put<u8>(wrong.type);
        if (wrong.bytes > 1) {
            memory.put<u8>(wrong.length).put_zeros(wrong.bytes - 2u);
        }
        EXPECT_EQ(parse_madt(memory.end(start)).error(), Error::corrupted);
    }
    PhysicalMemory mode; // a reserved polarity
    PhysAddr const start = mode.begin("APIC");
    mode.put<u64>(0).put<u8>(3).put<u8>(8).put<u16>(2).put<u32>(0);
    EXPECT_EQ(parse_madt(mode.end(start)).error(), Error::corrupted);
    EXPECT_EQ(parse_madt({}).error(), Error::corrupted);
}

void put_memory_affinity(PhysicalMemory& memory, u32 domain, u64 base, u64 size, u32 flags) {
    memory.put<u8>(1).put<u8>(40).put<u32>(domain).put<u16>(0).put<u64>(base).put<u64>(size);
    memory.put<u32>(0).put<u32>(flags).put<u64>(0);
}

TEST(AcpiSrat, EveryRecord) {
    PhysicalMemory memory;
    PhysAddr const start = memory.begin("SRAT");
    memory.put<u32>(1).put<u64>(0);
    memory.put<u8>(0).put<u8>(16).put<u8>(0x44).put<u8>(9).put<u32>(1);
    memory.put<u8>(0).put<u8>(0x33).put<u8>(0x22).put<u8>(0x11).put<u32>(0);
    memory.put<u8>(0).put<u8>(16).put_zeros(14); // not enabled
    memory.put<u8>(2).put<u8>(24).put<u16>(0).put<u32>(5).put<u32>(400).put<u32>(1).put<u64>(0);
    put_memory_affinity(memory, 0, 0, 0xA0000, 1);
    put_memory_affinity(memory, 1, 0x10'0000, 0x10'0000, 1 | 2 | 4);
    put_memory_affinity(memory, 9, 0, UINT64_MAX, 0); // not enabled
    put_memory_affinity(memory, 9, UINT64_MAX, 0, 1); // empty
    Result<Srat> const srat = parse_srat(memory.end(start));
    ASSERT_TRUE(srat.has_value());

    char storage[256];
    TextBuffer text(storage);
    srat.value().visit([&](ProcessorAffinity const& processor) {
        format_to(text.output(), "apic {} in {:#x}; ", processor.apic_id, processor.domain);
    });
    srat.value().visit([&](MemoryAffinity const& range) {
        format_to(
            text.output(), "{:#x}+{:#x} in {}{}{}; ", range.base, range.size, range.domain,
            range.hot_pluggable ? " hot" : "", range.non_volatile ? " kept" : "");
    });
    EXPECT_EQ(
        text.view(), "apic 9 in 0x11223344; apic 400 in 0x5; 0x0+0xa0000 in 0; "
                     "0x100000+0x100000 in 1 hot kept; ");
}

TEST(AcpiSrat, RangesThatCannotBe) {
    struct Case {
        u64 base, size;
        bool sound;
    };
    for (Case const range :
         {Case{UINT64_MAX, 2, false},
          {0, UINT64_MAX, false},
          {u64{1} << 52, 1, false},
          {(u64{1} << 52) - 4096, 4096, true},
          {(u64{1} << 52) - 4096, 4097, false}}) {
        PhysicalMemory memory;
        PhysAddr const start = memory.begin("SRAT");
        memory.put<u32>(1).put<u64>(0);
        put_memory_affinity(memory, 0, range.base, range.size, 1);
        EXPECT_EQ(parse_srat(memory.end(start)).has_value(), range.sound);
    }
    for (u32 const domain : {0u, 1u}) { // an overlap is sound within one domain only
        PhysicalMemory memory;
        PhysAddr const start = memory.begin("SRAT");
        memory.put<u32>(1).put<u64>(0);
        put_memory_affinity(memory, 0, 0, 0x2000, 1);
        put_memory_affinity(memory, domain, 0x1000, 0x2000, 1);
        EXPECT_EQ(parse_srat(memory.end(start)).has_value(), domain == 0);
    }
}

TEST(AcpiSrat, MalformedRecords) {
    EXPECT_EQ(parse_srat({}).error(), Error::corrupted);
    for (u8 const type : {u8{0}, u8{1}, u8{2}}) {
        u8 const size = type == 0 ? 16 : type == 1 ? 40 : 24;
        PhysicalMemory memory;
        PhysAddr const start = memory.begin("SRAT");
        memory.put<u32>(1).put<u64>(0);
        memory.put<u8>(type).put<u8>(static_cast<u8>(size - 1)).put_zeros(size - 3u);
        EXPECT_EQ(parse_srat(memory.end(start)).error(), Error::corrupted);
    }
}

TEST(AcpiHpet, SoundAndNot) {
    PhysicalMemory memory;
    PhysAddr const start = memory.begin("HPET");
    memory.put<u32>(0x8086'A201).put<u8>(0).put<u8>(64).put<u16>(0).put<u64>(0xFED0'0000);
    memory.put<u8>(2).put<u16>(128).put<u8>(0);
    TableBytes const table = memory.end(start);
    Hpet const hpet = parse_hpet(table).value();
    EXPECT_EQ(hpet.address, PhysAddr{0xFED0'0000});
    EXPECT_EQ(hpet.number, 2u);
    EXPECT_EQ(hpet.comparator_count, 3u);
    EXPECT_EQ(hpet.minimum_tick, 128u);
    EXPECT_EQ(parse_hpet(table.first(55)).error(), Error::corrupted);
    memory.poke<u8>(start + Bytes{40}, 1);
    EXPECT_EQ(parse_hpet(table).error(), Error::not_supported);
    memory.poke<u8>(start + Bytes{40}, 9);
    EXPECT_EQ(parse_hpet(table).error(), Error::corrupted);
    memory.poke<u64>(start + Bytes{44}, 0);
    EXPECT_EQ(parse_hpet(table).error(), Error::corrupted);
}

TEST(AcpiMcfg, SoundAndNot) {
    PhysicalMemory memory;
    PhysAddr const start = memory.begin("MCFG");
    memory.put<u64>(0).put<u64>(0xB000'0000).put<u16>(0).put<u8>(0).put<u8>(255).put<u32>(0);
    memory.put<u64>(0xC000'0000).put<u16>(1).put<u8>(4).put<u8>(7).put<u32>(0);
    TableBytes const table = memory.end(start);
    Mcfg const mcfg = parse_mcfg(table).value();
    ASSERT_EQ(mcfg.count(), 2u);
    EXPECT_EQ(mcfg.entry(0).base, PhysAddr{0xB000'0000});
    EXPECT_EQ(mcfg.entry(0).last_bus, 255u);
    EXPECT_EQ(mcfg.entry(1).segment, 1u);
    EXPECT_EQ(mcfg.entry(1).first_bus, 4u);
    EXPECT_EQ(parse_mcfg(table.first(43)).error(), Error::corrupted);
    EXPECT_EQ(parse_mcfg(table.first(59)).error(), Error::corrupted);
    EXPECT_EQ(parse_mcfg(table.first(44)).value().count(), 0u);
    memory.poke<u64>(start + Bytes{60}, UINT64_MAX);
    EXPECT_EQ(parse_mcfg(table).error(), Error::corrupted);
    memory.poke<u64>(start + Bytes{60}, 0);
    memory.poke<u8>(start + Bytes{70}, 9); // the first bus after the last
    EXPECT_EQ(parse_mcfg(table).error(), Error::corrupted);
}

/// A FADT of `size` bytes, with what each revision has.
TableBytes put_fadt(PhysicalMemory& memory, PhysAddr& start, usize size) {
    start = memory.begin("FACP", 6);
    memory.put_zeros(size - table_header_size);
    memory.poke<u32>(start + Bytes{40}, 0x7000'0000);
    memory.poke<u16>(start + Bytes{46}, 9);
    memory.poke<u32>(start + Bytes{48}, 0xB2);
    memory.poke<u8>(start + Bytes{52}, 2);
    memory.poke<u32>(start + Bytes{64}, 0x604);
    memory.poke<u8>(start + Bytes{89}, 2);
    return memory.end(start);
}

TEST(AcpiFadt, FirstRevision) {
    PhysicalMemory memory;
    PhysAddr start;
    TableBytes const table = put_fadt(memory, start, 116);
    Fadt const fadt = parse_fadt(table).value();
    EXPECT_EQ(fadt.dsdt, PhysAddr{0x7000'0000});
    EXPECT_EQ(fadt.sci_interrupt, 9u);
    EXPECT_EQ(fadt.smi_command_port, 0xB2u);
    EXPECT_EQ(fadt.acpi_enable, 2u);
    EXPECT_TRUE(fadt.pm1a_control.space == GenericAddress::Space::io);
    EXPECT_EQ(fadt.pm1a_control.address, 0x604u);
    EXPECT_EQ(fadt.pm1a_control.bit_width, 16u);
    EXPECT_EQ(fadt.pm1b_control.address, 0u);
    EXPECT_FALSE(fadt.hardware_reduced);
    EXPECT_FALSE(fadt.reset_register.has_value());
    EXPECT_EQ(parse_fadt(table.first(115)).error(), Error::corrupted);
}

TEST(AcpiFadt, ExtendedFieldsComeFirst) {
    PhysicalMemory memory;
    PhysAddr start;
    TableBytes const table = put_fadt(memory, start, 244);
    memory.poke<u32>(start + Bytes{112}, 1u << 10 | 1u << 20);
    memory.poke<u8>(start + Bytes{116}, 1);
    memory.poke<u8>(start + Bytes{117}, 8);
    memory.poke<u64>(start + Bytes{120}, 0xCF9);
    memory.poke<u8>(start + Bytes{128}, 6);
    memory.poke<u64>(start + Bytes{140}, 0x1'7000'0000);
    memory.poke<u8>(start + Bytes{172}, 0);
    memory.poke<u64>(start + Bytes{176}, 0x1'0000'0604);
    Fadt const fadt = parse_fadt(table).value();
    EXPECT_EQ(fadt.dsdt, PhysAddr{0x1'7000'0000});
    EXPECT_TRUE(fadt.pm1a_control.space == GenericAddress::Space::memory);
    EXPECT_EQ(fadt.pm1a_control.address, 0x1'0000'0604u);
    EXPECT_TRUE(fadt.hardware_reduced);
    ASSERT_TRUE(fadt.reset_register.has_value());
    EXPECT_EQ(fadt.reset_register->address, 0xCF9u);
    EXPECT_EQ(fadt.reset_value, 6u);
    // Cut before the value: no reset register. An unknown space: refused.
    EXPECT_FALSE(parse_fadt(table.first(128)).value().reset_register.has_value());
    memory.poke<u8>(start + Bytes{116}, 0x66);
    EXPECT_EQ(parse_fadt(table).error(), Error::corrupted);
}

TEST(AcpiSleep, TheTypesOfSoftOff) {
    struct Case {
        std::initializer_list<u8> code;
        int a, b; ///< -1: refused
    };
    // Name, package, its length, how many elements, then these.
    Case const cases[] = {
        {{0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00}, 0, 0},
        {{0x08, '\\', '_', 'S', '5', '_', 0x12, 0x07, 0x02, 0x0a, 0x05, 0x01}, 5, 1},
        {{0x08, '_', 'S', '5', '_', 0x12, 0x46, 0x01, 0x02, 0x0b, 0x07, 0x00, 0x0c, 3, 0, 0, 0},
         7,
         3},
        {{0x08, '_', 'S', '5', '_', 0x12, 0x04, 0x01, 0x0a, 0x06}, 6, 6}, // one for both
        {{0x08, 0x08, '_', 'S', '5', '_', 0x12, 0x04, 0x02, 0x01, 0x01}, 1, 1},
        {{0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x02, 0x0a, 0x08, 0x00}, -1, -1}, // four bits
        {{0x08, '_', 'S', '5', '_', 0x12, 0x02, 0x00}, -1, -1},                   // no element
        {{0x08, '_', 'S', '5', '_', 0x0a, 0x05}, -1, -1},                         // no package
        {{0x08, '_', 'S', '5', '_', 0x12, 0xc6}, -1, -1},                         // cut short
        {{0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x02, 0x0d, 'x', 0x00}, -1, -1},  // a text
    };
    for (Case const& item : cases) {
        PhysicalMemory memory;
        PhysAddr const start = memory.begin("DSDT");
        for (u8 const byte : item.code) {
            memory.put<u8>(byte);
        }
        auto const types = find_soft_off(memory.end(start));
        if (item.a < 0) {
            EXPECT_EQ(types.error(), Error::corrupted);
        } else {
            ASSERT_TRUE(types.has_value());
            EXPECT_EQ(types.value().pm1a, item.a);
            EXPECT_EQ(types.value().pm1b, item.b);
        }
    }
}

TEST(AcpiSleep, ATableWithoutIt) {
    PhysicalMemory memory;
    PhysAddr const start = memory.begin("DSDT");
    memory.put<u8>(0x08).put_text("_S3_").put<u8>(0x12).put<u8>(0x08).put_text("_S5");
    EXPECT_EQ(find_soft_off(memory.end(start)).error(), Error::not_found);
    EXPECT_EQ(find_soft_off({}).error(), Error::corrupted);
}

} // namespace
} // namespace twofold::acpi
