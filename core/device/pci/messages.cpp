// See messages.hpp.
#include "core/device/pci/messages.hpp"

#include "core/base/base.hpp"

namespace twofold::pci {

namespace {

constexpr u32 control_offset = 2;
constexpr u16 enable_bit = 1;      // of MSI's control
constexpr u8 vectors_log2_max = 5; // 6 and 7 are reserved
constexpr u16 msix_enable = 0x8000, msix_function_mask = 0x4000;
constexpr u8 place_bar = 7; // which base address, of MSI-X's two places

bool fits(Capability const& capability, u32 bytes) {
    return capability.offset + bytes <= hal::pci_space_bytes;
}

/// Where bytes of MSI-X lie within the base address that they name. Checks that they do.
Result<void>
check_place(std::span<Bar const> bars, u8 number, u64 place, u64 bytes, Defects& defects) {
    for (Bar const& bar : bars) {
        if (bar.number != number || !bar.is_memory()) {
            continue;
        }
        if (place <= bar.size.value && bytes <= bar.size.value - place) {
            return {};
        }
        defects.add(Defect::msix_outside_bar);
        return Error::corrupted;
    }
    defects.add(Defect::msix_bar_missing);
    return Error::corrupted;
}

} // namespace

Result<MsiInfo>
read_msi(FunctionSpace const& space, Capability const& capability, Defects& defects) {
    u16 const control = space.read_16(capability.offset + control_offset);
    MsiInfo const info{
        .offset = capability.offset,
        .vectors_log2 = static_cast<u8>(control >> 1 & 7),
        .is_wide = (control & 0x80) != 0,
        .has_masks = (control & 0x100) != 0};
    u32 const bytes = 10u + (info.is_wide ? 4u : 0u) + (info.has_masks ? 10u : 0u);
    if (!fits(capability, bytes) || info.vectors_log2 > vectors_log2_max) {
        defects.add(Defect::msi_malformed);
        return Error::corrupted;
    }
    return info;
}

Result<void> Msi::set_message(Message const& message, u32 vectors) {
    if (are_messages_on()) {
        return Error::invalid_state;
    }
    if (!is_power_of_two(vectors) || message.data > 0xffff || message.address % 4 != 0 ||
        (message.data & (vectors - 1)) != 0) {
        return Error::invalid_argument;
    }
    if (!m_info.is_wide && message.address >> 32 != 0) {
        return Error::invalid_argument;
    }
    if (vectors > m_info.vectors()) {
        return Error::out_of_range;
    }
    m_space.write_32(m_info.offset + 4u, static_cast<u32>(message.address));
    if (m_info.is_wide) {
        m_space.write_32(m_info.offset + 8u, static_cast<u32>(message.address >> 32));
    }
    m_space.write_16(data_offset(), static_cast<u16>(message.data));
    u16 const control = m_space.read_16(m_info.offset + control_offset);
    u32 const log2 = static_cast<u32>(std::countr_zero(vectors));
    m_space.write_16(
        m_info.offset + control_offset, static_cast<u16>((control & ~0x70u) | log2 << 4));
    return {};
}

Message Msi::message() const {
    u64 const upper = m_info.is_wide ? m_space.read_32(m_info.offset + 8u) : 0;
    return {
        .address = upper << 32 | m_space.read_32(m_info.offset + 4u),
        .data = m_space.read_16(data_offset())};
}

u32 Msi::enabled_vectors() const {
    return u32{1} << (m_space.read_16(m_info.offset + control_offset) >> 4 & 7);
}

void Msi::set_messages(Switch wanted) {
    u16 const control = m_space.read_16(m_info.offset + control_offset);
    u32 const changed =
        wanted == Switch::on ? control | u32{enable_bit} : control & ~u32{enable_bit};
    m_space.write_16(m_info.offset + control_offset, static_cast<u16>(changed));
}

bool Msi::are_messages_on() const {
    return (m_space.read_16(m_info.offset + control_offset) & enable_bit) != 0;
}

Result<void> Msi::check_maskable(u32 vector) const {
    if (!m_info.has_masks) {
        return Error::not_supported;
    }
    return vector < m_info.vectors() ? Result<void>() : Error::out_of_range;
}

Result<void> Msi::set_mask(u32 vector, Switch wanted) {
    TRY(check_maskable(vector));
    u32 const bit = u32{1} << vector;
    u32 const masks = m_space.read_32(mask_offset());
    m_space.write_32(mask_offset(), wanted == Switch::on ? masks | bit : masks & ~bit);
    return {};
}

Result<bool> Msi::is_masked(u32 vector) const {
    TRY(check_maskable(vector));
    return (m_space.read_32(mask_offset()) >> vector & 1) != 0;
}

Result<bool> Msi::is_pending(u32 vector) const {
    TRY(check_maskable(vector));
    return (m_space.read_32(mask_offset() + 4) >> vector & 1) != 0;
}

Result<MsixInfo> read_msix(
    FunctionSpace const& space,
    Capability const& capability,
    std::span<Bar const> bars,
    Defects& defects) {
    constexpr u32 bytes = 12;
    if (!fits(capability, bytes)) {
        defects.add(Defect::msix_malformed);
        return Error::corrupted;
    }
    u32 const table = space.read_32(capability.offset + 4u);
    u32 const pending = space.read_32(capability.offset + 8u);
    u16 const last = space.read_16(capability.offset + control_offset) & 0x7ff;
    MsixInfo const info{
        .offset = capability.offset,
        .vectors = static_cast<u16>(last + 1),
        .table_bar = static_cast<u8>(table & place_bar),
        .pending_bar = static_cast<u8>(pending & place_bar),
        .table_offset = table & ~u32{place_bar},
        .pending_offset = pending & ~u32{place_bar}};
    u64 const table_bytes = u64{info.vectors} * msix_entry_bytes;
    u64 const pending_bytes = (u64{info.vectors} + 63) / 64 * sizeof(u64);
    TRY(check_place(bars, info.table_bar, info.table_offset, table_bytes, defects));
    TRY(check_place(bars, info.pending_bar, info.pending_offset, pending_bytes, defects));
    if (info.table_bar == info.pending_bar &&
        ranges_overlap(info.table_offset, table_bytes, info.pending_offset, pending_bytes)) {
        defects.add(Defect::msix_overlap);
        return Error::corrupted;
    }
    return info;
}

void MsixControl::set_bit(u16 bit, Switch wanted) {
    u32 const before = control();
    u32 const changed = wanted == Switch::on ? before | bit : before & ~u32{bit};
    m_space.write_16(m_offset + control_offset, static_cast<u16>(changed));
}

void MsixControl::set_messages(Switch wanted) {
    set_bit(msix_enable, wanted);
}

bool MsixControl::are_messages_on() const {
    return (control() & msix_enable) != 0;
}

void MsixControl::set_function_mask(Switch wanted) {
    set_bit(msix_function_mask, wanted);
}

bool MsixControl::is_function_masked() const {
    return (control() & msix_function_mask) != 0;
}

} // namespace twofold::pci
