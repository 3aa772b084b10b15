// What the machine does for its kernel: the answers to requests (guest/guest_cpu.hpp).
#include "hal/hosted/host_counter.hpp"
#include "hal/hosted/interrupt_signal.hpp"
#include "hal/hosted/machine.hpp"
#include "hal/hosted/machine_locks.hpp"
#include "hal/hosted/processor.hpp"

#include <ctime>
#include <sched.h>

namespace hosted {

/// Does what the kernel on `processor` asked for.
Machine::Next Machine::answer(Processor& processor) {
    GuestCpu& cpu = processor.cpu();
    u64 const first = cpu.arguments[0];
    switch (cpu.request) {
    case Request::idle:
        return answer_idle(processor);
    case Request::console_write:
    case Request::result_write:
    case Request::console_read:
        answer_console(cpu);
        break;
    case Request::entropy:
        answer_entropy(cpu);
        break;
    case Request::mmu_activate:
        cpu.root = {first};
        m_mmu->drop_local(cpu.slot, cpu.root);
        break;
    case Request::mmu_flush:
        m_mmu->flush(cpu.slot, first, cpu.arguments[1]);
        break;
    case Request::mmu_stale:
        cpu.result = m_mmu->count_stale(cpu.root);
        break;
    case Request::pci_read:
    case Request::pci_write:
    case Request::device_write:
    case Request::line_route:
    case Request::line_mask:
    case Request::line_end:
        answer_device(cpu);
        break;
    case Request::counter_has:
    case Request::counter_start:
    case Request::counter_read:
    case Request::counter_stop:
        answer_counter(processor);
        break;
    case Request::processor_start:
        cpu.result = answer_of(start_processor(processor));
        break;
    case Request::processor_halt:
        return Next::halt;
    case Request::notify:
        CHECK(first < m_processors.size());
        notify(m_processors[first]->signals());
        break;
    case Request::yield:
        sched_yield();
        break;
    case Request::clock_adopt:
    case Request::clock_describe:
    case Request::clock_common:
    case Request::clock_distrust:
    case Request::clock_set:
    case Request::clock_wall:
        answer_clock(processor);
        break;
    case Request::none:
    case Request::power_exit:
    case Request::power_reset:
    case Request::crash:
        return Next::end;
    }
    return Next::kernel;
}

void Machine::answer_console(GuestCpu& cpu) {
    std::lock_guard const lock(m_locks->console);
    u64 const first = cpu.arguments[0];
    if (cpu.request == Request::console_read) {
        hal::ConsoleInput const input = m_console.read();
        m_input_reader = &cpu; // whom more of it is to wake
        if (input.status == hal::InputStatus::none && &cpu != &boot().cpu()) {
            notify(boot().signals()); // the program, which waits beside it, is to know
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

void Machine::answer_entropy(GuestCpu& cpu) {
    CHECK(cpu.arguments[0] <= transfer_bytes);
    std::lock_guard const lock(m_locks->entropy);
    m_config.entropy(std::as_writable_bytes(std::span(cpu.transfer, cpu.arguments[0])));
}

/// The boot processor goes to rest, so that the program can wait for input; another one sleeps.
Machine::Next Machine::answer_idle(Processor& processor) {
    if (&processor == &boot()) {
        return processor.rest() ? Next::rest : Next::kernel;
    }
    sleep_until_notified(processor.signals());
    return Next::kernel;
}

void Machine::answer_device(GuestCpu& cpu) {
    std::lock_guard const lock(m_locks->device);
    u64 const first = cpu.arguments[0];
    u64 const second = cpu.arguments[1];
    auto const line = static_cast<u32>(first);
    switch (cpu.request) {
    case Request::pci_read:
        cpu.result = m_pci.read(unpack(first));
        break;
    case Request::pci_write:
        m_pci.write(
            unpack(first), static_cast<u32>(second), memory(),
            [this](PhysAddr to, u32 data) { deliver_message(to, data); });
        break;
    case Request::device_write:
        tell_devices(cpu, first);
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
void Machine::tell_devices(GuestCpu const& cpu, u64 address) {
    Walk const found = m_mmu->walk(cpu.root, address);
    if (found.outcome != Walk::Outcome::mapped) {
        return; // another processor has taken the view away meanwhile
    }
    auto const send = [this](PhysAddr to, u32 data) { deliver_message(to, data); };
    if (auto const line = m_pci.memory_written(memory(), found.address, send)) {
        raise(m_lines.drive(pci_test_line, *line));
    }
}

/// What a device has written: an interrupt message raises its vector, anything else is lost. Only
/// the fixed mode of delivery, to one processor, is known (SDM volume 3A, section 11.11).
void Machine::deliver_message(PhysAddr address, u32 data) {
    constexpr u64 prefix = 0xfff0'0000;
    u64 const slot = address.value >> 12 & 0xff;
    hal::Vector const vector{static_cast<u8>(data)};
    bool const is_fixed = (data & 0x700) == 0;
    bool const is_message = address.value >> 32 == 0 && (address.value & prefix) == message_address;
    if (is_message && is_fixed && slot < m_processors.size() && vectors.contains(vector)) {
        raise_interrupt(m_processors[slot]->signals(), vector);
    }
}

/// Raises what a line leads to.
void Machine::raise(std::optional<LineRoute> const& route) {
    if (route && route->slot < m_processors.size()) {
        SignalTarget& target = m_processors[route->slot]->signals();
        if (route->trigger == hal::Trigger::level) {
            target.cpu.interrupts.level.set(route->vector);
        }
        raise_interrupt(target, route->vector);
    }
}

void Machine::drive_line(u32 line, bool is_asserted) {
    CHECK(line < line_count);
    std::lock_guard const lock(m_locks->device);
    raise(m_lines.drive(line, is_asserted));
}

void Machine::answer_counter(Processor& processor) {
    GuestCpu& cpu = processor.cpu();
    auto const event = static_cast<hal::CounterEvent>(cpu.arguments[0]);
    switch (cpu.request) {
    case Request::counter_has:
        cpu.result = HostCounters::has(event) ? 1 : 0;
        break;
    case Request::counter_start:
        cpu.result = answer_of(processor.counters.start(event));
        break;
    case Request::counter_stop:
        cpu.result = answer_of(processor.counters.stop(event));
        break;
    default:
        CHECK(cpu.request == Request::counter_read);
        auto const count = processor.counters.read(event);
        cpu.result = count ? no_error : static_cast<u64>(count.error());
        cpu.arguments[0] = count ? count.value() : 0;
        break;
    }
}

void Machine::answer_clock(Processor& processor) {
    GuestCpu& cpu = processor.cpu();
    CounterMeasurement const& counter = measure_counter();
    timespec wall{};
    switch (cpu.request) {
    case Request::clock_adopt:
        for (auto const& each : m_processors) {
            each->cpu().scale.multiplier = counter.multiplier;
        }
        break;
    case Request::clock_describe:
        cpu.arguments[0] = counter.hz;
        cpu.arguments[1] = counter.error_ppm;
        cpu.result = counter.is_invariant ? 1 : 0;
        break;
    case Request::clock_common:
        cpu.result = time_ns();
        break;
    case Request::clock_distrust:
        distrust_counter();
        break;
    case Request::clock_set:
        check_deadline(processor.signals(), true);
        note_pending(cpu);
        break;
    default:
        CHECK(cpu.request == Request::clock_wall);
        clock_gettime(CLOCK_REALTIME, &wall);
        cpu.result = static_cast<u64>(wall.tv_sec) * 1'000'000'000 + static_cast<u64>(wall.tv_nsec);
        break;
    }
}

/// From now on all processors take the time from the host's clock, which goes on from where the
/// latest of them may have been.
void Machine::distrust_counter() {
    constexpr u32 tries = 16;
    if (boot().cpu().counter_distrusted) {
        return;
    }
    // The host's clock is read first, so the machine's jumps ahead by what lies between the
    // readings and never back; the best of some tries, since anything may come in between.
    u64 offset_ns = 0;
    u64 best_ns = ~u64{0};
    for (u32 i = 0; i < tries; ++i) {
        u64 const before_ns = time_ns();
        u64 const host_ns = host_monotonic_ns();
        u64 const after_ns = time_ns();
        if (after_ns - before_ns < best_ns) {
            best_ns = after_ns - before_ns;
            offset_ns = host_ns - after_ns;
        }
    }
    m_guest->common_clock_offset_ns = offset_ns;
    for (auto const& each : m_processors) {
        each->cpu().counter_distrusted = true;
    }
}

/// The machine's time is `now_ns`, and goes on from there.
void Machine::set_time(u64 now_ns) {
    m_guest->common_clock_offset_ns = host_monotonic_ns() - now_ns;
    u64 const cycles = read_counter();
    for (auto const& each : m_processors) {
        each->cpu().scale.base_cycles = cycles;
        each->cpu().scale.base_ns = now_ns;
    }
}

} // namespace hosted
