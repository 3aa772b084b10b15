// The way to configuration space: a machine, a recorded space or a fuzzer, whatever models
// ConfigurationAccess. The concept is checked where an access is made; behind it the type is
// erased, since an access takes far longer than the call.
#pragma once

#include "hal/pci_types.hpp"

#include <concepts>

namespace twofold::pci {

using Address = hal::PciAddress;

/// As hal::Pci offers it: an access that cannot be made reads all ones and writes nothing.
template<class A>
concept ConfigurationAccess = requires(A& access, Address where, u32 offset, u32 width, u32 value) {
    /// Bytes of a function's space that are reached on that bus: 0, 256 or 4096.
    { access.space_bytes(where) } -> std::same_as<u32>;
    /// An aligned access of 1, 2 or 4 bytes within that many.
    { access.read(where, offset, width) } -> std::same_as<u32>;
    { access.write(where, offset, width, value) } -> std::same_as<void>;
};

/// Refers to an access, which outlives it.
class Configuration {
public:
    template<ConfigurationAccess A>
    static constexpr Configuration of(A& access) {
        return Configuration(&access, &operations_of<A>);
    }

    u32 space_bytes(Address where) const { return m_operations->space_bytes(m_access, where); }
    u32 read(Address where, u32 offset, u32 width) const {
        return m_operations->read(m_access, where, offset, width);
    }
    void write(Address where, u32 offset, u32 width, u32 value) const {
        m_operations->write(m_access, where, offset, width, value);
    }

private:
    struct Operations {
        u32 (*space_bytes)(void*, Address);
        u32 (*read)(void*, Address, u32 offset, u32 width);
        void (*write)(void*, Address, u32 offset, u32 width, u32 value);
    };
    template<class A>
    static constexpr Operations operations_of{
        [](void* access, Address where) { return static_cast<A*>(access)->space_bytes(where); },
        [](void* access, Address where, u32 offset, u32 width) {
            return static_cast<A*>(access)->read(where, offset, width);
        },
        [](void* access, Address where, u32 offset, u32 width, u32 value) {
            static_cast<A*>(access)->write(where, offset, width, value);
        }};

    constexpr Configuration(void* access, Operations const* operations)
        : m_access(access), m_operations(operations) {}

    void* m_access;
    Operations const* m_operations;
};

/// The configuration space of one function. A read beyond what it has is all ones, a write there is
/// lost. O(1).
class FunctionSpace {
public:
    FunctionSpace(Configuration configuration, Address where)
        : m_configuration(configuration),
          m_where(where),
          m_size(configuration.space_bytes(where)) {}

    Address where() const { return m_where; }
    u32 size() const { return m_size; }

    u8 read_8(u32 offset) const { return static_cast<u8>(read(offset, sizeof(u8))); }
    u16 read_16(u32 offset) const { return static_cast<u16>(read(offset, sizeof(u16))); }
    u32 read_32(u32 offset) const { return read(offset, sizeof(u32)); }
    void write_8(u32 offset, u8 value) const { write(offset, sizeof(value), value); }
    void write_16(u32 offset, u16 value) const { write(offset, sizeof(value), value); }
    void write_32(u32 offset, u32 value) const { write(offset, sizeof(value), value); }

private:
    u32 read(u32 offset, u32 width) const {
        return hal::is_pci_access(offset, width, m_size)
                   ? m_configuration.read(m_where, offset, width)
                   : ~u32{0};
    }
    void write(u32 offset, u32 width, u32 value) const {
        if (hal::is_pci_access(offset, width, m_size)) {
            m_configuration.write(m_where, offset, width, value);
        }
    }

    Configuration m_configuration;
    Address m_where;
    u32 m_size;
};

} // namespace twofold::pci
