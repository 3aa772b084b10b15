// Four threads that compute without end on one processor, with nice values that differ: by how much
// each one's share of what they got together is off. The peers are threads of the host with the
// same nice values (bench/sched/peers.cpp).
#include "bench/sched/commands/commands.hpp"

namespace twofold::bench {

namespace {

constexpr i32 nice_values[] = {0, 2, 4, 6};
constexpr usize hogs = std::size(nice_values);
constexpr boot::Column share_columns[] = {
    {"nice", 6}, {"request us", 12}, {"ran ns", 14}, {"error ppm", 0}};

/// Lets them compute for `length`, and says what each has got by then.
void run_hogs(task::Threads& threads, Nanos request, Nanos length, Nanos (&ran)[hogs]) {
    Atomic<u32> is_over{0};
    task::Thread* made[hogs]{};
    auto const body = [&] {
        while (is_over.load(relaxed) == 0) {
            hal::Cpu::pause(); // and an interrupt can come
        }
    };
    for (usize index = 0; index < hogs; ++index) {
        auto attributes = stays_here("hog");
        u32 const weight = sched::weight_of_nice(nice_values[index]).value();
        attributes.parameters =
            task::Parameters::of<sched::Eevdf>({.weight = weight, .request = request});
        made[index] = &spawn(threads, body, attributes);
    }
    threads.sleep_for(Nanos{50'000'000}); // all have begun
    Nanos before[hogs];
    auto const look = [&](Nanos(&seen)[hogs]) {
        for (usize index = 0; index < hogs; ++index) {
            seen[index] = threads.counts(*made[index]).ran;
        }
    };
    look(before);
    threads.sleep_for(length);
    look(ran);
    is_over.store(1, relaxed);
    for (usize index = 0; index < hogs; ++index) {
        ran[index] = ran[index] - before[index];
        threads.join(*made[index]).value();
    }
}

/// A row for each.
void report(boot::CommandContext& context, Nanos request, Nanos const (&ran)[hogs]) {
    i64 all_ran = 0;
    i64 all_weights = 0;
    for (usize index = 0; index < hogs; ++index) {
        all_ran += ran[index].value;
        all_weights += sched::weight_of_nice(nice_values[index]).value();
    }
    for (usize index = 0; index < hogs; ++index) {
        i64 const weight = sched::weight_of_nice(nice_values[index]).value();
        i64 const ideal = all_ran * weight / all_weights;
        i64 const off = ran[index].value - ideal;
        i64 const ppm = (off < 0 ? -off : off) * 1'000'000 / (ideal == 0 ? 1 : ideal);
        context.out.row(
            {static_cast<u64>(nice_values[index]), static_cast<u64>(request.value) / 1000,
             static_cast<u64>(ran[index].value), static_cast<u64>(ppm)});
    }
}

} // namespace

u8 measure_shares(boot::CommandContext& context) {
    auto const length = boot::number_argument(context, "share-bench", 1000, 100'000);
    task::Threads* const threads = threads_of(context);
    if (!length || threads == nullptr) {
        return length ? boot::status::failure : boot::status::usage;
    }
    task::Thread& self = task::Threads::current();
    threads->set_allowed(self, sched::CpuMask::only(hal::Cpu::id())).value();
    task::Parameters const own = self.own_parameters();
    threads->change(self, task::Parameters::of<sched::Fifo>({.priority = 40})).value();
    context.out.table(share_columns);
    for (Nanos const request : {sched::EevdfParameters().request, sched::Eevdf::request_min}) {
        Nanos ran[hogs];
        run_hogs(*threads, request, Nanos{i64{*length} * 1'000'000}, ran);
        report(context, request, ran);
    }
    threads->change(self, own).value();
    threads->set_allowed(self, sched::CpuMask::all()).value();
    return boot::status::success;
}

} // namespace twofold::bench
