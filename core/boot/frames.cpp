// Nodes from the SRAT, the allocator from the rest of the early frames, and its figures as tables.
#include "core/boot/frames.hpp"

#include "core/boot/kernel.hpp"
#include "hal/cpu.hpp"

#include <algorithm>

namespace twofold::boot {

namespace {

using memory::BuddyZone;
using memory::FrameStatistics;
using memory::NodeRange;
using trace::LogLevel;

constexpr Column kind_columns[] = {{"kind", 18}, {"ranges", 6}, {"KiB", 12}};
constexpr Column zone_columns[] = {{"zone", 12}, {"node", 4},  {"start", 18}, {"end", 18},
                                   {"KiB", 12},  {"free", 12}, {"order", 5}};
constexpr Column order_columns[] = {
    {"order", 5}, {"KiB", 8}, {"free blocks", 11}, {"unusable %", 10}};
constexpr Column magazine_columns[] = {{"magazine of", 11}, {"node", 4}, {"frames", 6}};
constexpr Column frame_columns[] = {{"count", 24}, {"value", 12}};

/// What the firmware says about nodes, its domains numbered densely in the order they appear.
struct Nodes {
    FixedVector<NodeRange, acpi::memory_affinity_count_max> ranges;
    FixedVector<u32, memory::nodes_max> domains;

    Result<u32> number_of(u32 domain) {
        for (u32 node = 0; node < domains.size(); ++node) {
            if (domains[node] == domain) {
                return node;
            }
        }
        TRY(domains.push_back(domain));
        return static_cast<u32>(domains.size() - 1);
    }
};

/// Memory ranges of a SRAT; notes the first that does not fit.
struct NodeReader {
    Nodes& nodes;
    Result<void> outcome{};

    void operator()(acpi::MemoryAffinity const& range) {
        Result<u32> const node = nodes.number_of(range.domain);
        Result<void> const added =
            node ? nodes.ranges.push_back({range.base, range.size, node.value()})
                 : Result<void>(node.error());
        outcome = outcome ? added : outcome;
    }
};

Result<void> read_nodes(acpi::Tables const& tables, Nodes& nodes) {
    acpi::TableBytes const table = TRY(tables.find(acpi::srat_signature));
    acpi::Srat const srat = TRY(acpi::parse_srat(table));
    NodeReader reader{nodes};
    srat.visit(reader);
    return reader.outcome;
}

/// Gives each processor the node that the SRAT names for its local APIC.
struct AffinityReader {
    Nodes& nodes;
    std::span<ProcessorEntry> processors;

    void operator()(acpi::ProcessorAffinity const& affinity) const {
        Result<u32> const node = nodes.number_of(affinity.domain);
        for (ProcessorEntry& processor : processors) {
            if (node && processor.hardware_id == affinity.apic_id) {
                processor.node = node.value();
            }
        }
    }
};

Result<void>
read_processors(acpi::Tables const& tables, Nodes& nodes, std::span<ProcessorEntry> processors) {
    acpi::TableBytes const affinity_table = TRY(tables.find(acpi::srat_signature));
    acpi::Srat const srat = TRY(acpi::parse_srat(affinity_table));
    srat.visit(AffinityReader{nodes, processors});
    return {};
}

/// A share as "12.34".
std::string_view percent(std::span<char> storage, u64 ppm) {
    return format_to(storage, "{}.{:02}", ppm / 10000, ppm / 100 % 100).text;
}

FrameStatistics statistics_of(BuddyZone const& zone) {
    FrameStatistics statistics;
    sync::SpinLockGuard const guard(zone.lock(), sync::interrupts_stay_on);
    zone.add_statistics(statistics);
    return statistics;
}

constexpr u64 kib(u64 frames) {
    return frames * (page_size.value >> 10);
}

} // namespace

Result<void> build_frames(Kernel& kernel) {
    Nodes nodes;
    Topology& topology = kernel.topology;
    if (kernel.acpi_tables && kernel.acpi_tables->find(acpi::srat_signature)) {
        Result<void> outcome = read_nodes(*kernel.acpi_tables, nodes);
        outcome = outcome ? read_processors(*kernel.acpi_tables, nodes, topology.processors.items())
                          : outcome;
        if (!outcome) {
            kernel.log(LogLevel::warning, "the NUMA nodes are not used: {}", outcome.error());
            nodes = {};
        }
    }
    FixedVector<u32, Topology::processors_max> node_of_cpu;
    for (u32 cpu = 0; cpu < topology.count(); ++cpu) {
        bool const has_node = cpu < topology.processors.size() && !nodes.ranges.empty();
        node_of_cpu.push_back(has_node ? topology.processors[cpu].node : 0).value();
    }
    auto const free = kernel.early_frames.hand_over();
    kernel.frames = TRY(memory::BuddyFrames::create(
        {.free = free.items(),
         .nodes = nodes.ranges.items(),
         .node_of_cpu = node_of_cpu.items(),
         .cpus = topology.count()}));
    FrameStatistics const made = kernel.frames->statistics();
    kernel.log(
        LogLevel::info, "{} KiB in {} zones of {} nodes, {} KiB of tables", kib(made.frames),
        kernel.frames->zones().size(), std::max<usize>(nodes.domains.size(), 1),
        made.metadata.value >> 10);
    if (kernel.frames->frames_left_out() != 0) {
        kernel.log(
            LogLevel::warning, "{} KiB lie where no zone can take them up",
            kib(kernel.frames->frames_left_out()));
    }
    return {};
}

u8 show_memory(CommandContext& context) {
    Kernel const& kernel = context.kernel;
    context.out.table(kind_columns);
    for (usize kind = 0; kind < hal::memory_kind_count; ++kind) {
        u64 ranges = 0;
        Bytes size{};
        for (hal::MemoryRange const& range : kernel.memory_map.ranges()) {
            bool const counts = static_cast<usize>(range.kind) == kind;
            ranges += counts ? 1 : 0;
            size += counts ? range.size : Bytes{};
        }
        context.out.row(
            {memory::kind_name(static_cast<hal::MemoryKind>(kind)), ranges, size.value >> 10});
    }
    context.out.table(zone_columns);
    for (BuddyZone const* const zone : kernel.frames->zones()) {
        FrameStatistics const has = statistics_of(*zone);
        char storage[8];
        auto const largest = has.largest_order();
        context.out.row(
            {memory::reach_name(zone->reach()), zone->node(), memory::address_of(zone->first()),
             memory::address_of(zone->end()), kib(has.frames), kib(has.free_frames),
             largest ? format_to(std::span(storage), "{}", *largest).text : "-"});
    }
    FrameStatistics const total = kernel.frames->statistics();
    context.out.line(
        "{} KiB managed, {} KiB free, {} KiB of it in magazines; {} KiB of tables, {} KiB taken "
        "for start-up",
        kib(total.frames), kib(total.free_frames), kib(total.cached_frames),
        total.metadata.value >> 10, kernel.early_frames.allocated().value >> 10);
    return status::success;
}

u8 show_frames(CommandContext& context) {
    memory::BuddyFrames const& frames = *context.kernel.frames;
    FrameStatistics const total = frames.statistics();
    context.out.table(order_columns);
    for (unsigned order = 0; order < memory::order_count; ++order) {
        char storage[16];
        context.out.row(
            {order, kib(u64{1} << order), total.free_blocks[order],
             percent(storage, total.fragmentation_ppm(order))});
    }
    context.out.table(magazine_columns);
    for (u32 cpu = 0; cpu < frames.cpus(); ++cpu) {
        char storage[16];
        context.out.row(
            {format_to(std::span(storage), "{}", CpuId{cpu}).text, frames.node_of({cpu}),
             frames.cached_on({cpu})});
    }
    context.out.table(frame_columns);
    context.out.row({"allocations", total.allocations});
    context.out.row({"frees", total.frees});
    context.out.row({"failures", total.failures});
    context.out.row({"magazine refills", total.refills});
    context.out.row({"magazine drains", total.drains});
    for (usize i = 1; i < memory::frame_misuse_count; ++i) {
        char storage[40];
        auto const name = memory::misuse_name(static_cast<memory::FrameMisuse>(i));
        context.out.row(
            {format_to(std::span(storage), "refused: {}", name).text, total.misuses[i]});
    }
    memory::FrameDefect const defect = frames.validate();
    if (defect.found()) {
        context.out.line("BROKEN at {}: {}", defect.where, defect.problem);
    }
    return defect.found() ? status::failure : status::success;
}

} // namespace twofold::boot
