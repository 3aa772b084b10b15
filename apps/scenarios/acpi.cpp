// The firmware's tables, on tables of the scenario's own in a few pages of pretended physical
// memory.
#include "core/acpi/acpi.hpp"

#include "apps/scenarios/scenarios.hpp"
#include "core/base/base.hpp"

#include <array>

namespace twofold::scenarios {

namespace {

using twofold::boot::Recorder;
using namespace twofold::acpi;

/// Pretended physical memory from address `base` on.
class Memory {
public:
    static constexpr u64 base = 0xe0000;
    static constexpr usize size = 2048;

    PhysicalReader reader() { return {this, read}; }

    /// Places a little-endian number of `bytes` bytes at `offset`.
    void put(usize offset, u64 number, usize bytes) {
        for (usize i = 0; i < bytes; ++i) {
            m_bytes[offset + i] = static_cast<std::byte>(number >> (8 * i));
        }
    }
    /// Sets the byte at `checksum` so that the `length` bytes from `offset` on add up to zero.
    void seal(usize offset, usize length, usize checksum) {
        m_bytes[checksum] = std::byte{0};
        unsigned sum = 0;
        for (usize i = 0; i < length; ++i) {
            sum += std::to_integer<unsigned>(m_bytes[offset + i]);
        }
        m_bytes[checksum] = static_cast<std::byte>(0u - sum);
    }
    /// A table's header: signature, length, revision 1, OEM "TWOFLD".
    void header(usize offset, Signature signature, u32 length) {
        put(offset, signature.value, 4);
        put(offset + 4, length, 4);
        put(offset + 8, 1, 1);
        put(offset + 10, 0x444c'464f'5754, 6);
    }
    void damage(usize offset) { m_bytes[offset] ^= std::byte{1}; }

private:
    static Result<TableBytes> read(void* self, PhysAddr address, Bytes length) {
        auto& memory = *static_cast<Memory*>(self);
        u64 const offset = address.value - base;
        if (address.value < base || offset > size || length.value > size - offset) {
            return Error::io_failed;
        }
        return TableBytes(&memory.m_bytes[offset], length.value);
    }

    std::array<std::byte, size> m_bytes{};
};

constexpr usize rsdp_at = 0, xsdt_at = 64, madt_at = 256, srat_at = 512, hpet_at = 768,
                mcfg_at = 896, fadt_at = 1024;
constexpr PhysAddr rsdp{Memory::base};

void write_root(Memory& memory) {
    memory.put(rsdp_at, 0x2052'5450'2044'5352, 8); // "RSD PTR "
    memory.put(rsdp_at + 15, 2, 1);
    memory.put(rsdp_at + 20, 36, 4);
    memory.put(rsdp_at + 24, Memory::base + xsdt_at, 8);
    memory.seal(rsdp_at, 20, rsdp_at + 8);
    memory.seal(rsdp_at, 36, rsdp_at + 32);
    constexpr usize tables[] = {madt_at, srat_at, hpet_at, mcfg_at, fadt_at, Memory::size + 4096};
    u32 const length = table_header_size + 8 * std::size(tables);
    memory.header(xsdt_at, xsdt_signature, length);
    for (usize i = 0; i < std::size(tables); ++i) {
        memory.put(xsdt_at + table_header_size + 8 * i, Memory::base + tables[i], 8);
    }
    memory.seal(xsdt_at, length, xsdt_at + 9);
}

void write_madt(Memory& memory) {
    constexpr u32 length = 44 + 8 + 8 + 12 + 10 + 6;
    memory.header(madt_at, madt_signature, length);
    memory.put(madt_at + 36, 0xfee0'0000, 4);
    memory.put(madt_at + 40, 1, 4);
    usize at = madt_at + 44;
    memory.put(at, 0x0000'0001'0000'0800, 8); // processor 0, enabled
    at += 8;
    memory.put(at, 0x0000'0000'0101'0800, 8); // processor 1, disabled
    at += 8;
    memory.put(at, 0xfec0'0000'0002'0c01, 8); // I/O APIC 2
    memory.put(at + 8, 24, 4);
    at += 12;
    memory.put(at, 0x0000'0002'0000'0a02, 8); // IRQ 0 arrives at 2
    memory.put(at + 8, 0xd, 2);
    at += 10;
    memory.put(at, 0x0100'00ff'0604, 6); // LINT1 of all processors
    memory.seal(madt_at, length, madt_at + 9);
}

void write_srat(Memory& memory) {
    constexpr u32 length = 48 + 16 + 40;
    memory.header(srat_at, srat_signature, length);
    memory.put(srat_at + 48, 0x1000 | 16u << 8, 2);
    memory.put(srat_at + 48, 0, 1);
    memory.put(srat_at + 49, 16, 1);
    memory.put(srat_at + 50, 3, 1); // domain 3
    memory.put(srat_at + 52, 1, 4);
    usize const range = srat_at + 64;
    memory.put(range, 1, 1);
    memory.put(range + 1, 40, 1);
    memory.put(range + 2, 3, 4);
    memory.put(range + 8, 0x10'0000, 8);
    memory.put(range + 16, 0x20'0000, 8);
    memory.put(range + 28, 1, 4);
    memory.seal(srat_at, length, srat_at + 9);
}

void write_small_tables(Memory& memory) {
    memory.header(hpet_at, hpet_signature, 56);
    memory.put(hpet_at + 36, 0x8086'a201, 4);
    memory.put(hpet_at + 44, 0xfed0'0000, 8);
    memory.put(hpet_at + 53, 100, 2);
    memory.seal(hpet_at, 56, hpet_at + 9);
    memory.header(mcfg_at, mcfg_signature, 60);
    memory.put(mcfg_at + 44, 0xb000'0000, 8);
    memory.put(mcfg_at + 55, 255, 1);
    memory.seal(mcfg_at, 60, mcfg_at + 9);
    memory.header(fadt_at, fadt_signature, 116);
    memory.put(fadt_at + 40, 0x7000, 4);
    memory.put(fadt_at + 46, 9, 2);
    memory.put(fadt_at + 64, 0x604, 4);
    memory.put(fadt_at + 89, 2, 1);
    memory.seal(fadt_at, 116, fadt_at + 9);
}

/// Records every item of a MADT or SRAT.
struct Items {
    Recorder& record;
    u64 number = 0;

    template<class... Args>
    void item(FormatString<std::type_identity_t<Args>...> format, Args const&... args) {
        char name[32];
        char text[96];
        record.text(
            format_to(std::span(name), "item {}", number++),
            format_to(std::span(text), format, args...));
    }
    void operator()(Processor const& it) {
        item("processor {} {} {} {}", it.acpi_id, it.apic_id, it.enabled, it.online_capable);
    }
    void operator()(IoApic const& it) {
        item("I/O APIC {} {:#x} {}", it.id, it.address.value, it.interrupt_base);
    }
    void operator()(InterruptOverride const& it) {
        item(
            "override {} {} {} {}", it.bus, it.source, it.interrupt,
            static_cast<u32>(it.mode.trigger));
    }
    void operator()(NmiSource const& it) { item("NMI {}", it.interrupt); }
    void operator()(LocalNmi const& it) { item("local NMI {:#x} {}", it.acpi_id, it.input); }
    void operator()(ProcessorAffinity const& it) { item("affinity {} {}", it.apic_id, it.domain); }
    void operator()(MemoryAffinity const& it) {
        item("memory {:#x} {:#x} {}", it.base.value, it.size.value, it.domain);
    }
};

void record_tables(Recorder& record, Memory& memory) {
    auto const opened = Tables::open(memory.reader(), rsdp);
    record.truth("opened", opened.has_value());
    if (!opened) {
        return;
    }
    Tables const& tables = opened.value();
    record.number("tables", tables.count());
    record.truth("extended", tables.is_extended());
    for (usize i = 0; i < tables.count(); ++i) {
        char name[32];
        char text[96];
        auto const info = tables.info(i);
        record.text(
            format_to(std::span(name), "table {}", i),
            info ? format_to(
                       std::span(text), "{} {:#x} {} {} {}", info.value().signature,
                       info.value().address.value, info.value().length, info.value().revision,
                       info.value().oem)
                       .text
                 : error_name(info.error()));
    }
    Items items{record};
    auto const madt = parse_madt(tables.find(madt_signature).value());
    record.truth("MADT", madt.has_value());
    if (madt) {
        record.number("local APIC", madt.value().local_apic.value);
        record.truth("legacy controllers", madt.value().has_legacy_controllers);
        madt.value().visit(items);
    }
    auto const srat = parse_srat(tables.find(srat_signature).value());
    record.truth("SRAT", srat.has_value());
    if (srat) {
        srat.value().visit(items);
    }
    record.number("items", items.number);
}

void record_platform(Recorder& record, Memory& memory) {
    Tables const tables = Tables::open(memory.reader(), rsdp).value();
    auto const hpet = parse_hpet(tables.find(hpet_signature).value());
    record.number("HPET address", hpet ? hpet.value().address.value : 0);
    record.number("HPET comparators", hpet ? hpet.value().comparator_count : 0);
    record.number("HPET minimum tick", hpet ? hpet.value().minimum_tick : 0);
    auto const mcfg = parse_mcfg(tables.find(mcfg_signature).value());
    record.number("MCFG entries", mcfg ? mcfg.value().count() : 0);
    record.number("MCFG base", mcfg ? mcfg.value().entry(0).base.value : 0);
    record.number("MCFG last bus", mcfg ? mcfg.value().entry(0).last_bus : 0);
    auto const fadt = parse_fadt(tables.find(fadt_signature).value());
    record.number("FADT DSDT", fadt ? fadt.value().dsdt.value : 0);
    record.number("FADT PM1a", fadt ? fadt.value().pm1a_control.address : 0);
    record.number("FADT interrupt", fadt ? fadt.value().sci_interrupt : 0);
    record.truth("FADT reset", fadt && fadt.value().reset_register.has_value());
    record.truth("DSDT found", tables.find(dsdt_signature).has_value());
}

void record_damage(Recorder& record, Memory& memory) {
    Tables const tables = Tables::open(memory.reader(), rsdp).value();
    auto const found = [&tables](Signature signature) {
        auto const table = tables.find(signature);
        return table ? Result<u64>(table.value().size()) : Result<u64>(table.error());
    };
    record.result("sound MADT", found(madt_signature));
    memory.damage(madt_at + 50);
    record.result("damaged MADT", found(madt_signature));
    memory.damage(madt_at + 50);
    memory.put(srat_at + 4, 0xffff'ffff, 4);
    record.result("SRAT with a huge length", found(srat_signature));
    memory.put(hpet_at + 4, 4, 4);
    record.result("HPET shorter than its header", found(hpet_signature));
    auto const direct = read_table(memory.reader(), {Memory::base + mcfg_at}, madt_signature);
    record.truth("wrong signature accepted", direct.has_value());
    auto const bytes = memory.reader().read({Memory::base + mcfg_at}, {60});
    record.truth("MCFG checksum", bytes && checksum_holds(bytes.value()));
    record.truth("reading beyond memory", memory.reader().read({0}, {1}).has_value());
    memory.damage(rsdp_at + 9);
    record.truth("damaged root opened", Tables::open(memory.reader(), rsdp).has_value());
}

void record_records(Recorder& record) {
    constexpr std::array<std::byte, 5> cut{
        std::byte{1}, std::byte{3}, std::byte{9}, std::byte{2}, std::byte{7}};
    RecordReader reader(cut);
    auto const first = reader.next();
    record.number("record type", first && first.value() ? first.value()->type : 99);
    auto const second = reader.next();
    record.text("record that is cut", second ? "accepted" : error_name(second.error()));
    u64 visited = 0;
    auto const outcome = visit_records(cut, [&](Record const&) -> Result<void> {
        ++visited;
        return {};
    });
    record.result("visit of cut records", outcome);
    record.number("records visited", visited);
}

} // namespace

void acpi(Recorder& record, twofold::boot::Kernel&) {
    Memory memory;
    write_root(memory);
    write_madt(memory);
    write_srat(memory);
    write_small_tables(memory);
    record_tables(record, memory);
    record_platform(record, memory);
    record_records(record);
    record_damage(record, memory);
}

} // namespace twofold::scenarios
