// Hostile firmware: any bytes as physical memory, and any bytes as the body of each table (there,
// no checksum stands in the way). The first byte chooses. Nothing may crash, hang or read outside.
#include "core/acpi/acpi.hpp"

#include <cstdint>

namespace twofold::acpi {
namespace {

constexpr u64 base = 0xF'0000; // where tests/core/acpi/seeds.host.cpp places its tables

Result<TableBytes> read(void* context, PhysAddr address, Bytes size) {
    TableBytes const& memory = *static_cast<TableBytes*>(context);
    if (address.value < base || address.value - base > memory.size() ||
        size.value > memory.size() - (address.value - base)) {
        return Error::out_of_range;
    }
    return memory.subspan(address.value - base, size.value);
}

/// Keeps what was read from being thrown away by the compiler.
struct Sum {
    u64 total = 0;
    void add(u64 value) { total = total * 31 + value; }
    void operator()(Processor const& item) { add(item.acpi_id + item.apic_id); }
    void operator()(IoApic const& item) { add(item.address.value + item.interrupt_base); }
    void operator()(InterruptOverride const& item) { add(item.interrupt + item.source); }
    void operator()(NmiSource const& item) { add(item.interrupt); }
    void operator()(LocalNmi const& item) { add(item.acpi_id + item.input); }
    void operator()(ProcessorAffinity const& item) { add(item.apic_id + item.domain); }
    void operator()(MemoryAffinity const& item) { add(item.base.value + item.size.value); }
};

void parse_table(unsigned choice, TableBytes table, Sum& sum) {
    switch (choice) {
    case 0:
        if (auto const madt = parse_madt(table)) {
            madt.value().visit(sum);
        }
        break;
    case 1:
        if (auto const srat = parse_srat(table)) {
            srat.value().visit(sum);
        }
        break;
    case 2:
        if (auto const mcfg = parse_mcfg(table)) {
            for (usize i = 0; i < mcfg.value().count(); ++i) {
                sum.add(mcfg.value().entry(i).base.value);
            }
        }
        break;
    case 3:
        if (auto const hpet = parse_hpet(table)) {
            sum.add(hpet.value().address.value);
        }
        break;
    case 5:
        if (auto const types = find_soft_off(table)) {
            sum.add(types.value().pm1a + u64{types.value().pm1b});
        }
        break;
    default:
        if (auto const fadt = parse_fadt(table)) {
            sum.add(fadt.value().dsdt.value + fadt.value().pm1a_control.address);
        }
        break;
    }
}

void read_memory(TableBytes memory, Sum& sum) {
    auto const tables = Tables::open({&memory, &read}, PhysAddr{base});
    if (!tables) {
        return;
    }
    for (usize i = 0; i < tables.value().count(); ++i) {
        if (auto const info = tables.value().info(i)) {
            sum.add(info.value().length);
        }
    }
    constexpr Signature signatures[] = {
        madt_signature, srat_signature, mcfg_signature, hpet_signature, fadt_signature};
    for (unsigned choice = 0; choice < 5; ++choice) {
        if (auto const table = tables.value().find(signatures[choice])) {
            parse_table(choice, table.value(), sum);
        }
    }
}

} // namespace
} // namespace twofold::acpi

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace twofold;
    if (size == 0) {
        return 0;
    }
    auto const bytes = std::as_bytes(std::span(data, size)).subspan(1);
    acpi::Sum sum;
    if (data[0] < 6) {
        acpi::parse_table(data[0], bytes, sum);
    } else {
        acpi::read_memory(bytes, sum);
    }
    static_cast<void>(static_cast<u64 volatile&>(sum.total));
    return 0;
}
