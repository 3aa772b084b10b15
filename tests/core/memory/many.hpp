// One piece of work on every processor of the machine at once; on a machine with one processor, on
// that. The others run it as a job of their idle loops: in context thread, with interrupts on.
#pragma once

#include "core/boot/boot.hpp"
#include "tests/support/test.hpp"

namespace twofold::test {

/// A meeting of all: nobody goes on before everybody has come. Whoever waits serves the others.
class Meeting {
public:
    explicit Meeting(u32 count) : m_count(count) {}
    void meet() {
        u32 const round = m_round.load(acquire);
        if (m_here.fetch_add(1, acquire_release) + 1 == m_count) {
            m_here.store(0, relaxed);
            m_round.store(round + 1, release);
            return;
        }
        while (m_round.load(acquire) == round) {
            sync::relax();
        }
    }

private:
    u32 m_count;
    Atomic<u32> m_here{0};
    Atomic<u32> m_round{0};
};

/// How many processors run.
inline u32 running_cpus() {
    return std::max(boot::current_kernel().cpus.online(), 1u);
}

/// Calls body(index) on every processor at once, with a different index from 0 on each, and returns
/// when all have returned.
template<class Body>
void on_every_cpu(Body const& body) {
    struct Job {
        explicit Job(Body const& what) : work(what), meeting(running_cpus()) {}
        static void run(void* argument) {
            auto& job = *static_cast<Job*>(argument);
            u32 const index = job.taken.fetch_add(1, relaxed);
            job.meeting.meet();
            job.work(index);
            job.done.fetch_add(1, release);
        }
        Body const& work;
        Meeting meeting;
        Atomic<u32> taken{0};
        Atomic<u32> done{0};
    } job(body);
    processor::CpuSet& cpus = boot::current_kernel().cpus;
    constexpr u32 jobs_max = 64;
    sync::Call jobs[jobs_max];
    CHECK(cpus.known() <= jobs_max && hal::Cpu::id() == CpuId{0}); // tests run there
    for (u32 cpu = 1; cpu < cpus.known(); ++cpu) {
        if (cpus.is_online({cpu})) {
            jobs[cpu].set(Job::run, &job);
            cpus.delegate({cpu}, jobs[cpu]).value(); // it runs
        }
    }
    Job::run(&job);
    for (sync::Call const& each : jobs) {
        while (each.is_pending()) {
            sync::relax();
        }
    }
    CHECK(job.done.load(acquire) == running_cpus());
}

/// Values on their way from one processor to another; 0 is none.
class Mailbox {
public:
    /// Leaves `value` there and takes what was there before.
    u64 exchange(u64 slot, u64 value) {
        return m_slots[slot % slots].exchange(value, acquire_release);
    }
    static constexpr u64 slots = 16;

private:
    Atomic<u64> m_slots[slots]{};
};

} // namespace twofold::test
