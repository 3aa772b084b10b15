// The vectors of a function's MSI-X: its table and its pending bits, which lie in memory of the
// device.
//
// Source: PCI Local Bus Specification 3.0, section 6.8.2.
#pragma once

#include "core/device/pci/messages.hpp"
#include "hal/io.hpp"

namespace twofold::pci {

/// Views of a table that the caller has mapped, for `vectors` vectors. One context at a time a
/// vector; every operation is O(1). Errors of all: out_of_range (no such vector).
class MsixTable {
public:
    /// `table` and `pending` are where the kernel sees what MsixInfo names, uncached.
    MsixTable(VirtAddr table, VirtAddr pending, u32 vectors)
        : m_table(table), m_pending(pending), m_vectors(vectors) {}

    u32 vectors() const { return m_vectors; }

    /// Has the vector send `message`. It is masked while that is half written, and as before
    /// afterwards. Errors: invalid_argument (the address is no multiple of 4).
    Result<void> set_message(u32 vector, Message const& message) {
        if (message.address % 4 != 0) {
            return Error::invalid_argument;
        }
        bool const was_masked = TRY(is_masked(vector));
        TRY(mask(vector));
        hal::Io::write_32(entry(vector) + low, static_cast<u32>(message.address));
        hal::Io::write_32(entry(vector) + high, static_cast<u32>(message.address >> 32));
        hal::Io::write_32(entry(vector) + data, message.data);
        return was_masked ? Result<void>() : unmask(vector);
    }
    Result<Message> message(u32 vector) const {
        TRY(check(vector));
        u64 const upper = hal::Io::read_32(entry(vector) + high);
        return Message{
            upper << 32 | hal::Io::read_32(entry(vector) + low),
            hal::Io::read_32(entry(vector) + data)};
    }

    /// Keeps the vector from being sent.
    Result<void> mask(u32 vector) { return set_mask(vector, Switch::on); }
    Result<void> unmask(u32 vector) { return set_mask(vector, Switch::off); }
    Result<bool> is_masked(u32 vector) const {
        TRY(check(vector));
        return (hal::Io::read_32(entry(vector) + control) & mask_bit) != 0;
    }
    /// Whether the vector would have been sent while it was masked.
    Result<bool> is_pending(u32 vector) const {
        TRY(check(vector));
        u64 const word = hal::Io::read_64(m_pending + Bytes{vector / 64 * sizeof(u64)});
        return (word >> vector % 64 & 1) != 0;
    }

private:
    static constexpr Bytes low{0}, high{4}, data{8}, control{12}; ///< of an entry
    static constexpr u32 mask_bit = 1;

    Result<void> check(u32 vector) const {
        return vector < m_vectors ? Result<void>() : Error::out_of_range;
    }
    Result<void> set_mask(u32 vector, Switch wanted) {
        TRY(check(vector));
        u32 const before = hal::Io::read_32(entry(vector) + control);
        u32 const changed = wanted == Switch::on ? before | mask_bit : before & ~mask_bit;
        hal::Io::write_32(entry(vector) + control, changed);
        // Reading it back waits until the device has it: nothing is sent after a mask returns.
        static_cast<void>(hal::Io::read_32(entry(vector) + control));
        return {};
    }
    VirtAddr entry(u32 vector) const { return m_table + Bytes{u64{vector} * msix_entry_bytes}; }

    VirtAddr m_table;
    VirtAddr m_pending;
    u32 m_vectors;
};

} // namespace twofold::pci
