// What goes wrong with the protocol of a simulated NVMe controller. See nvme_controller.hpp.
#include "hal/hosted/devices/nvme/nvme_controller.hpp"

namespace hosted {

namespace {

/// Moments of the controller's own; media have theirs by their numbers.
constexpr u64 own_moment = 0xffff, moment_bits = 48;

} // namespace

/// A doorbell has been written: whether commands are fetched later.
bool NvmeController::is_stalled(DeviceBus& bus, u16 queue) {
    if (!m_is_simulated) {
        return false;
    }
    if (bus.fault(DeviceFault::nvme_spurious_interrupt)) {
        bus.interrupt(m_completions[m_submissions[queue].completion_queue].vector);
    }
    auto const stall_ns = bus.fault(DeviceFault::nvme_doorbell_stall);
    if (stall_ns) {
        bus.call_later(*stall_ns, own_moment << moment_bits);
    }
    return stall_ns.has_value();
}

/// Whether the controller stops of its own accord.
bool NvmeController::breaks_down(DeviceBus& bus) {
    if (fails(bus, DeviceFault::nvme_fatal)) {
        fail(bus);
        return true;
    }
    if (!fails(bus, DeviceFault::nvme_reset)) {
        return false;
    }
    for (u16 number = 0; number < m_medium_parts.size(); ++number) {
        if (medium(number).withdraw_all()) {
            m_medium_parts[number] = 0;
        }
    }
    forget();
    m_status &= ~nvme::csts::ready; // enabled as before: the kernel has to see it
    publish_status(bus);
    return true;
}

/// A command that has ended well may say that it has not.
u16 NvmeController::alter_status(DeviceBus& bus, u16 status) const {
    if (!m_is_simulated || status != 0) {
        return status;
    }
    return static_cast<u16>(bus.fault(DeviceFault::nvme_status).value_or(0) & 0x7ff);
}

void NvmeController::faults_are_over() {
    for (auto const& each : m_config.media) {
        each->faults_are_over();
    }
}

void NvmeController::due(DeviceBus& bus, u64 tag) {
    u64 const number = tag >> moment_bits;
    if (number == own_moment) {
        fetch_all(bus);
    } else {
        CHECK(number < m_config.media.size());
        medium(static_cast<u16>(number)).due(bus, tag & ((u64{1} << moment_bits) - 1));
    }
    reap(bus);
}

} // namespace hosted
