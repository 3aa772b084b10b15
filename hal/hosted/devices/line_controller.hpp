// The lines of the hosted machine's interrupt controller, as an I/O APIC has them: where each
// leads, and what becomes of it when a device drives it.
//
// An edge raises the line's vector where the line is not masked, else it is lost. A level raises it
// once; when the processor has acknowledged that vector, and the device still holds the line,
// again. A line has no wire, so its polarity means nothing: devices say whether they assert it.
//
// Invariant: plain copyable data. What is to be raised is answered, not done.
//
// Source: Intel 82093AA I/O APIC datasheet, section 3.2.4.
#pragma once

#include "hal/interrupt_types.hpp"

#include <array>
#include <optional>

namespace hosted {

using namespace twofold;

inline constexpr u32 line_count = 24;

/// A route as the controller knows it: the target is a processor's slot.
struct LineRoute {
    hal::Vector vector{};
    u32 slot = 0;
    hal::Trigger trigger = hal::Trigger::edge;
};

constexpr u64 pack(LineRoute const& route) {
    return u64{route.slot} << 32 | u64{route.vector.value} << 8 | static_cast<u64>(route.trigger);
}
constexpr LineRoute unpack_route(u64 word) {
    return {
        .vector = {static_cast<u8>(word >> 8)},
        .slot = static_cast<u32>(word >> 32),
        .trigger = static_cast<hal::Trigger>(word & 0xff)};
}
static_assert(unpack_route(pack(LineRoute{{77}, 5, hal::Trigger::level})).slot == 5);
static_assert(unpack_route(pack(LineRoute{{77}, 5, hal::Trigger::level})).vector.value == 77);

class LineController {
public:
    /// Each answers the route to be raised, if any. `line` is less than line_count. O(1).
    void route(u32 line, LineRoute const& where);
    std::optional<LineRoute> set_masked(u32 line, bool is_masked);
    std::optional<LineRoute> drive(u32 line, bool is_asserted);
    /// The level that raised `vector` on the processor of `slot` has been dealt with; calls
    /// raise(route) for each line that is still asserted. O(line_count).
    template<class Raise>
    void end(hal::Vector vector, Raise const& raise) {
        for (State& state : m_lines) {
            if (state.is_waiting && state.route.vector == vector) {
                state.is_waiting = false;
                if (auto const again = evaluate(state)) {
                    raise(*again);
                }
            }
        }
    }

private:
    struct State {
        LineRoute route{};
        bool is_routed = false;
        bool is_masked = true;
        bool is_asserted = false;
        bool is_waiting = false; ///< a level was raised and not been acknowledged yet
    };
    static std::optional<LineRoute> evaluate(State& state);

    std::array<State, line_count> m_lines{};
};

} // namespace hosted
