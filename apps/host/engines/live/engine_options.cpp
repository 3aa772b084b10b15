// Live machines: threads, signals and the host's clock.
#include "apps/host/engine_options.hpp"
#include "apps/launch/status.hpp"
#include "hal/hosted/devices/nvme/file_medium.hpp"
#include "hal/hosted/devices/nvme/memory_medium.hpp"

#include <fmt/format.h>

#include <utility>

namespace twofold::host {

namespace {

using hosted::FileMedium;
using hosted::FileMediumOptions;
using launch::DiskOption;

FileMediumOptions::Io io_of(DiskOption::Io io) {
    switch (io) {
    case DiskOption::Io::uring:
        return FileMediumOptions::Io::uring;
    case DiskOption::Io::threads:
        return FileMediumOptions::Io::threads;
    case DiskOption::Io::automatic:
        break;
    }
    return FileMediumOptions::Io::automatic;
}

} // namespace

std::shared_ptr<hosted::NvmeMedium>
EngineOptions::make_medium(DiskOption const& disk, usize) const {
    if (disk.file.empty()) {
        return std::make_shared<hosted::MemoryMedium>(
            *disk.bytes / disk.block_bytes, disk.block_bytes);
    }
    launch::OpenDisk opened = launch::open_disk(disk);
    auto medium = FileMedium::create(
        opened.file.release(), {.bytes = opened.bytes,
                                .block_bytes = disk.block_bytes,
                                .is_read_only = disk.is_read_only,
                                .is_direct = disk.is_direct,
                                .io = io_of(disk.io),
                                .lock = opened.lock.release()});
    if (!medium) {
        throw launch::Failure(
            launch::Status::unavailable,
            fmt::format(
                "the disk '{}': {}; io=threads needs none", disk.file.string(), medium.error()));
    }
    return std::move(*medium);
}

struct EngineOptions::Values {};

EngineOptions::EngineOptions() = default;
EngineOptions::~EngineOptions() = default;

char const* EngineOptions::program_name() {
    return "twofold-host";
}

char const* EngineOptions::program_purpose() {
    return "Runs the kernel as a Linux process.";
}

void EngineOptions::add_to(Arguments&) {}

bool EngineOptions::hears_input_always() {
    return true;
}

std::expected<std::unique_ptr<hosted::Machine>, std::string>
EngineOptions::create(hosted::MachineConfig config, hosted::ConsoleEndpoint& console) const {
    return hosted::Machine::create(std::move(config), console);
}

std::string EngineOptions::summary() const {
    return {};
}

} // namespace twofold::host
