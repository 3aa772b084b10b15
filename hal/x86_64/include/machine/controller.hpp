// The metal machine: local APICs (xAPIC or x2APIC) and I/O APICs. The machine keeps a few vectors,
// the line of its console and, where the HPET fires deadlines, that of its comparator for itself.
#pragma once

#include "hal/interrupt_types.hpp"

#include <string_view>

namespace hal {

struct Controller {
    static Result<void> adopt(InterruptPlan const& plan);
    static std::string_view kind();
    static VectorRange vectors();
    static Vector spurious();
    static u32 lines();
    /// Also busy (the machine uses the line itself), not_supported (no line reaches the processor).
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
