// The processors that run, and calls from one to another.
//
// Two kinds of call. An ordinary one runs in the other's interrupt; its function may take locks. An
// urgent one runs also where the other spins for a lock or for a call of its own, with interrupts
// off; its function takes no lock and waits for nothing. So an ordinary call may be waited for only
// by a caller without locks, and an urgent one by any: whoever waits serves what it can, and no two
// processors wait for each other.
#pragma once

#include "core/processor/cpu_local.hpp"

#include <span>

namespace twofold::processor {

enum class Urgency : u8 { ordinary, urgent };

class CpuSet {
public:
    static constexpr u32 cpus_max = 256;

    CpuSet() = default;
    CpuSet(CpuSet const&) = delete;
    CpuSet& operator=(CpuSet const&) = delete;

    /// Makes a processor known by its number, which is not taken; it does not run yet. Its state
    /// outlives the set. On the boot processor, before the processor is started.
    void add(CpuLocal& cpu);
    /// From here on the processor answers calls: on itself, once.
    void set_online(CpuLocal& cpu);
    /// The processor stops, and answers no more: on itself.
    void set_offline(CpuLocal& cpu);
    /// Has a processor stop where it is: `function`, which never returns, runs there as an urgent
    /// call. For the end of a kernel alone, once for each.
    void stop(CpuLocal& cpu, sync::Call::Function function);
    /// Calls interrupt other processors by this vector, which leads to `take_call`. Before a second
    /// one runs.
    void use_vector(hal::Vector vector) { m_vector = vector; }

    /// How many are known: 0 to known() - 1. O(1).
    u32 known() const { return m_known; }
    /// How many run. O(1).
    u32 online() const { return m_online.load(acquire); }
    bool is_online(CpuId cpu) const {
        return cpu.value < m_known && of(cpu).is_online.load(acquire) != 0;
    }
    CpuLocal& of(CpuId cpu) const {
        CHECK(cpu.value < m_known);
        return *m_cpus[cpu.value];
    }

    /// Runs function(argument) on `cpu`, in context `irq`, and returns when it has returned. The
    /// caller holds no lock, and its context may be up to no-preempt. Its own processor is called
    /// directly. Errors: out_of_range (no such processor), invalid_state (it does not run).
    Result<void> call(CpuId cpu, sync::Call::Function function, void* argument);
    /// The same on every processor that runs but the caller's, at once.
    void call_others(sync::Call::Function function, void* argument);
    /// The same as an urgent call: the function takes no lock. Any context but nmi.
    void call_others_urgently(sync::Call::Function function, void* argument);
    /// Has `cpu` run function(argument), and does not wait for it. Calls of one processor to
    /// another run in order. Errors: as `call`, and no_space (as many as there is room for are
    /// under way; try again). Any context but nmi.
    Result<void> post(CpuId cpu, sync::Call::Function function, void* argument);

    /// Has the idle loop of another processor run the call, in context thread with interrupts on,
    /// and does not wait for it: `job` lies in its owner's memory until it is no longer pending.
    /// Jobs of one processor run one after the other. Until there are threads this is the only
    /// thread that runs there; the boot processor has no such loop. Errors: out_of_range (no such
    /// processor, or the boot processor), invalid_state (it does not run). Any context but nmi.
    Result<void> delegate(CpuId cpu, sync::Call& job);

    /// Runs what others have called this processor for. Interrupts are off.
    static void serve(CpuLocal& cpu);
    /// The urgent ones of these: what CpuState::serve leads to.
    static void serve_urgent(sync::CpuState& cpu);

private:
    void send(CpuLocal& to, sync::Call& call, Urgency urgency) const;
    void call_all_others(sync::Call::Function function, void* argument, Urgency urgency);
    static void wait_for(sync::Call const& call, Urgency urgency);

    CpuLocal* m_cpus[cpus_max]{};
    u32 m_known = 0;
    Atomic<u32> m_online{0};
    hal::Vector m_vector;
};

/// The state of the running processor, which the caller does not leave meanwhile. O(1).
inline CpuLocal& this_cpu() {
    return *static_cast<CpuLocal*>(sync::cpu_state());
}

} // namespace twofold::processor
