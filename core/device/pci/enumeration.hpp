// Enumeration: which functions there are on the buses of a segment, bridges followed.
//
// Bus numbers that the firmware gave to a bridge are kept where they are sane: its primary bus is
// the one that it is on, and the buses behind it are among those of the bridge before it and nobody
// else's. The others are numbered afterwards, from what is left: for each the lowest free run is
// opened, what is behind it is enumerated, and the run shrinks to what was needed. Buses that no
// bridge leads to are looked at too: host bridges beside the first are described by firmware in a
// language that the kernel does not read.
//
// Invariants: a bus number belongs to one bridge at a time, in `m_owner`, and no bus is scanned
// twice. So a walk ends whatever the registers say, even if they say something else each time: at
// most 256 buses of 256 functions, and no recursion.
//
// Source: PCI-to-PCI Bridge Architecture Specification 1.2, section 3.2.5 and chapter 12.
#pragma once

#include "core/device/pci/messages.hpp"

namespace twofold::pci {

/// What is known of a function.
struct Function {
    Address where{};
    Header header{};
    BusNumbers buses{}; ///< of a bridge, once it has been enumerated; zeros: none behind it
    Bars bars{};
    Capabilities capabilities{};
    std::optional<MsiInfo> msi{};
    std::optional<MsixInfo> msix{};
    std::optional<SlotInfo> slot{}; ///< of a bridge
    Defects defects{};
};

/// Buses `first` to `last` of a segment.
struct BusRange {
    u16 segment = 0;
    u8 first = 0;
    u8 last = 0xff;
};

/// Where enumeration puts what it finds.
struct FunctionStore {
    void* context;
    /// Keeps a function. An error ends the enumeration.
    Result<void> (*add)(void* context, Function const& function);
    /// What became of a bridge that was added before.
    void (*settle)(void* context, Address where, BusNumbers const& buses, Defects defects);
};

/// Reads all of one function, or nothing where there is none. Its driver is not running. O(1).
std::optional<Function> read_function(FunctionSpace const& space);

/// One enumeration. Some 9 KiB; used once.
class Enumeration {
public:
    static constexpr usize bridges_max = 256;

    Enumeration(Configuration configuration, FunctionStore store)
        : m_configuration(configuration), m_store(store) {}
    Enumeration(Enumeration const&) = delete;
    Enumeration& operator=(Enumeration const&) = delete;

    /// Finds all functions of `range`, numbering bridges where that is needed. No driver runs yet.
    /// Errors: invalid_argument (a reversed range); those of the store. O(buses * functions).
    Result<void> run(BusRange range);

private:
    static constexpr u16 nobody = 0; ///< owner: the host bridges

    struct Bridge {
        Address where{};
        BusNumbers buses{};
        Defects defects{};
        u16 owner = nobody;  ///< of the bus that it is on: a bridge's index + 1
        u16 first_child = 0; ///< bridges right behind it: [first_child, last_child)
        u16 last_child = 0;
        u16 next_child = 0;      ///< not numbered yet
        bool is_settled = false; ///< its bus numbers are what they will be
    };

    /// What becomes of the bus numbers that bridges have already.
    enum class FirmwareNumbers : u8 { kept, discarded };

    Result<void> scan_bus(u8 bus, u16 owner, FirmwareNumbers numbers);
    Result<bool> scan_function(Address where, u16 owner, bool& several);
    Result<void> scan_behind(usize index, FirmwareNumbers numbers);
    void claim_or_shut(usize index, FirmwareNumbers numbers);
    std::optional<Defect> problem_of(Bridge const& bridge) const;
    Result<void> number_bridges();
    Result<bool> open(usize index);
    void close(usize index);
    void settle(Bridge& bridge);
    void own(u8 first, u8 last, u16 owner);
    bool is_free(unsigned bus, u16 owner) const { return m_owner[bus] == owner && !m_used[bus]; }

    Configuration m_configuration;
    FunctionStore m_store;
    BusRange m_range{};
    FixedVector<Bridge, bridges_max> m_bridges{};
    u16 m_owner[256]{}; ///< the innermost bridge that leads to a bus: its index + 1
    bool m_used[256]{}; ///< the bus right behind a bridge, or one with functions
};

} // namespace twofold::pci
