// Interrupts as messages: what a function's MSI and MSI-X capabilities offer, and the registers in
// configuration space that control them. Which message means which interrupt is for the interrupt
// controller's room to say; here it is an address and a datum.
//
// Source: PCI Local Bus Specification 3.0, sections 6.8.1 and 6.8.2.
#pragma once

#include "core/device/pci/bars.hpp"
#include "core/device/pci/capabilities.hpp"

namespace twofold::pci {

/// What a function writes to raise an interrupt.
struct Message {
    u64 address = 0; ///< a multiple of 4
    u32 data = 0;    ///< MSI has 16 bits of it

    constexpr bool operator==(Message const&) const = default;
};

enum class Switch : u8 { off, on };

/// A function's MSI registers, checked to lie in its first 256 bytes.
struct MsiInfo {
    u16 offset = 0;
    u8 vectors_log2 = 0;    ///< 1 to 32 vectors
    bool is_wide = false;   ///< takes 64-bit addresses
    bool has_masks = false; ///< a mask and a pending bit for each vector

    u32 vectors() const { return u32{1} << vectors_log2; }
};

/// Error::corrupted with a defect where the registers make no sense. O(1).
Result<MsiInfo>
read_msi(FunctionSpace const& space, Capability const& capability, Defects& defects);

/// The MSI of one function. One context at a time; every operation is O(1).
class Msi {
public:
    Msi(FunctionSpace const& space, MsiInfo const& info) : m_space(space), m_info(info) {}

    MsiInfo const& info() const { return m_info; }

    /// Has the function send `message`, and for `vectors` (a power of two) above 1 its data with
    /// the vector's number in the lowest bits. Errors: invalid_argument (an address or data that
    /// cannot be sent so), out_of_range (more vectors than there are), invalid_state (messages are
    /// on).
    Result<void> set_message(Message const& message, u32 vectors);
    /// The message as the registers hold it.
    Message message() const;
    u32 enabled_vectors() const;

    /// Whether messages are sent at all; on takes the place of the legacy interrupt.
    void set_messages(Switch wanted);
    bool are_messages_on() const;

    /// Keeps one vector from being sent. Errors: out_of_range; not_supported without masks.
    Result<void> mask(u32 vector) { return set_mask(vector, Switch::on); }
    Result<void> unmask(u32 vector) { return set_mask(vector, Switch::off); }
    Result<bool> is_masked(u32 vector) const;
    /// Whether the vector would have been sent while it was masked.
    Result<bool> is_pending(u32 vector) const;

private:
    Result<void> set_mask(u32 vector, Switch wanted);
    Result<void> check_maskable(u32 vector) const;
    u32 data_offset() const { return m_info.offset + (m_info.is_wide ? 12u : 8u); }
    u32 mask_offset() const { return m_info.offset + (m_info.is_wide ? 16u : 12u); }

    FunctionSpace m_space;
    MsiInfo m_info;
};

/// A function's MSI-X registers, and where its table and its pending bits lie, checked to lie in a
/// base address of its own.
struct MsixInfo {
    u16 offset = 0;
    u16 vectors = 0;  ///< 1 to 2048
    u8 table_bar = 0; ///< numbers of base addresses
    u8 pending_bar = 0;
    u32 table_offset = 0;
    u32 pending_offset = 0;
};
inline constexpr u32 msix_entry_bytes = 16;

/// Error::corrupted with a defect where the registers make no sense, or table or pending bits do
/// not lie inside one of `bars`. O(bars).
Result<MsixInfo> read_msix(
    FunctionSpace const& space,
    Capability const& capability,
    std::span<Bar const> bars,
    Defects& defects);

/// The MSI-X of one function as a whole: what stands in its configuration space. Single vectors are
/// in its table (msix_table.hpp). One context at a time; O(1).
class MsixControl {
public:
    MsixControl(FunctionSpace const& space, MsixInfo const& info)
        : m_space(space), m_offset(info.offset) {}

    void set_messages(Switch wanted);
    bool are_messages_on() const;
    /// Masks all vectors at once, whatever their own masks say.
    void set_function_mask(Switch wanted);
    bool is_function_masked() const;

private:
    void set_bit(u16 bit, Switch wanted);
    u16 control() const { return m_space.read_16(m_offset + 2u); }

    FunctionSpace m_space;
    u16 m_offset;
};

} // namespace twofold::pci
