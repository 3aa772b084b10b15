// The hosted machine's interrupt controller. What is pending for a processor lies in its own block,
// where any processor and the machine may set it (guest/interrupts.cpp); the lines are the
// machine's (devices/line_controller.hpp).
#pragma once

#include "hal/interrupt_types.hpp"

#include <string_view>

namespace hal {

struct Controller {
    static Result<void> adopt(InterruptPlan const& plan);
    static std::string_view kind() { return "hosted"; }
    static VectorRange vectors();
    static Vector spurious() { return {255}; }
    static u32 lines();
    static Result<void> route(Line line, Route const& route);
    static Result<void> unmask(Line line);
    static Result<void> mask(Line line);
    static Result<Message> message(CpuId cpu, Vector vector);
    static void send(CpuId cpu, Vector vector);
    static bool send_non_maskable(CpuId cpu);
    static void acknowledge(Vector vector);
    static bool is_pending(Vector vector);
};

} // namespace hal
