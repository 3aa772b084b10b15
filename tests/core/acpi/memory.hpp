// Simulated physical memory with tables written into it, for the kernel tests of core/acpi.
// Everything lies inside the object; a table is sealed with its length and checksum when it is
// complete.
#pragma once

#include "core/acpi/acpi.hpp"

namespace twofold::acpi::test {

class PhysicalMemory {
public:
    static constexpr u64 base = 0xE'0000;
    static constexpr usize size = 4096;

    PhysicalReader reader() { return {this, &PhysicalMemory::read}; }

    /// The physical address of the next byte to be written.
    PhysAddr here() const { return {base + m_used}; }

    template<class T>
    PhysicalMemory& put(T number) {
        for (usize i = 0; i < sizeof(T); ++i) {
            CHECK(m_used < size);
            m_bytes[m_used++] = static_cast<std::byte>(static_cast<u64>(number) >> 8 * i & 0xFF);
        }
        return *this;
    }
    PhysicalMemory& put_text(std::string_view text) {
        for (char const letter : text) {
            put(static_cast<u8>(letter));
        }
        return *this;
    }
    PhysicalMemory& put_zeros(usize count) {
        for (usize i = 0; i < count; ++i) {
            put<u8>(0);
        }
        return *this;
    }

    /// Starts a table: the common header without length and checksum.
    PhysAddr begin(std::string_view signature, u8 revision = 1) {
        PhysAddr const start = here();
        put_text(signature).put<u32>(0).put<u8>(revision).put<u8>(0);
        put_text("TEST\x01 ").put_text("TABLE   ").put<u32>(1).put_text("TEST").put<u32>(1);
        return start;
    }
    /// Sets the length of the table at `start`, which ends here, and its checksum.
    TableBytes end(PhysAddr start) {
        usize const length = (here() - start).value;
        poke<u32>(start + Bytes{4}, static_cast<u32>(length));
        seal(start, length, 9);
        return bytes(start, length);
    }
    /// Makes the byte `at` of the range balance its sum.
    void seal(PhysAddr start, usize length, usize at) {
        poke<u8>(start + Bytes{at}, 0);
        u8 sum = 0;
        for (std::byte const byte : bytes(start, length)) {
            sum = static_cast<u8>(sum + std::to_integer<u8>(byte));
        }
        poke<u8>(start + Bytes{at}, static_cast<u8>(0 - sum));
    }

    template<class T>
    void poke(PhysAddr address, T number) {
        for (usize i = 0; i < sizeof(T); ++i) {
            m_bytes[address.value - base + i] =
                static_cast<std::byte>(static_cast<u64>(number) >> 8 * i & 0xFF);
        }
    }
    TableBytes bytes(PhysAddr address, usize length) const {
        CHECK(address.value >= base && address.value - base + length <= size);
        return std::span(m_bytes).subspan(address.value - base, length);
    }

    /// A root pointer; `revision` 0 writes 20 bytes, 2 writes 36.
    PhysAddr put_root_pointer(u8 revision, u32 rsdt, u64 xsdt) {
        PhysAddr const start = here();
        put_text("RSD PTR ").put<u8>(0).put_text("TEST  ").put<u8>(revision).put<u32>(rsdt);
        if (revision >= 2) {
            put<u32>(36).put<u64>(xsdt).put<u32>(0);
        }
        seal(start, 20, 8);
        if (revision >= 2) {
            seal(start, 36, 32);
        }
        return start;
    }

private:
    static Result<TableBytes> read(void* self, PhysAddr address, Bytes count) {
        if (address.value < base || address.value - base > size ||
            count.value > size - (address.value - base)) {
            return Error::out_of_range;
        }
        return static_cast<PhysicalMemory*>(self)->bytes(address, count.value);
    }

    std::array<std::byte, size> m_bytes{};
    usize m_used = 0;
};

} // namespace twofold::acpi::test
