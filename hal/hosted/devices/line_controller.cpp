// See line_controller.hpp.
#include "hal/hosted/devices/line_controller.hpp"

namespace hosted {

/// What a level is to raise now.
std::optional<LineRoute> LineController::evaluate(State& state) {
    bool const raises = state.is_routed && !state.is_masked && state.is_asserted &&
                        !state.is_waiting && state.route.trigger == hal::Trigger::level;
    if (!raises) {
        return std::nullopt;
    }
    state.is_waiting = true;
    return state.route;
}

void LineController::route(u32 line, LineRoute const& where) {
    CHECK(line < line_count);
    State& state = m_lines[line];
    state.route = where;
    state.is_routed = true;
    state.is_masked = true;
    state.is_waiting = false;
}

std::optional<LineRoute> LineController::set_masked(u32 line, bool is_masked) {
    CHECK(line < line_count);
    m_lines[line].is_masked = is_masked;
    return evaluate(m_lines[line]);
}

std::optional<LineRoute> LineController::drive(u32 line, bool is_asserted) {
    CHECK(line < line_count);
    State& state = m_lines[line];
    bool const is_edge = is_asserted && !state.is_asserted;
    state.is_asserted = is_asserted;
    if (state.route.trigger == hal::Trigger::level) {
        return evaluate(state);
    }
    return is_edge && state.is_routed && !state.is_masked ? std::optional(state.route)
                                                          : std::nullopt;
}

} // namespace hosted
