// The writer of the hosted machine's ACPI tables (acpi_tables.hpp).
#include "hal/hosted/firmware/acpi_tables.hpp"

#include <string_view>
#include <utility>

namespace twofold::hosted {

namespace {

constexpr usize rsdp_size_first = 20;
constexpr usize rsdp_size_extended = 36;
constexpr usize table_alignment = 16;
constexpr usize length_offset = 4;
constexpr usize checksum_offset = 9;
constexpr u32 local_apic_count_max = 255; // an 8-bit id that is not 0xFF

/// Bytes that grow; every number goes out in little-endian order.
class Writer {
public:
    template<class T>
    void put(T number) {
        for (usize i = 0; i < sizeof(T); ++i) {
            m_bytes.push_back(static_cast<std::byte>(static_cast<u64>(number) >> 8 * i & 0xFF));
        }
    }
    void put_text(std::string_view text) {
        for (char const letter : text) {
            m_bytes.push_back(static_cast<std::byte>(letter));
        }
    }
    void put_zeros(usize count) { m_bytes.resize(m_bytes.size() + count); }
    void align() { m_bytes.resize(align_up(m_bytes.size(), table_alignment)); }

    template<class T>
    void put_at(usize offset, T number) {
        CHECK(offset + sizeof(T) <= m_bytes.size());
        for (usize i = 0; i < sizeof(T); ++i) {
            m_bytes[offset + i] = static_cast<std::byte>(static_cast<u64>(number) >> 8 * i & 0xFF);
        }
    }
    /// Sets the byte at `where` so that [first, last) adds up to zero.
    void put_checksum(usize first, usize last, usize where) {
        put_at<u8>(where, 0);
        u8 sum = 0;
        for (usize i = first; i < last; ++i) {
            sum = static_cast<u8>(sum + std::to_integer<u8>(m_bytes[i]));
        }
        put_at<u8>(where, static_cast<u8>(0 - sum));
    }

    usize size() const { return m_bytes.size(); }
    std::vector<std::byte> take() { return std::move(m_bytes); }

private:
    std::vector<std::byte> m_bytes;
};

/// Starts a table with the common header; returns its offset.
usize begin_table(Writer& out, std::string_view signature, u8 revision) {
    out.align();
    usize const start = out.size();
    out.put_text(signature);
    out.put<u32>(0); // length
    out.put<u8>(revision);
    out.put<u8>(0); // checksum
    out.put_text("TWOFLD");
    out.put_text("HOSTED  ");
    out.put<u32>(1);
    out.put_text("T2FD");
    out.put<u32>(1);
    return start;
}

void end_table(Writer& out, usize start) {
    out.put_at<u32>(start + length_offset, static_cast<u32>(out.size() - start));
    out.put_checksum(start, out.size(), start + checksum_offset);
}

void put_madt(Writer& out, AcpiConfig const& config) {
    constexpr u32 enabled = 1;
    constexpr u32 legacy_controllers = 1;
    usize const start = begin_table(out, "APIC", 5);
    out.put<u32>(config.local_apic);
    out.put<u32>(legacy_controllers);
    for (u32 cpu = 0; cpu < config.processors; ++cpu) {
        bool const wide = cpu >= local_apic_count_max;
        out.put<u8>(wide ? 9 : 0);
        out.put<u8>(wide ? 16 : 8);
        if (wide) {
            out.put<u16>(0);
            out.put<u32>(cpu);
            out.put<u32>(enabled);
            out.put<u32>(cpu);
        } else {
            out.put<u8>(static_cast<u8>(cpu));
            out.put<u8>(static_cast<u8>(cpu));
            out.put<u32>(enabled);
        }
    }
    out.put<u8>(1); // I/O APIC
    out.put<u8>(12);
    out.put<u16>(0);
    out.put<u32>(config.io_apic);
    out.put<u32>(0);
    out.put<u8>(2); // the legacy timer arrives at input 2
    out.put<u8>(10);
    out.put<u16>(0);
    out.put<u32>(2);
    out.put<u16>(0);
    out.put<u8>(4); // LINT 1 of every processor is non-maskable
    out.put<u8>(6);
    out.put<u8>(0xFF);
    out.put<u16>(0);
    out.put<u8>(1);
    end_table(out, start);
}

void put_srat(Writer& out, AcpiConfig const& config) {
    constexpr u32 enabled = 1;
    usize const start = begin_table(out, "SRAT", 3);
    out.put<u32>(1);
    out.put<u64>(0);
    for (u32 cpu = 0; cpu < config.processors; ++cpu) {
        u32 const node = static_cast<u32>(u64{cpu} * config.nodes / config.processors);
        out.put<u8>(2); // x2APIC affinity serves every id
        out.put<u8>(24);
        out.put<u16>(0);
        out.put<u32>(node);
        out.put<u32>(cpu);
        out.put<u32>(enabled);
        out.put<u64>(0);
    }
    for (AcpiMemory const& memory : config.memory) {
        CHECK(memory.node < config.nodes);
        out.put<u8>(1);
        out.put<u8>(40);
        out.put<u32>(memory.node);
        out.put<u16>(0);
        out.put<u64>(memory.base);
        out.put<u64>(memory.size);
        out.put<u32>(0);
        out.put<u32>(enabled);
        out.put<u64>(0);
    }
    end_table(out, start);
}

void put_mcfg(Writer& out, AcpiConfig const& config) {
    usize const start = begin_table(out, "MCFG", 1);
    out.put<u64>(0);
    out.put<u64>(config.pci_configuration);
    out.put<u16>(0);
    out.put<u8>(0);
    out.put<u8>(config.last_bus);
    out.put<u32>(0);
    end_table(out, start);
}

void put_hpet(Writer& out, AcpiConfig const& config) {
    usize const start = begin_table(out, "HPET", 1);
    out.put<u32>(0x8086'A201); // hardware revision 1, three 64-bit comparators, legacy routing
    out.put<u8>(0);            // registers in memory
    out.put<u8>(64);
    out.put<u16>(0);
    out.put<u64>(config.hpet);
    out.put<u8>(0);
    out.put<u16>(128);
    out.put<u8>(0);
    end_table(out, start);
}

void put_root(Writer& out, u64 base, bool extended, std::vector<usize> const& tables) {
    usize const start = begin_table(out, extended ? "XSDT" : "RSDT", 1);
    for (usize const table : tables) {
        u64 const address = base + table;
        CHECK(extended || address <= UINT32_MAX);
        if (extended) {
            out.put<u64>(address);
        } else {
            out.put<u32>(static_cast<u32>(address));
        }
    }
    end_table(out, start);
    u64 const root = base + start;
    CHECK(extended || root <= UINT32_MAX);
    out.put_at<u32>(16, extended ? 0 : static_cast<u32>(root));
    if (extended) {
        out.put_at<u32>(20, rsdp_size_extended);
        out.put_at<u64>(24, root);
    }
    out.put_checksum(0, rsdp_size_first, 8);
    if (extended) {
        out.put_checksum(0, rsdp_size_extended, 32);
    }
}

} // namespace

std::vector<std::byte> build_acpi_tables(u64 base_physical, AcpiConfig const& config) {
    CHECK(is_aligned(base_physical, table_alignment));
    CHECK(config.processors > 0 && config.nodes > 0);
    Writer out;
    out.put_text("RSD PTR ");
    out.put<u8>(0); // checksum
    out.put_text("TWOFLD");
    out.put<u8>(config.extended ? 2 : 0);
    out.put_zeros(rsdp_size_extended - out.size());

    std::vector<usize> tables;
    auto const put = [&](auto write) {
        out.align();
        tables.push_back(out.size());
        write(out, config);
    };
    put(put_madt);
    put(put_srat);
    if (config.pci_configuration != 0) {
        put(put_mcfg);
    }
    if (config.hpet != 0) {
        put(put_hpet);
    }
    put_root(out, base_physical, config.extended, tables);
    return out.take();
}

} // namespace twofold::hosted
