// See machine.hpp.
#include "hal/hosted/machine.hpp"

#include "hal/hosted/extended_state.hpp"
#include "hal/hosted/firmware/firmware.hpp"
#include "hal/hosted/gs_base.hpp"
#include "hal/hosted/host_counter.hpp"
#include "hal/hosted/interrupt_signal.hpp"
#include "hal/hosted/machine_locks.hpp"
#include "hal/hosted/processor.hpp"
#include "hal/hosted/signal_context.hpp"

#include <fmt/format.h>
#include <isa/cpuid.hpp>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <new>
#include <poll.h>
#include <sys/random.h>

namespace hosted {

namespace {

constexpr i64 second_ns = 1'000'000'000;

void fill_from_host(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        ssize_t const got = getrandom(bytes.data(), bytes.size(), 0);
        CHECK(got > 0 || errno == EINTR);
        bytes = bytes.subspan(got > 0 ? static_cast<usize>(got) : 0);
    }
}

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

Machine::Machine(
    MachineConfig config,
    ConsoleEndpoint& console,
    std::unique_ptr<PhysicalMemory> memory,
    std::unique_ptr<Mmu> mmu)
    : m_config(std::move(config)),
      m_console(console),
      m_memory(std::move(memory)),
      m_mmu(std::move(mmu)),
      m_guest(new(m_memory->cpu_area().data()) GuestMachine),
      m_locks(new MachineLocks) {
    if (!m_config.entropy) {
        m_config.entropy = fill_from_host;
    }
}

Machine::~Machine() {
    if (!m_processors.empty()) {
        end_others();
    }
    forget_translations(); // before the memory that they lead to goes
}

std::expected<std::unique_ptr<Machine>, std::string>
Machine::create(MachineConfig config, ConsoleEndpoint& console) {
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
    auto memory = PhysicalMemory::create(config.memory_bytes, config.window);
    if (!memory) {
        return std::unexpected(memory.error());
    }
    auto mmu = Mmu::create(**memory, config.tlb_ways);
    if (!mmu) {
        return std::unexpected(mmu.error());
    }
    std::unique_ptr<Machine> machine(
        new Machine(std::move(config), console, std::move(*memory), std::move(*mmu)));
    if (auto const made = machine->make_processors(); !made) {
        return std::unexpected(made.error());
    }
    if (auto const started = machine->power_on(); !started) {
        return std::unexpected(started.error());
    }
    return machine;
}

std::expected<void, std::string> Machine::make_processors() {
    for (u32 slot = 0; slot < m_config.cpus; ++slot) {
        auto made = Processor::create(place_of(*m_memory, slot), *m_mmu, m_config.image);
        if (!made) {
            return std::unexpected(made.error());
        }
        m_processors.push_back(std::move(*made));
    }
    return {};
}

/// Brings the machine, whose memory is zero, to where its kernel can be entered.
std::expected<void, std::string> Machine::power_on() {
    m_end.reset();
    m_running = 1;
    m_all_halted = false;
    m_crash_report.clear();
    *m_guest = GuestMachine{};
    m_guest->processors[0] = &boot().cpu();
    u64 const power_on_cycles = read_counter();
    for (u32 slot = 0; slot < m_config.cpus; ++slot) {
        prepare_processor(slot, power_on_cycles);
    }
    m_at_rest = true;
    m_pci = PciBus();
    m_lines = LineController();
    return firmware::prepare(*m_memory, m_config, boot().cpu(), m_pci);
}

/// What a processor is before it runs.
void Machine::prepare_processor(u32 slot, u64 power_on_cycles) {
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
    // One moment for all, or their clocks would not agree.
    cpu.scale = {.base_cycles = power_on_cycles, .base_ns = 0, .multiplier = 0};
    auto const& classes = m_config.core_classes;
    cpu.core_class = classes.empty() ? hal::CoreClass::uniform : classes[slot % classes.size()];
    m_processors[slot]->forget();
}

/// Empties the TLB, and what a sanitizer holds against the stacks.
void Machine::forget_translations() {
    for (auto const& processor : m_processors) {
        processor->forget_stacks();
    }
    m_mmu->drop_all();
}

void Machine::reset() {
    end_others();
    forget_translations();
    m_memory->clear();
    auto const started = power_on();
    CHECK(started.has_value()); // it fitted the first time
}

Stop Machine::run() {
    CHECK(m_at_rest);
    m_at_rest = false; // also if the console throws: then the kernel waits for an answer for ever
    SignalScope const signals(boot().signals(), boot().signal_stack());
    GsBase const gs(&boot().cpu());
    boot().arrive();
    Next const next = run_guarded(boot());
    if (next == Next::rest) {
        m_at_rest = true;
        return {Stop::Kind::waiting_for_input};
    }
    while (next == Next::halt && !boot().signals().stop_requested && !m_all_halted) {
        boot().cpu().interrupts.forget_pending(); // nobody takes them any more
        sleep_until_notified(boot().signals());
    }
    boot().leave();
    if (boot().signals().stop_requested) {
        end_run(boot(), {Stop::Kind::interrupted}, nullptr); // unless another has ended it
    }
    bool const several = has_started_others();
    join_others();
    write_crash_report(several);
    if (m_end->error != nullptr) {
        std::rethrow_exception(m_end->error);
    }
    return m_end->stop;
}

/// Runs a processor until it has nothing to do or the run ends.
Machine::Next Machine::run_kernel(Processor& processor) {
    Next next = Next::kernel;
    while (next == Next::kernel && !processor.signals().stop_requested) {
        processor.enter_kernel();
        next = processor.signals().stop_requested ? Next::end : answer(processor);
    }
    return processor.signals().stop_requested ? Next::end : next;
}

/// How the request of `cpu` ends the run.
Stop Machine::stop_of(GuestCpu const& cpu) {
    switch (cpu.request) {
    case Request::power_exit:
        return {Stop::Kind::exited, static_cast<u8>(cpu.arguments[0])};
    case Request::power_reset:
        return {Stop::Kind::reset};
    default:
        CHECK(cpu.request == Request::crash);
        return {Stop::Kind::crashed};
    }
}

void Machine::wait(int input_descriptor) {
    SignalTarget& signals = boot().signals();
    // The deadline is read before the look at what is pending: if its signal comes in between, the
    // wait is as long as it would have been.
    i64 const wanted_ns = boot().cpu().deadline.wanted_ns;
    i64 const left_ns = std::max(wanted_ns - static_cast<i64>(time_ns()), i64{0});
    timespec const left{left_ns / second_ns, left_ns % second_ns};
    if (boot().cpu().interrupts.any() || signals.stop_requested) {
        return;
    }
    pollfd polled[] = {{signals.wake_descriptor, POLLIN, 0}, {input_descriptor, POLLIN, 0}};
    int const ready =
        ppoll(polled, std::size(polled), wanted_ns == Deadline::never ? nullptr : &left, nullptr);
    if (ready > 0 && polled[0].revents != 0) {
        boot().forget_wake();
    }
    if (ready > 0 && polled[1].revents != 0) {
        note_input();
    }
}

void Machine::note_input() {
    for (auto const& processor : m_processors) {
        if (processor.get() != &boot() && &processor->cpu() == m_input_reader) {
            processor->signals().has_input = true;
            notify(processor->signals());
        }
    }
}

u64 Machine::time_ns() const {
    return static_cast<u64>(machine_now_ns(boot().cpu()));
}

bool Machine::has_started_others() const {
    return std::ranges::any_of(
        m_processors, [](auto const& processor) { return processor->thread.joinable(); });
}

std::expected<Snapshot, std::string> Machine::snapshot() const {
    CHECK(m_at_rest);
    if (has_started_others()) {
        return std::unexpected(
            "a machine whose other processors run cannot be copied: start none of them");
    }
    return Snapshot{m_config.window, m_memory->copy(), *m_guest, boot().cpu(), time_ns(),
                    m_pci,           m_lines};
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
    if (has_started_others()) {
        return std::unexpected(
            "a machine whose other processors run cannot become another: reset it first");
    }
    forget_translations();
    m_memory->assign(snapshot.memory);
    *m_guest = snapshot.machine;
    boot().cpu() = snapshot.cpu;
    m_pci = snapshot.pci;
    m_lines = snapshot.lines;
    m_end.reset();
    boot().forget();
    set_time(snapshot.time_ns);
    m_at_rest = true;
    return {};
}

std::string_view Machine::crash_report() const {
    return m_crash_report;
}

/// Gathers where the processors stood, first the one on which the run has ended.
void Machine::write_crash_report(bool several) {
    auto const add = [&](Processor const& processor) {
        SignalTarget const& signals = processor.signals();
        if (signals.report_size != 0) {
            m_crash_report +=
                several ? fmt::format("processor {}: ", signals.cpu.id) : std::string();
            m_crash_report.append(signals.report, signals.report_size);
        }
    };
    if (m_end->stop.kind != Stop::Kind::crashed && m_end->stop.kind != Stop::Kind::interrupted) {
        return;
    }
    if (m_all_halted) {
        m_crash_report = "every processor has halted\n";
    }
    add(*m_processors[m_end->slot]);
    for (u32 slot = 0; slot < m_processors.size(); ++slot) {
        if (slot != m_end->slot) {
            add(*m_processors[slot]);
        }
    }
}

void Machine::request_stop(siginfo_t const& info, ucontext_t& context) {
    stop_kernel(boot().signals(), info, context);
}

bool Machine::can_wake() {
    for (auto const& processor : m_processors) {
        bool const runs = run_state(processor->signals()) == RunState::running;
        if (runs || processor->cpu().deadline.wanted_ns != Deadline::never) {
            return true;
        }
    }
    return boot().cpu().interrupts.any() || boot().signals().stop_requested;
}

hal::KernelLayout const& Machine::layout() const {
    return boot().cpu().layout;
}

std::span<std::byte> Machine::memory() const {
    return {m_memory->span().base, m_memory->size()};
}

} // namespace hosted
