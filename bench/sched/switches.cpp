// See switches.hpp.
#include "bench/sched/switches.hpp"

#include "hal/hosted/extended_state.hpp"
#include "isa/context.hpp"

namespace twofold::bench {

namespace {

constexpr usize area_bytes = 4096;

struct LivePair {
    isa::PlainContext here, there;
    u64 rounds = 0;
};

struct FullPair {
    u64 here = 0, there = 0;
    u64 rounds = 0;
    isa::ExtendedFormat format{};
    alignas(64) std::byte areas[2][area_bytes] = {};

    void leave_here() { isa_switch_context(&here, there); }
    void leave_there() { isa_switch_context(&there, here); }
};

LivePair live;
FullPair full;

[[noreturn]] void play_live(void*) {
    while (true) {
        ++live.rounds;
        isa::PlainContext::switch_between(live.there, live.here);
    }
}

using Save = void (*)(std::span<std::byte> area, isa::ExtendedFormat const& format);

template<Save save>
[[noreturn]] void play_full(void*) {
    while (true) {
        ++full.rounds;
        if constexpr (save != nullptr) {
            save(std::span(full.areas[1]), full.format);
        }
        full.leave_there();
        if constexpr (save != nullptr) {
            isa::restore_state(full.areas[1], full.format);
        }
    }
}

template<Save save>
void prepare_full(std::span<std::byte> stack) {
    full.rounds = 0;
    full.there = isa::prepare_stack(stack, play_full<save>, nullptr);
    full.format = hosted::host_extended_format();
    CHECK(full.format.bytes <= area_bytes);
    isa::save_state(full.areas[0], full.format); // what the caller has put there
}

template<Save save>
void run_full(u64 rounds) {
    for (u64 round = 0; round < rounds; ++round) {
        if constexpr (save != nullptr) {
            save(std::span(full.areas[0]), full.format);
        }
        full.leave_here();
        if constexpr (save != nullptr) {
            isa::restore_state(full.areas[0], full.format);
        }
    }
}

} // namespace

void prepare_switches(SwitchKind kind, std::span<std::byte> stack) {
    switch (kind) {
    case SwitchKind::live:
        live.rounds = 0;
        live.there.create(stack, play_live, nullptr);
        return;
    case SwitchKind::full:
        return prepare_full<nullptr>(stack);
    case SwitchKind::registers:
        return prepare_full<isa::save_state>(stack);
    case SwitchKind::control:
        return prepare_full<isa::save_state_control>(stack);
    }
}

u64 run_switches(SwitchKind kind, u64 rounds) {
    switch (kind) {
    case SwitchKind::live:
        for (u64 round = 0; round < rounds; ++round) {
            isa::PlainContext::switch_between(live.here, live.there);
        }
        return live.rounds;
    case SwitchKind::full:
        run_full<nullptr>(rounds);
        break;
    case SwitchKind::registers:
        run_full<isa::save_state>(rounds);
        break;
    case SwitchKind::control:
        run_full<isa::save_state_control>(rounds);
        break;
    }
    return full.rounds;
}

} // namespace twofold::bench
