// See capabilities.hpp.
#include "core/device/pci/capabilities.hpp"

#include "core/base/base.hpp"

namespace twofold::pci {

namespace {

constexpr u32 alignment = 4;
constexpr u32 classic_first = 0x40; // what is before is the header
constexpr u32 header_pointer = 0x34, cardbus_pointer = 0x14;

/// Which places of a list were visited: a bit for each four bytes of the whole space.
class Visited {
public:
    /// Whether `offset` is visited for the first time.
    bool visit(u32 offset) {
        u32 const place = offset / alignment;
        u64& word = m_words[place / 64];
        u64 const bit = u64{1} << place % 64;
        bool const is_new = (word & bit) == 0;
        word |= bit;
        return is_new;
    }

private:
    u64 m_words[hal::pci_extended_space_bytes / alignment / 64]{};
};

/// Keeps a capability; false if there is no room.
bool keep(Capabilities& list, Capability found, Defects& defects) {
    if (!list.push_back(found)) {
        defects.add(Defect::capabilities_many);
        return false;
    }
    return true;
}

void read_classic(
    FunctionSpace const& space, Header const& header, Capabilities& list, Defects& defects) {
    Visited visited;
    u32 const first = header.kind == HeaderKind::cardbus ? cardbus_pointer : header_pointer;
    u32 at = space.read_8(first) & ~(alignment - 1); // the lowest bits are reserved
    while (at != 0) {                                // bounded: each place is visited once
        if (at < classic_first) {
            defects.add(Defect::capability_outside);
            return;
        }
        if (!visited.visit(at)) {
            defects.add(Defect::capability_loop);
            return;
        }
        u16 const id_and_next = space.read_16(at);
        if (id_and_next == 0xffff) {
            defects.add(Defect::capability_absent);
            return;
        }
        Capability const found{static_cast<u16>(id_and_next & 0xff), static_cast<u16>(at)};
        if (!keep(list, found, defects)) {
            return;
        }
        at = id_and_next >> 8 & ~(alignment - 1);
    }
}

void read_extended(FunctionSpace const& space, Capabilities& list, Defects& defects) {
    constexpr u32 nothing_there = ~u32{0};
    Visited visited;
    u32 at = hal::pci_space_bytes;
    bool is_first = true;
    while (at != 0) { // bounded: each place is visited once
        if (at < hal::pci_space_bytes) {
            defects.add(Defect::extended_outside);
            return;
        }
        if (!visited.visit(at)) {
            defects.add(Defect::extended_loop);
            return;
        }
        u32 const head = space.read_32(at);
        if (is_first && (head == 0 || head == nothing_there)) {
            return; // there is no such list
        }
        if (head == nothing_there) {
            defects.add(Defect::extended_absent);
            return;
        }
        is_first = false;
        Capability const found{static_cast<u16>(head), static_cast<u16>(at)};
        if (!keep(list, found, defects)) {
            return;
        }
        at = head >> 20 & ~(alignment - 1);
    }
}

} // namespace

Capabilities read_capabilities(FunctionSpace const& space, Header const& header, Defects& defects) {
    Capabilities list;
    if (!header.has_capabilities || header.kind == HeaderKind::unknown) {
        return list;
    }
    read_classic(space, header, list, defects);
    bool const is_express = find_capability(list.items(), capability_id::pci_express).has_value();
    if (is_express && space.size() == hal::pci_extended_space_bytes) {
        read_extended(space, list, defects);
    }
    return list;
}

std::optional<Capability> find_capability(std::span<Capability const> list, u16 id) {
    for (Capability const& each : list) {
        if (!each.is_extended() && each.id == id) {
            return each;
        }
    }
    return std::nullopt;
}

std::optional<SlotInfo> read_slot(FunctionSpace const& space, Capability const& express) {
    // Registers of the capability, and what is of use in them.
    constexpr u32 express_flags = 0x02, slot_capabilities = 0x14;
    constexpr u32 has_slot = 0x100, port_type_shift = 4, root_port = 4, downstream_port = 6;
    constexpr u32 hot_plug = 1u << 6;
    u32 const flags = space.read_16(express.offset + express_flags);
    u32 const type = flags >> port_type_shift & 0xf;
    u32 const capabilities = space.read_32(express.offset + slot_capabilities);
    bool const is_port = type == root_port || type == downstream_port;
    if (!is_port || (flags & has_slot) == 0 || (capabilities & hot_plug) == 0) {
        return std::nullopt;
    }
    return SlotInfo{express.offset, capabilities};
}

} // namespace twofold::pci
