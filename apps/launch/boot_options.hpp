// The options of `twofold-boot`, the files they lead to, and the emulator's command line that
// follows. Everything here but the look for files is pure.
#pragma once

#include "apps/launch/disk_option.hpp"
#include "apps/launch/emulator_display.hpp"
#include "apps/launch/options.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace twofold::launch {

enum class Machine : u8 { q35, microvm };
enum class Accelerator : u8 { tcg, automatic, kvm };

inline constexpr char const* emulator_program = "qemu-system-x86_64";
inline constexpr char const* emulator_package = "qemu-system-x86";

/// Where the emulator finds the channels that the launcher keeps the other end of.
inline constexpr int serial_descriptor = 3;
inline constexpr int results_descriptor = 4;
inline constexpr int monitor_descriptor = 5;

struct BootOptions {
    RunOptions run;
    std::filesystem::path image; ///< empty: the default, see find_image
    std::optional<std::filesystem::path>
        iso; ///< boot this (empty: the default) through GRUB instead
    bool uefi = false;
    Machine machine = Machine::q35;
    Accelerator accelerator = Accelerator::tcg;
    bool count_instructions = false;
    std::optional<EmulatorDisplay> display; ///< none: the machine has none, or a CD's own
    std::vector<DiskOption> disks;
    std::optional<std::string> gdb; ///< a TCP port, or empty for a socket of the launcher's own
    std::vector<std::string> emulator_arguments;
    bool verbose = false;
};

/// Adds the options of a run and those of the emulator. `options` must outlive the parse.
void add_boot_options(Arguments& arguments, BootOptions& options);

/// Refuses combinations that make no sense; throws Failure (64).
void check_boot_options(BootOptions const& options);

/// `given`, or else `file` in a folder `images` beside the running program or in one of the folders
/// above it (a build tree), or in `share/twofold/images` there (an installation). A bare word is
/// the name of an image in these folders: `base` means twofold-base.elf. Throws Failure (69) if
/// there is no such file.
std::filesystem::path find_image(std::filesystem::path const& given, std::string_view file);

/// The file with the image's symbols: `NAME.debug.elf` beside `NAME.elf`, else the image itself.
std::filesystem::path debug_file(std::filesystem::path const& image);

/// Where the emulator is, by PATH. Throws Failure (69) that names the package to install.
std::filesystem::path find_emulator();

/// The UEFI firmware. Throws Failure (69) that names the package to install.
std::filesystem::path find_uefi_firmware();

/// What the emulator is to run, all files found and every choice made.
struct EmulatorPlan {
    Machine machine = Machine::q35;
    bool kvm = false;
    bool count_instructions = false;
    u32 cpus = 1;
    u64 memory_bytes = 0;
    std::optional<EmulatorDisplay> display;
    std::vector<DiskOption> disks; ///< whose files are there
    std::filesystem::path image;
    std::optional<std::filesystem::path> module;
    std::optional<std::filesystem::path> iso;
    std::optional<std::filesystem::path> firmware;
    std::optional<std::string> gdb_device; ///< as -gdb takes it; the machine waits for the debugger
    std::string kernel_command_line;
    std::vector<std::string> further;

    /// The file that the last frame goes to; null: none.
    std::filesystem::path const* screenshot() const {
        bool const is_wanted = display && display->kind == EmulatorDisplay::Kind::png;
        return is_wanted ? &display->file : nullptr;
    }
};

/// The emulator's arguments, without the program. The machine does not run by itself, see Monitor.
/// O(1).
std::vector<std::string> emulator_arguments(EmulatorPlan const& plan);

} // namespace twofold::launch
