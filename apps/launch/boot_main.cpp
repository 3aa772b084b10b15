// twofold-boot: starts a metal kernel in QEMU, with the options of the hosted program and some of
// its own. stdout carries only what the kernel prints; everything else is said on stderr.
#include "apps/launch/accelerator.hpp"
#include "apps/launch/elf_file.hpp"
#include "apps/launch/private_folder.hpp"
#include "apps/launch/session.hpp"
#include "apps/launch/streams.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

namespace twofold::launch {

namespace {

namespace fs = std::filesystem;

constexpr char const* program_name = "twofold-boot";
constexpr char const* default_image = "twofold-full.elf";
constexpr char const* default_iso = "twofold-full.iso";
constexpr char const* smallest_image = "twofold-base.elf";

/// A word that no firmware prints.
std::string make_nonce() {
    u64 number = 0;
    if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
        throw Failure(Status::io, fmt::format("no random numbers: {}", std::strerror(errno)));
    }
    return fmt::format("{:016x}", number);
}

void check_image(fs::path const& image) {
    if (auto const damage = find_image_damage(read_file(image))) {
        throw Failure(
            Status::usage,
            fmt::format(
                "the image '{}' {}; build it again with ./twofold image", image.string(), *damage));
    }
}

/// Seconds that a boot of the smallest image takes; nothing if it fails or takes longer.
std::optional<double>
measure_boot(SessionSetup const& like, EndSignals& signals, bool kvm, double limit_s) {
    Descriptor const nowhere(open("/dev/null", O_WRONLY | O_CLOEXEC));
    SessionSetup setup;
    setup.emulator = like.emulator;
    setup.plan.machine = Machine::q35; // its firmware makes the boot long enough to measure
    setup.plan.kvm = kvm;
    setup.plan.memory_bytes = memory_default_bytes;
    fs::path const smallest = like.plan.image.parent_path() / smallest_image;
    setup.plan.image = fs::exists(smallest) ? smallest : like.plan.image;
    setup.nonce = make_nonce();
    RunOptions run;
    run.command = "version";
    setup.plan.kernel_command_line = kernel_command_line(run, false, "nonce=" + setup.nonce);
    setup.output_descriptor = nowhere.number();
    setup.timeout_s = limit_s;
    setup.quiet = true;
    auto const start = std::chrono::steady_clock::now();
    int const status = run_session(setup, signals);
    if (status >= static_cast<int>(Status::interrupted)) {
        throw Failure(static_cast<Status>(status), "interrupted");
    }
    std::chrono::duration<double> const taken = std::chrono::steady_clock::now() - start;
    spdlog::debug("{}: status {} after {:.3f} s", kvm ? "kvm" : "tcg", status, taken.count());
    return status == 0 ? std::optional(taken.count()) : std::nullopt;
}

bool choose_kvm(BootOptions const& options, SessionSetup const& setup, EndSignals& signals) {
    bool const accessible = access("/dev/kvm", R_OK | W_OK) == 0;
    if (options.accelerator == Accelerator::kvm && !accessible) {
        throw Failure(
            Status::unavailable,
            fmt::format("/dev/kvm: {}; use --accel tcg or auto", std::strerror(errno)));
    }
    if (options.accelerator != Accelerator::automatic || !accessible) {
        return options.accelerator == Accelerator::kvm;
    }
    auto const memory = AcceleratorMemory::of_user();
    std::string const version = emulator_version(setup.emulator);
    if (auto const known = memory ? memory->recall(version) : std::nullopt) {
        spdlog::debug("{} by {}", *known ? "kvm" : "tcg", memory->file(version).string());
        return *known;
    }
    bool const kvm = kvm_is_faster([&](bool with_kvm, double limit_s) {
        return measure_boot(setup, signals, with_kvm, limit_s);
    });
    if (!memory || !memory->remember(version, kvm)) {
        spdlog::debug("the answer could not be written down");
    }
    return kvm;
}

void choose_input(RunOptions const& run, bool terminal, SessionSetup& setup) {
    if (run.command) {
        setup.input = InputKind::none;
    } else if (run.script) {
        setup.input = InputKind::text;
        setup.input_text = read_script(*run.script);
    } else {
        setup.input = terminal ? InputKind::terminal : InputKind::stream;
    }
}

/// The debugger's door, and the line that a person starts gdb with.
void open_debugger(BootOptions const& options, fs::path const& folder, SessionSetup& setup) {
    std::string target = (folder / "gdb").string();
    if (options.gdb->empty()) {
        setup.plan.gdb_device = "unix:" + target + ",server=on,wait=off";
    } else {
        target = "127.0.0.1:" + *options.gdb;
        setup.plan.gdb_device = "tcp:" + target + ",server=on,wait=off";
    }
    spdlog::info("waiting for: gdb -ex 'target remote {}' {}", target, setup.symbols.string());
}

int boot(BootOptions const& options) {
    check_boot_options(options);
    check_streams(options.run);
    SessionSetup setup;
    setup.emulator = find_emulator();
    EmulatorPlan& plan = setup.plan;
    plan.machine = options.machine;
    plan.count_instructions = options.count_instructions;
    plan.cpus = options.run.cpus;
    plan.memory_bytes = options.run.memory_bytes;
    plan.module = options.run.module;
    plan.display = options.display;
    if (options.display) {
        check_emulator_display(*options.display, setup.emulator);
    }
    // The emulator opens and locks them itself; its own words about what is wrong are less clear.
    std::vector<OpenDisk> disks;
    for (DiskOption const& disk : options.disks) {
        disks.push_back(open_disk(disk));
    }
    disks.clear();
    plan.disks = options.disks;
    plan.further = options.emulator_arguments;
    if (options.iso) {
        plan.iso = find_image(*options.iso, default_iso);
        plan.firmware = options.uefi ? std::optional(find_uefi_firmware()) : std::nullopt;
        plan.image = fs::path(*plan.iso).replace_extension(".elf");
    } else {
        plan.image = find_image(options.image, default_image);
        check_image(plan.image);
    }
    setup.symbols = debug_file(plan.image);
    setup.nonce = make_nonce();
    bool const terminal = isatty(STDIN_FILENO) == 1;
    plan.kernel_command_line = kernel_command_line(
        options.run, terminal, "nonce=" + setup.nonce + (options.display ? " display=on" : ""));
    choose_input(options.run, terminal, setup);
    setup.timeout_s = options.run.timeout_s;
    setup.results = options.run.results;

    EndSignals signals;
    plan.kvm = choose_kvm(options, setup, signals);
    std::optional<PrivateFolder> folder;
    if (options.gdb) {
        folder.emplace();
        open_debugger(options, folder->path(), setup);
    }
    spdlog::debug("{} {}", setup.emulator.string(), fmt::join(emulator_arguments(setup.plan), " "));
    return run_session(setup, signals);
}

} // namespace

} // namespace twofold::launch

/// A broken invariant of the launcher itself, found by a room of core/ that it uses.
void twofold::check_failed(char const* expression, std::source_location where) {
    spdlog::critical("{}:{}: check failed: {}", where.file_name(), where.line(), expression);
    std::_Exit(static_cast<int>(launch::Status::crash));
}

int main(int count, char** arguments) {
    using namespace twofold::launch;
    spdlog::set_default_logger(spdlog::stderr_logger_st(program_name));
    spdlog::set_pattern("%n: %v");
    try {
        BootOptions options;
        twofold::Arguments known(program_name, "Starts the metal kernel in QEMU.");
        add_boot_options(known, options);
        if (auto const status = known.parse(count, arguments)) {
            return *status;
        }
        spdlog::set_level(options.verbose ? spdlog::level::debug : spdlog::level::info);
        return boot(options);
    } catch (Failure const& failure) {
        spdlog::error("{}", failure.what());
        return static_cast<int>(failure.status());
    } catch (std::exception const& error) {
        spdlog::error("unexpected: {}", error.what());
        return static_cast<int>(Status::crash);
    }
}
