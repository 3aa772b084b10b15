// The stub: finds out what the machine has, unpacks the kernel behind itself, gives it its first
// page tables and a complete BootInfo, and jumps. Runs once, on the boot processor, with interrupts
// disabled, in the identity mapping of stub/entry.S. Nothing of it remains: its memory is reported
// as usable.
//
// Whatever goes wrong ends in `give_up`: one line on the serial port and status 71.
#include "hal/x86_64/stub/stub.hpp"
#include "hal/layout.hpp"
#include "hal/x86_64/debug_exit.hpp"
#include "hal/x86_64/entry/acpi_extent.hpp"
#include "hal/x86_64/entry/bios_text.hpp"
#include "hal/x86_64/entry/command_line.hpp"
#include "hal/x86_64/entry/multiboot2.hpp"
#include "hal/x86_64/entry/payload.hpp"
#include "hal/x86_64/entry/placement.hpp"
#include "hal/x86_64/entry/pvh.hpp"
#include "hal/x86_64/handover.hpp"
#include "hal/x86_64/serial.hpp"
#include "hal/x86_64/stub/tables.hpp"
#include "isa/cpuid.hpp"
#include "isa/page_entry.hpp"

#include <lz4.h>

using namespace twofold;

extern "C" {
[[noreturn]] void stub_main(u32 magic, u32 information);
[[noreturn]] void enter_kernel(u64 entry, u64 handover, u64 root); // stub/entry.S
extern std::byte const stub_start[], stub_end[];                   // stub/stub.ld
}

namespace metal {

namespace {

constinit SerialPort serial;
constinit char command_line_text[2 * longest_command_line.value];
constinit char scratch_text[2 * longest_command_line.value];

constexpr Bytes seen_memory{u64{4} << 30};
constexpr PhysAddr lowest_placement{1 << 20};

std::span<std::byte const> read_identity(void const*, PhysAddr address, Bytes size) {
    if (address.value >= seen_memory.value || size.value > seen_memory.value - address.value) {
        return {};
    }
    return {identity(address), size.value};
}
constexpr PhysicalMemory identity_memory{read_identity, nullptr};

/// Where the kernel will see what the stub sees at `pointer`.
template<class T>
T* in_kernel(T* pointer) {
    // Sound: both windows show the same memory.
    return reinterpret_cast<T*>(reinterpret_cast<u64>(pointer) + hal::Layout::linear.base.value);
}
std::string_view in_kernel(std::string_view text) {
    char const* const first = text.data();
    return {in_kernel(first), text.size()};
}

void discover(u32 magic, u32 information, Discovered& found) {
    PhysAddr const address{information};
    Result<void> result = Error::not_supported;
    if (magic == pvh_magic) {
        result = parse_pvh(identity_memory, address, found);
        found.text_buffer = find_bios_text(identity_memory); // nobody else speaks of a screen
    } else if (magic == multiboot2_magic) {
        result = parse_multiboot2(identity_memory, address, found);
    }
    if (!result) {
        give_up("the boot loader's information cannot be used", error_name(result.error()));
    }
    if (!found.rsdp && found.rsdp_copy.empty()) {
        found.rsdp = find_rsdp(identity_memory);
    }
}

/// The loader's command line, then the emulator's.
std::string_view command_line(Discovered const& found) {
    if (found.command_line.size() >= longest_command_line.value) {
        give_up("the command line is too long");
    }
    usize length = found.command_line.size();
    if (found.protocol == "multiboot2") {
        length = without_grub_quotes(found.command_line, command_line_text).size();
    } else {
        __builtin_memcpy(command_line_text, found.command_line.data(), length);
    }
    usize const separator = length == 0 ? 0 : 1;
    Result<std::string_view> const more =
        emulator_command_line(std::span{command_line_text}.subspan(length + separator));
    if (!more) {
        give_up("the emulator's command line is too long");
    }
    if (!more.value().empty()) {
        if (separator != 0) {
            command_line_text[length] = ' ';
        }
        length += separator + more.value().size();
    }
    return {command_line_text, length};
}

void decompress(std::span<std::byte const> packed, PhysAddr to, u32 size) {
    // Sound: char may alias any object.
    int const result = LZ4_decompress_safe(
        reinterpret_cast<char const*>(packed.data()), reinterpret_cast<char*>(identity(to)),
        static_cast<int>(packed.size()), static_cast<int>(size));
    if (result < 0 || static_cast<u32>(result) != size) {
        give_up("the image is corrupt", "it does not unpack");
    }
}

/// Adds the base to every word that holds an address; `gaps` lie between them.
void relocate(PhysAddr image, Bytes image_size, std::span<u32 const> gaps, VirtAddr base) {
    u64 offset = 0;
    for (u32 const gap : gaps) {
        offset += gap;
        if (offset > image_size.value - sizeof(u64)) {
            give_up("the image is corrupt", "a relocation lies outside");
        }
        std::byte* const at = identity(image + Bytes{offset});
        u64 word;
        __builtin_memcpy(&word, at, sizeof(word));
        word += base.value;
        __builtin_memcpy(at, &word, sizeof(word));
    }
}

struct Unpacked {
    PhysAddr image;
    VirtAddr base;
    std::span<std::byte const> symbols;
};

Unpacked unpack(Payload const& payload, BootArea& area, VirtAddr base) {
    PayloadHeader const& header = *payload.header;
    PhysAddr const image = area.take({header.image_size}, page_size);
    decompress(payload.image, image, header.image_stored);
    for (PayloadSegment const& segment : std::span{header.segments}.first(header.segment_count)) {
        if ((segment.flags & segment_flag::uncleared) == 0) {
            // The stored part may end inside a word.
            u64 const stored_end = segment.offset + segment.stored;
            u64 const words_at = align_up(stored_end, 8);
            for (u64 at = stored_end; at < words_at; ++at) {
                *identity(image + Bytes{at}) = std::byte{};
            }
            clear(identity(image + Bytes{words_at}), segment.offset + segment.size - words_at);
        }
    }
    PhysAddr const tail = area.take({header.tail_stored}, {16});
    decompress(payload.tail, tail, header.tail_stored);
    u64 const symbols_end = align_up(header.symbols_size, 4);
    // Sound: the tail is 16-aligned, the gaps in it 4-aligned (verify_payload checked the sizes).
    auto const* const gaps = reinterpret_cast<u32 const*>(identity(tail + Bytes{symbols_end}));
    relocate(image, {header.image_stored}, {gaps, header.relocation_count}, base);
    area.rewind(tail + Bytes{header.symbols_size});
    return {image, base, {identity(tail), header.symbols_size}};
}

template<class T>
std::span<T> take_array(BootArea& area, usize count) {
    // Sound: fresh memory of the right size and alignment for trivially copyable T.
    return {reinterpret_cast<T*>(identity(area.take({count * sizeof(T)}, {16}))), count};
}

/// Copies `text` into the area; the answer is the kernel's view of the copy.
std::string_view keep(BootArea& area, std::string_view text) {
    std::span<char> const copy = take_array<char>(area, text.size());
    __builtin_memcpy(copy.data(), text.data(), text.size());
    return in_kernel(std::string_view{copy.data(), copy.size()});
}

PhysAddr keep_root_pointer(BootArea& area, std::span<std::byte const> bytes) {
    PhysAddr const at = area.take({bytes.size()}, {16});
    __builtin_memcpy(identity(at), bytes.data(), bytes.size());
    return at;
}

/// The modules as the kernel sees them, names included.
std::span<hal::Module const> keep_modules(BootArea& area, Discovered const& found) {
    std::span<hal::Module> const modules = take_array<hal::Module>(area, found.modules.size());
    usize index = 0;
    for (hal::Module const& module : found.modules.items()) {
        modules[index++] = {module.base, module.size, keep(area, module.name)};
    }
    return modules;
}

/// The firmware's map, the modules and, last, the range that `boot` will be set to.
std::span<hal::MemoryRange> keep_memory_map(BootArea& area, Discovered const& found) {
    usize const count = found.memory.size() + found.modules.size() + 1;
    std::span<hal::MemoryRange> const map = take_array<hal::MemoryRange>(area, count);
    usize index = 0;
    for (hal::MemoryRange const& range : found.memory.items()) {
        map[index++] = range;
    }
    for (hal::Module const& module : found.modules.items()) {
        map[index++] = {module.base, module.size, hal::MemoryKind::module};
    }
    return map;
}

bool is_memory(hal::MemoryKind kind) {
    return kind == hal::MemoryKind::usable || kind == hal::MemoryKind::acpi_reclaimable ||
           kind == hal::MemoryKind::acpi_nvs;
}

VirtAddr linear(u64 physical) {
    return hal::Layout::linear.base + Bytes{physical};
}

/// Maps [from, to) into the linear window, all but the image.
void map_linear(TableBuilder& tables, u64 from, u64 to, PhysicalRange image, hal::Access access) {
    u64 const hole = image.base.value;
    u64 const hole_end = hole + image.size.value;
    u64 const first_end = to < hole ? to : hole;
    if (from < first_end) {
        tables.map(linear(from), {from}, {first_end - from}, access);
    }
    u64 const second = from > hole_end ? from : hole_end;
    if (second < to) {
        tables.map(linear(second), {second}, {to - second}, access);
    }
}

void map_memory(
    TableBuilder& tables, Discovered const& found, PhysicalRange image, AcpiExtent const& acpi) {
    using enum hal::Access;
    u64 const limit = hal::Layout::linear.size.value;
    for (hal::MemoryRange const& range : found.memory.items()) {
        u64 const base = align_up(range.base.value, page_size.value);
        if (!is_memory(range.kind) || base >= limit) {
            continue;
        }
        u64 const room = limit - range.base.value;
        u64 const size = range.size.value < room ? range.size.value : room;
        u64 const end = align_down(range.base.value + size, page_size.value);
        if (base < end) {
            map_linear(tables, base, end, image, read | write);
        }
    }
    for (PhysicalRange const& table : acpi.tables.items()) {
        u64 const base = align_down(table.base.value, page_size.value);
        u64 const end = align_up(table.base.value + table.size.value, page_size.value);
        map_linear(tables, base, end, image, read);
    }
}

void map_image(TableBuilder& tables, PayloadHeader const& header, Unpacked const& unpacked) {
    using enum hal::Access;
    for (PayloadSegment const& segment : std::span{header.segments}.first(header.segment_count)) {
        hal::Access access = read;
        if ((segment.flags & segment_flag::write) != 0) {
            access = access | write;
        }
        if ((segment.flags & segment_flag::execute) != 0) {
            access = access | execute;
        }
        Bytes const offset{segment.offset};
        tables.map(unpacked.base + offset, unpacked.image + offset, {segment.size}, access);
    }
}

/// Switches on what protects the kernel from itself and from user code, where the processor has it,
/// and loads the page attributes that the codec speaks of. Entry.S did write protection and
/// no-execute.
void protect(hal::CpuDescription const& processor) {
    using isa::Feature;
    u64 bits = read_cr4() | cr4::global_pages;
    bits |= has(processor, Feature::smep) ? cr4::smep : 0;
    bits |= has(processor, Feature::smap) ? cr4::smap : 0;
    bits |= has(processor, Feature::umip) ? cr4::umip : 0;
    if (!has(processor, Feature::pge) || !has(processor, Feature::pat)) {
        give_up("the processor has no global pages or no page attribute table");
    }
    write_msr(isa::PageEntry::page_attribute_table_msr, isa::PageEntry::page_attribute_table);
    write_cr4(bits);
}

Payload load_payload() {
    PhysAddr const at{reinterpret_cast<u64>(stub_end)};
    Result<Payload> payload = verify_payload({identity(at), largest_payload});
    if (!payload) {
        bool const foreign = payload.error() == Error::not_supported;
        give_up(
            "the image is corrupt", foreign
                                        ? "what it carries is of another version; build it again"
                                        : "its checksum is wrong; build or copy it again");
    }
    return payload.value();
}

VirtAddr choose_image_base(std::string_view line, Bytes image_size) {
    using hal::Layout;
    Result<VirtAddr> const base = image_base(
        line, scratch_text, image_size,
        {Layout::default_image_base, Layout::image.base, Layout::image.size});
    if (!base) {
        give_up(
            "image_base must be a multiple of 0x200000 from 0xffffe00000000000 on",
            error_name(base.error()));
    }
    return base.value();
}

/// Everything after the machine has been found out: the order is that in which memory is taken.
[[noreturn]] void
build(Discovered const& found, Payload const& payload, std::string_view line, BootArea& area) {
    PayloadHeader const& header = *payload.header;
    hal::CpuDescription const processor = isa::decode(isa::read_cpuid());
    protect(processor);
    Unpacked const unpacked = unpack(payload, area, choose_image_base(line, {header.image_size}));

    Handover& handover = take_array<Handover>(area, 1)[0];
    handover = {};
    hal::BootInfo& info = handover.info;
    info.machine = keep(area, "metal");
    info.protocol = keep(area, found.protocol);
    info.command_line = keep(area, line);
    info.modules = keep_modules(area, found);
    info.modules = {in_kernel(info.modules.data()), info.modules.size()};
    info.framebuffer = found.framebuffer;
    info.text_buffer = found.text_buffer;
    info.symbols = {in_kernel(unpacked.symbols.data()), unpacked.symbols.size()};
    info.image_base = unpacked.base;
    info.image_size = {header.image_size};
    info.stack_base = unpacked.base + Bytes{header.stack_base};
    info.stack_size = {header.stack_size};
    std::span<hal::MemoryRange> const map = keep_memory_map(area, found);
    info.memory = {in_kernel(map.data()), map.size()};

    AcpiExtent acpi;
    info.rsdp = found.rsdp_copy.empty() ? found.rsdp
                                        : std::optional{keep_root_pointer(area, found.rsdp_copy)};
    if (info.rsdp) {
        acpi = acpi_extent(identity_memory, *info.rsdp);
    }
    handover.processors = acpi.processors > 0 ? acpi.processors : 1;
    handover.image_physical = unpacked.image;
    handover.has_large_pages = has(processor, isa::Feature::pdpe1gb);

    TableBuilder tables(area, handover.has_large_pages ? 2 : 1);
    map_image(tables, header, unpacked);
    map_memory(tables, found, {unpacked.image, {header.image_size}}, acpi);
    handover.root = tables.root();
    PhysicalRange const used = area.used();
    map.back() = {used.base, used.size, hal::MemoryKind::boot};
    share_upper_half(tables.root());
    enter_kernel(
        (unpacked.base + Bytes{header.entry}).value, reinterpret_cast<u64>(in_kernel(&handover)),
        tables.root().value);
}

} // namespace

void give_up(std::string_view reason, std::string_view detail) {
    serial.write("twofold: cannot start: ");
    serial.write(reason);
    if (!detail.empty()) {
        serial.write(": ");
        serial.write(detail);
    }
    serial.write("\n");
    serial.drain();
    debug_exit(status_machine_crashed);
    stop();
}

} // namespace metal

void twofold::check_failed(char const* expression, std::source_location) {
    metal::give_up("a check of the stub failed", expression);
}

void stub_main(u32 magic, u32 information) {
    using namespace metal;
    serial.start();
    Discovered found;
    discover(magic, information, found);
    std::string_view const line = command_line(found);
    Payload const payload = load_payload();
    PhysAddr const start{reinterpret_cast<u64>(stub_start)};
    PhysAddr const end{reinterpret_cast<u64>(stub_end) + payload.header->total_size};
    BootArea area(largest_free(found, {start, end - start}, lowest_placement, {seen_memory.value}));
    build(found, payload, line, area);
}
