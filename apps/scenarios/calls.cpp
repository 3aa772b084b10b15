// Calls to processors: what runs, in which order and context, and what is refused. The scenario
// calls its own processor, which every machine has.
#include "apps/scenarios/scenarios.hpp"

namespace twofold::scenarios {

namespace {

using twofold::boot::Kernel;
using twofold::boot::Recorder;
using namespace twofold::processor;

/// Numbers in the order in which they were called, and the context of the last call.
struct Calls {
    FixedString<64> order;
    sync::ExecutionContext context = sync::ExecutionContext::thread;
};

/// One call that notes its letter.
struct Errand {
    Calls* calls = nullptr;
    char letter = 'a';

    static void run(void* self) {
        auto& errand = *static_cast<Errand*>(self);
        errand.calls->order.append(errand.letter).value(); // few
        errand.calls->context = sync::current_context();
    }
};

} // namespace

void calls(Recorder& record, Kernel& kernel) {
    CpuSet& cpus = kernel.cpus;
    CpuId const here = this_cpu().id;
    Calls seen;
    Errand errands[CpuLocal::posts_max + 1];
    for (usize i = 0; i < std::size(errands); ++i) {
        errands[i] = {&seen, static_cast<char>('a' + i)};
    }
    record.result("called", cpus.call(here, Errand::run, &errands[0]));
    record.text("context", sync::execution_context_name(seen.context));
    record.text("context of the caller", sync::execution_context_name(sync::current_context()));
    CpuId const nobody{cpus.known()};
    record.result("nobody called", cpus.call(nobody, Errand::run, &errands[0]));
    record.result("nobody posted to", cpus.post(nobody, Errand::run, &errands[0]));
    {
        sync::InterruptGuard const off;
        for (Errand& errand : errands) {
            char name[] = "posted ?";
            name[std::size(name) - 2] = errand.letter;
            record.result(std::string_view(name), cpus.post(here, Errand::run, &errand));
        }
        record.text("before they are served", seen.order.view());
        CpuSet::serve(this_cpu());
        record.text("served in their order", seen.order.view());
        record.result("room again", cpus.post(here, Errand::run, &errands[0]));
        CpuSet::serve(this_cpu());
    }
    sync::CallQueue queue;
    sync::Call first(Errand::run, &errands[1]);
    sync::Call second(Errand::run, &errands[2]);
    seen.order.clear();
    record.truth("the first has to tell", queue.add(first));
    record.truth("the second has not", !queue.add(second));
    record.truth("pending", first.is_pending() && second.is_pending());
    record.number("run", queue.run());
    record.text("in their order", seen.order.view());
    record.truth("not pending", !first.is_pending() && !second.is_pending());
    record.number("run again", queue.run());
    for (u32 round = 0; round < 10; ++round) {
        static_cast<void>(queue.add(first));
        static_cast<void>(round % 2 == 0 ? queue.add(second) : false);
        char name[24];
        record.number(format_to(std::span(name), "run in round {}", round).text, queue.run());
    }
}

} // namespace twofold::scenarios
