// How the processors of a machine get to run, what time it is there, and how interrupts reach them:
// by threads, signals and the host's clock (live/), or one after the other in virtual time (sim/).
// Everything else of a machine is its board.
#pragma once

#include "hal/hosted/board.hpp"

#include <csignal>
#include <exception>
#include <memory>
#include <ucontext.h>

namespace hosted {

/// Why a run has ended, or pauses.
struct Stop {
    enum class Kind : u8 {
        waiting_for_input, ///< the kernel idles; run again when there may be input
        exited,            ///< with `status`
        reset,             ///< the kernel asks to be started anew: Machine::reset
        crashed,           ///< no fault could be delivered to it any more: Machine::crash_report
        interrupted,       ///< request_stop: Machine::crash_report tells where
        stalled,           ///< simulated: its workload completes nothing any more
        objected,          ///< simulated: an oracle of the engine has found something wrong
        power_cut, ///< simulated: a fault; Machine::reset is what happens when it comes back
        paused,    ///< simulated, where its engine has a limit; run again when it has another
    } kind;
    u8 status = 0;
};

/// How a run has ended, and on which processor.
struct RunEnd {
    Stop stop;
    u32 slot = 0;
    std::exception_ptr error; ///< what the console has thrown

    /// Whether the machine has more to say about it.
    bool has_report() const {
        return stop.kind == Stop::Kind::crashed || stop.kind == Stop::Kind::interrupted;
    }
};

/// What an engine knows of a machine at rest, beside what lies in the processors.
struct EngineState {
    EngineState() = default;
    EngineState(EngineState const&) = default;
    EngineState& operator=(EngineState const&) = default;
    virtual ~EngineState() = default;
};

/// Named as the operations of Machine, which says what they do.
class Engine : public BoardOwner {
public:
    Engine() = default;
    Engine(Engine const&) = delete;
    Engine& operator=(Engine const&) = delete;

    /// The machine starts over: none but the boot processor runs, and time begins.
    virtual void power_on() = 0;
    virtual Stop run() = 0;
    /// Ends whatever runs, for a machine that starts over or goes.
    virtual void end_others() = 0;
    virtual void wait(int input_descriptor) = 0;
    virtual void note_input() = 0;
    virtual bool can_wake() = 0;
    /// Whether the machine lives in virtual time.
    virtual bool is_simulated() const = 0;
    virtual void request_stop(siginfo_t const& info, ucontext_t& context) = 0;
    /// Why the machine cannot be copied or become another, in words; empty: it can.
    virtual std::string_view why_it_cannot_be_copied() const = 0;
    virtual std::shared_ptr<EngineState const> copy_state() const = 0;
    /// Whether `state` is of an engine of this kind, for as many processors.
    virtual bool accepts(EngineState const& state) const = 0;
    /// The machine is what it was when `state`, which it accepts, was copied; its processors and
    /// memory are so already.
    virtual void assign_state(EngineState const& state) = 0;
    /// What the machine saw when it ended the kernel.
    virtual std::string_view crash_report() const = 0;
};

/// How a request of the kernel that ends its run ends it.
inline Stop stop_of(GuestCpu const& cpu) {
    switch (cpu.request) {
    case Request::power_exit:
        return {Stop::Kind::exited, static_cast<u8>(cpu.arguments[0])};
    case Request::power_reset:
        return {Stop::Kind::reset};
    default:
        CHECK(cpu.request == Request::crash);
        return {Stop::Kind::crashed};
    }
}

} // namespace hosted
