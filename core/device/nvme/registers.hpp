// The registers of a controller, as the kernel sees them, and its doorbells.
//
// A controller that is nothing but memory, as tests have one, is told of each write by `listener`;
// all others see to that themselves.
#pragma once

#include "core/device/nvme/layout.hpp"
#include "hal/io.hpp"

namespace twofold::nvme {

/// Who is told of a write, right after it. Null: nobody.
struct RegisterListener {
    void (*written)(void* object, Bytes offset) = nullptr;
    void* object = nullptr;
};

/// A value. Its operations: any context, O(1); two contexts write different registers.
class Registers {
public:
    Registers() = default;
    /// Base address 0 of a controller, of that size, mapped uncached.
    Registers(VirtAddr base, Bytes size, RegisterListener listener = {})
        : m_base(base), m_size(size), m_listener(listener) {}

    Bytes size() const { return m_size; }

    Capabilities capabilities() const { return {hal::Io::read_64(m_base + reg::capabilities)}; }
    u32 read_32(Bytes offset) const { return hal::Io::read_32(m_base + offset); }
    void write_32(Bytes offset, u32 value) const {
        hal::Io::write_32(m_base + offset, value);
        tell(offset);
    }
    void write_64(Bytes offset, u64 value) const {
        hal::Io::write_64(m_base + offset, value);
        tell(offset);
    }
    u32 status() const { return read_32(reg::status); }
    /// Nobody answers: the controller was pulled out.
    bool are_gone() const { return status() == ~u32{0}; }

private:
    void tell(Bytes offset) const {
        if (m_listener.written != nullptr) [[unlikely]] {
            m_listener.written(m_listener.object, offset);
        }
    }

    VirtAddr m_base{};
    Bytes m_size{};
    RegisterListener m_listener;
};

} // namespace twofold::nvme
