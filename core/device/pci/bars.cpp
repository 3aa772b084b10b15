// See bars.hpp.
#include "core/device/pci/bars.hpp"

namespace twofold::pci {

namespace {

constexpr u16 decoding = 0x3; // I/O and memory, of the command register
constexpr u32 register_bytes = 4;
constexpr u64 io_flags = 0x3, memory_flags = 0xf;
constexpr u32 io_space = 0x1, prefetchable_bit = 0x8;
constexpr u32 rom_address = 0xffff'f800;
constexpr unsigned physical_bits = 52;

/// Decoding is off while this lives; whether it went off is for the caller to look.
class DecodingOff {
public:
    explicit DecodingOff(FunctionSpace const& space)
        : m_space(space), m_before(space.read_16(offset::command)) {
        if (!mutant(Mutant::pci_decoding_off)) {
            m_space.write_16(offset::command, static_cast<u16>(m_before & ~u32{decoding}));
        }
    }
    DecodingOff(DecodingOff const&) = delete;
    DecodingOff& operator=(DecodingOff const&) = delete;
    ~DecodingOff() { m_space.write_16(offset::command, m_before); }

    bool holds() const {
        return (m_space.read_16(offset::command) & decoding) == 0 ||
               mutant(Mutant::pci_decoding_off);
    }

private:
    FunctionSpace const& m_space;
    u16 m_before;
};

/// Probes one register and puts back what it held.
BarProbe probe(FunctionSpace const& space, u32 at, u32 ones, Defects& defects) {
    u32 const before = space.read_32(at);
    space.write_32(at, ones);
    u32 const after = space.read_32(at);
    space.write_32(at, before);
    if (space.read_32(at) != before) {
        defects.add(Defect::bar_not_restored);
    }
    return {before, after};
}

/// The size that the address bits which stay tell; nothing with a defect if they do not make one.
std::optional<Bytes> size_of(u64 writable, u64 whole, Defects& defects) {
    u64 const size = writable & (~writable + 1);
    if (size == 0 || writable != (whole & ~(size - 1))) {
        defects.add(Defect::bar_size_odd);
        return std::nullopt;
    }
    if (size > u64{1} << physical_bits) {
        defects.add(Defect::bar_size_absurd);
        return std::nullopt;
    }
    return Bytes{size};
}

void check_place(Bar const& bar, Defects& defects) {
    constexpr u64 end = u64{1} << physical_bits;
    if (bar.address >= end || bar.size.value > end - bar.address) {
        defects.add(Defect::bar_outside);
    }
}

std::optional<Bar> decode_io(BarProbe const& probed, u8 number, Defects& defects) {
    if ((probed.after & io_flags) != io_space) {
        defects.add(Defect::bar_reserved_kind);
        return std::nullopt;
    }
    constexpr u64 upper = 0xffff'0000; // may be wired to zero: ports have 16 bits here
    u64 writable = probed.after & ~io_flags & 0xffff'ffff;
    writable |= (writable & upper) == 0 ? upper : 0;
    auto const size = size_of(writable, 0xffff'ffff, defects);
    if (!size) {
        return std::nullopt;
    }
    return Bar{BarKind::io, number, false, probed.before & ~io_flags, *size};
}

/// A register whose size was not looked for.
std::optional<Bar> decode_unsized(u64 value, u8 number) {
    if (value == 0) {
        return std::nullopt;
    }
    if ((value & io_space) != 0) {
        return Bar{BarKind::io, number, false, value & ~io_flags, {}};
    }
    BarKind const kind = is_wide({value, value}) ? BarKind::memory_64 : BarKind::memory_32;
    return Bar{kind, number, (value & prefetchable_bit) != 0, value & ~memory_flags, {}};
}

void push(Bars& bars, std::optional<Bar> const& bar) {
    if (bar) {
        bars.push_back(*bar).value(); // bars_max registers at most
    }
}

Bars read_without_sizing(FunctionSpace const& space, u8 count) {
    Bars bars;
    for (u8 number = 0; number < count; ++number) {
        u32 const at = offset::first_bar + number * register_bytes;
        u64 value = space.read_32(at);
        u8 const first = number;
        if (is_wide({value, value}) && number + 1 < count) {
            value |= u64{space.read_32(at + register_bytes)} << 32;
            ++number;
        }
        push(bars, decode_unsized(value, first));
    }
    return bars;
}

void read_rom(FunctionSpace const& space, HeaderKind kind, Bars& bars, Defects& defects) {
    constexpr u32 endpoint_rom = 0x30, bridge_rom = 0x38;
    u32 const at = kind == HeaderKind::endpoint ? endpoint_rom : bridge_rom;
    push(bars, decode_rom(probe(space, at, rom_address, defects), defects));
}

} // namespace

std::string_view bar_kind_name(BarKind kind) {
    constexpr std::string_view names[] = {"io", "memory32", "memory64", "rom"};
    auto const index = static_cast<usize>(kind);
    return index < std::size(names) ? names[index] : "unknown";
}

std::optional<Bar> decode_bar(BarProbe const& probed, u8 number, Defects& defects) {
    if (probed.after == 0) {
        if (probed.before != 0) {
            defects.add(Defect::bar_inconsistent);
        }
        return std::nullopt;
    }
    bool const is_io = (probed.after & io_space) != 0;
    u64 const flags = is_io ? io_flags : memory_flags;
    if (((probed.before ^ probed.after) & flags) != 0) {
        defects.add(Defect::bar_inconsistent);
        return std::nullopt;
    }
    if (is_io) {
        return decode_io(probed, number, defects);
    }
    u64 const kind = probed.after >> 1 & 3;
    if ((kind & 1) != 0) { // below 1 MiB, which is no more, and the one never given out
        defects.add(Defect::bar_reserved_kind);
        return std::nullopt;
    }
    bool const wide = kind == 2;
    u64 const whole = wide ? ~u64{0} : 0xffff'ffff;
    auto const size = size_of(probed.after & ~memory_flags, whole, defects);
    if (!size) {
        return std::nullopt;
    }
    Bar const bar{
        wide ? BarKind::memory_64 : BarKind::memory_32, number,
        (probed.after & prefetchable_bit) != 0, probed.before & ~memory_flags, *size};
    check_place(bar, defects);
    return bar;
}

std::optional<Bar> decode_rom(BarProbe const& probed, Defects& defects) {
    u64 const writable = probed.after & rom_address;
    if (writable == 0) {
        return std::nullopt;
    }
    auto const size = size_of(writable, 0xffff'ffff, defects);
    if (!size) {
        return std::nullopt;
    }
    return Bar{BarKind::rom, rom_number, false, probed.before & rom_address, *size};
}

Bars read_bars(FunctionSpace const& space, HeaderKind kind, Defects& defects) {
    u8 const count = bar_count(kind);
    if (count == 0) {
        return {};
    }
    DecodingOff const off(space);
    if (!off.holds()) {
        defects.add(Defect::decoding_stuck);
        return read_without_sizing(space, count);
    }
    Bars bars;
    for (u8 number = 0; number < count; ++number) {
        u32 const at = offset::first_bar + number * register_bytes;
        BarProbe probed = probe(space, at, ~u32{0}, defects);
        u8 const first = number;
        if (is_wide(probed)) {
            if (number + 1 == count) {
                defects.add(Defect::bar_without_partner);
                break;
            }
            BarProbe const upper = probe(space, at + register_bytes, ~u32{0}, defects);
            probed.before |= upper.before << 32;
            probed.after |= upper.after << 32;
            ++number;
        }
        push(bars, decode_bar(probed, first, defects));
    }
    read_rom(space, kind, bars, defects);
    return bars;
}

} // namespace twofold::pci
