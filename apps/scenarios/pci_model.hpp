// A PCI bus as data: configuration spaces whose registers are a value and which of its bits can be
// written, with bridges that forward what their registers say. For scenarios and tests.
#pragma once

#include "core/device/device.hpp"

#include <span>

namespace twofold::scenarios {

/// One function of a model. Its parent is the bridge that it lies behind: an index, or `on_root`.
struct PciModelFunction {
    static constexpr u8 on_root = 0xff;
    static constexpr u32 size = hal::pci_extended_space_bytes;

    u8 parent = on_root;
    u8 device = 0;
    u8 function = 0;
    u8 value[size]{};
    u8 writable[size]{};

    /// Sets the register of `width` bytes at `offset`, and which of its bits can be written.
    void define(u32 offset, u32 width, u64 content, u64 bits = 0) {
        CHECK(offset + width <= size);
        for (u32 i = 0; i < width; ++i) {
            value[offset + i] = static_cast<u8>(content >> 8 * i);
            writable[offset + i] = static_cast<u8>(bits >> 8 * i);
        }
    }
    u32 peek(u32 offset, u32 width) const {
        u32 content = 0;
        for (u32 i = 0; i < width; ++i) {
            content |= u32{value[offset + i]} << 8 * i;
        }
        return content;
    }
    void poke(u32 offset, u32 width, u32 content) {
        for (u32 i = 0; i < width; ++i) {
            u8 const bits = writable[offset + i];
            u8 const wanted = static_cast<u8>(content >> 8 * i);
            value[offset + i] = static_cast<u8>((value[offset + i] & ~bits) | (wanted & bits));
        }
    }

    /// The header of an endpoint or a bridge, with decoding on.
    void
    begin(u32 device_and_vendor, u32 class_code, bool is_bridge = false, bool several = false) {
        define(0x00, 4, device_and_vendor);
        define(0x04, 2, 0x3, 0x0507);
        define(0x08, 4, u64{class_code} << 8);
        define(0x0e, 1, (is_bridge ? 1u : 0u) | (several ? 0x80u : 0u));
        if (is_bridge) {
            define(0x18, 4, 0, 0x00ff'ffff);
        }
    }
    /// A capability at `offset`, with the list beginning there if it is the first.
    void capability(u32 offset, u8 id, u8 next, bool is_first = false) {
        define(offset, 2, u32{next} << 8 | id);
        if (is_first) {
            define(0x34, 1, offset);
            define(0x06, 2, 0x10);
        }
    }
};

/// Models pci::ConfigurationAccess over functions that the caller keeps.
class PciModel {
public:
    explicit PciModel(std::span<PciModelFunction> functions, u8 root = 0)
        : m_functions(functions), m_root(root) {}

    u32 space = PciModelFunction::size; ///< what space_bytes answers
    u64 reads = 0;
    u64 writes = 0;
    u64 writes_while_decoding = 0; ///< to a base address, which would have moved a live device

    u32 space_bytes(pci::Address where) const { return where.segment == 0 ? space : 0; }
    u32 read(pci::Address where, u32 offset, u32 width) {
        ++reads;
        PciModelFunction const* const found = find(where);
        return found == nullptr ? ~u32{0} : found->peek(offset, width);
    }
    void write(pci::Address where, u32 offset, u32 width, u32 value) {
        ++writes;
        PciModelFunction* const found = find(where);
        if (found == nullptr) {
            return;
        }
        bool const is_bridge = (found->value[0x0e] & 0x7f) == 1;
        u32 const end = is_bridge ? 0x18 : 0x28;
        bool const decodes = (found->value[0x04] & 3) != 0;
        writes_while_decoding += offset >= 0x10 && offset < end && decodes ? 1 : 0;
        found->poke(offset, width, value);
    }

private:
    /// Whether configuration accesses to `bus` come to where `function` lies, by the registers of
    /// all bridges on the way.
    bool reaches(PciModelFunction const& function, u8 bus) const {
        if (function.parent == PciModelFunction::on_root) {
            return bus == m_root;
        }
        PciModelFunction const* bridge = &m_functions[function.parent];
        if (bridge->value[0x19] != bus || bridge->value[0x19] == 0) {
            return false;
        }
        while (bridge->parent != PciModelFunction::on_root) { // bounded: parents come first
            bridge = &m_functions[bridge->parent];
            if (bus <= bridge->value[0x19] || bus > bridge->value[0x1a]) {
                return false;
            }
        }
        return true;
    }
    PciModelFunction* find(pci::Address where) const {
        if (where.segment != 0) {
            return nullptr;
        }
        for (PciModelFunction& each : m_functions) {
            if (each.device == where.device && each.function == where.function &&
                reaches(each, where.bus)) {
                return &each;
            }
        }
        return nullptr;
    }

    std::span<PciModelFunction> m_functions;
    u8 m_root;
};
static_assert(pci::ConfigurationAccess<PciModel>);

} // namespace twofold::scenarios
