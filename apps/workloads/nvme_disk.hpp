// The disk that workloads try: the first namespace of the machine's first NVMe controller, opened
// with times that suit a simulation. A live machine's disk may hold what somebody wants to keep, so
// there is one on simulated machines alone.
#pragma once

#include "apps/workloads/workload.hpp"
#include "core/boot/disks.hpp"
#include "core/boot/pci.hpp"

#include <algorithm>

namespace twofold::workloads {

class NvmeDisk {
public:
    /// Who waits without sleep makes a simulation as slow as the wait is long; queues that are
    /// short are full now and then, and come round often. Where nobody polls, an interrupt that
    /// finds nothing is one too many.
    static constexpr nvme::ControllerOptions options{
        .time_out = Nanos{20'000'000},
        .admin_time_out = Nanos{20'000'000},
        .abort_time = Nanos{5'000'000},
        .shutdown_time = Nanos{20'000'000},
        .mode = nvme::CompletionMode::interrupt,
        .entries = 8};
    /// Whatever goes wrong, a request ends within that time.
    static constexpr Nanos request_time{2'000'000'000};
    /// Of a workload that waits for one request after the other.
    static constexpr Nanos patience{request_time.value + 1'000'000'000};

    /// What a disk may answer whose workload knows of faults that hide nothing.
    static bool is_borne(Error error) {
        return error == Error::io_failed || error == Error::timed_out || error == Error::corrupted;
    }

    explicit NvmeDisk(boot::Kernel& kernel) : m_kernel(kernel) {}
    NvmeDisk(NvmeDisk const&) = delete;
    NvmeDisk& operator=(NvmeDisk const&) = delete;
    ~NvmeDisk() {
        close();
        boot::close_devices(m_kernel);
        boot::forget_pci(m_kernel);
    }

    /// Errors: not_found (the machine has none for workloads), those of nvme::open_controller.
    Result<void> open() {
        if (!probe::is_simulated) {
            return Error::not_found;
        }
        auto const functions = TRY(boot::pci_bus(m_kernel))->functions.functions();
        auto const found = std::ranges::find_if(functions, nvme::driver.matches);
        if (found == functions.end()) {
            return Error::not_found;
        }
        boot::DiskRoom& room = *TRY(boot::open_disk_room(m_kernel));
        device::DriverEnvironment environment = TRY(boot::driver_environment(m_kernel));
        environment.disks = &room.disks;
        m_controller = TRY(nvme::open_controller(environment, *found, options));
        m_use = room.disks.find("nvme0n1");
        if (!m_use) {
            close();
            return Error::io_failed;
        }
        return {};
    }
    /// All requests have come back.
    void close() {
        m_use = {};
        if (m_controller != nullptr) {
            std::exchange(m_controller, nullptr)->remove(device::Removal::orderly);
        }
    }

    bool is_open() const { return m_controller != nullptr; }
    block::Disk& disk() const { return *m_use; }
    nvme::Controller& controller() const { return *m_controller; }

private:
    boot::Kernel& m_kernel;
    nvme::Controller* m_controller = nullptr;
    block::DiskUse m_use;
};

} // namespace twofold::workloads
