// Options of `twofold-boot` and the emulator's command line. See boot_options.hpp.
#include "apps/launch/boot_options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <system_error>

namespace twofold::launch {

namespace {

namespace fs = std::filesystem;

/// Folders above the program that are searched for images.
constexpr int parents_max = 4;

std::map<std::string, Machine> const machine_names = {
    {"q35", Machine::q35}, {"microvm", Machine::microvm}};
std::map<std::string, Accelerator> const accelerator_names = {
    {"tcg", Accelerator::tcg}, {"auto", Accelerator::automatic}, {"kvm", Accelerator::kvm}};

/// A TCP port, or nothing for a socket of the launcher's own.
std::string take_port(std::string const& text, std::optional<std::string>& target) {
    char* end = nullptr;
    unsigned long const port = std::strtoul(text.c_str(), &end, 10);
    if (!text.empty() && (end != text.c_str() + text.size() || port < 1 || port > 65535)) {
        return fmt::format("'{}' is not a TCP port", text);
    }
    target = text;
    return {};
}

/// A comma ends a value on the emulator's command line; doubled, it is one.
std::string with_commas_doubled(std::string_view text) {
    std::string out;
    for (char const letter : text) {
        out.append(letter == ',' ? 2 : 1, letter);
    }
    return out;
}

void append(std::vector<std::string>& to, std::initializer_list<std::string> what) {
    to.insert(to.end(), what);
}

/// A channel of bytes whose other end the launcher holds.
void append_channel(std::vector<std::string>& to, std::string const& name, int descriptor) {
    append(to, {"-chardev", fmt::format("socket,id={},fd={}", name, descriptor)});
}

void add_disk_option(Arguments& arguments, BootOptions& options) {
    arguments.add(
        {.name = "--disk",
         .value_name = "DISK",
         .help = fmt::format("a disk; repeatable: {}", disk_choices),
         .take =
             [&options](std::string const& text) {
                 auto const wrong = take_disk(text, options.disks);
                 bool const is_file = !wrong.empty() || !options.disks.back().file.empty();
                 return is_file ? wrong : "the emulator has no disks in memory; name a file";
             },
         .occurrence = Arguments::Occurrence::repeated});
}

} // namespace

void add_boot_options(Arguments& arguments, BootOptions& options) {
    using Occurrence = Arguments::Occurrence;
    add_run_options(arguments, options.run);
    arguments.add(
        {.name = "--image",
         .value_name = "FILE",
         .help = "metal kernel image: a file, or base, full, sched or test (default: full)",
         .take = store_in(options.image)});
    arguments.add(
        {.name = "--machine",
         .value_name = "NAME",
         .help = "q35 (default) or microvm",
         .take = one_of(machine_names, options.machine)});
    arguments.add(
        {.name = "--iso",
         .value_name = "[FILE]",
         .help = "boot a CD image through GRUB (default: images/twofold-full.iso)",
         .take = store_in(options.iso),
         .occurrence = Occurrence::bare});
    arguments.add_flag("--uefi", options.uefi, "with --iso: UEFI firmware instead of a BIOS");
    arguments.add(
        {.name = "--accel",
         .value_name = "NAME",
         .help = "tcg (default), kvm, or auto: the faster one, measured once for each version of "
                 "the emulator and remembered",
         .take = one_of(accelerator_names, options.accelerator)});
    arguments.add_flag(
        "--icount", options.count_instructions,
        "the guest's time is its count of instructions: slower, exact, repeatable");
    arguments.add(
        {.name = "--display",
         .value_name = "KIND",
         .help = "a display: none (nobody sees it), png:FILE (the last frame), gtk or sdl (a "
                 "window of the emulator)",
         .take = [&options](std::string const& text) {
             return take_emulator_display(text, options.display);
         }});
    add_disk_option(arguments, options);
    arguments.add(
        {.name = "--gdb",
         .value_name = "[PORT]",
         .help =
             "stop before the first instruction and wait for gdb, on a TCP port if one is given",
         .take = [&options](std::string const& text) { return take_port(text, options.gdb); },
         .occurrence = Occurrence::bare});
    arguments.add(
        {.name = "--qemu-arg",
         .value_name = "ARG",
         .help = "a further argument of the emulator; repeatable",
         .take = append_to(options.emulator_arguments),
         .occurrence = Occurrence::repeated});
    arguments.add_flag(
        "--verbose", options.verbose, "say what is done, and what the emulator says");
    arguments.set_footer(
        "Commands can be piped in; the end of the input powers off. On a terminal, ctrl-A x "
        "ends the\n"
        "machine, ctrl-A ctrl-A sends ctrl-A, and ctrl-D ends the input.\n\n"
        "Exit status: 0 to 63 the last command's, 64 wrong use, 69 something is missing, 70 "
        "the kernel\n"
        "panicked, 71 the machine died, 74 a file or stream failed, 124 time ran out, 128+N "
        "signal N.");
}

void check_boot_options(BootOptions const& options) {
    auto const refuse = [](char const* line) { throw Failure(Status::usage, line); };
    if (options.uefi && !options.iso) {
        refuse("--uefi needs --iso: only a CD image goes through firmware and boot loader");
    }
    if (options.iso && options.machine == Machine::microvm) {
        refuse("--iso needs --machine q35: a microvm has no CD drive");
    }
    if (options.iso && !options.image.empty()) {
        refuse("--iso and --image exclude each other: the CD image holds a kernel of its own");
    }
    if (options.iso && options.run.module) {
        refuse("--iso and --module exclude each other: a CD image brings what is to be loaded");
    }
    if (options.count_instructions && options.accelerator != Accelerator::tcg) {
        refuse("--icount needs --accel tcg: only the emulator counts instructions");
    }
}

fs::path find_image(fs::path const& given, std::string_view file) {
    std::error_code error;
    if (given.native().find_first_of("/.") == std::string::npos && !given.empty()) {
        return find_image({}, fmt::format("twofold-{}.elf", given.native()));
    }
    if (!given.empty()) {
        if (!fs::is_regular_file(given, error)) {
            throw Failure(
                Status::unavailable, fmt::format("there is no image '{}'", given.string()));
        }
        return given;
    }
    fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
    for (int level = 0; level < parents_max; ++level, folder = folder.parent_path()) {
        for (char const* inside : {"images", "share/twofold/images"}) {
            fs::path const candidate = folder / inside / file;
            if (fs::is_regular_file(candidate, error)) {
                return candidate;
            }
        }
    }
    throw Failure(
        Status::unavailable, fmt::format(
                                 "there is no image '{}' in a folder 'images' beside this program "
                                 "or above; build it with "
                                 "./twofold image, or name one",
                                 file));
}

fs::path debug_file(fs::path const& image) {
    fs::path beside = image;
    beside.replace_extension(".debug.elf");
    std::error_code error;
    return fs::is_regular_file(beside, error) ? beside : image;
}

fs::path find_emulator() {
    char const* const search = std::getenv("PATH");
    std::string_view rest = search == nullptr ? "/usr/bin:/bin" : search;
    while (!rest.empty()) {
        auto const colon = std::min(rest.find(':'), rest.size());
        fs::path const candidate = fs::path(rest.substr(0, colon)) / emulator_program;
        if (access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
        rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
    throw Failure(
        Status::unavailable, fmt::format(
                                 "{} is not installed; install it with: apt-get install {}",
                                 emulator_program, emulator_package));
}

fs::path find_uefi_firmware() {
    for (char const* file : {"/usr/share/ovmf/OVMF.fd", "/usr/share/qemu/OVMF.fd"}) {
        if (access(file, R_OK) == 0) {
            return file;
        }
    }
    throw Failure(
        Status::unavailable,
        "there is no UEFI firmware (OVMF.fd); install it with: apt-get install ovmf");
}

std::vector<std::string> emulator_arguments(EmulatorPlan const& plan) {
    // Stopped at first: the monitor, or a debugger, lets it run once somebody listens.
    std::vector<std::string> out = {"-nodefaults", "-no-user-config",
                                    "-display",    emulator_window(plan.display),
                                    "-no-reboot",  "-S"};
    append(out, {"-machine", plan.machine == Machine::q35 ? "q35" : "microvm"});
    // Some hosts offer the register behind arch-capabilities and then refuse to have it written.
    append(out, {"-accel", plan.kvm ? "kvm" : "tcg"});
    append(out, {"-cpu", plan.kvm ? "max,arch-capabilities=off" : "max"});
    append(out, {"-smp", std::to_string(plan.cpus)});
    append(out, {"-m", fmt::format("{}K", plan.memory_bytes >> 10)});
    if (plan.count_instructions) {
        append(out, {"-icount", "shift=0,sleep=off"});
    }
    append_channel(out, "serial", serial_descriptor);
    append(out, {"-serial", "chardev:serial"});
    append_channel(out, "results", results_descriptor);
    append(out, {"-device", "isa-debugcon,iobase=0xe9,chardev=results"});
    append_channel(out, "monitor", monitor_descriptor);
    append(out, {"-mon", "chardev=monitor,mode=control"});
    if (plan.screenshot() != nullptr) {
        append(out, {"-no-shutdown"});
    } else {
        append(out, {"-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"});
    }
    if (plan.machine == Machine::q35) {
        // Ports tell of what is plugged into them; else firmware's methods would, instead.
        append(out, {"-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"});
    }
    if (plan.iso) {
        append(out, {"-cdrom", plan.iso->string(), "-boot", "order=d", "-vga", "std"});
        append(
            out, {"-fw_cfg", "name=opt/org.twofold/cmdline,string=" +
                                 with_commas_doubled(plan.kernel_command_line)});
        if (plan.firmware) {
            append(out, {"-bios", plan.firmware->string()});
        }
    } else {
        append(out, {"-vga", "none", "-kernel", plan.image.string()});
        if (plan.display) {
            char const* const bus = plan.machine == Machine::q35 ? "pci" : "device";
            append(out, {"-device", fmt::format("virtio-gpu-{}", bus)});
        }
        append(out, {"-append", plan.kernel_command_line});
        if (plan.module) {
            append(out, {"-initrd", plan.module->string()});
        }
    }
    for (usize number = 0; number < plan.disks.size(); ++number) {
        auto const words = disk_arguments(plan.disks[number], number, plan.machine == Machine::q35);
        out.insert(out.end(), words.begin(), words.end());
    }
    if (plan.gdb_device) {
        append(out, {"-gdb", *plan.gdb_device});
    }
    out.insert(out.end(), plan.further.begin(), plan.further.end());
    return out;
}

} // namespace twofold::launch
