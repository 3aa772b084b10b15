// See assignment.hpp.
#include "core/device/pci/assignment.hpp"

#include <algorithm>
#include <optional>

namespace twofold::pci {

namespace {

// Of a bridge's header.
constexpr u32 memory_base = 0x20, memory_limit = 0x22, prefetchable_base = 0x24,
              prefetchable_limit = 0x26, prefetchable_base_high = 0x28,
              prefetchable_limit_high = 0x2c;
constexpr u32 window_mask = 0xfff0; // bits 20 to 31 of an address
constexpr u64 window_end = 0xf'ffff;
constexpr u32 window_is_wide = 1;

u64 window_address(u32 half) {
    return u64{half & window_mask} << 16;
}

bool is_without(Bar const& bar) {
    return bar.is_memory() && bar.kind != BarKind::rom && bar.address == 0 && bar.size != Bytes{};
}

/// Where a range lies that somebody has; nothing where [at, at + size) is free.
std::optional<u64>
end_of_taken(std::span<Function const> neighbours, Address self, u64 at, u64 size) {
    for (Function const& other : neighbours) {
        for (Bar const& bar : other.bars) {
            bool const is_other = other.where != self && bar.is_memory() && bar.address != 0;
            if (is_other && at < bar.address + bar.size.value && bar.address < at + size) {
                return bar.address + bar.size.value;
            }
        }
    }
    return std::nullopt;
}

/// Places of one function, as they are given out.
class Assignment {
public:
    Assignment(
        FunctionSpace const& space, Function const& function, std::span<Function const> neighbours)
        : m_space(space), m_self(function.where), m_neighbours(neighbours) {
        for (Bar const& bar : function.bars) {
            if (bar.is_memory() && bar.address != 0) {
                m_taken.push_back({bar.address, bar.address + bar.size.value - 1}).value();
            }
        }
    }

    /// A place for the base address in the window. False: there is none.
    bool place(Bar const& bar, BridgeWindow const& window) {
        u64 const size = bar.size.value;
        u64 at = align_up(std::max(window.first, u64{1}), size);
        while (at >= window.first && at <= window.last && size - 1 <= window.last - at) {
            auto const taken = end_of_own(at, size);
            auto const theirs = taken ? taken : end_of_taken(m_neighbours, m_self, at, size);
            if (!theirs) {
                write(bar, at);
                m_taken.push_back({at, at + size - 1}).value(); // as many as there are
                return true;
            }
            at = align_up(*theirs, size);
        }
        return false;
    }

private:
    std::optional<u64> end_of_own(u64 at, u64 size) const {
        for (BridgeWindow const& each : m_taken) {
            if (at <= each.last && each.first <= at + size - 1) {
                return each.last + 1;
            }
        }
        return std::nullopt;
    }
    void write(Bar const& bar, u64 at) {
        u32 const offset = offset::first_bar + u32{bar.number} * 4;
        m_space.write_32(offset, static_cast<u32>(at));
        if (bar.kind == BarKind::memory_64) {
            m_space.write_32(offset + 4, static_cast<u32>(at >> 32));
        }
    }

    FunctionSpace m_space;
    Address m_self;
    std::span<Function const> m_neighbours;
    FixedVector<BridgeWindow, 8> m_taken; ///< by the function itself
};

} // namespace

BridgeWindow read_memory_window(FunctionSpace const& bridge) {
    return {
        window_address(bridge.read_16(memory_base)),
        window_address(bridge.read_16(memory_limit)) | window_end};
}

BridgeWindow read_prefetchable_window(FunctionSpace const& bridge) {
    u32 const base = bridge.read_16(prefetchable_base);
    BridgeWindow window{
        window_address(base), window_address(bridge.read_16(prefetchable_limit)) | window_end};
    if ((base & ~window_mask) == window_is_wide) {
        window.first |= u64{bridge.read_32(prefetchable_base_high)} << 32;
        window.last |= u64{bridge.read_32(prefetchable_limit_high)} << 32;
    }
    return window;
}

bool lacks_addresses(Function const& function) {
    return std::ranges::any_of(function.bars, is_without);
}

Result<void> assign_addresses(
    Configuration configuration,
    Address bridge,
    Function const& function,
    std::span<Function const> neighbours) {
    FunctionSpace const bridge_space(configuration, bridge);
    BridgeWindow const plain = read_memory_window(bridge_space);
    BridgeWindow const ahead = read_prefetchable_window(bridge_space);
    FixedVector<Bar, 8> wanted;
    for (Bar const& bar : function.bars) {
        if (is_without(bar)) {
            TRY(wanted.push_back(bar));
        }
    }
    std::ranges::sort(
        wanted.items(), [](Bar const& one, Bar const& other) { return one.size > other.size; });
    Assignment assignment(FunctionSpace(configuration, function.where), function, neighbours);
    for (Bar const& bar : wanted) {
        bool const may_be_far = bar.prefetchable && bar.kind == BarKind::memory_64;
        bool const is_placed =
            assignment.place(bar, plain) || (may_be_far && assignment.place(bar, ahead));
        if (!is_placed) {
            return Error::no_space;
        }
    }
    return {};
}

} // namespace twofold::pci
