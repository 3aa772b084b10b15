// The tables that the hosted machine's firmware writes, read back by the kernel's parser. The fuzz
// target's seeds are written by the same builder (seeds.host.cpp).
#include "core/acpi/acpi.hpp"
#include "hal/hosted/firmware/acpi_tables.hpp"

#include <gtest/gtest.h>

namespace twofold::acpi {
namespace {

constexpr u64 base = 0xF'0000;

struct Image {
    std::vector<std::byte> bytes;

    static Result<TableBytes> read(void* self, PhysAddr address, Bytes size) {
        auto const& bytes = static_cast<Image*>(self)->bytes;
        if (address.value < base || address.value - base > bytes.size() ||
            size.value > bytes.size() - (address.value - base)) {
            return Error::out_of_range;
        }
        return TableBytes(bytes).subspan(address.value - base, size.value);
    }
    Result<Tables> open() { return Tables::open({this, &Image::read}, PhysAddr{base}); }
};

TEST(AcpiRoundTrip, SmallestMachine) {
    Image image{hosted::build_acpi_tables(base, {})};
    Result<Tables> const tables = image.open();
    ASSERT_TRUE(tables.has_value());
    EXPECT_TRUE(tables.value().is_extended());
    EXPECT_EQ(tables.value().count(), 2u);
    EXPECT_EQ(tables.value().find(mcfg_signature).error(), Error::not_found);
    EXPECT_EQ(tables.value().find(hpet_signature).error(), Error::not_found);
    Madt const madt = parse_madt(tables.value().find(madt_signature).value()).value();
    EXPECT_EQ(madt.local_apic.value, 0xFEE0'0000u);
}

TEST(AcpiRoundTrip, LargeMachineWithBothRoots) {
    for (bool const extended : {false, true}) {
        hosted::AcpiConfig const config{
            .processors = 300,
            .nodes = 2,
            .memory = {{0, 0x4000'0000, 0}, {0x4000'0000, 0x2000'0000, 1}},
            .pci_configuration = 0xB000'0000,
            .last_bus = 63,
            .hpet = 0xFED0'0000,
            .extended = extended};
        Image image{hosted::build_acpi_tables(base, config)};
        Result<Tables> const tables = image.open();
        ASSERT_TRUE(tables.has_value());
        EXPECT_EQ(tables.value().is_extended(), extended);

        u32 processors = 0;
        parse_madt(tables.value().find(madt_signature).value())
            .value()
            .visit([&](Processor const& processor) {
                EXPECT_EQ(processor.apic_id, processors);
                EXPECT_EQ(processor.x2apic, processors >= 255);
                EXPECT_TRUE(processor.enabled);
                ++processors;
            });
        EXPECT_EQ(processors, 300u);

        Srat const srat = parse_srat(tables.value().find(srat_signature).value()).value();
        u32 per_node[2] = {};
        srat.visit([&](ProcessorAffinity const& processor) {
            ASSERT_LT(processor.domain, 2u);
            ++per_node[processor.domain];
        });
        EXPECT_EQ(per_node[0], 150u);
        EXPECT_EQ(per_node[1], 150u);
        std::vector<MemoryAffinity> ranges;
        srat.visit([&](MemoryAffinity const& range) { ranges.push_back(range); });
        ASSERT_EQ(ranges.size(), 2u);
        EXPECT_EQ(ranges[1].base.value, 0x4000'0000u);
        EXPECT_EQ(ranges[1].domain, 1u);

        Mcfg const mcfg = parse_mcfg(tables.value().find(mcfg_signature).value()).value();
        ASSERT_EQ(mcfg.count(), 1u);
        EXPECT_EQ(mcfg.entry(0).base.value, 0xB000'0000u);
        EXPECT_EQ(mcfg.entry(0).last_bus, 63u);
        Hpet const hpet = parse_hpet(tables.value().find(hpet_signature).value()).value();
        EXPECT_EQ(hpet.address.value, 0xFED0'0000u);
    }
}

TEST(AcpiRoundTrip, EveryFlippedBitIsNoticedOrHarmless) {
    // A flipped bit inside a table or the root pointer breaks a checksum; between tables it means
    // nothing.
    hosted::AcpiConfig const config{.processors = 2, .memory = {{0, 4096, 0}}};
    std::vector<std::byte> const sound = hosted::build_acpi_tables(base, config);
    usize refused = 0;
    for (usize i = 0; i < sound.size(); ++i) {
        Image image{sound};
        image.bytes[i] ^= std::byte{0x10};
        Result<Tables> const tables = image.open();
        bool const read =
            tables && tables.value().find(madt_signature) && tables.value().find(srat_signature);
        refused += read ? 0 : 1;
    }
    EXPECT_GE(refused, sound.size() - 64);
}

TEST(AcpiRoundTrip, TooManyMemoryRanges) {
    hosted::AcpiConfig config;
    for (u64 i = 0; i < memory_affinity_count_max; ++i) {
        config.memory.push_back({i * 4096, 4096, 0});
    }
    Image image{hosted::build_acpi_tables(base, config)};
    EXPECT_TRUE(parse_srat(image.open().value().find(srat_signature).value()).has_value());
    config.memory.push_back({1u << 30, 4096, 0});
    image.bytes = hosted::build_acpi_tables(base, config);
    EXPECT_EQ(
        parse_srat(image.open().value().find(srat_signature).value()).error(), Error::no_space);
}

} // namespace
} // namespace twofold::acpi
