// A stretch of physical memory for the parsers of the start: bytes at a base, everything else
// unseen.
#pragma once

#include "hal/x86_64/entry/physical_memory.hpp"

#include <cstring>
#include <string_view>
#include <vector>

namespace metal::test {

class PhysicalBuffer {
public:
    PhysicalBuffer(u64 base, std::vector<std::byte> bytes)
        : m_base(base), m_bytes(std::move(bytes)) {}
    PhysicalBuffer(u64 base, std::size_t size) : m_base(base), m_bytes(size) {}

    PhysicalMemory memory() const { return {read, this}; }
    std::vector<std::byte>& bytes() { return m_bytes; }

    /// Writes `value` at physical `address`.
    template<class T>
    void put(u64 address, T value) {
        std::memcpy(&m_bytes.at(address - m_base), &value, sizeof(value));
    }
    void put_text(u64 address, std::string_view text) {
        std::memcpy(&m_bytes.at(address - m_base), text.data(), text.size());
        m_bytes.at(address - m_base + text.size()) = std::byte{};
    }

private:
    static std::span<std::byte const> read(void const* context, PhysAddr address, Bytes size) {
        auto const& self = *static_cast<PhysicalBuffer const*>(context);
        u64 const at = address.value - self.m_base;
        if (at > self.m_bytes.size() || size.value > self.m_bytes.size() - at) {
            return {};
        }
        return std::span{self.m_bytes}.subspan(at, size.value);
    }

    u64 m_base;
    std::vector<std::byte> m_bytes;
};

} // namespace metal::test
