// From the root pointer to a table, with sound and with hostile memory (core/acpi/tables.hpp).
#include "tests/core/acpi/memory.hpp"
#include "tests/support/test.hpp"

namespace twofold::acpi {
namespace {

using test::PhysicalMemory;

constexpr Signature test_signature{"TST1"};

/// A root (extended or not) that lists one table TST1 with four bytes of content.
struct Machine {
    explicit Machine(bool extended) {
        table = memory.begin("TST1");
        memory.put<u32>(0x0403'0201);
        static_cast<void>(memory.end(table));
        root = memory.begin(extended ? "XSDT" : "RSDT");
        if (extended) {
            memory.put<u64>(table.value);
        } else {
            memory.put<u32>(static_cast<u32>(table.value));
        }
        static_cast<void>(memory.end(root));
        rsdp = extended ? memory.put_root_pointer(2, 0, root.value)
                        : memory.put_root_pointer(0, static_cast<u32>(root.value), 0);
    }
    Result<Tables> open() { return Tables::open(memory.reader(), rsdp); }

    PhysicalMemory memory;
    PhysAddr table;
    PhysAddr root;
    PhysAddr rsdp;
};

TEST(AcpiTables, BothRootsLeadToTheTable) {
    for (bool const extended : {false, true}) {
        Machine machine(extended);
        Result<Tables> const tables = machine.open();
        ASSERT_TRUE(tables.has_value());
        EXPECT_EQ(tables.value().is_extended(), extended);
        ASSERT_EQ(tables.value().count(), 1u);
        TableInfo const info = tables.value().info(0).value();
        EXPECT_TRUE(info.signature == test_signature);
        EXPECT_EQ(info.address, machine.table);
        EXPECT_EQ(info.length, 40u);
        EXPECT_EQ(info.revision, 1u);
        EXPECT_EQ(info.oem.view(), "TEST? ");
        Result<TableBytes> const table = tables.value().find(test_signature);
        ASSERT_TRUE(table.has_value());
        EXPECT_EQ(table.value().size(), 40u);
        EXPECT_TRUE(table.value()[36] == std::byte{1});
        EXPECT_EQ(tables.value().find(madt_signature).error(), Error::not_found);
    }
}

TEST(AcpiTables, RevisionTwoWithoutXsdtUsesTheRsdt) {
    Machine machine(false);
    PhysAddr const rsdp =
        machine.memory.put_root_pointer(2, static_cast<u32>(machine.root.value), 0);
    Result<Tables> const tables = Tables::open(machine.memory.reader(), rsdp);
    ASSERT_TRUE(tables.has_value());
    EXPECT_FALSE(tables.value().is_extended());
    EXPECT_EQ(tables.value().count(), 1u);
}

TEST(AcpiTables, EveryDamagedByteOfTheRootPointerIsNoticed) {
    for (usize i = 0; i < 36; ++i) {
        Machine machine(true);
        std::byte const byte = machine.memory.bytes(machine.rsdp, 36)[i];
        machine.memory.poke<u8>(
            machine.rsdp + Bytes{i}, static_cast<u8>(std::to_integer<u8>(byte) + 1));
        ASSERT_FALSE(machine.open().has_value());
        EXPECT_EQ(machine.open().error(), Error::corrupted);
    }
}

TEST(AcpiTables, RootPointerLengthsOutOfBounds) {
    for (u32 const length : {0u, 20u, 35u, 4097u, 0xFFFF'FFFFu}) {
        Machine machine(true);
        machine.memory.poke<u32>(machine.rsdp + Bytes{20}, length);
        machine.memory.seal(machine.rsdp, 36, 32);
        EXPECT_EQ(machine.open().error(), Error::corrupted);
    }
    Machine machine(true); // longer than what follows in memory
    machine.memory.poke<u32>(machine.rsdp + Bytes{20}, 4096);
    EXPECT_FALSE(machine.open().has_value());
}

TEST(AcpiTables, DamagedChecksums) {
    Machine root(true);
    root.memory.poke<u8>(root.root + Bytes{9}, 0x55);
    EXPECT_EQ(root.open().error(), Error::corrupted);

    Machine table(true);
    table.memory.poke<u8>(table.table + Bytes{36}, 0x55);
    Result<Tables> const tables = table.open();
    ASSERT_TRUE(tables.has_value());
    EXPECT_EQ(tables.value().find(test_signature).error(), Error::corrupted);
    EXPECT_TRUE(tables.value().info(0).has_value()); // the header alone is no promise
}

TEST(AcpiTables, LengthsOutOfBounds) {
    for (u32 const length : {0u, 35u, table_size_max + 1, 0xFFFF'FFFFu}) {
        Machine machine(true);
        machine.memory.poke<u32>(machine.table + Bytes{4}, length);
        Result<Tables> const tables = machine.open();
        ASSERT_TRUE(tables.has_value());
        EXPECT_EQ(tables.value().find(test_signature).error(), Error::corrupted);
    }
    Machine outside(true); // within the bound, but not in memory
    outside.memory.poke<u32>(outside.table + Bytes{4}, table_size_max);
    EXPECT_EQ(outside.open().value().find(test_signature).error(), Error::out_of_range);
}

TEST(AcpiTables, RootWithHalfAnEntry) {
    PhysicalMemory memory;
    PhysAddr const root = memory.begin("XSDT");
    memory.put<u64>(0).put<u32>(0);
    static_cast<void>(memory.end(root));
    PhysAddr const rsdp = memory.put_root_pointer(2, 0, root.value);
    EXPECT_EQ(Tables::open(memory.reader(), rsdp).error(), Error::corrupted);
}

TEST(AcpiTables, RootWithTooManyEntries) {
    PhysicalMemory memory;
    PhysAddr const root = memory.begin("RSDT");
    memory.put_zeros((table_count_max + 1) * sizeof(u32));
    static_cast<void>(memory.end(root));
    PhysAddr const rsdp = memory.put_root_pointer(0, static_cast<u32>(root.value), 0);
    EXPECT_EQ(Tables::open(memory.reader(), rsdp).error(), Error::corrupted);
}

TEST(AcpiTables, RootOfTheOtherKind) {
    PhysicalMemory memory; // an RSDT where the XSDT should be
    PhysAddr const root = memory.begin("RSDT");
    static_cast<void>(memory.end(root));
    PhysAddr const rsdp = memory.put_root_pointer(2, 0, root.value);
    EXPECT_EQ(Tables::open(memory.reader(), rsdp).error(), Error::corrupted);
}

TEST(AcpiTables, LoopsAndWildAddressesEnd) {
    PhysicalMemory memory;
    PhysAddr const table = memory.begin("TST1");
    static_cast<void>(memory.end(table));
    PhysAddr const root = memory.begin("XSDT");
    memory
        .put<u64>(root.value) // the root lists itself
        .put<u64>(0)
        .put<u64>(UINT64_MAX)
        .put<u64>(UINT64_MAX - 35)
        .put<u64>((u64{1} << physical_address_bits) - 1)
        .put<u64>(PhysicalMemory::base + PhysicalMemory::size - 1)
        .put<u64>(table.value);
    static_cast<void>(memory.end(root));
    PhysAddr const rsdp = memory.put_root_pointer(2, 0, root.value);
    Result<Tables> const tables = Tables::open(memory.reader(), rsdp);
    ASSERT_TRUE(tables.has_value());
    ASSERT_EQ(tables.value().count(), 7u);
    EXPECT_TRUE(tables.value().info(0).value().signature == xsdt_signature);
    EXPECT_EQ(tables.value().info(1).error(), Error::out_of_range);
    for (usize i = 2; i < 5; ++i) {
        EXPECT_EQ(tables.value().info(i).error(), Error::corrupted);
    }
    EXPECT_EQ(tables.value().info(5).error(), Error::out_of_range);
    EXPECT_TRUE(tables.value().find(test_signature).has_value()); // past the unreadable ones
    EXPECT_TRUE(tables.value().find(xsdt_signature).has_value());
    EXPECT_EQ(tables.value().find(srat_signature).error(), Error::not_found);
}

TEST(AcpiTables, NoMemoryAtTheRootPointer) {
    PhysicalMemory memory;
    EXPECT_EQ(Tables::open(memory.reader(), PhysAddr{0}).error(), Error::out_of_range);
    EXPECT_EQ(Tables::open(memory.reader(), PhysAddr{UINT64_MAX}).error(), Error::corrupted);
    EXPECT_EQ(
        Tables::open(memory.reader(), PhysAddr{PhysicalMemory::base}).error(), Error::corrupted);
}

TEST(AcpiTables, SignaturesAreShownAsLetters) {
    char line[16];
    EXPECT_EQ(format_to(std::span<char>(line), "{}", madt_signature).text, "APIC");
    EXPECT_EQ(format_to(std::span<char>(line), "{:>6}", Signature(0x0041FF42)).text, "  B?A?");
}

} // namespace
} // namespace twofold::acpi
