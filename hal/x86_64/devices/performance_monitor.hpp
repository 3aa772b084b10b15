// The architectural performance counters of one processor, over an accessor of model-specific
// registers, so that a model can take the hardware's place.
//
// Only general-purpose counters are used: every event that the contract names can be counted by
// each of them.
//
// Source: SDM volume 3B, sections 20.2.1 (versions, events) and 20.2.2 (global control); volume 2A,
// CPUID leaf 0xA.
#pragma once

#include "hal/counters_types.hpp"
#include "isa/cpuid.hpp"

#include <concepts>
#include <optional>

namespace metal {

using namespace twofold;

template<class M>
concept ModelSpecificRegisters = requires(M& registers, u32 number, u64 value) {
    { registers.read(number) } -> std::same_as<u64>;
    { registers.write(number, value) } -> std::same_as<void>;
};

/// What CPUID says of the counters.
struct CounterFacts {
    static constexpr u32 counters_max = 8; ///< that are used

    u8 version = 0; ///< 0: there are none
    u8 counters = 0;
    u8 width_bits = 0;
    u8 events = 0; ///< bit n: CounterEvent n can be counted
};

/// An event as the event-select registers want it, and where CPUID says that it is missing.
struct CounterEventFact {
    u8 select;
    u8 unit_mask;
    u8 missing_bit; ///< of EBX
};

// In the order of CounterEvent.
inline constexpr CounterEventFact counter_event_facts[hal::counter_event_count] = {
    {0x3c, 0x00, 0}, // unhalted core cycles
    {0xc0, 0x00, 1}, // instructions retired
    {0x2e, 0x4f, 3}, // last-level cache references
    {0x2e, 0x41, 4}, // last-level cache misses
    {0xc4, 0x00, 5}, // branch instructions retired
    {0xc5, 0x00, 6}, // branch misses retired
};

/// Decodes leaf 0xA; one that the processor does not have is all zero. Pure.
constexpr CounterFacts decode_counters(isa::CpuidLeaf const& leaf) {
    CounterFacts facts;
    u32 const count = leaf.eax >> 8 & 0xff;
    u32 const width = leaf.eax >> 16 & 0xff;
    u32 const named = leaf.eax >> 24 & 0xff; // events that EBX speaks of
    if ((leaf.eax & 0xff) == 0 || count == 0 || width < 32 || width > 64) {
        return facts;
    }
    facts.version = static_cast<u8>(leaf.eax & 0xff);
    facts.counters =
        static_cast<u8>(count < CounterFacts::counters_max ? count : CounterFacts::counters_max);
    facts.width_bits = static_cast<u8>(width);
    for (u32 event = 0; event < hal::counter_event_count; ++event) {
        u32 const bit = counter_event_facts[event].missing_bit;
        bool const is_there = bit < named && (leaf.ebx >> bit & 1) == 0;
        facts.events = static_cast<u8>(facts.events | (is_there ? 1u << event : 0u));
    }
    return facts;
}

/// What each counter of a processor counts.
struct CounterAssignments {
    static constexpr u8 free = 0xff;

    u8 events[CounterFacts::counters_max] = {free, free, free, free, free, free, free, free};
};

/// The operations of hal/counters.hpp. All O(counters).
template<ModelSpecificRegisters Registers>
class PerformanceMonitor {
public:
    PerformanceMonitor(
        CounterFacts const& facts, CounterAssignments& assignments, Registers registers)
        : m_facts(facts), m_assignments(assignments), m_registers(registers) {}

    bool has(hal::CounterEvent event) const {
        return (m_facts.events >> static_cast<u32>(event) & 1) != 0;
    }

    Result<void> start(hal::CounterEvent event) {
        if (!has(event)) {
            return Error::not_supported;
        }
        if (find(static_cast<u8>(event))) {
            return Error::already_exists;
        }
        std::optional<u32> const counter = find(CounterAssignments::free);
        if (!counter) {
            return Error::no_space;
        }
        constexpr u64 in_kernel = u64{1} << 17, enabled = u64{1} << 22;
        CounterEventFact const& fact = counter_event_facts[static_cast<usize>(event)];
        m_assignments.events[*counter] = static_cast<u8>(event);
        m_registers.write(first_select + *counter, 0);
        m_registers.write(first_counter + *counter, 0);
        m_registers.write(
            first_select + *counter, fact.select | u64{fact.unit_mask} << 8 | in_kernel | enabled);
        if (m_facts.version >= 2) {
            u64 const running = m_registers.read(global_control);
            m_registers.write(global_control, running | u64{1} << *counter);
        }
        return {};
    }

    Result<u64> read(hal::CounterEvent event) {
        std::optional<u32> const counter = find(static_cast<u8>(event));
        if (!counter) {
            return Error::not_found;
        }
        u64 const unused_bits = 64u - m_facts.width_bits;
        return m_registers.read(first_counter + *counter) << unused_bits >> unused_bits;
    }

    Result<void> stop(hal::CounterEvent event) {
        std::optional<u32> const counter = find(static_cast<u8>(event));
        if (!counter) {
            return Error::not_found;
        }
        m_registers.write(first_select + *counter, 0);
        if (m_facts.version >= 2) {
            u64 const running = m_registers.read(global_control);
            m_registers.write(global_control, running & ~(u64{1} << *counter));
        }
        m_assignments.events[*counter] = CounterAssignments::free;
        return {};
    }

private:
    static constexpr u32 first_select = 0x186;   ///< IA32_PERFEVTSEL0
    static constexpr u32 first_counter = 0xc1;   ///< IA32_PMC0
    static constexpr u32 global_control = 0x38f; ///< IA32_PERF_GLOBAL_CTRL

    std::optional<u32> find(u8 event) const {
        for (u32 counter = 0; counter < m_facts.counters; ++counter) {
            if (m_assignments.events[counter] == event) {
                return counter;
            }
        }
        return std::nullopt;
    }

    CounterFacts const& m_facts;
    CounterAssignments& m_assignments;
    Registers m_registers;
};

} // namespace metal
