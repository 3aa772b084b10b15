// What can be wrong with a PCI function, by name. A function may have several defects at once and
// be used all the same: each says which part of it is not to be trusted. Pure.
#pragma once

#include "core/base/base.hpp"

#include <string_view>

namespace twofold::pci {

enum class Defect : u8 {
    header_unknown,          ///< a header type that no specification knows
    decoding_stuck,          ///< decoding cannot be switched off, so nothing was sized
    bar_inconsistent,        ///< its kind changes when it is written
    bar_reserved_kind,       ///< a kind that the specification does not know
    bar_without_partner,     ///< 64 bits wide, with no room for the upper half
    bar_size_odd,            ///< its size is no power of two
    bar_size_absurd,         ///< larger than the physical address space
    bar_outside,             ///< its address lies outside the physical address space
    bar_not_restored,        ///< what was written back to it is not what it reads
    capability_outside,      ///< a pointer leads into the header
    capability_loop,         ///< a pointer leads back to one that was visited
    capability_absent,       ///< a pointer leads to all ones
    capabilities_many,       ///< more than are kept
    extended_outside,        ///< the same of the extended list
    extended_loop,           //
    extended_absent,         //
    msi_malformed,           ///< its registers do not fit, or it has a reserved number of vectors
    msix_malformed,          ///< its registers do not fit
    msix_bar_missing,        ///< its table or its pending bits name no base address in memory
    msix_outside_bar,        ///< its table or its pending bits lie outside that
    msix_overlap,            ///< its table and its pending bits share bytes
    bridge_points_at_itself, ///< the bus behind it is the one before it
    bridge_primary_wrong,    ///< it says that it is on another bus
    bridge_reversed,         ///< its last bus is before its first
    bridge_outside_parent,   ///< its buses are not among those of the bridge before it
    bridge_bus_taken,        ///< its buses belong to another bridge too, or were seen already
    bridge_without_number,   ///< no bus number was left for it
    bridge_stuck,            ///< the bus number that it was given is not what it reads
    bridges_many,            ///< more than are followed
};
inline constexpr usize defect_count = 29;

/// A stable name, as printed and recorded. O(1).
std::string_view defect_name(Defect defect);

/// A set of defects.
class Defects {
public:
    constexpr void add(Defect defect) { m_bits |= bit(defect); }
    constexpr void add(Defects others) { m_bits |= others.m_bits; }
    constexpr bool has(Defect defect) const { return (m_bits & bit(defect)) != 0; }
    constexpr bool empty() const { return m_bits == 0; }
    constexpr bool operator==(Defects const&) const = default;

    /// Calls `visitor(Defect)` for each, in their order. O(defect_count).
    template<class Visitor>
    void visit(Visitor&& visitor) const {
        for (usize i = 0; i < defect_count; ++i) {
            if (has(static_cast<Defect>(i))) {
                visitor(static_cast<Defect>(i));
            }
        }
    }

private:
    static constexpr u32 bit(Defect defect) { return u32{1} << static_cast<u8>(defect); }
    u32 m_bits = 0;
};
static_assert(defect_count <= 32);

} // namespace twofold::pci
