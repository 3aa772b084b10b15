// See topology.hpp.
#include "core/boot/topology.hpp"

#include "core/boot/kernel.hpp"
#include "hal/processors.hpp"

#include <algorithm>

namespace twofold::boot {

namespace {

using acpi::LineMode;
using trace::LogLevel;

constexpr u8 isa_bus = 0;
constexpr u8 local_inputs = 2; // LINT 0 and 1

/// `bus` is edge and high: the custom of the ISA bus (ACPI 6.5, section 5.2.12.5).
hal::Trigger trigger_of(LineMode mode) {
    return mode.trigger == LineMode::Trigger::level ? hal::Trigger::level : hal::Trigger::edge;
}
hal::Polarity polarity_of(LineMode mode) {
    return mode.polarity == LineMode::Polarity::low ? hal::Polarity::low : hal::Polarity::high;
}

struct ProcessorVisitor {
    Topology& topology;

    void operator()(acpi::Processor const& processor) const {
        auto const& known = topology.processors;
        bool const is_known =
            std::any_of(known.begin(), known.end(), [&](ProcessorEntry const& entry) {
                return entry.hardware_id == processor.apic_id;
            });
        if (!processor.enabled || is_known) {
            return; // firmware may list one as local APIC and as x2APIC
        }
        ProcessorEntry const entry{
            .hardware_id = processor.apic_id, .acpi_id = processor.acpi_id, .node = 0};
        topology.left_out += topology.processors.push_back(entry) ? 0 : 1;
    }
};

struct InterruptVisitor {
    InterruptDescription& description;
    Topology const& topology;

    void leave_out_unless(bool taken) const { description.left_out += taken ? 0 : 1; }

    void operator()(acpi::IoApic const& apic) const {
        auto const& known = description.io;
        bool const is_doubled = std::any_of(known.begin(), known.end(), [&](auto const& other) {
            return other.address == apic.address || other.first_line == apic.interrupt_base;
        });
        leave_out_unless(
            !is_doubled && apic.address != PhysAddr{} &&
            description.io.push_back({apic.address, apic.interrupt_base}).has_value());
    }

    void operator()(acpi::InterruptOverride const& override) const {
        bool const is_ours =
            override.bus == isa_bus && override.source < InterruptDescription::legacy_lines;
        leave_out_unless(is_ours);
        if (is_ours) {
            description.legacy[override.source] = {
                .line = {override.interrupt},
                .trigger = trigger_of(override.mode),
                .polarity = polarity_of(override.mode)};
        }
    }

    void operator()(acpi::NmiSource const& source) const {
        leave_out_unless(description.non_maskable_lines.push_back({source.interrupt}).has_value());
    }

    void operator()(acpi::LocalNmi const& source) const {
        hal::InterruptPlan::LocalNonMaskable input{
            .processor = hal::InterruptPlan::LocalNonMaskable::all_processors,
            .input = source.input,
            .trigger = trigger_of(source.mode),
            .polarity = polarity_of(source.mode)};
        bool is_known = source.acpi_id == acpi::LocalNmi::all_processors;
        for (u32 cpu = 0; !is_known && cpu < topology.processors.size(); ++cpu) {
            if (topology.processors[cpu].acpi_id == source.acpi_id) {
                input.processor = cpu;
                is_known = true;
            }
        }
        leave_out_unless(
            is_known && source.input < local_inputs &&
            description.non_maskable.push_back(input).has_value());
    }
};

Result<Topology> find_processors(Kernel const& kernel) {
    if (!kernel.acpi_tables) {
        return Error::not_found;
    }
    auto const table = TRY(kernel.acpi_tables->find(acpi::madt_signature));
    return read_topology(TRY(acpi::parse_madt(table)));
}

} // namespace

Topology read_topology(acpi::Madt const& madt) {
    Topology topology;
    madt.visit(ProcessorVisitor{topology});
    return topology;
}

InterruptDescription::InterruptDescription() {
    for (u32 i = 0; i < legacy_lines; ++i) {
        legacy[i].line = {i};
    }
}

InterruptDescription read_interrupts(acpi::Madt const& madt, Topology const& topology) {
    InterruptDescription description;
    description.local = madt.local_apic;
    madt.visit(InterruptVisitor{description, topology});
    return description;
}

Result<void> open_topology(Kernel& kernel) {
    auto found = find_processors(kernel);
    if (!found) {
        bool const is_damaged = found.error() != Error::not_found;
        kernel.log(
            is_damaged ? LogLevel::warning : LogLevel::info,
            "one processor: the table of processors is {}", found.error());
        return {};
    }
    Topology& topology = kernel.topology;
    topology = found.value();
    u32 const wanted = kernel.options.cpus != 0 ? kernel.options.cpus : ~u32{0};
    u32 const allowed = std::min(wanted, std::max(hal::Processors::count_max(), 1u));
    while (topology.processors.size() > allowed) {
        topology.processors.pop_back();
        ++topology.left_out;
    }
    if (topology.count() > 1 && hal::Processors::low_bytes().value != 0) {
        auto const low = kernel.early_frames.allocate_low(hal::Processors::low_bytes());
        kernel.start_memory = low ? low.value() : PhysAddr{}; // the step `processors` says so
    }
    if (topology.left_out != 0) {
        kernel.log(LogLevel::info, "{} processors are left out", topology.left_out);
    }
    return {};
}

} // namespace twofold::boot
