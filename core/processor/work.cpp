// See work.hpp.
#include "core/processor/work.hpp"

#include <algorithm>
#include <bit>

namespace twofold::processor {

namespace {

using sync::ExecutionContext;

/// Takes the lowest vector whose second half is to run; false where there is none.
bool take_request(CpuLocal& cpu, hal::Vector& vector) {
    for (usize word = 0; word < std::size(cpu.work.vectors); ++word) {
        u64& bits = cpu.work.vectors[word];
        if (bits != 0) {
            auto const bit = static_cast<u32>(std::countr_zero(bits));
            bits &= mutant(Mutant::interrupts_requests_lost) ? 0 : bits - 1;
            vector = {static_cast<u8>(word * 64 + bit)};
            return true;
        }
    }
    cpu.work_waits = false;
    return false;
}

bool has_requests(CpuLocal const& cpu) {
    return std::any_of(std::begin(cpu.work.vectors), std::end(cpu.work.vectors), [](u64 bits) {
        return bits != 0;
    });
}

/// The worker: runs what is requested, then goes back to whom it came over. Never returns.
void run_worker(void* argument) {
    auto& cpu = *static_cast<CpuLocal*>(argument);
    while (true) {
        for (hal::Vector vector; take_request(cpu, vector);) {
            InterruptTable::Entry const& entry = cpu.interrupts->bound_entry(vector);
            if (!entry.is_bound || entry.second_half == nullptr) {
                continue; // unbound meanwhile, or nothing to do
            }
            cpu.work.running = &entry;
            sync::enable_interrupts();
            entry.second_half(entry.argument);
            sync::disable_interrupts();
            cpu.work.running = nullptr;
            CHECK(cpu.context == ExecutionContext::work);
            ++cpu.work.runs;
        }
        hal::Context::switch_between(cpu.work.worker, cpu.work.interrupted);
    }
}

} // namespace

void open_work(CpuLocal& cpu, std::span<std::byte> stack) {
    CHECK(!cpu.work.is_open);
    cpu.work.worker.create(stack, run_worker, &cpu);
    cpu.work.is_open = true;
    cpu.run_work = [](sync::CpuState& state) { run_pending(static_cast<CpuLocal&>(state)); };
}

void request_work(CpuLocal& cpu, hal::Vector vector) {
    CHECK(hal::Interrupt::state() == hal::InterruptState::disabled);
    cpu.work.vectors[vector.value / 64] |= u64{1} << vector.value % 64;
    cpu.work_waits = true;
}

bool is_work_underway(CpuLocal const& cpu, hal::Vector vector) {
    CHECK(hal::Interrupt::state() == hal::InterruptState::disabled);
    bool const is_requested = (cpu.work.vectors[vector.value / 64] >> vector.value % 64 & 1) != 0;
    return is_requested || cpu.work.running == &cpu.interrupts->bound_entry(vector);
}

void run_pending(CpuLocal& cpu) {
    CHECK(hal::Interrupt::state() == hal::InterruptState::disabled);
    if (!has_requests(cpu) || !cpu.work.is_open || cpu.context != ExecutionContext::thread) {
        return;
    }
    CHECK(!cpu.work.is_running && cpu.held_count == 0);
    cpu.context = ExecutionContext::work;
    cpu.work.is_running = true;
    hal::Context::switch_between(cpu.work.interrupted, cpu.work.worker);
    cpu.work.is_running = false;
    cpu.context = ExecutionContext::thread;
}

} // namespace twofold::processor
