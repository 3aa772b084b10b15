// The event ring: what the kernel did last, in four words an event. A panic prints its tail.
#pragma once

#include "core/trace/slot_ring.hpp"

#include <string_view>

namespace twofold::trace {

enum class EventKind : u8 {
    step_started,   ///< a: number of the start-up step
    step_done,      ///< a: number of the start-up step
    step_failed,    ///< a: number of the start-up step, b: Error
    command_begin,  ///< a: number of commands run before
    command_end,    ///< a: number of commands run before, b: status
    fault_caught,   ///< a: address, b: FaultKind; a caller had asked for it
    fault_fatal,    ///< a: address, b: FaultKind
    test_begin,     ///< a: index of the test
    test_end,       ///< a: index of the test, b: number of failed expectations
    scenario_value, ///< a: number of the value, b: its size in bytes
};
inline constexpr usize event_kind_count = 10;

/// The stable name of an event kind. O(1); any context.
constexpr std::string_view event_name(EventKind kind) {
    constexpr std::string_view names[event_kind_count] = {
        "step started", "step done",   "step failed", "command begin", "command end",
        "fault caught", "fault fatal", "test begin",  "test end",      "scenario value"};
    auto const index = static_cast<usize>(kind);
    return index < event_kind_count ? names[index] : "unknown event";
}

struct Event {
    u64 cycles; ///< Cpu::cycle_counter() when it happened
    EventKind kind;
    CpuId cpu;
    u64 a, b; ///< what they mean depends on the kind

    constexpr bool operator==(Event const&) const = default;
};

/// The last events of the kernel. Lock-free; any context.
class EventRing {
public:
    static constexpr usize capacity = 256;

    /// Appends an event. O(1).
    void push(Event const& event) {
        u64 const head = static_cast<u64>(event.kind) | u64{event.cpu.value} << 32;
        m_ring.push({event.cycles, head, event.a, event.b});
    }

    /// Calls visit(event) for each event that is still there, oldest first.
    template<class Visitor>
    void for_each(Visitor&& visit) const {
        m_ring.for_each([&](u64, auto const& words) { visit(decode(words)); });
    }

    /// Calls visit(event) for the last `count` events, oldest first.
    template<class Visitor>
    void for_last(usize count, Visitor&& visit) const {
        u64 const last = m_ring.written();
        m_ring.for_each([&](u64 number, auto const& words) {
            if (last - number < count) {
                visit(decode(words));
            }
        });
    }

    u64 written() const { return m_ring.written(); }
    u64 dropped() const { return m_ring.dropped(); }

private:
    using Ring = SlotRing<4, capacity>;

    static Event decode(Ring::Words64 const& words) {
        return {
            .cycles = words[0],
            .kind = static_cast<EventKind>(words[1] & 0xff),
            .cpu = {static_cast<u32>(words[1] >> 32)},
            .a = words[2],
            .b = words[3]};
    }

    Ring m_ring;
};

} // namespace twofold::trace
