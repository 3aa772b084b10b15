// The commands that show processors, interrupts and deadlines: cpus, irq, timers.
#include "core/boot/processor_commands.hpp"

#include "core/boot/kernel.hpp"
#include "hal/clock.hpp"
#include "hal/controller.hpp"
#include "hal/counters.hpp"
#include "hal/cpu.hpp"

namespace twofold::boot {

namespace {

constexpr Column processor_columns[] = {
    {"cpu", 4},    {"hardware id", 11}, {"class", 11},        {"node", 4},
    {"state", 14}, {"interrupts", 12},  {"calls served", 12}, {"idle %", 0}};
constexpr Column feature_columns[] = {{"cpu", 4}, {"difference", 10}, {"features", 0}};
constexpr Column counter_columns[] = {{"counter", 18}, {"state", 14}, {"in 1000 turns", 0}};
constexpr Column vector_columns[] = {
    {"vector", 6}, {"name", 14}, {"taken", 12}, {"not handled", 0}};
constexpr Column by_cpu_columns[] = {
    {"of vector", 9}, {"cpu", 4}, {"taken", 12}, {"not handled", 0}};
constexpr Column line_columns[] = {{"line", 5},     {"to vector", 9}, {"cpu", 4},  {"trigger", 7},
                                   {"polarity", 8}, {"masked", 6},    {"storm", 0}};
constexpr Column clock_columns[] = {{"of the clock", 22}, {"value", 0}};
constexpr Column queue_columns[] = {{"cpu", 4},      {"pending", 7},    {"next in ns", 14},
                                    {"started", 10}, {"cancelled", 10}, {"expired", 10},
                                    {"alarms", 10},  {"overruns", 0}};
constexpr Column lateness_columns[] = {
    {"late on cpu", 11}, {"deadlines", 10}, {"p50 ns", 12}, {"p99.9 ns", 12}, {"max ns", 0}};

using RowText = FixedString<512>;

template<class... Args>
std::string_view write_row_text(
    RowText& out, FormatString<std::type_identity_t<Args>...> format, Args const&... args) {
    char storage[RowText::capacity()];
    out.clear();
    out.append(format_to(std::span(storage), format, args...).text).value();
    return out.view();
}

std::string_view class_name(hal::CoreClass core_class) {
    constexpr std::string_view names[] = {"uniform", "performance", "efficiency"};
    return names[static_cast<usize>(core_class)];
}

u64 interrupts_of(processor::CpuLocal const& cpu) {
    u64 total = 0;
    for (processor::VectorCounts const& counts : cpu.counts) {
        total += counts.taken;
    }
    return total;
}

/// The share of its life that a processor slept, as "12.3".
std::string_view idle_share(RowText& out, processor::CpuLocal const& cpu) {
    i64 const life = (hal::Clock::now() - cpu.online_since).value;
    i64 const idle = cpu.idle_time.value;
    i64 const per_mille = life > 0 ? idle / (life / 1000 + 1) : 0;
    return write_row_text(out, "{}.{}", per_mille / 10, per_mille % 10);
}

std::string_view feature_names(RowText& out, u64 features) {
    out.clear();
    for (unsigned bit = 0; bit < 64; ++bit) {
        std::string_view const name = hal::Cpu::feature_name(bit);
        bool const is_meant = (features >> bit & 1) != 0 && !name.empty();
        if (is_meant && out.capacity() - out.size() > name.size()) {
            out.append(out.empty() ? "" : " ").value();
            out.append(name).value();
        }
    }
    return out.view();
}

void show_feature_differences(CommandContext& context) {
    Kernel const& kernel = context.kernel;
    u64 const common = kernel.cpu({0}).features;
    bool has_table = false;
    for (u32 id = 1; id < kernel.cpus.known(); ++id) {
        u64 const features = kernel.cpu({id}).features;
        if (!kernel.cpus.is_online({id}) || features == common) {
            continue;
        }
        if (!has_table) {
            context.out.table(feature_columns);
            has_table = true;
        }
        RowText names;
        context.out.row({id, "has", feature_names(names, features & ~common)});
        context.out.row({id, "lacks", feature_names(names, common & ~features)});
    }
}

/// Something to count: as many turns of a loop as the table's head says.
void take_turns() {
    Atomic<u32> turns{0};
    while (turns.fetch_add(1, relaxed) < 1000) {
    }
}

void show_counters(CommandContext& context) {
    context.out.table(counter_columns);
    for (usize i = 0; i < hal::counter_event_count; ++i) {
        auto const event = static_cast<hal::CounterEvent>(i);
        std::string_view const name = hal::counter_event_name(event);
        if (!hal::Counters::has(event)) {
            context.out.row({name, "not present", "-"});
            continue;
        }
        sync::InterruptGuard const off;
        if (auto const started = hal::Counters::start(event); !started) {
            context.out.row({name, error_name(started.error()), "-"});
            continue;
        }
        take_turns();
        auto const counted = hal::Counters::read(event);
        hal::Counters::stop(event).value(); // it was started just now
        RowText text;
        context.out.row(
            {name, "present",
             counted ? write_row_text(text, "{}", counted.value()) : error_name(counted.error())});
    }
}

} // namespace

u8 show_processors(CommandContext& context) {
    Kernel const& kernel = context.kernel;
    context.out.table(processor_columns);
    for (u32 id = 0; id < kernel.cpus.known(); ++id) {
        PerCpu const& cpu = kernel.cpu({id});
        bool const is_named = id < kernel.topology.processors.size();
        ProcessorEntry const entry = is_named ? kernel.topology.processors[id] : ProcessorEntry();
        RowText idle;
        context.out.row(
            {id, entry.hardware_id, class_name(cpu.core_class), entry.node,
             cpu.start_error               ? error_name(*cpu.start_error)
             : kernel.cpus.is_online({id}) ? "runs"
                                           : "starts",
             interrupts_of(cpu), cpu.call_counts.served, idle_share(idle, cpu)});
    }
    show_feature_differences(context);
    show_counters(context);
    RowText skew;
    context.out.line(
        "{} of {} processors run; {}", kernel.cpus.online(), kernel.topology.count(),
        kernel.cpus.known() > 1
            ? write_row_text(skew, "clocks differ by {} at most", kernel.clock_skew)
            : std::string_view("nothing to compare clocks with"));
    return status::success;
}

namespace {

void show_vectors(CommandContext& context) {
    Kernel& kernel = context.kernel;
    processor::InterruptTable const& table = kernel.interrupts.table();
    context.out.table(vector_columns);
    for (u32 vector = 0; vector < processor::InterruptTable::vectors_max; ++vector) {
        hal::Vector const which{static_cast<u8>(vector)};
        u64 taken = 0;
        u64 not_handled = 0;
        for (u32 id = 0; id < kernel.cpus.known(); ++id) {
            taken += kernel.cpu({id}).counts[vector].taken;
            not_handled += kernel.cpu({id}).counts[vector].not_handled;
        }
        if (taken != 0 || table.entry(which).is_bound) {
            context.out.row({vector, table.entry(which).name, taken, not_handled});
        }
    }
    context.out.table(by_cpu_columns);
    for (u32 vector = 0; vector < processor::InterruptTable::vectors_max; ++vector) {
        for (u32 id = 0; id < kernel.cpus.known(); ++id) {
            processor::VectorCounts const& counts = kernel.cpu({id}).counts[vector];
            if (counts.taken != 0) {
                context.out.row({vector, id, counts.taken, counts.not_handled});
            }
        }
    }
}

void show_lines(CommandContext& context) {
    // Nothing is printed under the lock.
    FixedVector<processor::Interrupts::LineRecord, processor::Interrupts::lines_max> lines;
    context.kernel.interrupts.for_each_line([&](processor::Interrupts::LineRecord const& record) {
        lines.push_back(record).value(); // of the same capacity
    });
    if (lines.empty()) {
        context.out.line("no line is bound");
        return;
    }
    context.out.table(line_columns);
    for (processor::Interrupts::LineRecord const& record : lines) {
        context.out.row(
            {record.line.value, u32{record.vector.value}, record.route.target.value,
             record.route.trigger == hal::Trigger::edge ? "edge" : "level",
             record.route.polarity == hal::Polarity::high ? "high" : "low", record.mask_depth,
             record.is_stormy ? "silenced" : ""});
    }
}

} // namespace

u8 show_interrupts(CommandContext& context) {
    Kernel& kernel = context.kernel;
    if (!kernel.interrupts.is_open()) {
        context.out.line("the machine has no interrupts; 'log' says why");
        return status::success;
    }
    hal::VectorRange const range = kernel.interrupts.table().given_out();
    context.out.line(
        "{}: vectors {} to {}, spurious {}, {} lines; {} storms", hal::Controller::kind(),
        u32{range.first.value}, range.first.value + range.count - 1,
        u32{kernel.interrupts.table().spurious().value}, hal::Controller::lines(),
        kernel.interrupts.storms());
    show_vectors(context);
    show_lines(context);
    return status::success;
}

namespace {

void show_clock(CommandContext& context) {
    Kernel& kernel = context.kernel;
    hal::ClockDescription const clock = hal::Clock::describe();
    context.out.table(clock_columns);
    context.out.row({"counter", clock.counter});
    context.out.row({"counter Hz", clock.counter_hz});
    context.out.row({"measured against", clock.reference});
    context.out.row({"error ppm", clock.error_ppm});
    context.out.row({"invariant", clock.counter_is_invariant ? "yes" : "no"});
    context.out.row({"deadlines by", clock.event});
    context.out.row({"deadlines Hz", clock.event_hz});
    context.out.row({"between processors ns", static_cast<u64>(kernel.clock_skew.value)});
    context.out.row({"now ns", static_cast<u64>(hal::Clock::now().value)});
    auto const wall = kernel.wall_clock.now();
    if (wall) {
        context.out.row({"wall clock s", static_cast<u64>(wall->value / 1'000'000'000)});
    } else {
        context.out.row({"wall clock s", "not present"});
    }
}

} // namespace

processor::Histogram lateness_of(Kernel& kernel, CpuId id) {
    processor::Histogram copy;
    kernel.cpus
        .call(
            id,
            [](void* target) {
                *static_cast<processor::Histogram*>(target) =
                    processor::this_cpu().timers.lateness();
            },
            &copy)
        .value(); // only of processors that run
    return copy;
}

u8 show_timers(CommandContext& context) {
    Kernel& kernel = context.kernel;
    if (!kernel.has_clock) {
        context.out.line("the machine has no clock; 'log' says why");
        return status::success;
    }
    show_clock(context);
    context.out.table(queue_columns);
    for (u32 id = 0; id < kernel.cpus.known(); ++id) {
        processor::TimerQueue& timers = kernel.cpu({id}).timers;
        processor::TimerStatistics const seen = timers.statistics();
        Nanos next{};
        bool const has_next = timers.earliest(next);
        RowText text;
        context.out.row(
            {id, static_cast<u64>(timers.pending()),
             has_next ? write_row_text(text, "{}", (next - hal::Clock::now()).value) : "-",
             seen.started, seen.cancelled, seen.expired, seen.alarms, seen.overruns});
    }
    context.out.table(lateness_columns);
    for (u32 id = 0; id < kernel.cpus.known(); ++id) {
        if (kernel.cpus.is_online({id})) {
            processor::Histogram const late = lateness_of(kernel, {id});
            context.out.row(
                {id, late.total(), late.percentile(500), late.percentile(999), late.max()});
        }
    }
    return status::success;
}

} // namespace twofold::boot
