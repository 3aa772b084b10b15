// What the workload `nvme-faults` keeps of its requests and of its sectors.
#pragma once

#include "apps/workloads/nvme_disk.hpp"
#include "hal/clock.hpp"

#include <algorithm>
#include <array>

namespace twofold::workloads::nvme_faults {

/// Requests of a thread that are under way together.
class Batch {
public:
    void begin(u32 requests) {
        m_all.emplace();
        m_left.store(requests + 1, relaxed); // and who waits
    }
    /// One has come back. Any context.
    void leave() {
        if (m_left.fetch_sub(1, acquire_release) == 1) {
            m_all->come(true);
        }
    }
    /// Polls as long as the disk says, then sleeps. False: requests are lost. Once.
    bool await(block::Device& disk) {
        Nanos const from = hal::Clock::now();
        Nanos const deadline = from + NvmeDisk::request_time;
        Nanos now = from;
        while (m_left.load(acquire) != 1 && now - from < disk.poll_time() && now < deadline) {
            if (disk.poll() == 0) {
                sync::relax();
            }
            now = hal::Clock::now();
        }
        leave();
        return m_all->comes_within(deadline - now);
    }

private:
    std::optional<device::Awaited<bool>> m_all;
    Atomic<u32> m_left{0};
};

/// A request. Lies in the workload: who ends it twice still finds it.
struct Flight : block::Request {
    u32 index = 0; ///< of the first sector among the thread's
    std::array<block::Segment, 2> pieces{};
    Atomic<u32> is_out{0};
    Nanos begun{};
    Result<void> outcome;
    Batch* batch = nullptr;
};

/// Between the workload and the disk: each request that is under way ends, once and in time.
class Witness {
public:
    Witness(Run& run, NvmeDisk& disk) : m_run(run), m_disk(disk) {}

    /// Errors: those of Device::submit.
    Result<void> submit(Flight& flight) {
        flight.begun = hal::Clock::now();
        flight.is_out.store(1, relaxed);
        flight.done = end;
        flight.context = &m_run;
        auto begun = m_disk.disk().submit(flight);
        if (!begun) {
            flight.is_out.store(0, relaxed);
        }
        return begun;
    }

private:
    // NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
    static void end(block::Request& request, Result<void> outcome) {
        auto& flight = static_cast<Flight&>(request);
        Run& run = *static_cast<Run*>(request.context);
        if (flight.is_out.exchange(0, acquire_release) != 1) {
            run.fail("a request has ended twice");
            return;
        }
        if (hal::Clock::now() - flight.begun > NvmeDisk::request_time) {
            run.fail("a request has taken longer than whatever may go wrong takes");
        }
        flight.outcome = outcome;
        run.go_on();
        flight.batch->leave();
    }

    Run& m_run;
    NvmeDisk& m_disk;
};

/// What a thread knows of one of its sectors. A stamp of 0 says zeros.
struct Known {
    static constexpr usize may_be_max = 8;

    FixedVector<u32, may_be_max> may_be;
    bool is_any = false;    ///< more than that, or what nobody says
    bool is_legacy = false; ///< of an earlier kernel, found to be so
    u32 flushed = 0;        ///< it is that, or later

    void become(u32 stamp) {
        may_be.clear();
        may_be.push_back(stamp).value(); // it is empty
        is_any = is_legacy = false;
    }
    void become_any() {
        may_be.clear();
        is_any = true;
    }
    /// A write that has failed may be there.
    void perhaps(u32 stamp) {
        if (!may_be.push_back(stamp)) {
            become_any();
        }
    }
    bool allows(u32 stamp) const {
        return is_any ? stamp >= flushed : std::ranges::find(may_be, stamp) != may_be.end();
    }
    u32 durable() const { return is_any ? flushed : *std::ranges::min_element(may_be); }
};

} // namespace twofold::workloads::nvme_faults
