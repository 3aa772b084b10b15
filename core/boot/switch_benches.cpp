// The command that measures switches between stacks.
#include "core/boot/measuring.hpp"
#include "core/boot/processor_commands.hpp"
#include "hal/context.hpp"
#include "hal/extended_state.hpp"

namespace twofold::boot {

namespace {

using hal::ExtendedState;

/// What is saved of a side that is left, beside its context.
enum class Saved : u8 { nothing, control, registers };

/// Two contexts that switch to each other, interrupts off. A program without registers of its own
/// is one without areas.
struct SwitchPair {
    hal::Context here, there;
    std::span<std::byte> areas[2];

    /// From one side to the other; returns when the other has switched back.
    template<Saved saved>
    static void leave(hal::Context& from, hal::Context& to, std::span<std::byte> area) {
        if constexpr (saved == Saved::nothing) {
            hal::Context::switch_between(from, to);
        } else {
            if constexpr (saved == Saved::control) {
                ExtendedState::save_control(area);
            } else {
                ExtendedState::save(area);
            }
            hal::Context::switch_between(from, to);
            ExtendedState::restore(area);
        }
    }

    template<Saved saved>
    static void play(void* argument) {
        auto& self = *static_cast<SwitchPair*>(argument);
        if constexpr (saved != Saved::nothing) {
            ExtendedState::restore(self.areas[1]);
        }
        while (true) {
            leave<saved>(self.there, self.here, self.areas[1]);
        }
    }
};

/// Half of what going there and back takes.
template<Saved saved>
void measure_pair(
    CommandContext& context,
    std::string_view name,
    SwitchPair& pair,
    std::span<std::byte> stack,
    u32 rounds) {
    sync::InterruptGuard const guard;
    pair.there.create(stack, &SwitchPair::play<saved>, &pair);
    if constexpr (saved != Saved::nothing) {
        ExtendedState::prepare(pair.areas[0]);
        ExtendedState::prepare(pair.areas[1]);
        ExtendedState::restore(pair.areas[0]);
    }
    SwitchPair::leave<saved>(pair.here, pair.there, pair.areas[0]); // it begins
    u64 const took_ns =
        time_of(rounds, [&] { SwitchPair::leave<saved>(pair.here, pair.there, pair.areas[0]); });
    if constexpr (saved != Saved::nothing) {
        ExtendedState::prepare(pair.areas[0]);
        ExtendedState::restore(pair.areas[0]);
        ExtendedState::forbid();
    }
    context.out.row({name, rounds, took_ns * 1000 / (u64{2} * rounds), "-", "-"});
}

constexpr Bytes switch_stack_bytes{16384};

} // namespace

u8 measure_switches(CommandContext& context) {
    auto const rounds = number_argument(context, "switch-bench", 10'000, 10'000'000);
    if (!rounds) {
        return status::usage;
    }
    if (!has_interrupts(context, "switch-bench")) {
        return status::failure;
    }
    Kernel& kernel = context.kernel;
    auto const stack = kernel.space->allocate_stack(switch_stack_bytes);
    auto const areas = kernel.frames->allocate(1);
    if (!stack || !areas || ExtendedState::area_bytes() > page_size) {
        context.out.line("switch-bench: there is no memory for two stacks");
        return status::failure;
    }
    SwitchPair pair;
    std::byte* const first = hal::Memory::linear(areas.value());
    pair.areas[0] = {first, page_size.value};
    pair.areas[1] = {first + page_size.value, page_size.value};
    std::span const there{hal::kernel_pointer(stack.value().base), stack.value().size.value};
    context.out.table(operation_columns);
    measure_pair<Saved::nothing>(context, "switch", pair, there, *rounds);
    measure_pair<Saved::control>(context, "and control words", pair, there, *rounds);
    measure_pair<Saved::registers>(context, "and all registers", pair, there, *rounds);
    kernel.frames->free(areas.value(), 1).value(); // it was allocated above
    kernel.space->free_stack(stack.value()).value();
    return status::success;
}

} // namespace twofold::boot
