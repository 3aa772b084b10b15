// A hostile PCI bus. The first byte chooses: registers that each read takes from the input, so that
// none reads the same twice, or a bus of eight functions whose registers the input has set. Nothing
// may crash or hang, and what is reported must hold together.
#include "apps/scenarios/pci_model.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>

namespace twofold::pci {
namespace {

using scenarios::PciModel;
using scenarios::PciModelFunction;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

/// What a function says of itself after it was believed.
void check(Function const& function) {
    for (Bar const& bar : function.bars) {
        require(bar.size.value == 0 || is_power_of_two(bar.size.value));
        require(bar.number <= rom_number);
    }
    for (usize i = 0; i < function.capabilities.size(); ++i) {
        u16 const offset = function.capabilities[i].offset;
        require(offset % 4 == 0 && offset >= 0x40 && offset < PciModelFunction::size);
        for (usize j = 0; j < i; ++j) {
            require(function.capabilities[j].offset != offset);
        }
    }
    require(!function.msi || function.msi->vectors() <= 32);
    if (function.msix) {
        MsixInfo const& msix = *function.msix;
        bool is_inside = false;
        for (Bar const& bar : function.bars) {
            is_inside = is_inside || (bar.number == msix.table_bar && bar.is_memory() &&
                                      msix.table_offset + u64{msix.vectors} * msix_entry_bytes <=
                                          bar.size.value);
        }
        require(is_inside && msix.vectors <= 2048);
    }
}

struct Found {
    static constexpr usize most = 300;
    usize count = 0;
    std::array<Address, most> where{};

    FunctionStore store() {
        return {
            this,
            [](void* self, Function const& function) {
                return static_cast<Found*>(self)->add(function);
            },
            [](void* self, Address address, BusNumbers const& buses, Defects) {
                static_cast<Found*>(self)->settle(address, buses);
            }};
    }
    Result<void> add(Function const& function) {
        check(function);
        for (usize i = 0; i < count; ++i) {
            require(where[i] != function.where); // no bus is scanned twice
        }
        if (count == most) {
            return Error::no_space;
        }
        where[count++] = function.where;
        return {};
    }
    void settle(Address address, BusNumbers const& buses) const {
        bool is_known = false;
        for (usize i = 0; i < count; ++i) {
            is_known = is_known || where[i] == address;
        }
        require(is_known);
        require(buses.secondary != address.bus || buses.secondary == 0);
        require(buses.secondary <= buses.subordinate);
    }
};

/// Each read is the next bytes of the input; all ones once it has ended.
struct Stream {
    std::span<std::uint8_t const> bytes;

    static u32 space_bytes(Address) { return hal::pci_extended_space_bytes; }
    u32 read(Address, u32, u32 width) {
        u32 value = 0;
        for (u32 i = 0; i < width; ++i) {
            value |= u32{bytes.empty() ? u8{0xff} : bytes.front()} << 8 * i;
            bytes = bytes.empty() ? bytes : bytes.subspan(1);
        }
        return value;
    }
    static void write(Address, u32, u32, u32) {}
};

void read_stream(std::span<std::uint8_t const> input) {
    Stream access{input};
    Found found;
    Enumeration walk(Configuration::of(access), found.store());
    static_cast<void>(walk.run({}));
}

/// Five bytes set one of a register: function, offset (two), value, which bits can be written.
void read_model(std::span<std::uint8_t const> input) {
    constexpr usize functions = 8, patch = 5;
    static std::array<PciModelFunction, functions> model;
    model = {};
    for (usize i = 1; i < functions; ++i) {
        model[i].device = static_cast<u8>(i % 4);
        model[i].parent = i < 4 ? PciModelFunction::on_root : static_cast<u8>(i - 3);
    }
    for (; input.size() >= patch; input = input.subspan(patch)) {
        PciModelFunction& function = model[input[0] % functions];
        u32 const offset = (u32{input[1]} | u32{input[2]} << 8) % PciModelFunction::size;
        function.define(offset, 1, input[3], input[4]);
    }
    // The command register is as the specification has it; without that nothing is promised.
    for (PciModelFunction& each : model) {
        each.writable[0x04] |= 3;
        each.define(0x05, 1, 0);
    }
    PciModel bus(model);
    Found found;
    Enumeration walk(Configuration::of(bus), found.store());
    static_cast<void>(walk.run({0, 0, 31}));
    require(bus.writes_while_decoding == 0);
}

} // namespace
} // namespace twofold::pci

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    auto const input = std::span(data, size).subspan(1);
    if (data[0] % 2 == 0) {
        twofold::pci::read_stream(input);
    } else {
        twofold::pci::read_model(input);
    }
    return 0;
}
