// See machine.hpp.
#include "hal/hosted/machine.hpp"

#include "hal/hosted/extended_state.hpp"
#include "hal/hosted/firmware/firmware.hpp"
#include "hal/hosted/gs_base.hpp"
#include "hal/hosted/signals.hpp"

#include <fmt/format.h>
#include <isa/context.hpp>
#include <isa/cpuid.hpp>
#include <sanitizer_choice.hpp>

#include <cerrno>
#include <new>
#include <sys/random.h>

namespace hosted {

namespace {

void fill_from_host(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        ssize_t const got = getrandom(bytes.data(), bytes.size(), 0);
        CHECK(got > 0 || errno == EINTR);
        bytes = bytes.subspan(got > 0 ? static_cast<usize>(got) : 0);
    }
}

} // namespace

Machine::Machine(
    MachineConfig config,
    ConsoleEndpoint& console,
    std::unique_ptr<PhysicalMemory> memory,
    std::unique_ptr<Mmu> mmu,
    std::unique_ptr<SignalStack> signal_stack)
    : m_config(std::move(config)),
      m_console(console),
      m_memory(std::move(memory)),
      m_mmu(std::move(mmu)),
      m_cpu(new(m_memory->cpu_area().data()) GuestCpu),
      m_signals(new SignalTarget{*m_cpu, *m_mmu, m_config.image}),
      m_signal_stack(std::move(signal_stack)) {
    if (!m_config.entropy) {
        m_config.entropy = fill_from_host;
    }
}

Machine::~Machine() {
    forget_translations(); // before the memory that they lead to goes
}

std::expected<std::unique_ptr<Machine>, std::string>
Machine::create(MachineConfig config, ConsoleEndpoint& console) {
    if (config.cpus != 1) {
        return std::unexpected(
            fmt::format("a hosted machine has 1 processor for now, not {}", config.cpus));
    }
    if (config.numa_nodes == 0 || config.numa_nodes > numa_nodes_max) {
        return std::unexpected(fmt::format(
            "a machine has 1 to {} NUMA nodes, not {}", numa_nodes_max, config.numa_nodes));
    }
    auto memory = PhysicalMemory::create(config.memory_bytes, config.window);
    if (!memory) {
        return std::unexpected(memory.error());
    }
    auto mmu = Mmu::create(**memory, config.tlb_ways);
    if (!mmu) {
        return std::unexpected(mmu.error());
    }
    auto signal_stack = SignalStack::create();
    if (!signal_stack) {
        return std::unexpected(signal_stack.error());
    }
    std::unique_ptr<Machine> machine(new Machine(
        std::move(config), console, std::move(*memory), std::move(*mmu), std::move(*signal_stack)));
    if (auto const started = machine->power_on(); !started) {
        return std::unexpected(started.error());
    }
    return machine;
}

/// Brings the machine, whose memory is zero, to where its kernel can be entered.
std::expected<void, std::string> Machine::power_on() {
    GuestCpu& cpu = *m_cpu;
    cpu = GuestCpu{};
    cpu.self = &cpu;
    cpu.switching = true; // until guest_start has arrived
    cpu.layout = m_memory->plan().kernel;
    cpu.linear_base = cpu.layout.linear.base.value;
    cpu.has_clzero = isa::has(isa::decode(isa::read_cpuid()), isa::Feature::clzero);
    cpu.memory_bytes = m_memory->size();
    ExtendedState const extended = ExtendedState::detect();
    cpu.fault.extended_mask = extended.mask;
    cpu.fault.extended_bytes = extended.bytes;
    m_signals->forget();
    m_at_rest = true;
    m_pci = PciBus();
    return firmware::prepare(*m_memory, m_config, cpu, m_pci);
}

/// Empties the TLB, and what a sanitizer holds against the stacks: their frames will not be left in
/// order.
void Machine::forget_translations() {
    for (StackBounds const stack :
         {m_cpu->stack, m_cpu->interrupted_stack, m_cpu->emergency_stack}) {
        sanitizer::unpoison(stack.base, stack.size);
    }
    m_mmu->drop_all();
}

void Machine::reset() {
    forget_translations();
    m_memory->clear();
    auto const started = power_on();
    CHECK(started.has_value()); // it fitted the first time
}

Stop Machine::run() {
    CHECK(m_at_rest);
    m_at_rest = false; // also if the console throws: then the kernel waits for an answer for ever
    SignalScope const signals(*m_signals, *m_signal_stack);
    GsBase const gs(m_cpu);
    bool goes_on = true;
    while (goes_on && !stop_requested()) {
        enter_kernel();
        goes_on = answer();
    }
    if (stop_requested()) {
        return {Stop::Kind::interrupted};
    }
    switch (m_cpu->request) {
    case Request::idle:
        m_at_rest = true;
        return {Stop::Kind::waiting_for_input};
    case Request::power_exit:
        return {Stop::Kind::exited, static_cast<u8>(m_cpu->arguments[0])};
    case Request::power_reset:
        return {Stop::Kind::reset};
    default:
        CHECK(m_cpu->request == Request::crash);
        return {Stop::Kind::crashed};
    }
}

/// Continues the kernel until it asks for something.
void Machine::enter_kernel() {
    GuestCpu& cpu = *m_cpu;
    cpu.request = Request::none;
    void* state = nullptr;
    sanitizer::start_switch(&state, cpu.stack);
    cpu.in_kernel = true;
    isa_switch_context(&cpu.machine_stack, cpu.kernel_stack);
    cpu.in_kernel = false;
    if (cpu.request == Request::crash && !cpu.switching) {
        // The signal handler switched, and could not announce it.
        void* kernel_state = nullptr;
        sanitizer::start_switch(&kernel_state, cpu.machine_bounds);
    }
    static_cast<void>(sanitizer::finish_switch(state));
}

/// Does what the kernel asked for; false if that stops the run.
bool Machine::answer() {
    GuestCpu& cpu = *m_cpu;
    u64 const first = cpu.arguments[0];
    switch (cpu.request) {
    case Request::console_write:
        CHECK(first <= transfer_bytes);
        m_console.write({cpu.transfer, first});
        return true;
    case Request::result_write:
        CHECK(first <= transfer_bytes);
        m_console.write_result(std::as_bytes(std::span(cpu.transfer, first)));
        return true;
    case Request::console_read:
        answer_read();
        return true;
    case Request::entropy:
        CHECK(first <= transfer_bytes);
        m_config.entropy(std::as_writable_bytes(std::span(cpu.transfer, first)));
        return true;
    case Request::mmu_activate:
        cpu.root = {first};
        m_mmu->drop_local();
        return true;
    case Request::mmu_flush:
        m_mmu->flush(first, cpu.arguments[1]);
        return true;
    case Request::mmu_stale:
        cpu.result = m_mmu->count_stale(cpu.root);
        return true;
    case Request::pci_read:
        cpu.result = m_pci.read(unpack(first));
        return true;
    case Request::pci_write:
        m_pci.write(unpack(first), static_cast<u32>(cpu.arguments[1]));
        return true;
    case Request::none:
    case Request::idle:
    case Request::power_exit:
    case Request::power_reset:
    case Request::crash:
        break;
    }
    return false;
}

void Machine::answer_read() {
    hal::ConsoleInput const input = m_console.read();
    m_cpu->result = static_cast<u64>(input.status) << 8 | static_cast<u8>(input.byte);
}

Snapshot Machine::snapshot() const {
    CHECK(m_at_rest);
    return {m_config.window, m_memory->copy(), *m_cpu, m_pci};
}

std::expected<void, std::string> Machine::restore(Snapshot const& snapshot) {
    if (snapshot.window != m_config.window) {
        return std::unexpected(fmt::format(
            "the snapshot is of a machine in window {}, this one is in window {}: addresses would "
            "differ",
            snapshot.window, m_config.window));
    }
    if (snapshot.memory.size != m_memory->size()) {
        return std::unexpected(fmt::format(
            "the snapshot is of a machine with {} bytes of memory, this one has {}",
            snapshot.memory.size, m_memory->size()));
    }
    forget_translations();
    m_memory->assign(snapshot.memory);
    *m_cpu = snapshot.cpu;
    m_pci = snapshot.pci;
    m_signals->forget();
    m_at_rest = true;
    return {};
}

std::string_view Machine::crash_report() const {
    return {m_signals->report, m_signals->report_size};
}

bool Machine::stop_requested() const {
    return m_signals->stop_requested;
}

void Machine::request_stop(siginfo_t const& info, ucontext_t& context) {
    stop_kernel(*m_signals, info, context);
}

std::span<std::byte> Machine::memory() const {
    return {m_memory->span().base, m_memory->size()};
}

} // namespace hosted
