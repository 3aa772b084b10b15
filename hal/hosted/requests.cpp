// What the machine does for its kernel: the answers to requests (guest/guest_cpu.hpp).
#include "hal/hosted/host_counter.hpp"
#include "hal/hosted/interrupt_signal.hpp"
#include "hal/hosted/machine.hpp"
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
        CHECK(first <= transfer_bytes);
        m_console.write({cpu.transfer, first});
        break;
    case Request::result_write:
        CHECK(first <= transfer_bytes);
        m_console.write_result(std::as_bytes(std::span(cpu.transfer, first)));
        break;
    case Request::console_read:
        answer_read(cpu);
        break;
    case Request::entropy:
        CHECK(first <= transfer_bytes);
        m_config.entropy(std::as_writable_bytes(std::span(cpu.transfer, first)));
        break;
    case Request::mmu_activate:
        cpu.root = {first};
        m_mmu->drop_local();
        break;
    case Request::mmu_flush:
        m_mmu->flush(first, cpu.arguments[1]);
        break;
    case Request::mmu_stale:
        cpu.result = m_mmu->count_stale(cpu.root);
        break;
    case Request::pci_read:
        cpu.result = m_pci.read(unpack(first));
        break;
    case Request::pci_write:
        m_pci.write(unpack(first), static_cast<u32>(cpu.arguments[1]));
        break;
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

void Machine::answer_read(GuestCpu& cpu) {
    hal::ConsoleInput const input = m_console.read();
    cpu.result = static_cast<u64>(input.status) << 8 | static_cast<u8>(input.byte);
}

Machine::Next Machine::answer_idle(Processor& processor) {
    return processor.rest() ? Next::rest : Next::kernel;
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
        CHECK(processor.signals().timer.bind(processor.signals().thread));
        check_deadline(processor.signals(), true);
        cpu.attention = cpu.interrupts.pending.any();
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
    if (boot().cpu().counter_distrusted) {
        return;
    }
    u64 const now_ns = time_ns();
    m_guest->common_clock_offset_ns = host_monotonic_ns() - now_ns;
    for (auto const& each : m_processors) {
        each->cpu().counter_distrusted = true;
    }
}

/// The machine's time is `now_ns`, and goes on from there.
void Machine::set_time(u64 now_ns) {
    m_guest->common_clock_offset_ns = host_monotonic_ns() - now_ns;
    for (auto const& each : m_processors) {
        each->cpu().scale.base_cycles = read_counter();
        each->cpu().scale.base_ns = now_ns;
    }
}

} // namespace hosted
