// The generated workloads. See generators.hpp.
//
// Sources: E. Bini and G. Buttazzo, "Measuring the performance of schedulability tests", Real-Time
// Systems 30, 2005 (UUniFast: sets of a given utilisation, uniform among all such sets); R. Davis
// and A. Burns, "Priority assignment for global fixed priority pre-emptive scheduling", RTSS 2009
// (periods spread evenly over their magnitudes); hackbench, as `perf bench sched messaging` has it
// (the shape of the storm of messages).
#include "apps/sched/generators.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace twofold::lab {

namespace {

constexpr i64 us = 1'000;
constexpr i64 ms = 1'000'000;
constexpr u32 rounds_of_a_pattern = 64; ///< random times that a thread goes through again and again

constexpr u32 background_weight = 110; ///< of a nice value of 10

using Kind = OperationKind;

i64 between(Random& random, i64 least, i64 most) {
    return static_cast<i64>(random.between(static_cast<u64>(least), static_cast<u64>(most)));
}

/// Uniform in (0, 1).
double fraction(Random& random) {
    return (static_cast<double>(random.next() >> 11) + 0.5) * 0x1p-53;
}

/// A thread that computes without end, in pieces.
void add_hog(WorkloadBuilder& builder, std::string_view name, u32 instance, Scheduling wanted) {
    builder.begin_task(name, instance, wanted, ~Affinity{}, {});
    builder.begin_loop(forever);
    builder.add(Kind::run, 0, 10 * ms);
    builder.add(Kind::finish);
    builder.end_loop();
    builder.finish_task();
}

/// A thread that sleeps and computes, for random times.
void add_sleeper(
    WorkloadBuilder& builder,
    Random& random,
    std::string_view name,
    u32 instance,
    i64 sleep_max,
    i64 run_max) {
    builder.begin_task(name, instance, {}, ~Affinity{}, {between(random, 0, sleep_max)});
    builder.begin_loop(forever);
    for (u32 i = 0; i < rounds_of_a_pattern; ++i) {
        builder.add(Kind::sleep, 0, between(random, sleep_max / 4, sleep_max));
        builder.add(Kind::run, 0, between(random, run_max / 10, run_max));
        builder.add(Kind::finish);
    }
    builder.end_loop();
    builder.finish_task();
}

void make_interactive(WorkloadBuilder& builder, GeneratorOptions const& options) {
    Random random(options.seed);
    for (u32 i = 0; i < 2 * options.cpus; ++i) {
        add_hog(builder, "batch", i, {});
    }
    for (u32 i = 0; i < 4 * options.cpus; ++i) {
        add_sleeper(builder, random, "interactive", i, 20 * ms, ms);
    }
}

/// Times of requests that come in bursts, for one of several workers that take turns.
void add_requests(
    WorkloadBuilder& builder,
    Random& random,
    GeneratorOptions const& options,
    i64 run_max,
    i64 bound) {
    for (i64 at = between(random, 0, 20 * ms); at < options.duration.value;) {
        i64 const burst = between(random, 2, 8);
        for (i64 i = 0; i < burst; ++i) {
            builder.add(Kind::until, 0, at);
            builder.add(Kind::run, 0, between(random, run_max / 10, run_max));
            builder.add(Kind::finish, 0, bound);
            at += between(random, 10 * us, 200 * us);
        }
        at += between(random, 10 * ms, 40 * ms);
    }
}

void make_server(WorkloadBuilder& builder, GeneratorOptions const& options) {
    Random random(options.seed);
    for (u32 i = 0; i < 4 * options.cpus; ++i) {
        builder.begin_task("worker", i, {}, ~Affinity{}, {});
        add_requests(builder, random, options, 2 * ms, 50 * ms);
        builder.finish_task();
    }
    for (u32 i = 0; i < options.cpus; ++i) {
        add_hog(builder, "background", i, {.weight = background_weight, .priority = 10});
    }
}

/// Sets of five threads that need four fifths of each processor together.
void make_periodic(WorkloadBuilder& builder, GeneratorOptions const& options) {
    constexpr u32 tasks_of_cpu = 5;
    constexpr double utilisation = 0.8;
    Random random(options.seed);
    for (u32 i = 0; i < options.cpus; ++i) {
        double left = utilisation;
        for (u32 j = 0; j < tasks_of_cpu; ++j) {
            u32 const behind = tasks_of_cpu - 1 - j;
            double const next = behind == 0 ? 0 : left * std::pow(fraction(random), 1.0 / behind);
            i64 const period = static_cast<i64>(5 * std::pow(20.0, fraction(random))) * ms;
            double const needs = (left - next) * static_cast<double>(period) / us;
            i64 const runs = std::max<i64>(static_cast<i64>(needs), 20) * us;
            left = next;
            // The reservation holds what it costs to come to the processor, too.
            i64 const reserved = std::min(runs + runs / 50 + 20 * us, period);
            u32 const number = i * tasks_of_cpu + j;
            // Rate-monotonic where there are priorities.
            auto const level = static_cast<u32>(std::max<i64>(60 - 10 * period / (20 * ms), 1));
            builder.begin_task(
                "periodic", number, {.priority = level, .runtime = {reserved}, .period = {period}},
                ~Affinity{}, {between(random, 0, period)});
            builder.begin_loop(forever);
            builder.add(Kind::run, 0, runs);
            builder.add_timer(
                builder.timer(fmt::format("periodic {}", number)), {period}, TimerMode::absolute);
            builder.end_loop();
            builder.finish_task();
        }
    }
}

void make_convoy(WorkloadBuilder& builder, GeneratorOptions const& options) {
    Random random(options.seed);
    u32 const mutex = builder.mutex("convoy");
    auto const add_locker = [&](std::string_view name, u32 instance, Scheduling wanted, i64 holds) {
        builder.begin_task(name, instance, wanted, ~Affinity{}, {between(random, 0, ms)});
        builder.begin_loop(forever);
        for (u32 i = 0; i < rounds_of_a_pattern; ++i) {
            builder.add(Kind::run, 0, between(random, 100 * us, 400 * us));
            builder.add(Kind::lock, mutex);
            builder.add(Kind::run, 0, between(random, holds / 2, holds));
            builder.add(Kind::unlock, mutex);
            builder.add(Kind::finish);
        }
        builder.end_loop();
        builder.finish_task();
    };
    for (u32 i = 0; i < 4 * options.cpus; ++i) {
        add_locker("locker", i, {}, 50 * us);
    }
    add_locker("slow", 0, {.weight = background_weight, .priority = 10}, 2 * ms);
    for (u32 i = 0; i < options.cpus; ++i) {
        add_hog(builder, "batch", i, {});
    }
}

/// Groups in which every sender sends to every receiver, through a queue for each. No two messages
/// take the same: where all do to the nanosecond, as in virtual time alone, policies that compare
/// what threads have received see nothing but ties.
void make_messaging(WorkloadBuilder& builder, GeneratorOptions const& options) {
    Random random(options.seed);
    constexpr u32 groups = 4;
    constexpr u32 members = 10;
    constexpr u32 messages = 100;
    constexpr u32 capacity = 16;
    for (u32 group = 0; group < groups; ++group) {
        auto const queue = [&](u32 receiver) {
            return builder.queue(fmt::format("{} {}", group, receiver), capacity);
        };
        for (u32 i = 0; i < members; ++i) {
            builder.begin_task("sender", group * members + i, {}, ~Affinity{}, {});
            builder.begin_loop(messages);
            for (u32 receiver = 0; receiver < members; ++receiver) {
                builder.add(Kind::run, 0, between(random, us / 2, 3 * us / 2));
                builder.add(Kind::send, queue(receiver));
            }
            builder.end_loop();
            builder.add(Kind::finish);
            builder.finish_task();
            builder.begin_task("receiver", group * members + i, {}, ~Affinity{}, {});
            builder.begin_loop(i64{messages} * members);
            builder.add(Kind::receive, queue(i));
            builder.add(Kind::run, 0, between(random, us / 2, 3 * us / 2));
            builder.end_loop();
            builder.add(Kind::finish);
            builder.finish_task();
        }
    }
}

void make_inference(WorkloadBuilder& builder, GeneratorOptions const& options) {
    constexpr i64 bound = 50 * ms;
    Random random(options.seed);
    for (u32 i = 0; i < 2 * options.cpus; ++i) {
        builder.begin_task(
            "inference", i, {.demand = Demand::inference, .period = {bound}}, ~Affinity{}, {});
        add_requests(builder, random, options, 4 * ms, bound);
        builder.finish_task();
    }
    for (u32 i = 0; i < options.cpus; ++i) {
        add_hog(builder, "training", i, {.demand = Demand::training});
    }
    for (u32 i = 0; i < 2 * options.cpus; ++i) {
        add_sleeper(builder, random, "interactive", i, 20 * ms, 2 * ms);
    }
}

void make_offload(WorkloadBuilder& builder, GeneratorOptions const& options) {
    Random random(options.seed);
    u32 const device = builder.device("accelerator");
    for (u32 i = 0; i < 2 * options.cpus; ++i) {
        builder.begin_task("offloading", i, {}, ~Affinity{}, {});
        builder.begin_loop(forever);
        for (u32 j = 0; j < rounds_of_a_pattern; ++j) {
            builder.add(Kind::run, 0, between(random, 100 * us, 500 * us));
            builder.add(Kind::offload, device, between(random, 200 * us, 1000 * us));
            builder.add(Kind::run, 0, between(random, 50 * us, 200 * us));
            builder.add(Kind::finish);
        }
        builder.end_loop();
        builder.finish_task();
    }
    for (u32 i = 0; i < options.cpus; ++i) {
        add_hog(builder, "batch", i, {});
    }
}

/// The faster half of the processors needs five times the power for twice the work; the figures
/// are made up, of no particular processor.
void make_mixed(WorkloadBuilder& builder, GeneratorOptions const& options) {
    Random random(options.seed);
    std::vector<Cpu> cpus = equal_cpus(options.cpus, 1);
    for (u32 i = 0; i < cpus.size(); ++i) {
        bool const is_fast = i < (cpus.size() + 1) / 2;
        cpus[i].capacity = is_fast ? 1024 : 512;
        cpus[i].active_power = is_fast ? 1500 : 300;
        cpus[i].idle_power = is_fast ? 60 : 15;
    }
    builder.set_cpus(std::move(cpus));
    for (u32 i = 0; i < (options.cpus + 3) / 4; ++i) {
        add_hog(builder, "heavy", i, {});
    }
    for (u32 i = 0; i < 3 * options.cpus; ++i) {
        add_sleeper(builder, random, "light", i, 20 * ms, ms);
    }
}

constexpr Generator all[] = {
    {"convoy", "threads that queue for one mutex, one of which holds it for long", make_convoy},
    {"inference", "requests with a bound on their latency beside training and interactive work",
     make_inference},
    {"interactive", "threads that sleep and compute a little, beside some that only compute",
     make_interactive},
    {"messaging", "hackbench: groups in which everybody sends to everybody", make_messaging},
    {"mixed", "light and heavy threads on fast and on slow processors, with their energy",
     make_mixed},
    {"offload", "threads that give a part of their work to a device and sleep meanwhile",
     make_offload},
    {"periodic", "periodic real-time sets of UUniFast, four fifths of each processor",
     make_periodic},
    {"server", "requests that come in bursts, with background work", make_server}};

} // namespace

std::span<Generator const> generators() {
    return all;
}

Generator const* find_generator(std::string_view name) {
    auto const found = std::ranges::find(all, name, &Generator::name);
    return found == std::end(all) ? nullptr : found;
}

OwnedWorkload generate(Generator const& generator, GeneratorOptions const& options) {
    WorkloadBuilder builder{std::string(generator.name)};
    builder.set_cpus(equal_cpus(options.cpus, options.nodes));
    builder.set_duration(options.duration);
    generator.make(builder, options);
    return builder.finish();
}

} // namespace twofold::lab
