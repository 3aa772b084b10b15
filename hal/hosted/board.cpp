// See board.hpp.
#include "hal/hosted/board.hpp"

#include "hal/hosted/board_locks.hpp"
#include "hal/hosted/extended_state.hpp"
#include "hal/hosted/firmware/firmware.hpp"

#include <fmt/format.h>
#include <isa/cpuid.hpp>

#include <algorithm>
#include <cstring>
#include <new>

namespace hosted {

namespace {

/// Where the processor of `slot` lies in the memory's CPU area: behind what all share, on pages of
/// its own.
GuestCpu* place_of(PhysicalMemory const& memory, u32 slot) {
    constexpr u64 bytes = align_up(sizeof(GuestCpu), page_size.value);
    static_assert(sizeof(GuestMachine) <= page_size.value);
    static_assert(page_size.value + cpus_max * bytes <= cpu_area_bytes);
    CHECK(slot < cpus_max);
    // Sound: inside the area and page-aligned.
    return reinterpret_cast<GuestCpu*>(memory.cpu_area().data() + page_size.value + slot * bytes);
}

} // namespace

Board::Board(
    MachineConfig config,
    ConsoleEndpoint& console,
    std::unique_ptr<PhysicalMemory> memory,
    std::unique_ptr<Mmu> mmu)
    : m_config(std::move(config)),
      m_console(console),
      m_memory(std::move(memory)),
      m_mmu(std::move(mmu)),
      m_guest(new(m_memory->cpu_area().data()) GuestMachine),
      m_locks(new BoardLocks) {}

Board::~Board() {
    forget_translations(); // before the memory that they lead to goes
}

std::expected<std::unique_ptr<Board>, std::string>
Board::create(MachineConfig config, ConsoleEndpoint& console) {
    if (config.cpus == 0 || config.cpus > cpus_max) {
        return std::unexpected(
            fmt::format("a hosted machine has 1 to {} processors, not {}", cpus_max, config.cpus));
    }
    if (config.numa_nodes == 0 || config.numa_nodes > numa_nodes_max) {
        return std::unexpected(fmt::format(
            "a machine has 1 to {} NUMA nodes, not {}", numa_nodes_max, config.numa_nodes));
    }
    for (u32 const dead : config.dead_processors) {
        if (dead == 0 || dead >= config.cpus) {
            return std::unexpected(fmt::format(
                "processor {} cannot be dead: processor 0 starts the others, and there are {}",
                dead, config.cpus));
        }
    }
    if (config.hot_plug_ports > pci_ports_max) {
        return std::unexpected(fmt::format(
            "a hosted machine has at most {} ports, not {}", pci_ports_max, config.hot_plug_ports));
    }
    if (auto const problem = problem_of(config.devices); !problem.empty()) {
        return std::unexpected(problem);
    }
    auto memory = PhysicalMemory::create(config.memory_bytes, config.window);
    if (!memory) {
        return std::unexpected(memory.error());
    }
    auto mmu = Mmu::create(**memory, config.tlb_ways);
    if (!mmu) {
        return std::unexpected(mmu.error());
    }
    std::unique_ptr<Board> board(
        new Board(std::move(config), console, std::move(*memory), std::move(*mmu)));
    board->make_processors();
    board->take_devices();
    return board;
}

void Board::make_processors() {
    for (u32 slot = 0; slot < m_config.cpus; ++slot) {
        m_processors.push_back(
            std::make_unique<Processor>(place_of(*m_memory, slot), *m_mmu, m_config.image));
    }
}

std::expected<void, std::string> Board::power_on() {
    {
        // Whoever types does not wait for the machine.
        std::lock_guard const lock(m_locks->device);
        m_lines = LineController();
        m_i8042 = I8042();
    }
    *m_guest = GuestMachine{};
    m_guest->processors[0] = &boot().cpu();
    for (u32 slot = 0; slot < m_config.cpus; ++slot) {
        prepare_processor(slot);
    }
    plug_all();
    m_input_reader = nullptr;
    m_noticed = 0;
    auto const prepared = firmware::prepare(*m_memory, m_config, boot().cpu(), m_pci);
    m_guest->dma_tables = m_memory->span().base + m_memory->size();
    m_guest->high_memory_begin = m_pci.memory_end().value;
    if (prepared) {
        start_devices();
    }
    return prepared;
}

/// What a processor is before it runs.
void Board::prepare_processor(u32 slot) {
    GuestCpu& cpu = m_processors[slot]->cpu();
    cpu = GuestCpu{};
    cpu.self = &cpu;
    cpu.machine = m_guest;
    cpu.slot = slot;
    cpu.id = slot;
    cpu.count = m_config.cpus;
    cpu.switching = true; // until its first code has arrived
    cpu.layout = m_memory->plan().kernel;
    cpu.linear_base = cpu.layout.linear.base.value;
    cpu.has_clzero = isa::has(isa::decode(isa::read_cpuid()), isa::Feature::clzero);
    cpu.memory_bytes = m_memory->size();
    isa::ExtendedFormat const extended = host_extended_format();
    cpu.extended_mask = static_cast<u32>(extended.mask);
    cpu.extended_bytes = extended.bytes;
    cpu.extended_instruction = extended.instruction;
    auto const& classes = m_config.core_classes;
    cpu.core_class = classes.empty() ? hal::CoreClass::uniform : classes[slot % classes.size()];
    m_processors[slot]->forget();
}

void Board::restore_processors(std::span<GuestCpu const> cpus) {
    CHECK(cpus.size() == m_processors.size());
    for (u32 slot = 0; slot < cpus.size(); ++slot) {
        m_processors[slot]->cpu() = cpus[slot];
        m_processors[slot]->forget();
        if (slot != 0 && cpus[slot].was_started) {
            m_mmu->add_processor(slot, cpus[slot].root);
        }
    }
}

void Board::forget_translations() {
    for (auto const& processor : m_processors) {
        processor->forget_stacks();
    }
    m_mmu->drop_all();
}

bool Board::answer(GuestCpu& cpu) {
    u64 const first = cpu.arguments[0];
    switch (cpu.request) {
    case Request::console_write:
    case Request::result_write:
    case Request::console_read:
        answer_console(cpu);
        return true;
    case Request::entropy:
        answer_entropy(cpu);
        return true;
    case Request::mmu_activate:
        cpu.root = {first};
        m_mmu->drop_local(cpu.slot, cpu.root);
        return true;
    case Request::mmu_flush:
        m_mmu->flush(cpu.slot, first, cpu.arguments[1]);
        return true;
    case Request::mmu_stale:
        cpu.result = m_mmu->count_stale(cpu.root);
        return true;
    case Request::pci_read:
    case Request::pci_write:
    case Request::device_write:
    case Request::dma_domain:
    case Request::port_read:
    case Request::port_write:
    case Request::line_route:
    case Request::line_mask:
    case Request::line_end:
        answer_device(cpu);
        return true;
    default:
        return false;
    }
}

Result<Processor*> Board::prepare_start(GuestCpu& by) {
    StartRequest wanted;
    std::memcpy(&wanted, by.transfer, sizeof(wanted));
    if (wanted.id >= cpus_max) {
        return Error::out_of_range;
    }
    if (m_guest->processors[wanted.id] != nullptr) {
        return Error::already_exists;
    }
    auto const& dead = m_config.dead_processors;
    if (wanted.hardware_id >= m_processors.size() ||
        std::ranges::find(dead, wanted.hardware_id) != dead.end()) {
        return Error::timed_out;
    }
    Processor& processor = *m_processors[wanted.hardware_id];
    GuestCpu& cpu = processor.cpu();
    if (wanted.hardware_id == 0 || cpu.was_started) {
        return Error::already_exists;
    }
    cpu.id = wanted.id;
    cpu.was_started = true;
    cpu.kernel_stack = wanted.kernel_stack;
    cpu.stack = wanted.stack;
    cpu.emergency_stack = wanted.emergency_stack;
    cpu.core = wanted.per_cpu;
    cpu.root = by.root;
    m_mmu->add_processor(cpu.slot, cpu.root);
    __atomic_store_n(&m_guest->processors[wanted.id], &cpu, __ATOMIC_RELEASE);
    return &processor;
}

void Board::undo_start(Processor& processor) {
    GuestCpu& cpu = processor.cpu();
    __atomic_store_n(&m_guest->processors[cpu.id], nullptr, __ATOMIC_RELEASE);
    m_mmu->remove_processor(cpu.slot);
    cpu.was_started = false;
}

void Board::answer_console(GuestCpu& cpu) {
    std::lock_guard const lock(m_locks->console);
    u64 const first = cpu.arguments[0];
    if (cpu.request == Request::console_read) {
        hal::ConsoleInput const input = m_console.read();
        m_input_reader = &cpu; // whom more of it is to wake
        if (input.status == hal::InputStatus::none && &cpu != &boot().cpu()) {
            m_owner->input_is_awaited();
        }
        cpu.result = static_cast<u64>(input.status) << 8 | static_cast<u8>(input.byte);
        return;
    }
    CHECK(first <= transfer_bytes);
    if (cpu.request == Request::console_write) {
        m_console.write({cpu.transfer, first});
    } else {
        m_console.write_result(std::as_bytes(std::span(cpu.transfer, first)));
    }
}

bool Board::raise_input() {
    u32 const vector = __atomic_load_n(&m_guest->console_vector, __ATOMIC_ACQUIRE);
    if (vector != 0) {
        m_owner->raise(boot(), {static_cast<u8>(vector)});
    }
    return vector != 0;
}

void Board::answer_entropy(GuestCpu& cpu) {
    CHECK(cpu.arguments[0] <= transfer_bytes);
    std::lock_guard const lock(m_locks->entropy);
    auto const bytes = std::as_writable_bytes(std::span(cpu.transfer, cpu.arguments[0]));
    if (m_config.entropy) {
        m_config.entropy(bytes);
    } else {
        m_owner->fill_random(bytes);
    }
}

void Board::answer_device(GuestCpu& cpu) {
    std::lock_guard const lock(m_locks->device);
    u64 const first = cpu.arguments[0];
    u64 const second = cpu.arguments[1];
    auto const line = static_cast<u32>(first);
    switch (cpu.request) {
    case Request::pci_read:
        cpu.result = m_pci.read(unpack(first));
        break;
    case Request::pci_write:
        m_pci.write(unpack(first), static_cast<u32>(second), memory(), sender());
        break;
    case Request::device_write:
        tell_devices(cpu, first);
        break;
    case Request::dma_domain:
        cpu.result = m_pci.domain(unpack(first).function);
        break;
    case Request::port_read:
        cpu.result = read_port(unpack_port(first));
        break;
    case Request::port_write:
        write_port(unpack_port(first), static_cast<u32>(second));
        break;
    case Request::line_route:
        m_lines.route(line, unpack_route(second));
        break;
    case Request::line_mask:
        raise(m_lines.set_masked(line, second != 0));
        break;
    default:
        CHECK(cpu.request == Request::line_end);
        m_lines.end({static_cast<u8>(first)}, [this](LineRoute const& route) { raise(route); });
        break;
    }
}

/// The kernel on `cpu` has written to a register at `address`.
void Board::tell_devices(GuestCpu const& cpu, u64 address) {
    Walk const found = m_mmu->walk(cpu.root, address);
    if (found.outcome != Walk::Outcome::mapped) {
        return; // another processor has taken the view away meanwhile
    }
    if (auto const where = m_pci.register_at(found.address)) {
        write_device(*where);
        return;
    }
    if (auto const line = m_pci.memory_written(memory(), found.address, sender())) {
        raise(m_lines.drive(pci_test_line, *line));
    }
}

/// What a device has written: an interrupt message raises its vector, anything else is lost. Only
/// the fixed mode of delivery, to one processor, is known (SDM volume 3A, section 11.11).
void Board::deliver_message(PhysAddr address, u32 data) {
    constexpr u64 prefix = 0xfff0'0000;
    u64 const slot = address.value >> 12 & 0xff;
    hal::Vector const vector{static_cast<u8>(data)};
    bool const is_fixed = (data & 0x700) == 0;
    bool const is_message = address.value >> 32 == 0 && (address.value & prefix) == message_address;
    if (is_message && is_fixed && slot < m_processors.size() && vectors.contains(vector)) {
        m_owner->raise(*m_processors[slot], vector);
    }
}

/// Raises what a line leads to.
void Board::raise(std::optional<LineRoute> const& route) {
    if (route && route->slot < m_processors.size()) {
        Processor& target = *m_processors[route->slot];
        if (route->trigger == hal::Trigger::level) {
            target.cpu().interrupts.level.set(route->vector);
        }
        m_owner->raise(target, route->vector);
    }
}

void Board::drive_line(u32 line, bool is_asserted) {
    CHECK(line < line_count);
    std::lock_guard const lock(m_locks->device);
    raise(m_lines.drive(line, is_asserted));
}

} // namespace hosted
