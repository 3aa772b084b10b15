// What runs of cases on one machine and on several have in common.
#pragma once

#include "hal/hosted/machine.hpp"
#include "hal/hosted/sim/costs.hpp"
#include "sim/case/case.hpp"

#include <string>

namespace twofold::sim {

/// No operation takes so long, whatever goes wrong.
inline constexpr i64 stall_ns = 5'000'000'000;
inline constexpr u64 memory_bytes = u64{64} << 20;

/// Where machines lie, and what is in their memory before: a case comes to the same in all.
struct Place {
    unsigned window = 0; ///< several machines take this one and those behind it
    std::byte fill{};
};

/// What the kernel of the machine is told to do.
std::string command_line_of(Case const& made, u32 machine);
/// The machine of a case, but for its devices and what it is told.
hosted::MachineConfig machine_of(Case const& made, Place const& place);
hosted::CostTable costs_of(Case const& made);

/// Points that the machine's kernel has met, whether they could fail or not.
void note_reached(Outcome& out, hosted::Machine const& machine);

/// Of this thread on the host's processors: what others do on them meanwhile is no part of it.
u64 host_ns();

} // namespace twofold::sim
