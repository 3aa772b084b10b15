// Interrupts: vectors are bound, raised and unbound again. Both halves of a handler run for what
// was raised, on the processor that took it, and never after the handler was unbound.
#include "apps/workloads/rooms.hpp"
#include "core/processor/processor.hpp"

namespace twofold::workloads {

namespace {

using processor::Handling;

class InterruptsWorkload {
public:
    explicit InterruptsWorkload(Run& run) : m_run(run), m_interrupts(run.kernel.interrupts) {}
    InterruptsWorkload(InterruptsWorkload const&) = delete;
    InterruptsWorkload& operator=(InterruptsWorkload const&) = delete;

    Result<void> begin(Check&) {
        m_bound = bound();
        return {};
    }

    void perform(Step& step) {
        auto const devices =
            std::span(m_devices[step.thread]).first(1 + step.random.below(devices_max));
        for (Device& device : devices) {
            device.clear();
            auto const bound = m_interrupts.bind_any(device.binding());
            if (!bound) {
                step.equal("no vector is free", Error::no_space, bound);
                continue;
            }
            device.vector = bound.value();
            step.equal(
                "it is bound again", Error::already_exists,
                m_interrupts.bind(device.vector, device.binding()));
        }
        raise(step, devices);
        for (Device& device : devices) {
            if (device.vector != hal::Vector{}) {
                unbind(step, device);
            }
        }
    }

    void end(Check& check) { check.equal("vectors that are bound", m_bound, bound()); }

private:
    static constexpr usize devices_max = 3;

    struct Device {
        hal::Vector vector{};
        Atomic<u32> firsts{0};
        Atomic<u32> seconds{0};
        Atomic<u32> inside{0};

        void clear() {
            vector = {};
            firsts.store(0, relaxed);
            seconds.store(0, relaxed);
        }

        static Handling first_half(void* self, hal::Interruption const&) {
            auto& own = *static_cast<Device*>(self);
            own.firsts.fetch_add(1, relaxed);
            return Handling::wake;
        }
        static void second_half(void* self) {
            auto& own = *static_cast<Device*>(self);
            own.inside.fetch_add(1, relaxed);
            for (int i = 0; i < 6; ++i) {
                own.seconds.load(relaxed);
            }
            own.seconds.fetch_add(1, relaxed);
            own.inside.fetch_sub(1, release);
        }
        processor::InterruptBinding binding() {
            return {
                .handler = first_half,
                .argument = this,
                .name = "workload",
                .second_half = second_half,
                .may_come_often = true};
        }
    };

    /// Vectors that lead to somebody.
    u32 bound() const {
        processor::InterruptTable const& table = m_interrupts.table();
        hal::VectorRange const given_out = table.given_out();
        u32 count = 0;
        for (u32 i = 0; i < given_out.count; ++i) {
            hal::Vector const vector{static_cast<u8>(given_out.first.value + i)};
            count += table.bound_entry(vector).is_bound ? 1 : 0;
        }
        return count;
    }
    /// Each is raised here with interrupts off, so that they come together; one also elsewhere.
    void raise(Step& step, std::span<Device> devices) {
        CpuId const other{static_cast<u32>(step.random.below(m_run.kernel.cpus.known()))};
        u32 before[devices_max]{};
        {
            sync::InterruptGuard const off;
            for (Device& device : devices) {
                if (device.vector != hal::Vector{}) {
                    before[&device - devices.data()] = 1;
                    hal::Controller::send(hal::Cpu::id(), device.vector);
                }
            }
        }
        for (usize i = 0; i < devices.size(); ++i) {
            while (before[i] != 0 && hal::Controller::is_pending(devices[i].vector)) {
                hal::Interrupt::poll();
            }
            if (before[i] != 0) {
                step.holds("the first half has run", devices[i].firsts.load(relaxed) >= 1);
                step.holds("the second half has run", devices[i].seconds.load(relaxed) >= 1);
            }
        }
        if (m_run.kernel.cpus.is_online(other) && devices[0].vector != hal::Vector{}) {
            sync::InterruptGuard const off;
            hal::Controller::send(other, devices[0].vector);
        }
    }
    void unbind(Step& step, Device& device) {
        step.equal("a handler is unbound", answer_ok, m_interrupts.unbind(device.vector));
        step.equal("it runs", 0, device.inside.load(acquire));
        u32 const firsts = device.firsts.load(relaxed);
        u32 const seconds = device.seconds.load(relaxed);
        for (int i = 0; i < 20; ++i) {
            sync::relax();
        }
        step.equal("first halves after the end", firsts, device.firsts.load(relaxed));
        step.equal("second halves after the end", seconds, device.seconds.load(relaxed));
    }

    Run& m_run;
    processor::Interrupts& m_interrupts;
    u32 m_bound = 0;                            ///< before it began
    Device m_devices[threads_max][devices_max]; ///< of each thread
};

} // namespace

constinit Workload const interrupts_workload = workload_of<InterruptsWorkload>(
    {.name = "interrupts",
     .about = "vectors that are bound, raised here and elsewhere, and unbound",
     .operations = 32});

} // namespace twofold::workloads
