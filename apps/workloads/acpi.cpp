// The firmware's tables: in pretended memory, whole or with one byte that is wrong. What is whole
// is found, and what is damaged is refused.
#include "core/acpi/acpi.hpp"

#include "apps/workloads/rooms.hpp"

#include <array>

namespace twofold::workloads {

namespace {

class AcpiWorkload {
public:
    explicit AcpiWorkload(Run&) {}
    AcpiWorkload(AcpiWorkload const&) = delete;
    AcpiWorkload& operator=(AcpiWorkload const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    static void perform(Step& step) {
        Memory memory;
        u64 const count = 1 + step.random.below(tables_max);
        write(memory, step, count);
        u64 const damaged = step.random.below(2 * count); // or none
        if (damaged < count) {
            u64 const within = acpi::table_header_size + step.random.below(table_bytes);
            memory.damage(table_at(damaged) + within);
        }
        acpi::PhysicalReader const reader{&memory, Memory::read};
        auto const tables = acpi::Tables::open(reader, {Memory::base});
        if (!step.equal("the root is found", answer_ok, tables)) {
            return;
        }
        step.equal("tables that the root lists", count, tables.value().count());
        for (u64 i = 0; i < tables_max; ++i) {
            Answer const expected = i >= count     ? Answer(Error::not_found)
                                    : i == damaged ? Answer(Error::corrupted)
                                                   : Answer(answer_ok);
            step.equal("a table", expected, tables.value().find(name(i)));
        }
    }

    static void end(Check&) {}

private:
    static constexpr u64 tables_max = 5;
    static constexpr u64 table_bytes = 60;
    static constexpr u64 xsdt_at = 64;

    struct Memory {
        static constexpr u64 base = 0xe0000;

        void put(u64 offset, u64 number, u64 size) {
            for (u64 i = 0; i < size; ++i) {
                bytes[offset + i] = static_cast<std::byte>(number >> 8 * i);
            }
        }
        void seal(u64 offset, u64 length, u64 checksum) {
            bytes[checksum] = std::byte{0};
            u8 sum = 0;
            for (u64 i = 0; i < length; ++i) {
                sum = static_cast<u8>(sum + std::to_integer<u8>(bytes[offset + i]));
            }
            bytes[checksum] = static_cast<std::byte>(0 - sum);
        }
        void damage(u64 offset) { bytes[offset] ^= std::byte{0x10}; }
        static Result<acpi::TableBytes> read(void* self, PhysAddr address, Bytes length) {
            auto const& own = *static_cast<Memory*>(self);
            u64 const offset = address.value - base;
            if (address.value < base || offset > sizeof(bytes) ||
                length.value > sizeof(bytes) - offset) {
                return Error::io_failed;
            }
            return acpi::TableBytes(&own.bytes[offset], length.value);
        }

        std::byte bytes[1024]{};
    };

    static constexpr u64 table_at(u64 index) { return 256 + 128 * index; }
    static acpi::Signature name(u64 index) {
        return acpi::Signature(0x3030'3054 + (static_cast<u32>(index) << 24)); // T000, T001, ...
    }
    static void header(Memory& memory, u64 offset, acpi::Signature signature, u64 length) {
        memory.put(offset, signature.value, 4);
        memory.put(offset + 4, length, 4);
        memory.put(offset + 8, 1, 1);
    }
    static void write(Memory& memory, Step& step, u64 count) {
        memory.put(0, 0x2052'5450'2044'5352, 8); // "RSD PTR "
        memory.put(15, 2, 1);
        memory.put(20, 36, 4);
        memory.put(24, Memory::base + xsdt_at, 8);
        memory.seal(0, 20, 8);
        memory.seal(0, 36, 32);
        u64 const root_bytes = acpi::table_header_size + 8 * count;
        header(memory, xsdt_at, acpi::xsdt_signature, root_bytes);
        for (u64 i = 0; i < count; ++i) {
            memory.put(xsdt_at + acpi::table_header_size + 8 * i, Memory::base + table_at(i), 8);
            u64 const length = acpi::table_header_size + table_bytes;
            header(memory, table_at(i), name(i), length);
            for (u64 at = acpi::table_header_size; at < length; ++at) {
                memory.put(table_at(i) + at, step.random.next(), 1);
            }
            memory.seal(table_at(i), length, table_at(i) + 9);
        }
        memory.seal(xsdt_at, root_bytes, xsdt_at + 9);
    }
};

} // namespace

constinit Workload const acpi_workload = workload_of<AcpiWorkload>(
    {.name = "acpi",
     .about = "tables of the firmware, whole and damaged",
     .cpus = 1,
     .threads = 1});

} // namespace twofold::workloads
