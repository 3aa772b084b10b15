// Builds whose operations can be flipped: --mutant NAME, or its number, flips one of this run;
// --list-mutants names them.
#include "apps/host/mutant_option.hpp"

#include "core/base/base.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>

namespace twofold {

namespace {

/// Without a default: a new mutant that is not named here does not compile.
std::string_view mutant_name(Mutant which) {
    switch (which) {
    case Mutant::none:
        return "none";
    case Mutant::base_align_up:
        return "base_align_up";
    case Mutant::trace_ring_order:
        return "trace_ring_order";
    case Mutant::memory_map_overlap:
        return "memory_map_overlap";
    case Mutant::heap_double_free:
        return "heap_double_free";
    case Mutant::pools_join:
        return "pools_join";
    case Mutant::acpi_checksum:
        return "acpi_checksum";
    case Mutant::spaces_copy_on_write:
        return "spaces_copy_on_write";
    case Mutant::frames_merge:
        return "frames_merge";
    case Mutant::interrupts_rebind:
        return "interrupts_rebind";
    case Mutant::timers_order:
        return "timers_order";
    case Mutant::calls_order:
        return "calls_order";
    case Mutant::schedule_preempts:
        return "schedule_preempts";
    case Mutant::inversion_lending:
        return "inversion_lending";
    case Mutant::pci_decoding_off:
        return "pci_decoding_off";
    case Mutant::boot_requires:
        return "boot_requires";
    }
    return {};
}

std::optional<Mutant> find_mutant(std::string_view text) {
    u16 number = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    bool const is_number = error == std::errc{} && end == text.data() + text.size();
    for (u16 index = 0; !mutant_name(static_cast<Mutant>(index)).empty(); ++index) {
        if (is_number ? index == number : mutant_name(static_cast<Mutant>(index)) == text) {
            return static_cast<Mutant>(index);
        }
    }
    return std::nullopt;
}

std::string take_mutant(std::string const& text) {
    if (auto const found = find_mutant(text)) {
        select_mutant(*found);
        return {};
    }
    std::string names;
    for (u16 index = 1; !mutant_name(static_cast<Mutant>(index)).empty(); ++index) {
        names +=
            fmt::format("{}{}", index == 1 ? "" : ", ", mutant_name(static_cast<Mutant>(index)));
    }
    return fmt::format("'{}' is no mutant; there are {}", text, names);
}

/// A line for each: its room, which is the name's first word, and its name.
void list_mutants() {
    for (u16 index = 1; !mutant_name(static_cast<Mutant>(index)).empty(); ++index) {
        std::string_view const name = mutant_name(static_cast<Mutant>(index));
        fmt::print("{} {}\n", name.substr(0, name.find('_')), name);
    }
}

} // namespace

void host::add_mutant_option(Arguments& arguments) {
    arguments.add(
        {.name = "--mutant",
         .value_name = "NAME",
         .help = "flip one operation of the kernel",
         .take = take_mutant});
    arguments.add_action(
        "--list-mutants", list_mutants,
        "list the operations that can be flipped, each behind its room");
}

} // namespace twofold
