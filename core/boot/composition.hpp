// What an image is made of. Each image has one composition source (apps/images), the only place
// that names all its parts; nothing registers itself.
#pragma once

#include "core/boot/command.hpp"
#include "core/boot/scenario.hpp"
#include "core/boot/startup.hpp"

#include <array>
#include <span>
#include <string_view>

namespace twofold::device {
struct Driver;
}

namespace twofold::boot {

/// What reads and runs lines in place of the plain reader. Needs threads.
struct LineRunner {
    /// Runs a line of the machine's own command line: its status.
    u8 (*run)(Kernel& kernel, std::string_view line);
    /// Reads and runs lines until there are no more: the status of the last.
    u8 (*converse)(Kernel& kernel);
};

struct Composition {
    static constexpr usize command_tables_max = 12;

    std::string_view image;                                ///< "base", "full", "test"
    std::span<Step const> steps;                           ///< the start-up graph
    std::array<CommandTable, command_tables_max> commands; ///< searched in order
    std::span<Scenario const> scenarios;
    Result<void> (*open_threads)(Kernel& kernel) = nullptr; ///< see threads.hpp; null: none
    LineRunner const* lines = nullptr;                      ///< null: the plain reader
    /// Drivers beside the kernel's own, before which they are asked; at most added_drivers_max
    /// (device_model.hpp).
    std::span<device::Driver const* const> drivers{};
};

/// The composition of this image. Defined once, by the image's composition source.
Composition composition();

/// The steps that every image starts with.
std::span<Step const> basic_steps();

} // namespace twofold::boot
