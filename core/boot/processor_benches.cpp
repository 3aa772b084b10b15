// The commands that measure interrupts, calls between processors and deadlines. What they print are
// times of this run, for people; what is compared with others is measured in bench/.
#include "core/boot/measuring.hpp"
#include "core/boot/processor_commands.hpp"

#include "core/boot/panic.hpp"
#include "hal/clock.hpp"
#include "hal/controller.hpp"
#include "hal/cpu.hpp"

namespace twofold::boot {

namespace {

using processor::Histogram;

constexpr Column pair_columns[] = {{"from", 5},    {"to", 5},      {"rounds", 8},
                                   {"p50 ns", 12}, {"p99 ns", 12}, {"max ns", 0}};
constexpr Column jitter_columns[] = {
    {"cpu", 4}, {"deadlines", 10}, {"p50 ns", 12}, {"p99.9 ns", 12}, {"max ns", 0}};

/// Times `rounds` of `operation` as a whole.
template<class Operation>
void measure_whole(
    CommandOutput& out, std::string_view name, u32 rounds, Operation const& operation) {
    out.row({name, rounds, time_of(rounds, operation) * 1000 / rounds, "-", "-"});
}

/// One vector that notes when its handler began.
struct Raised {
    hal::Vector vector;
    Atomic<u32> taken{0};
    u64 at_cycles = 0;

    static processor::Handling take(void* self, hal::Interruption const&) {
        auto& raised = *static_cast<Raised*>(self);
        raised.at_cycles = hal::Cpu::cycle_counter();
        raised.taken.store(1, release);
        return processor::Handling::handled;
    }
};

/// Cycles as nanoseconds, by what both clocks say of one stretch of time.
class CycleScale {
public:
    CycleScale(u64 cycles, Nanos took)
        : m_scale(cycles == 0 ? 0 : (static_cast<u64>(took.value) << scale_bits) / cycles) {}

    u64 nanos_of(u64 cycles) const { return cycles * m_scale >> scale_bits; }

private:
    static constexpr u32 scale_bits = 20;

    u64 m_scale;
};

/// Raises a vector on this processor again and again: to the handler's first instruction, and until
/// the code that raised it goes on.
void measure_raising(CommandContext& context, Raised& raised, u32 rounds) {
    Histogram to_handler; // in cycles
    Histogram whole_trip;
    u64 handler_cycles = 0;
    u64 trip_cycles = 0;
    CpuId const here = this_cpu().id;
    Nanos const began = hal::Clock::now();
    u64 const began_cycles = hal::Cpu::cycle_counter();
    for (u32 round = 0; round < rounds; ++round) {
        raised.taken.store(0, relaxed);
        u64 const before = hal::Cpu::cycle_counter();
        hal::Controller::send(here, raised.vector);
        while (raised.taken.load(acquire) == 0) {
            hal::Interrupt::poll();
        }
        u64 const after = hal::Cpu::cycle_counter();
        to_handler.add(raised.at_cycles - before);
        whole_trip.add(after - before);
        handler_cycles += raised.at_cycles - before;
        trip_cycles += after - before;
    }
    CycleScale const scale(hal::Cpu::cycle_counter() - began_cycles, hal::Clock::now() - began);
    auto const row = [&](std::string_view name, Histogram const& seen, u64 cycles) {
        context.out.row(
            {name, rounds, scale.nanos_of(cycles * 1000 / rounds),
             Bytes{scale.nanos_of(seen.percentile(500))}, Bytes{scale.nanos_of(seen.max())}});
    };
    row("raise to handler", to_handler, handler_cycles);
    row("raise, handle, go on", whole_trip, trip_cycles);
}

/// A turn of a tight loop: a chain of multiplications, about a hundred nanoseconds.
u64 compute(u64 value) {
    for (u32 step = 0; step < 64; ++step) {
        value = value * 6'364'136'223'846'793'005u + 1;
    }
    return value;
}

/// The same loop without and with a safe point in each turn, in turns; the least of many is shown,
/// as others on the host only ever add to it.
void measure_polling(CommandContext& context, u32 rounds) {
    constexpr u32 parts = 16;
    u32 const part = std::max(rounds / parts, 1u);
    u64 value = rounds;
    u64 plain_ns = ~u64{0};
    u64 polled_ns = ~u64{0};
    for (u32 turn = 0; turn < parts; ++turn) {
        plain_ns = std::min(plain_ns, time_of(part, [&value] { value = compute(value); }));
        polled_ns = std::min(polled_ns, time_of(part, [&value] {
                                 value = compute(value);
                                 hal::Interrupt::poll();
                             }));
    }
    context.out.row({"compute", part * parts, plain_ns * 1000 / part, "-", "-"});
    context.out.row({"compute and poll", part * parts, polled_ns * 1000 / part, "-", "-"});
    Atomic<u64>(0).store(value, relaxed); // it was wanted
}

/// A processor that computes in a second half, without a safe point, while others interrupt it.
struct Computing {
    Atomic<u32> has_begun{0};
    Atomic<u32> ends{0};
    Atomic<u32> has_ended{0};

    static processor::Handling begin(void*, hal::Interruption const&) {
        return processor::Handling::wake;
    }
    static void work(void* argument) {
        auto& self = *static_cast<Computing*>(argument);
        self.has_begun.store(1, release);
        while (self.ends.load(relaxed) == 0) {
        }
        self.has_ended.store(1, release);
    }
};

/// From raising a vector on a processor that computes to its handler there.
void measure_other(CommandContext& context, Raised& raised, CpuId other, u32 rounds) {
    processor::Interrupts& interrupts = context.kernel.interrupts;
    Computing computing;
    auto const vector = interrupts.bind_any(
        {.handler = Computing::begin,
         .argument = &computing,
         .name = "irq-bench load",
         .second_half = Computing::work});
    if (!vector) {
        context.out.line("irq-bench: no vector can be bound: {}", vector.error());
        return;
    }
    hal::Controller::send(other, vector.value());
    while (computing.has_begun.load(acquire) == 0) {
        sync::relax();
    }
    Histogram to_handler; // in cycles
    u64 cycles = 0;
    Nanos const began = hal::Clock::now();
    u64 const began_cycles = hal::Cpu::cycle_counter();
    for (u32 round = 0; round < rounds; ++round) {
        raised.taken.store(0, relaxed);
        u64 const before = hal::Cpu::cycle_counter();
        hal::Controller::send(other, raised.vector);
        while (raised.taken.load(acquire) == 0) {
            sync::relax();
        }
        to_handler.add(raised.at_cycles - before);
        cycles += raised.at_cycles - before;
    }
    CycleScale const scale(hal::Cpu::cycle_counter() - began_cycles, hal::Clock::now() - began);
    computing.ends.store(1, relaxed);
    while (computing.has_ended.load(acquire) == 0) {
        sync::relax();
    }
    interrupts.unbind(vector.value()).value(); // it was bound above
    context.out.row(
        {"raise on one that computes", rounds, scale.nanos_of(cycles * 1000 / rounds),
         Bytes{scale.nanos_of(to_handler.percentile(500))},
         Bytes{scale.nanos_of(to_handler.max())}});
}

} // namespace

u8 measure_interrupts(CommandContext& context) {
    auto const rounds = number_argument(context, "irq-bench", 10'000, 10'000'000);
    if (!rounds) {
        return status::usage;
    }
    if (!has_interrupts(context, "irq-bench")) {
        return status::failure;
    }
    Raised raised;
    processor::Interrupts& interrupts = context.kernel.interrupts;
    auto const vector = interrupts.bind_any(
        {.handler = Raised::take,
         .argument = &raised,
         .name = "irq-bench",
         .may_come_often = true});
    if (!vector) {
        context.out.line("irq-bench: no vector can be bound: {}", vector.error());
        return status::failure;
    }
    raised.vector = vector.value();
    context.out.table(operation_columns);
    measure_raising(context, raised, *rounds);
    if (CpuId const other{1}; context.kernel.cpus.is_online(other) && this_cpu().id != other) {
        measure_other(context, raised, other, *rounds);
    }
    measure_whole(context.out, "disable and restore", *rounds, [] {
        hal::Interrupt::restore(hal::Interrupt::disable());
    });
    measure_polling(context, *rounds);
    measure_whole(
        context.out, "read the clock", *rounds, [] { static_cast<void>(hal::Clock::now()); });
    interrupts.unbind(vector.value()).value(); // it was bound above
    return status::success;
}

namespace {

/// A call that goes back and forth between two processors, each time from inside an interrupt.
struct RoundTrips {
    processor::CpuSet* cpus = nullptr;
    CpuId home; ///< who waits for the end
    CpuId from;
    CpuId to;
    u32 left = 0;
    Nanos began{};
    Histogram nanos;
    Atomic<u32> is_over{0};

    /// On `from`: the ball has come back, or has never left.
    static void serve_ball(void* argument) {
        auto& trips = *static_cast<RoundTrips*>(argument);
        Nanos const now = hal::Clock::now();
        if (trips.began != Nanos{}) {
            trips.nanos.add(static_cast<u64>((now - trips.began).value));
        }
        if (trips.left == 0) {
            trips.cpus->post(trips.home, finish, argument).value(); // the only one under way
            return;
        }
        --trips.left;
        trips.began = hal::Clock::now();
        trips.cpus->post(trips.to, return_ball, argument).value(); // the only one under way
    }
    static void finish(void* argument) {
        static_cast<RoundTrips*>(argument)->is_over.store(1, release);
    }
    /// On `to`.
    static void return_ball(void* argument) {
        auto& trips = *static_cast<RoundTrips*>(argument);
        trips.cpus->post(trips.from, serve_ball, argument).value(); // the only one under way
    }
};

constexpr Nanos pair_patience{60'000'000'000};

} // namespace

u8 measure_calls(CommandContext& context) {
    auto const rounds = number_argument(context, "ipi-bench", 100, 1'000'000);
    if (!rounds) {
        return status::usage;
    }
    if (!has_interrupts(context, "ipi-bench")) {
        return status::failure;
    }
    processor::CpuSet& cpus = context.kernel.cpus;
    context.out.table(pair_columns);
    for (u32 from = 0; from < cpus.known(); ++from) {
        for (u32 to = 0; to < cpus.known(); ++to) {
            if (!cpus.is_online({from}) || !cpus.is_online({to})) {
                continue;
            }
            RoundTrips trips;
            trips.cpus = &cpus;
            trips.home = this_cpu().id;
            trips.from = {from};
            trips.to = {to};
            trips.left = *rounds;
            cpus.post({from}, RoundTrips::serve_ball, &trips).value(); // nothing else is under way
            auto const outcome = processor::wait_until(
                [&] { return trips.is_over.load(acquire) != 0; },
                hal::Clock::now() + pair_patience);
            if (!outcome) {
                panic("a call between two processors is lost"); // it would write to this stack
            }
            context.out.row(
                {from, to, *rounds, trips.nanos.percentile(500), trips.nanos.percentile(990),
                 trips.nanos.max()});
        }
    }
    return status::success;
}

namespace {

constexpr Nanos jitter_period{1'000'000};

/// Deadlines that follow each other on one processor until they are told to stop.
struct Periodic {
    Periodic() : timer(tick, this) {}

    processor::Timer timer;
    Nanos next{};
    Histogram late;
    Atomic<u32> is_stopped{0};
    Atomic<u32> is_over{0};

    static void begin(void* argument) {
        auto& self = *static_cast<Periodic*>(argument);
        self.next = hal::Clock::now() + jitter_period;
        processor::start_timer(self.timer, self.next).value(); // there is a clock
    }
    static void tick(void* argument) {
        auto& self = *static_cast<Periodic*>(argument);
        Nanos const now = hal::Clock::now();
        self.late.add(static_cast<u64>((now - self.next).value));
        if (self.is_stopped.load(acquire) != 0) {
            self.is_over.store(1, release);
            return;
        }
        while (self.next <= now) { // one that was missed is late, and not made up for
            self.next = self.next + jitter_period;
        }
        processor::start_timer(self.timer, self.next).value(); // there is a clock
    }
};

/// What the boot processor does meanwhile: computes, allocates, and has translations dropped.
Result<void> carry_load(Kernel& kernel, Nanos end) {
    u64 sum = 0;
    while (hal::Clock::now() < end) {
        auto const block =
            TRY((memory::Box<std::array<u64, 512>, memory::KernelHeap>::create(*kernel.heap)));
        for (u64& word : *block) {
            word = sum;
            sum = sum * 6'364'136'223'846'793'005u + 1;
        }
        memory::KernelStack const stack = TRY(kernel.space->allocate_stack(page_size));
        TRY(kernel.space->free_stack(stack));
    }
    return {};
}

} // namespace

u8 measure_jitter(CommandContext& context) {
    auto const milliseconds = number_argument(context, "jitter", 300, 3'600'000);
    if (!milliseconds) {
        return status::usage;
    }
    if (!has_interrupts(context, "jitter")) {
        return status::failure;
    }
    Kernel& kernel = context.kernel;
    memory::Vector<Periodic*, memory::KernelHeap> all(*kernel.heap);
    Result<void> outcome;
    for (u32 id = 0; outcome && id < kernel.cpus.known(); ++id) {
        auto const room = memory::allocate_room<Periodic>(*kernel.heap, 1);
        outcome = room ? all.push(std::construct_at(room.value())) : Result<void>(room.error());
    }
    u32 const started = static_cast<u32>(all.size());
    for (u32 id = 0; id < started; ++id) {
        if (!kernel.cpus.call({id}, Periodic::begin, all[id])) {
            all[id]->is_over.store(1, relaxed); // it does not run
        }
    }
    Nanos const end = hal::Clock::now() + Nanos{i64{*milliseconds} * 1'000'000};
    outcome = outcome ? carry_load(kernel, end) : outcome;
    for (u32 id = 0; id < started; ++id) {
        all[id]->is_stopped.store(1, release);
        while (all[id]->is_over.load(acquire) == 0) {
            sync::relax(); // until the next of its deadlines
        }
        processor::TimerQueue::cancel_and_wait(all[id]->timer); // its function has returned
    }
    context.out.table(jitter_columns);
    for (u32 id = 0; id < started; ++id) {
        Histogram const& late = all[id]->late;
        context.out.row({id, late.total(), late.percentile(500), late.percentile(999), late.max()});
        std::destroy_at(all[id]);
        kernel.heap->free(room_for<std::byte>(all[id])).value(); // it was allocated above
    }
    if (!outcome) {
        context.out.line("jitter: the load ended early: {}", outcome.error());
        return status::failure;
    }
    return status::success;
}

CommandTable measuring_commands() {
    static constexpr Argument rounds = {
        "ROUNDS", "how often", ArgumentKind::number, ArgumentCount::optional};
    static constexpr Command table[] = {
        {"irq-bench", "times interrupts of this processor", measure_interrupts, {rounds}},
        {"ipi-bench", "times calls between each two processors", measure_calls, {rounds}},
        {"switch-bench", "times switches between two stacks", measure_switches, {rounds}},
        {"jitter",
         "measures how late deadlines are under load",
         measure_jitter,
         {{"MS", "how long; 300 if nothing is said", ArgumentKind::number,
           ArgumentCount::optional}},
         {{"jitter 1000", "deadlines of one second"}}},
    };
    return {"measuring", table};
}

} // namespace twofold::boot
