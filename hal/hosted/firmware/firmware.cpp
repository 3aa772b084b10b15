// See firmware.hpp. The memory map is that of a PC without devices:
//
//     0        640 KiB  usable
//     640 KiB  1 MiB    reserved (where a PC has video memory and its firmware)
//     1 MiB    ...      reserved (the memory of devices)
//     ...      ...      modules
//     ...      ...      boot: page tables, stacks, BootInfo, symbols
//     ...      ...      acpi_reclaimable
//     ...      end      usable
#include "hal/hosted/firmware/firmware.hpp"

#include "hal/boot.hpp"
#include "hal/hosted/firmware/acpi_tables.hpp"
#include "hal/hosted/firmware/frame_source.hpp"
#include "hal/hosted/firmware/page_tables.hpp"

#include <isa/context.hpp>

#include <new>
#include <string_view>
#include <vector>

namespace hosted::firmware {

namespace {

constexpr u64 high_memory = u64{1} << 20;
constexpr unsigned level_2m = 1;

/// Hands out pieces of one chunk of simulated memory, and knows where the kernel sees them.
class Parcel {
public:
    Parcel(FrameSource& frames, u64 linear_base, u64 size)
        : m_memory(frames.memory()),
          m_linear_base(linear_base),
          m_next(frames.take(size)),
          m_end(m_next + size) {}

    /// A copy of `items`, as the kernel sees it.
    template<class T>
    std::span<T const> place(std::span<T const> items) {
        static_assert(alignof(T) <= 16);
        u64 const at = align_up(m_next, 16);
        CHECK(at + items.size_bytes() <= m_end);
        m_next = at + items.size_bytes();
        if (!items.empty()) {
            std::memcpy(m_memory.base + at, items.data(), items.size_bytes());
        }
        return {reinterpret_cast<T const*>(m_linear_base + at), items.size()};
    }
    std::string_view place_text(std::string_view text) {
        auto const placed = place(std::span(text.data(), text.size()));
        return {placed.data(), placed.size()};
    }

private:
    PhysicalSpan m_memory;
    u64 m_linear_base;
    u64 m_next;
    u64 m_end;
};

/// A stack with an unmapped page below it. Returns its bounds and where its memory lies.
struct Stack {
    StackBounds bounds;
    u64 physical;
};

Stack map_stack(PageTables& tables, FrameSource& frames, u64& address, u64 size) {
    address += page_size.value; // the guard
    Stack const stack{{address, size}, frames.take(size)};
    tables.map(address, stack.physical, size, 0);
    address += size;
    return stack;
}

/// Leaves on `stack` what the first switch to it continues: guest_start(boot_info).
u64 prepare_context(PhysicalSpan memory, Stack const& stack, u64 boot_info) {
    u64 const end_of_chain = stack.bounds.size - 16; // the two zeros above it end backtraces
    u64 const offset = end_of_chain - sizeof(isa::SwitchFrame);
    isa::SwitchFrame frame{};
    frame.resume = reinterpret_cast<u64>(&isa_context_resume);
    frame.r12 = reinterpret_cast<u64>(&guest_start);
    frame.r13 = boot_info;
    frame.rbp = stack.bounds.base + end_of_chain;
    frame.instruction = reinterpret_cast<u64>(&isa_context_start);
    std::memcpy(memory.base + stack.physical + offset, &frame, sizeof(frame));
    return stack.bounds.base + offset;
}

using MemoryMap = std::vector<hal::MemoryRange>;

std::vector<hal::Module>
place_modules(FrameSource& frames, std::span<ModuleFile const> files, MemoryMap& map) {
    std::vector<hal::Module> modules;
    for (ModuleFile const& file : files) {
        PhysAddr const base{frames.place(file.bytes)};
        modules.push_back({base, {file.bytes.size()}, file.name});
        map.push_back({base, {frames.next() - base.value}, hal::MemoryKind::module});
    }
    return modules;
}

/// Describes the machine: its processors, and its memory in nodes of nearly equal size.
PhysAddr place_acpi_tables(FrameSource& frames, MachineConfig const& config, MemoryMap& map) {
    twofold::hosted::AcpiConfig description{.processors = config.cpus, .nodes = config.numa_nodes};
    u64 const pages = frames.memory().size / page_size.value;
    u64 begin = 0;
    for (u32 node = 0; node < config.numa_nodes; ++node) {
        u64 const end = pages * (node + 1) / config.numa_nodes * page_size.value;
        description.memory.push_back({begin, end - begin, node});
        begin = end;
    }
    PhysAddr const base{frames.next()};
    auto const tables = twofold::hosted::build_acpi_tables(base.value, description);
    CHECK(frames.place(tables) == base.value);
    map.push_back({base, {frames.next() - base.value}, hal::MemoryKind::acpi_reclaimable});
    return base;
}

/// Places BootInfo and everything that it points to; returns where the kernel sees it. `boot` is
/// the first physical address of the firmware's own memory, which ends with what is placed here.
u64 place_boot_info(
    FrameSource& frames,
    MachineConfig const& config,
    GuestCpu const& cpu,
    std::vector<hal::Module> modules,
    MemoryMap map,
    u64 boot) {
    u64 size = 2 * page_size.value + config.command_line.size() + config.image.symbols.size() +
               (map.size() + 3) * sizeof(hal::MemoryRange);
    for (hal::Module const& module : modules) {
        size += sizeof(module) + module.name.size() + 16;
    }
    Parcel parcel(frames, cpu.linear_base, size);
    map.push_back({{boot}, {frames.next() - boot}, hal::MemoryKind::boot});
    PhysAddr const rsdp = place_acpi_tables(frames, config, map);
    u64 const end = frames.next();
    map.push_back({{end}, {frames.memory().size - end}, hal::MemoryKind::usable});

    for (hal::Module& module : modules) {
        module.name = parcel.place_text(module.name);
    }
    hal::BootInfo const info{
        .machine = parcel.place_text("host"),
        .protocol = parcel.place_text("hosted"),
        .command_line = parcel.place_text(config.command_line),
        .memory = parcel.place(std::span<hal::MemoryRange const>(map)),
        .modules = parcel.place(std::span<hal::Module const>(modules)),
        .framebuffer = std::nullopt,
        .rsdp = rsdp,
        .symbols = parcel.place(config.image.symbols),
        .image_base = {config.image.base},
        .image_size = {config.image.size},
        .stack_base = {cpu.stack.base},
        .stack_size = {cpu.stack.size}};
    return reinterpret_cast<u64>(parcel.place(std::span(&info, 1)).data());
}

/// Gives the devices their memory. The test device's is as after a reset: the signature in its
/// first register, every vector masked; those that are plugged in fill theirs themselves.
void place_devices(FrameSource& frames, PciBus& pci, MemoryMap& map) {
    PhysAddr const base{frames.next()};
    static_assert(high_memory % pci_vectors_bytes == 0, "nothing was taken before");
    PhysAddr const vectors{frames.take(pci_vectors_bytes)};
    PhysAddr const registers{frames.take(pci_registers_bytes)};
    pci.configure({.registers = registers, .vectors = vectors});
    std::memcpy(
        frames.memory().base + registers.value, &pci_test_signature, sizeof(pci_test_signature));
    for (u32 vector = 0; vector < pci_test_vectors; ++vector) {
        constexpr u32 entry_bytes = 16, control_offset = 12, masked = 1;
        u64 const control = vectors.value + u64{vector} * entry_bytes + control_offset;
        std::memcpy(frames.memory().base + control, &masked, sizeof(masked));
    }
    for (u32 device = 0; device < pci.fixed(); ++device) {
        u64 const bytes = pci.register_bytes(device);
        frames.take(round_up(frames.next(), bytes) - frames.next());
        pci.place(device, {frames.take(bytes)});
    }
    for (u32 port = 0; port < pci.ports(); ++port) {
        frames.take(round_up(frames.next(), pci_port_window) - frames.next());
        pci.place_port(port, {frames.take(pci_port_window)});
    }
    map.push_back({base, {frames.next() - base.value}, hal::MemoryKind::reserved});
}

void prepare_all(FrameSource& frames, MachineConfig const& config, GuestCpu& cpu, PciBus& pci) {
    MemoryMap map{
        {{0}, {low_memory_end}, hal::MemoryKind::usable},
        {{low_memory_end}, {high_memory - low_memory_end}, hal::MemoryKind::reserved}};
    place_devices(frames, pci, map);
    auto modules = place_modules(frames, config.modules, map);
    u64 const boot = frames.next();

    PageTables tables(frames);
    tables.map(cpu.linear_base, 0, frames.memory().size, level_2m);
    u64 address = cpu.layout.stacks.base.value;
    Stack const stack = map_stack(tables, frames, address, boot_stack_bytes);
    Stack const emergency = map_stack(tables, frames, address, emergency_stack_bytes);

    cpu.root = {tables.root()};
    cpu.stack = stack.bounds;
    cpu.emergency_stack = emergency.bounds;
    u64 const info = place_boot_info(frames, config, cpu, std::move(modules), std::move(map), boot);
    cpu.kernel_stack = prepare_context(frames.memory(), stack, info);
}

} // namespace

std::expected<void, std::string>
prepare(PhysicalMemory const& memory, MachineConfig const& config, GuestCpu& cpu, PciBus& pci) {
    FrameSource frames(memory.span(), high_memory, config.memory_fill == std::byte{});
    try {
        prepare_all(frames, config, cpu, pci);
        memory.note_reach(0, frames.next());
    } catch (OutOfFrames const& error) {
        return std::unexpected(error.what());
    }
    return {};
}

} // namespace hosted::firmware
