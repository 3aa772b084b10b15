// The PVH parser. See pvh.hpp.
#include "hal/x86_64/entry/pvh.hpp"

namespace metal {

namespace {

constexpr usize start_info_size = 56;
constexpr usize memory_entry_size = 24;
constexpr usize module_entry_size = 32;
constexpr u32 most_entries = 1024;

Result<void> parse_command_line(PhysicalMemory memory, PhysAddr address, Discovered& found) {
    if (address.value == 0) {
        return {};
    }
    found.command_line = TRY(load_text(memory, address, longest_command_line));
    return found.occupied.push_back({address, {found.command_line.size() + 1}});
}

Result<void>
parse_memory_map(PhysicalMemory memory, PhysAddr address, u32 count, Discovered& found) {
    if (count == 0 || count > most_entries) {
        return Error::not_found;
    }
    Bytes const size{count * memory_entry_size};
    std::span<std::byte const> const table = memory.view(address, size);
    for (usize entry = 0; entry < count; ++entry) {
        usize const at = entry * memory_entry_size;
        u64 const base = TRY(peek<u64>(table, at));
        u64 const length = TRY(peek<u64>(table, at + 8));
        u32 const type = TRY(peek<u32>(table, at + 16));
        if (length != 0) {
            TRY(found.memory.push_back({{base}, {length}, memory_kind(type)}));
        }
    }
    return found.occupied.push_back({address, size});
}

Result<void> parse_modules(PhysicalMemory memory, PhysAddr address, u32 count, Discovered& found) {
    if (count == 0) {
        return {};
    }
    if (count > most_entries) {
        return Error::corrupted;
    }
    Bytes const size{count * module_entry_size};
    std::span<std::byte const> const table = memory.view(address, size);
    for (usize entry = 0; entry < count; ++entry) {
        usize const at = entry * module_entry_size;
        PhysAddr const base{TRY(peek<u64>(table, at))};
        Bytes const length{TRY(peek<u64>(table, at + 8))};
        PhysAddr const name_at{TRY(peek<u64>(table, at + 16))};
        std::string_view name;
        if (name_at.value != 0) {
            name = TRY(load_text(memory, name_at, longest_command_line));
            TRY(found.occupied.push_back({name_at, {name.size() + 1}}));
        }
        TRY(found.modules.push_back({base, length, name}));
        TRY(found.occupied.push_back({base, length}));
    }
    return found.occupied.push_back({address, size});
}

} // namespace

Result<void> parse_pvh(PhysicalMemory memory, PhysAddr address, Discovered& found) {
    CHECK(found.memory.size() == 0 && found.occupied.size() == 0);
    std::span<std::byte const> const info = memory.view(address, {start_info_size});
    if (info.empty()) {
        return Error::out_of_range;
    }
    if (TRY(peek<u32>(info, 0)) != pvh_magic) {
        return Error::corrupted;
    }
    if (TRY(peek<u32>(info, 4)) == 0) {
        return Error::not_supported;
    }
    found.protocol = "pvh";
    TRY(found.occupied.push_back({address, {start_info_size}}));

    u32 const module_count = TRY(peek<u32>(info, 12));
    PhysAddr const modules{TRY(peek<u64>(info, 16))};
    PhysAddr const line{TRY(peek<u64>(info, 24))};
    PhysAddr const rsdp{TRY(peek<u64>(info, 32))};
    PhysAddr const map{TRY(peek<u64>(info, 40))};
    u32 const entry_count = TRY(peek<u32>(info, 48));
    if (rsdp.value != 0) {
        found.rsdp = rsdp;
    }
    TRY(parse_modules(memory, modules, module_count, found));
    TRY(parse_command_line(memory, line, found));
    return parse_memory_map(memory, map, entry_count, found);
}

} // namespace metal
