// The commands that show and steer threads: ps, top, sched, threads, nice, affinity.
#include "core/boot/thread_views.hpp"
#include "core/boot/threads.hpp"

#include <algorithm>

namespace twofold::boot {

namespace {

constexpr Column ps_columns[] = {{"id", 6},     {"name", 16}, {"process", 10}, {"class", 10},
                                 {"state", 10}, {"cpu", 4},   {"ran us", 12},  {"switches", 0}};
constexpr Column thread_columns[] = {{"id", 6},         {"waited us", 12}, {"worst wait us", 14},
                                     {"wakes", 10},     {"preempted", 10}, {"moved", 8},
                                     {"throttled", 10}, {"may use", 0}};
constexpr Column run_queue_columns[] = {{"cpu", 4},        {"runs", 16},    {"runnable", 9},
                                        {"switches", 12},  {"stolen", 8},   {"given away", 10},
                                        {"looked at", 10}, {"violation", 0}};

using task::Thread;
using task::Threads;

u64 micros(Nanos time) {
    return static_cast<u64>(time.value) / 1000;
}

/// The threads, or a word why there are none.
Threads* find_threads(CommandContext& context) {
    if (context.kernel.threads == nullptr) {
        context.out.line("there are no threads: this machine has no interrupts or no clock");
    }
    return context.kernel.threads;
}

template<class Show>
u8 show_views(CommandContext& context, Show const& show) {
    Threads* const threads = find_threads(context);
    if (threads == nullptr) {
        return status::failure;
    }
    auto const views = ThreadViewsBox::create(*context.kernel.heap);
    if (!views) {
        context.out.line("there is no memory to look at the threads");
        return status::failure;
    }
    u64 const left_out = look_at_threads(*threads, *views.value());
    show(*views.value());
    if (left_out != 0) {
        context.out.line("{} more threads are not shown", left_out);
    }
    return status::success;
}

u8 run_ps(CommandContext& context) {
    return show_views(context, [&](ThreadViews const& views) {
        context.out.table(ps_columns);
        for (ThreadView const& view : views) {
            context.out.row(
                {view.id, view.name.view(), view.process.view(), view.class_name,
                 sched::task_state_name(view.state), view.cpu.value, micros(view.counts.ran),
                 view.counts.switches});
        }
    });
}

u8 run_threads(CommandContext& context) {
    return show_views(context, [&](ThreadViews const& views) {
        context.out.table(thread_columns);
        for (ThreadView const& view : views) {
            char letters[32];
            std::string_view const may_use =
                view.may_use_all
                    ? "all"
                    : format_to(std::span(letters), "{} processors", view.allowed).text;
            context.out.row(
                {view.id, micros(view.counts.waited), micros(view.counts.waited_max),
                 view.counts.wakes, view.counts.preemptions, view.counts.migrations,
                 view.counts.throttles, may_use});
        }
    });
}

u8 run_sched(CommandContext& context) {
    Threads* const threads = find_threads(context);
    if (threads == nullptr) {
        return status::failure;
    }
    context.out.table(run_queue_columns);
    threads->dispatcher().known().for_each([&](CpuId cpu) {
        auto const& queue = threads->dispatcher().of(cpu);
        Thread::Name running = Thread::Name::create("?").value();
        threads->for_each([&](Thread const& thread) {
            if (queue.current == &thread) {
                running = Thread::Name::create(thread.name()).value();
            }
        });
        sync::InterruptGuard const off;
        sched::CpuCounts const counts = threads->dispatcher().counts(cpu);
        context.out.row(
            {cpu.value, running.view(), queue.load.load(relaxed), counts.switches, counts.stolen,
             counts.pushed, counts.attentions, sched::violation_name(queue.queue.violation())});
        return true;
    });
    context.out.line("{} threads live, {} ever", threads->count(), threads->ever());
    return status::success;
}

/// A thread's number from the command line; false after a word why not.
bool read_id(CommandContext& context, u64& id) {
    auto const number = parse_unsigned(context.arguments[0]);
    if (!number) {
        context.out.line("'{}' is no number of a thread; `ps` shows them", context.arguments[0]);
        return false;
    }
    id = number.value();
    return true;
}

u8 report(CommandContext& context, bool is_found, u64 id, Result<void> const& outcome) {
    if (!is_found) {
        context.out.line("there is no thread {}; `ps` shows them", id);
        return status::failure;
    }
    if (!outcome) {
        context.out.line("thread {} stays as it is: {}", id, outcome.error());
        return status::failure;
    }
    return status::success;
}

std::optional<i32> parse_nice(std::string_view text) {
    bool const is_negative = text.starts_with('-');
    auto const number = parse_unsigned(is_negative ? text.substr(1) : text);
    if (!number || number.value() > 20) {
        return std::nullopt;
    }
    auto const value = static_cast<i32>(number.value());
    return is_negative ? -value : value;
}

u8 run_nice(CommandContext& context) {
    Threads* const threads = find_threads(context);
    u64 id = 0;
    if (threads == nullptr || !read_id(context, id)) {
        return threads == nullptr ? status::failure : status::usage;
    }
    auto const nice = parse_nice(context.arguments[1]);
    auto const weight = nice ? sched::weight_of_nice(*nice) : Result<u32>(Error::out_of_range);
    if (!weight) {
        context.out.line("'{}' is no nice value from -20 to 19", context.arguments[1]);
        return status::usage;
    }
    Result<void> outcome = Error::invalid_state;
    bool const is_found = threads->with_thread(id, [&](Thread& thread) {
        if (!thread.is_idle() && thread.own_parameters().is<sched::Eevdf>()) {
            auto parameters = thread.own_parameters();
            parameters.get<sched::Eevdf>().weight = weight.value();
            outcome = threads->change(thread, parameters);
        }
    });
    return report(context, is_found, id, outcome);
}

/// `0,2-5`; nothing where it is malformed.
std::optional<sched::CpuMask> parse_cpus(std::string_view text) {
    sched::CpuMask mask;
    while (!text.empty()) {
        auto const part = text.substr(0, text.find(','));
        text = text.size() > part.size() ? text.substr(part.size() + 1) : std::string_view();
        auto const dash = part.find('-');
        auto const first = parse_unsigned(part.substr(0, dash));
        auto const last =
            dash == std::string_view::npos ? first : parse_unsigned(part.substr(dash + 1));
        if (!first || !last || last.value() >= sched::CpuMask::cpus_max ||
            first.value() > last.value()) {
            return std::nullopt;
        }
        for (u64 cpu = first.value(); cpu <= last.value(); ++cpu) {
            mask.add({static_cast<u32>(cpu)});
        }
    }
    return mask;
}

u8 run_affinity(CommandContext& context) {
    Threads* const threads = find_threads(context);
    u64 id = 0;
    if (threads == nullptr || !read_id(context, id)) {
        return threads == nullptr ? status::failure : status::usage;
    }
    auto const mask = parse_cpus(context.arguments[1]);
    if (!mask) {
        context.out.line("'{}' is no list of processors, like 0,2-3", context.arguments[1]);
        return status::usage;
    }
    Result<void> outcome = Error::invalid_state;
    bool const is_found = threads->with_thread(id, [&](Thread& thread) {
        if (!thread.is_idle()) {
            outcome = threads->set_allowed(thread, *mask);
        }
    });
    return report(context, is_found, id, outcome);
}

constexpr Argument thread_argument = {"ID", "the thread's number", ArgumentKind::thread};

constexpr Command commands[] = {
    {"ps", "shows the threads", run_ps, {}, {{"ps", "all of them, with their states"}}},
    {"threads", "shows what became of the threads' time", run_threads},
    {"sched", "shows the run queues", run_sched},
    {"nice",
     "gives a thread more time or less",
     run_nice,
     {thread_argument, {"VALUE", "from -20 (most) to 19 (least)"}},
     {{"nice 4 19", "it runs where nobody else wants to"}}},
    {"affinity",
     "binds a thread to processors",
     run_affinity,
     {thread_argument, {"CPUS", "a list of processors, like 0,2-3"}},
     {{"affinity 4 0,2-3", "it runs on three processors alone"}}},
};

} // namespace

CommandTable thread_commands() {
    return {"threads", commands};
}

} // namespace twofold::boot
